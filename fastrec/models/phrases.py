"""Phrases: words that stand together more often than chance, joined to one word.

Mikolov, Sutskever, Chen, Corrado, Dean, "Distributed Representations of Words and
Phrases and their Compositionality" (2013), section 4; Bouma, "Normalized (Pointwise)
Mutual Information in Collocation Extraction" (2009).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np

from fastrec.data import Corpus, IdBuilder, IdMap, as_corpus
from fastrec.data.corpus import MEMORY_LIMIT
from fastrec.data.id_columns import utf8_column
from fastrec.data.neighbours import MOST_CONNECTORS, digits_of_words
from fastrec.data.pair_counts import PairCounts, count_pairs
from fastrec.data.phrase_joiner import COLUMNS, Joiner
from fastrec.data.ragged import offsets_of
from fastrec.data.word_batches import WordBatch, of_documents
from fastrec.errors import InputError
from fastrec.models.model import Model
from fastrec.runtime import checks
from fastrec.training.history import History

SCORINGS = ("npmi", "word2vec")
USUAL_THRESHOLD = {"npmi": 0.5, "word2vec": 100.0}  # the second is that of the authors' program


class Phrases(Model):
    """Find pairs of words that belong together, and join them: "new york" to "new_york".

    A pair is two words beside each other in one document. With N words in the text, of
    which a are c(a), b are c(b), and c(ab) the pairs of both, the score of a pair is, by
    ``scoring``:

    - ``"npmi"``: ``ln(p(ab) / (p(a) p(b))) / -ln p(ab)``, where p is c / N: normalized
      pointwise mutual information (Bouma, 2009), from -1 to 1, and 0 for words that meet
      by chance;
    - ``"word2vec"``: ``(c(ab) - discount) N / (c(a) c(b))`` (Mikolov et al., 2013, eq. 6,
      times N as in the authors' program).

    Pairs that score above ``threshold`` are phrases. A document is joined from left to
    right, and a word goes into one phrase only.

    Parameters
    ----------
    scoring : {"npmi", "word2vec"}
    threshold : float or None
        A phrase scores above that. None is 0.5 for "npmi", 100 for "word2vec".
    min_count : int
        How often a phrase occurs at least.
    discount : float or None
        What "word2vec" takes from the count of a pair, so that pairs of rare words score
        less; None is ``min_count``. "npmi" knows none.
    passes : int
        How often pairs are looked for, each time in the text that the passes before have
        joined: two find "new_york_times", and phrases of at most four words.
    separator : str
        What is put between the words of a phrase.
    connectors : sequence of str
        Words that may stand inside a phrase, at most four in a row, and neither begin nor
        end it nor count in its score: with "of", "bank of america" is a pair of two words.

    Notes
    -----
    Counts are exact. ``fit`` looks at each word and sorts the pairs of words that are
    frequent enough, as many at once as ``memory_limit`` holds (27 million in 1 GiB); more
    of them take more passes over the text. ``transform`` looks up each pair of known
    words. Deterministic; ``transform`` may be called from several threads.

    Examples
    --------
    >>> texts = ["he left new york", "new york is old", "old and new"] * 5
    >>> phrases = Phrases(threshold=0.75).fit(texts)
    >>> phrases.table()["phrase"].tolist()
    ['he_left', 'new_york']
    >>> phrases.transform(["To New York!"])
    [['to', 'new_york']]
    """

    def __init__(
        self,
        *,
        scoring: str = "npmi",
        threshold: float | None = None,
        min_count: int = 5,
        discount: float | None = None,
        passes: int = 1,
        separator: str = "_",
        connectors: Sequence[str] = (),
    ) -> None:
        self.scoring = scoring
        self.threshold = threshold
        self.min_count = min_count
        self.discount = discount
        self.passes = passes
        self.separator = separator
        self.connectors = connectors
        self.history = History()
        self._joiners: list[Joiner] | None = None

    def fit(self, data: Any, *, memory_limit: int | None = None) -> Self:
        """Find the phrases of a text.

        Parameters
        ----------
        data : Corpus, path, or iterable of str or of lists of str
            See :func:`fastrec.data.as_corpus`; an iterable is read once.
        memory_limit : int or None
            Bytes for counting pairs, and for the codes of the text between two passes,
            as in :meth:`Corpus.from_texts`; None means 1 GiB. The phrases do not depend
            on it.

        Returns
        -------
        Phrases
            The object itself.

        Raises
        ------
        InputError
            A parameter out of range, no text, or texts that cannot be read.
        FormatError
            A file that is not UTF-8.
        FastrecError
            The temporary file of a text beyond ``memory_limit`` cannot be written.
        """
        self._check_params()
        if memory_limit is None:
            memory_limit = MEMORY_LIMIT
        checks.whole_number("memory_limit", memory_limit, 0)
        connectors = _checked_connectors(self.connectors)
        corpus = as_corpus(data)
        joiners: list[Joiner] = []
        while len(joiners) < self.passes:
            if joiners:
                corpus = joiners[-1].join_corpus(corpus, memory_limit)
            found = self._found(corpus, connectors, memory_limit)
            if joiners and len(found) == 0:
                break
            joiners.append(found)
        self._joiners = joiners
        return self

    def _check_params(self) -> None:
        checks.one_of("scoring", self.scoring, SCORINGS)
        if self.threshold is not None:
            checks.real_number("threshold", self.threshold)
        checks.whole_number("min_count", self.min_count)
        checks.whole_number("passes", self.passes)
        if self.discount is not None:
            checks.real_number("discount", self.discount, minimum=0)
            if self.scoring == "npmi":
                raise InputError(
                    "discount is a part of scoring='word2vec', which 'npmi' does not have; "
                    "leave it out"
                )
        if not _is_text(self.separator):
            raise InputError(f"separator must be a str of valid Unicode, got {self.separator!r}")

    def _found(self, corpus: Corpus, connectors: Sequence[str], memory_limit: int) -> Joiner:
        """Return the pairs of a text that score above the threshold, the highest score first."""
        threshold = USUAL_THRESHOLD[self.scoring] if self.threshold is None else self.threshold
        digits = digits_of_words(corpus.word_ids, connectors)
        columns: list[list[np.ndarray]] = [[], [], [], [], []]
        for pairs in count_pairs(corpus, self.min_count, digits, memory_limit):
            scores = self._scores(pairs, corpus)
            kept = np.flatnonzero(scores > threshold)
            parts = (pairs.left, pairs.gaps, pairs.right, pairs.counts, scores)
            for column, part in zip(columns, parts, strict=True):
                column.append(part[kept])
        empty = [[np.empty(0, dtype)] for dtype in COLUMNS.values()]
        whole = [np.concatenate(last + column) for last, column in zip(empty, columns, strict=True)]
        best = np.argsort(-whole[-1], kind="stable")
        left, gaps, right, counts, scores = (column[best] for column in whole)
        used = np.unique(np.concatenate((left, right)))
        return Joiner(
            words=corpus.word_ids.take(used),
            left=np.searchsorted(used, left).astype(np.int32),
            gaps=gaps,
            right=np.searchsorted(used, right).astype(np.int32),
            counts=counts,
            scores=scores,
            connectors=connectors,
            separator=self.separator,
        )

    def _scores(self, pairs: PairCounts, corpus: Corpus) -> np.ndarray:
        """Return the score of each pair, float64."""
        total = float(corpus.n_tokens)
        by_chance = corpus.counts[pairs.left].astype(np.float64) * corpus.counts[pairs.right]
        if self.scoring == "npmi":
            share = pairs.counts / total
            return np.log(pairs.counts * total / by_chance) / -np.log(share)
        discount = self.min_count if self.discount is None else self.discount
        return (pairs.counts - discount) * total / by_chance

    def transform(self, data: Any, *, memory_limit: int | None = None) -> Any:
        """Return a text in which the words of each phrase are one.

        Parameters
        ----------
        data : Corpus, or iterable of str or of lists of str
            Texts are cut by :func:`fastrec.data.tokenize.words`; lists of words are taken
            as they are. An iterable is read once.
        memory_limit : int or None
            Of the new corpus; see :meth:`Corpus.from_texts`.

        Returns
        -------
        Corpus or list of lists of str
            A corpus for a corpus, of which documents keep their ids and words are counted
            anew; else the words of each document.

        Raises
        ------
        NotFittedError
            Before :meth:`fit`.
        InputError
            A document is neither a str nor a list of words.
        FastrecError
            The temporary file of a text beyond ``memory_limit`` cannot be written.
        """
        joiners = self._fitted()
        if isinstance(data, Corpus):
            for joiner in joiners:
                data = joiner.join_corpus(data, memory_limit)
            return data
        if memory_limit is not None:
            raise InputError(
                "memory_limit is for a Corpus; what comes from other documents is a list"
            )
        return [words for batch in of_documents(data) for words in _joined(batch, joiners)]

    def table(self) -> dict[str, np.ndarray]:
        """Return the phrases as columns of equal length, pass by pass, the highest score first.

        Returns
        -------
        dict of str to ndarray
            ``"phrase"``, objects of str; ``"count"``, int64, how often it was seen;
            ``"score"``, float64; ``"pass"``, int64, from 1 on. Fits ``pandas.DataFrame``.

        Raises
        ------
        NotFittedError
            Before :meth:`fit`.
        """
        joiners = self._fitted()
        names = np.empty(len(self), object)
        names[:] = [name for joiner in joiners for name in joiner.names]
        return {
            "phrase": names,
            "count": np.concatenate([joiner.counts for joiner in joiners]),
            "score": np.concatenate([joiner.scores for joiner in joiners]),
            "pass": np.repeat(np.arange(1, len(joiners) + 1), [len(joiner) for joiner in joiners]),
        }

    def __len__(self) -> int:
        """Return the number of phrases, 0 before :meth:`fit`."""
        return sum(map(len, self._joiners or ()))

    def _fitted(self) -> list[Joiner]:
        self._check_fitted()
        return self._joiners or []

    # State

    def _is_fitted(self) -> bool:
        return self._joiners is not None

    def _saved_params(self) -> dict[str, Any]:
        return {**self.get_params(), "connectors": list(_checked_connectors(self.connectors))}

    def _arrays(self) -> dict[str, np.ndarray]:
        arrays: dict[str, np.ndarray] = {}
        for number, joiner in enumerate(self._fitted(), 1):
            arrays |= joiner.words.to_arrays(f"pass_{number}.words")
            arrays |= {f"pass_{number}.{name}": getattr(joiner, name) for name in COLUMNS}
        return arrays

    def _state(self) -> dict[str, Any]:
        joiners = self._fitted()
        return {
            **super()._state(),
            "passes": len(joiners),
            "separator": joiners[0].separator,
            "connectors": list(joiners[0].connectors),
        }

    def _restore(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        super()._restore(arrays, state)
        self._joiners = [
            Joiner(
                words=IdMap.from_arrays(f"pass_{number}.words", arrays),
                **{name: arrays[f"pass_{number}.{name}"] for name in COLUMNS},
                connectors=_checked_connectors(state["connectors"]),
                separator=state["separator"],
            )
            for number in range(1, checks.whole_number("passes", state["passes"]) + 1)
        ]


def _joined(batch: WordBatch, joiners: Sequence[Joiner]) -> Iterator[list[str]]:
    """Yield a few documents as lists of words, joined."""
    builder = IdBuilder("words")
    tokens = builder.add_column(utf8_column(batch.blob, batch.offsets))
    offsets = offsets_of(batch.counts)
    word_ids, _ = builder.finish()  # strings have the codes that they were given
    if len(tokens):
        for joiner in joiners:
            tokens, offsets, word_ids = joiner.join_codes(tokens, offsets, word_ids)
    words = word_ids.decode(tokens).tolist()
    for start, stop in pairwise(offsets.tolist()):
        yield words[start:stop]


def _checked_connectors(connectors: Any) -> tuple[str, ...]:
    """Return connectors as a tuple, each once.

    Raises
    ------
    InputError
        They are no words, or too many.
    """
    # Not an iterator: it would be empty at the next fit.
    if isinstance(connectors, (str, bytes)) or not isinstance(connectors, Collection):
        raise InputError(f"connectors must be a list of words, got {connectors!r}")
    words = tuple(dict.fromkeys(connectors))
    for word in words:
        if not _is_text(word):
            raise InputError(f"connectors must be words of valid Unicode, got {word!r}")
    if len(words) > MOST_CONNECTORS:
        raise InputError(f"connectors must be at most {MOST_CONNECTORS}, got {len(words)}")
    return words


def _is_text(value: Any) -> bool:
    """Say whether a value is a str that UTF-8 can hold."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
