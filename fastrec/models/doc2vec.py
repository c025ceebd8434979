"""Paragraph vectors: one vector for each document, and inference for new ones.

Le and Mikolov, "Distributed Representations of Sentences and Documents" (2014):
the distributed memory model (PV-DM) and the distributed bag of words (PV-DBOW).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrec.data import Corpus, IdMap
from fastrec.errors import DivergedError, InputError
from fastrec.models.bags import stretches
from fastrec.models.catalogue import Tokens
from fastrec.models.embedder import Tokenizer
from fastrec.models.word2vec import WordModel
from fastrec.runtime import checks
from fastrec.runtime.arrays import aligned_empty, padded_zeros, stride_of
from fastrec.runtime.random import stream_key
from fastrec.runtime.threads import Team, resolve_threads
from fastrec.search import Recommendations, Vectors
from fastrec.training.loop import Run
from fastrec.training.sgns import LARGEST_PIECE

# Inference hands out documents of about this many words at once, so that threads share the work
# evenly and Ctrl-C is heard; longer documents go epoch by epoch.
WORDS_AT_ONCE = 20_000


class Doc2Vec(WordModel):
    """Embed documents: a paragraph vector is one more context of each of its windows.

    PV-DM predicts each word from the paragraph vector and the words around it, PV-DBOW
    from the paragraph vector alone (Le and Mikolov, 2014, sections 2.2 and 2.3).

    Parameters
    ----------
    architecture : {"dbow", "dm"}
        Distributed bag of words, or distributed memory.
    combine : {"mean", "concatenate"}
        How PV-DM joins the paragraph vector with the word vectors of a window. Side by
        side keeps the order of words, and makes the output vectors
        ``1 + 2 * window`` times as long; windows are then not drawn shorter.
    train_words : bool
        Whether PV-DBOW trains word vectors too, by skip-gram on the same text.
    dim, window, loss, negatives, epochs, learning_rate, min_learning_rate, dynamic_window
        As in :class:`Word2Vec`. Small collections need more epochs: 10 to 40.
    subsample, ns_exponent, negative_sharing, min_count, max_vocab, tokenize, seed, threads
        As in :class:`Word2Vec`. In PV-DBOW without words, ``"block"`` shares noise between
        eight neighbouring words.
    infer_epochs : int or None
        Passes over a new document in :meth:`infer`; None takes ``epochs``.

    Notes
    -----
    Memory is the two float32 matrices of words x dim, one of documents x dim, and four
    bytes a token. The model of a document is all its words, however many; nothing is cut.
    :meth:`infer` gives the same vector for the same words whatever is asked with them
    and for any number of threads.

    ``partial_fit`` knows documents by their ids (``Corpus.from_texts(texts, ids=...)``):
    known ones are trained on, others get rows of their own. Documents without ids are
    numbered from 0, and would be taken for the first ones.

    Examples
    --------
    >>> import fastrec as fr
    >>> texts = ["the cat sat on the mat", "stocks fell on bad news"] * 20
    >>> model = fr.Doc2Vec(dim=8, min_count=1, epochs=20, threads=1).fit(texts)
    >>> model.document_vectors.matrix.shape
    (40, 8)
    >>> model.infer(["the cat sat"]).matrix.shape
    (1, 8)
    """

    window: int
    _documents: np.ndarray
    _document_vectors: Vectors | None = None
    document_ids: IdMap

    def __init__(
        self,
        *,
        dim: int = 128,
        architecture: str = "dbow",
        combine: str = "mean",
        train_words: bool = False,
        window: int = 5,
        loss: str = "negative_sampling",
        negatives: int = 5,
        epochs: int = 10,
        learning_rate: float = 0.025,
        min_learning_rate: float = 1e-4,
        dynamic_window: bool = True,
        subsample: float = 1e-3,
        ns_exponent: float = 0.75,
        negative_sharing: str = "window",
        min_count: int = 5,
        max_vocab: int | None = None,
        infer_epochs: int | None = None,
        tokenize: Tokenizer | None = None,
        seed: int = 1,
        threads: int | None = None,
    ) -> None:
        self.dim = dim
        self.architecture = architecture
        self.combine = combine
        self.train_words = train_words
        self.window = window
        self.loss = loss
        self.negatives = negatives
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.min_learning_rate = min_learning_rate
        self.dynamic_window = dynamic_window
        self.subsample = subsample
        self.ns_exponent = ns_exponent
        self.negative_sharing = negative_sharing
        self.min_count = min_count
        self.max_vocab = max_vocab
        self.infer_epochs = infer_epochs
        self.tokenize = tokenize
        self.seed = seed
        self.threads = threads

    def _check_params(self) -> None:
        super()._check_params()
        checks.whole_number("window", self.window, maximum=1 << 10)
        checks.one_of("architecture", self.architecture, ("dbow", "dm"))
        checks.one_of("combine", self.combine, ("mean", "concatenate"))
        checks.flag("train_words", self.train_words)
        if self.infer_epochs is not None:
            checks.whole_number("infer_epochs", self.infer_epochs)
        if self.train_words and self.architecture == "dm":
            raise InputError(
                "train_words is for PV-DBOW; PV-DM trains word vectors as it is: leave it out"
            )
        if self.combine == "concatenate" and self.architecture == "dbow":
            raise InputError(
                "combine='concatenate' is for PV-DM; PV-DBOW has nothing to combine: "
                "set architecture='dm' or leave it out"
            )

    # Training

    def _is_cbow(self) -> bool:
        return self.architecture == "dm"

    def _is_concatenated(self) -> bool:
        return self.architecture == "dm" and self.combine == "concatenate"

    def _form_params(self) -> dict[str, Any]:
        names = ("architecture", "combine", "train_words")
        form = {**super()._form_params(), **{name: getattr(self, name) for name in names}}
        return {**form, "window": self.window} if self._is_concatenated() else form

    def _output_places(self, form: dict[str, Any]) -> int:
        return 1 + 2 * form["window"] if "window" in form else 1

    def _begin(self, corpus: Corpus) -> None:
        super()._begin(corpus)
        self.document_ids = corpus.document_ids
        self._documents = self._new_rows("doc2vec documents", len(corpus), 0)

    def _extend(self, corpus: Corpus) -> None:
        super()._extend(corpus)
        before = len(self._documents)
        new = self.document_ids.codes_in(corpus.document_ids)  # of the old ids in the new
        fresh = np.setdiff1d(np.arange(len(corpus), dtype=np.int32), new[:-1])
        if len(fresh):
            self.document_ids = self.document_ids.extend(corpus.document_ids.decode(fresh))
        documents = self._new_rows("doc2vec documents", len(self.document_ids), before)
        documents[:before] = self._documents
        self._documents = documents

    def _document_rows(self, corpus: Corpus) -> int:
        return len(corpus)

    def _architecture_options(self) -> dict[str, Any]:
        """Return the arguments of the kernel that make it train paragraph vectors."""
        return {
            "concatenated": self._is_concatenated(),
            "dynamic_window": self.dynamic_window and not self._is_concatenated(),
            "documents_only": self.architecture == "dbow" and not self.train_words,
        }

    def _train(self, run: Run, corpus: Corpus) -> None:
        self._train_tokens(
            run,
            Tokens.of_corpus(corpus),
            documents=self._documents,
            document_rows=corpus.document_ids.codes_in(self.document_ids),
            **self._architecture_options(),
        )

    # Answers

    @property
    def document_vectors(self) -> Vectors:
        """The vectors of the training documents: float32, shape (documents, dim)."""
        self._check_fitted()
        vectors = self._document_vectors
        if vectors is None:
            vectors = Vectors(self.document_ids, self._documents[:, : self._dim])
            self._document_vectors = vectors
        return vectors

    @property
    def word_vectors(self) -> Vectors:
        """The vectors of the words: float32, shape (words, dim).

        Raises
        ------
        InputError
            PV-DBOW without ``train_words`` trains none.
        """
        self._check_fitted()
        if self._form["architecture"] == "dbow" and not self._form["train_words"]:
            raise InputError(
                "this model has no word vectors: PV-DBOW trains them with train_words=True"
            )
        return super().word_vectors

    def similar_documents(
        self, documents: Any, k: int = 10, *, threads: int | None = None
    ) -> Recommendations:
        """Return the training documents most like each of ``documents``, by cosine.

        Parameters
        ----------
        documents : sequence of ids, or Vectors
            Ids of training documents, each of which is no answer to itself; or what
            :meth:`infer` returns for new ones.
        k : int
            Answers a document.
        threads : int or None
            None takes all CPUs that the process may use.

        Raises
        ------
        UnknownIdError
            An id of no training document.
        """
        if isinstance(documents, Vectors):
            return self.document_vectors.similar_to(documents.matrix, k, threads=threads)
        return self.document_vectors.similar(documents, k, threads=threads)

    def infer(
        self,
        data: Any,
        *,
        ids: Any = None,
        epochs: int | None = None,
        learning_rate: float | None = None,
        seed: int | None = None,
        on_unknown: str = "ignore",
        threads: int | None = None,
    ) -> Vectors:
        """Return paragraph vectors of new documents; the model stays as it is.

        Each vector is trained for itself against the words and outputs of the model, which
        are held fixed (Le and Mikolov, 2014, section 2.2). Takes, returns and raises what
        :meth:`embed` does, which calls it.

        Parameters
        ----------
        data, ids, on_unknown, threads
            As in :meth:`embed`.
        epochs : int or None
            Passes over each document; None takes ``infer_epochs``, or ``epochs``.
        learning_rate : float or None
            Of the first pass; it falls linearly to ``min_learning_rate``.
        seed : int or None
            None takes the model's.
        """
        self._check_fitted()
        self._check_params()
        checks.one_of("on_unknown", on_unknown, ("ignore", "error"))
        passes = (self.infer_epochs or self.epochs) if epochs is None else epochs
        rate = self.learning_rate if learning_rate is None else learning_rate
        checks.whole_number("epochs", passes)
        checks.real_number("learning_rate", rate, minimum=self.min_learning_rate)
        seed = checks.whole_number("seed", self.seed if seed is None else seed, minimum=0)
        codes, offsets, names = self._encoded(data, on_unknown)
        matrix = self._inferred(codes, offsets, threads, passes, rate, seed)
        return self._as_vectors(matrix, ids, names)

    def _embed(self, codes: np.ndarray, offsets: np.ndarray, threads: int | None) -> np.ndarray:
        self._check_params()
        epochs = self.infer_epochs or self.epochs
        return self._inferred(codes, offsets, threads, epochs, self.learning_rate, self.seed)

    def _inferred(
        self,
        codes: np.ndarray,
        offsets: np.ndarray,
        threads: int | None,
        epochs: int,
        rate: float,
        seed: int,
    ) -> np.ndarray:
        """Return the vectors of encoded documents, float32 (documents, dim)."""
        self._check_form()
        count = len(offsets) - 1
        matrix = padded_zeros(count, self._dim)
        lengths = np.diff(offsets)
        if not lengths.any():
            return matrix[:, : self._dim]
        start = self._new_rows("doc2vec inference", 1, 0)[0]
        matrix[lengths > 0] = start
        tokens = Tokens(codes, offsets, self.word_ids, None, self.word_counts)
        trainer = self._trainer(
            tokens,
            1,
            documents=matrix,
            document_rows=np.arange(count, dtype=np.int32),
            frozen=True,
            **self._architecture_options() | {"documents_only": self.architecture == "dbow"},
        )
        keys = np.array(
            [
                [stream_key(seed, "infer", name, epoch) for name in ("keep", "window", "noise")]
                for epoch in range(epochs)
            ],
            dtype=np.uint64,
        )
        grain = LARGEST_PIECE
        capacity = min(grain, int(lengths.max())) + 2 * self.window
        tasks = _tasks(offsets, epochs)
        with Team(min(resolve_threads(threads), len(tasks))) as team:
            places = iter(range(len(tasks)))

            def work(_rank: int) -> None:
                scratch = aligned_empty((trainer.scratch_bytes(capacity),), np.int8)
                totals = np.zeros(2)
                for place in places:
                    first, last, stretch = tasks[place]
                    for begin in range(0, epochs, stretch):
                        if team.is_stopping():
                            return
                        trainer.infer(
                            *(first, last, begin, min(begin + stretch, epochs), epochs),
                            *(keys, rate, self.min_learning_rate, grain, capacity),
                            *(scratch, totals),
                        )

            team.run(work)
        if not np.isfinite(matrix).all():
            raise DivergedError(
                f"vectors of new documents became infinite or NaN at a learning rate of {rate:g}; "
                "lower learning_rate"
            )
        return matrix[:, : self._dim]

    # State

    def _forget_answers(self) -> None:
        super()._forget_answers()
        self._document_vectors = None

    def _parameters(self) -> dict[str, np.ndarray]:
        return {**super()._parameters(), "document_vectors": self._documents}

    def _arrays(self) -> dict[str, np.ndarray]:
        return {**super()._arrays(), **self.document_ids.to_arrays("document_ids")}

    def _restore(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        super()._restore(arrays, state)
        self.document_ids = IdMap.from_arrays("document_ids", arrays)
        shape = len(self.document_ids), stride_of(self._dim)
        self._documents = self._restored_matrix(arrays, "document_vectors", *shape)


def _tasks(offsets: np.ndarray, epochs: int) -> list[tuple[int, int, int]]:
    """Cut documents into (first, last, epochs at once) of about WORDS_AT_ONCE words of work."""
    tasks = []
    for first, last in stretches(offsets, max(WORDS_AT_ONCE // epochs, 1)):
        words = int(offsets[last] - offsets[first])
        tasks.append((first, last, epochs if words * epochs <= 2 * WORDS_AT_ONCE else 1))
    return tasks
