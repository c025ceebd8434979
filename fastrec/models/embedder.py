"""What an embedder is: a fit on texts or sequences, and one vector for each of new ones."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from fastrec.data import Corpus, IdMap, as_corpus, encode_documents
from fastrec.errors import InputError, UnknownIdError
from fastrec.models.bags import without_unknown
from fastrec.models.model import Model
from fastrec.runtime import checks
from fastrec.search import Vectors
from fastrec.training.history import History
from fastrec.training.loop import Run

if TYPE_CHECKING:
    from fastrec.training.callbacks import Callback

Tokenizer = Callable[[str], list[str]]


class Embedder(Model):
    """Turns texts or sequences into vectors.

    Attributes
    ----------
    word_ids : IdMap
        The words that the model knows: most frequent first, behind them what
        ``partial_fit`` brought.
    word_counts : int64 ndarray, shape (words,)
        How often each was seen in training.
    history : History
        One row per epoch.
    """

    word_ids: IdMap
    word_counts: np.ndarray
    tokenize: Tokenizer | None = None
    _lost_tokenizer = False  # a file cannot hold the user's function

    def __init__(self) -> None:
        if type(self) is Embedder:
            raise InputError(
                "Embedder is what all embedders have in common; make one of them, for example "
                "Word2Vec()"
            )

    def fit(
        self,
        data: Any,
        *,
        callbacks: Sequence[Callback] = (),
        progress: bool = False,
    ) -> Self:
        """Train on texts, from scratch.

        Parameters
        ----------
        data : Corpus, path, or iterable of str or of lists of str
            See :func:`fastrec.data.as_corpus`; an iterable is read once.
        callbacks : sequence of Callback
            For example ``fastrec.EarlyStopping("loss")``.
        progress : bool
            Show a progress bar with the loss and tokens per second.

        Returns
        -------
        Embedder
            The model itself.

        Raises
        ------
        InputError
            A parameter out of range, no text, or texts that cannot be read.
        FormatError
            A file that is not UTF-8.
        DivergedError
            The loss became NaN or infinite; the model is as it was before.
        KeyboardInterrupt
            Ctrl-C, raised again; the model keeps the state that it has reached, and an
            epoch that was cut short is marked as partial in ``history``.
        """
        self._check_params()
        corpus = self._corpus(data)
        with self._replacing_state(History()):
            self._lost_tokenizer = False
            self._begin(corpus)
            self._train(self._run(corpus, callbacks, progress), corpus)
        return self

    def partial_fit(
        self,
        data: Any,
        *,
        callbacks: Sequence[Callback] = (),
        progress: bool = False,
    ) -> Self:
        """Train on, from the state at hand; the texts may bring new words.

        Takes and raises what :meth:`fit` does. A model that has not been fitted is
        fitted. Costs one more copy of the parameters, so that a failure loses nothing.
        """
        if not self._is_fitted():
            return self.fit(data, callbacks=callbacks, progress=progress)
        self._check_params()
        corpus = self._corpus(data)
        with self._replacing_state(History(self.history.to_rows())):
            self._extend(corpus)
            self._train(self._run(corpus, callbacks, progress), corpus)
        return self

    def embed(
        self,
        data: Any,
        *,
        ids: Any = None,
        on_unknown: str = "ignore",
        threads: int | None = None,
    ) -> Vectors:
        """Return one vector for each text.

        Parameters
        ----------
        data : Corpus, or iterable of str or of lists of str
            A text without a known word gets a vector of zeros.
        ids : sequence of ids, or None
            Names of the texts; None numbers them from 0 (or takes the corpus's own).
        on_unknown : {"ignore", "error"}
            What to do with words that the model has not seen.
        threads : int or None
            None takes all CPUs that the process may use.

        Returns
        -------
        Vectors
            float32, shape (texts, dim).

        Raises
        ------
        NotFittedError
            Before ``fit``.
        InputError
            Texts that are none, or ids that are not one for each.
        UnknownIdError
            An unknown word with ``on_unknown="error"``.
        """
        self._check_fitted()
        checks.one_of("on_unknown", on_unknown, ("ignore", "error"))
        codes, offsets, names = self._encoded(data, on_unknown)
        return self._as_vectors(self._embed(codes, offsets, threads), ids, names)

    def _as_vectors(self, matrix: np.ndarray, ids: Any, names: IdMap | None) -> Vectors:
        """Return the rows under the given ids, the texts' own, or their numbers."""
        if ids is None:
            own = names if names is not None else IdMap.from_ids(np.arange(len(matrix)))[0]
            return Vectors(own, matrix)
        found, codes = IdMap.from_ids(ids)
        if not len(codes) == len(found) == len(matrix) or (codes < 0).any():
            raise InputError(
                f"ids must name each of {len(matrix)} texts by an id of its own, got {len(codes)} "
                f"ids, {len(found)} of them different"
            )
        # A new map numbers whole numbers in ascending order; the vectors are in the texts' order.
        return Vectors(found.take(codes), matrix)

    def _encoded(self, data: Any, on_unknown: str) -> tuple[np.ndarray, np.ndarray, IdMap | None]:
        """Return the known words of new texts: codes, offsets, and the texts' ids if they have."""
        if isinstance(data, Corpus):
            names = data.document_ids
            rows = data.word_ids.codes_in(self.word_ids)
            codes, offsets, unknown = without_unknown(rows[data.tokens], data.offsets)
        else:
            names = None
            documents, tokenize = self._readable(data)
            codes, offsets, unknown = encode_documents(documents, self.word_ids, tokenize)
        if unknown and on_unknown == "error":
            raise UnknownIdError(
                f"{unknown} words are none that the model has seen; leave them out or ask with "
                "on_unknown='ignore'"
            )
        return codes, offsets, names

    def _readable(self, data: Any) -> tuple[Any, Tokenizer | None]:
        """Return the data and the tokenizer for it: None where the words are cut already.

        The first document says which; an iterator comes back with it in front.
        """
        if isinstance(data, Corpus):
            return data, None
        is_one = isinstance(data, (str, bytes, os.PathLike)) or getattr(data, "ndim", 1) == 0
        if hasattr(data, "__iter__") and not is_one:
            documents = iter(data)
            head = list(itertools.islice(documents, 1))
            if documents is data:
                data = itertools.chain(head, documents)
            if not any(isinstance(first, (str, bytes)) for first in head):
                return data, None
        if self._lost_tokenizer and self.tokenize is None:
            raise InputError(
                "this model was fitted with a tokenizer of your own, which its file cannot hold; "
                "set_params(tokenize=...) gives it back, or give lists of words"
            )
        return data, self.tokenize

    def _corpus(self, data: Any) -> Corpus:
        documents, tokenize = self._readable(data)
        corpus = as_corpus(documents, tokenize=tokenize)
        if corpus.n_tokens == 0:
            raise InputError(
                f"there is no word in {len(corpus)} documents; fit needs at least one word"
            )
        return corpus

    def _run(self, corpus: Corpus, callbacks: Sequence[Callback], progress: bool) -> Run:
        return Run(
            model=self,
            epochs=getattr(self, "epochs", 1),
            events=corpus.n_tokens,
            history=self.history,
            callbacks=callbacks,
            progress=checks.flag("progress", progress),
            threads=getattr(self, "threads", None),
        )

    def _saved_params(self) -> dict[str, Any]:
        return {name: value for name, value in self.get_params().items() if name != "tokenize"}

    def _state(self) -> dict[str, Any]:
        lost = self._lost_tokenizer or self.tokenize is not None
        return {**super()._state(), "own_tokenizer": lost}

    def _restore(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        super()._restore(arrays, state)
        self._lost_tokenizer = bool(state.get("own_tokenizer", False))

    def _check_params(self) -> None:
        """Raise InputError for a parameter that is out of range."""
        if self.tokenize is not None and not callable(self.tokenize):
            raise InputError(
                "tokenize must be a function that takes a str and returns a list of words, got "
                f"{self.tokenize!r}"
            )

    def _begin(self, corpus: Corpus) -> None:
        """Set up words, counts and fresh parameters for a corpus."""
        raise NotImplementedError

    def _extend(self, corpus: Corpus) -> None:
        """Take the new words of a corpus into copies of the parameters."""
        raise NotImplementedError

    def _train(self, run: Run, corpus: Corpus) -> None:
        """Run the epochs."""
        raise NotImplementedError

    def _embed(self, codes: np.ndarray, offsets: np.ndarray, threads: int | None) -> np.ndarray:
        """Return float32 vectors of encoded texts, shape (texts, dim)."""
        raise NotImplementedError
