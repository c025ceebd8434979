"""Items that occur in the same histories, by the cosine of their columns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from fastrec.data import Interactions, Queries, as_interactions
from fastrec.errors import InputError
from fastrec.models.history_weights import check_history_params, decayed_weights
from fastrec.models.neighbours import DistinctItems, NeighbourRecommender, Scorer, best_of
from fastrec.runtime import checks
from fastrec.runtime.threads import resolve_threads, run_ranges
from fastrec.search import Recommendations

if TYPE_CHECKING:
    from scipy.sparse import csr_array

PAIRS_AT_ONCE = 1 << 21  # some tens of milliseconds of counting, so that Ctrl-C is heard
MOST_PAIRS = 1 << 31


class ItemKNN(NeighbourRecommender):
    """Recommend what occurred in the same histories as the latest items, by cosine.

    Sarwar, Karypis, Konstan, Riedl, "Item-based Collaborative Filtering Recommendation
    Algorithms" (2001), as the baseline of papers on sessions (Hidasi et al., "Session-based
    Recommendations with Recurrent Neural Networks", 2016, section 4): with B the matrix of
    histories x items that says what is in which, ``n_i`` the histories with item i and
    ``n_ij`` those with both,

        s_ij = n_ij / sqrt((n_i + shrinkage) (n_j + shrinkage)),    s_ii = 0,

    which at ``shrinkage`` 0 is the cosine of columns i and j of B. The score of an item is
    the sum of s over the items of the history, the t-th latest weighted by
    ``history_decay ** (t - 1)``.

    Parameters
    ----------
    shrinkage : float
        Takes weight from items that few histories have, whose cosines are chance; at least 0.
    history_items : int or None
        How many of a history's latest items are asked for; 1 is usual in papers on sessions,
        None takes all.
    history_decay : float
        Weight of an item relative to the one after it, in (0, 1]; 1 suits sets without order.
    threads : int or None
        Threads of ``fit``; None takes all CPUs that the process may use. The model does not
        depend on it.

    Notes
    -----
    ``value`` of the log is what B holds (the largest one where a history has an item several
    times), and then ``n_ij = sum_h B_hi B_hj`` and ``n_i = sum_h B_hi ** 2``. Fitting costs the
    sum of the squared lengths of the histories; memory is 8 bytes for each pair of items that
    occurs. A query costs the neighbours of its items and a pass over the catalogue. Items
    that never came with the history have a score of 0 and come last, the most frequent first.
    ``partial_fit`` counts more histories. The loss of the one epoch is the share of events
    that were alone in their history, of which nothing is learnt. Deterministic for any number
    of threads; ``rank`` and ``recommend`` may be called from several threads.

    Examples
    --------
    >>> import fastrec as fr
    >>> model = fr.ItemKNN().fit([["bread", "butter"], ["bread", "butter", "jam"], ["tea"]])
    >>> model.recommend([["jam"]], k=2).items.tolist()
    [['bread', 'butter']]
    """

    _matrix: csr_array | None = None
    _pair_offsets: np.ndarray
    _pair_items: np.ndarray
    _pair_counts: np.ndarray
    _item_mass: np.ndarray

    def __init__(
        self,
        *,
        shrinkage: float = 20.0,
        history_items: int | None = None,
        history_decay: float = 0.5,
        threads: int | None = None,
    ) -> None:
        self.shrinkage = shrinkage
        self.history_items = history_items
        self.history_decay = history_decay
        self.threads = threads

    def _is_fitted(self) -> bool:
        return hasattr(self, "_item_mass")

    def _check_params(self) -> None:
        checks.real_number("shrinkage", self.shrinkage, 0)
        check_history_params(self.history_items, self.history_decay)
        resolve_threads(self.threads)

    def memory(self, data: Any) -> dict[str, int]:
        """Estimate the memory of ``fit`` on a log, in bytes, before fitting.

        Parameters
        ----------
        data : Interactions, or what ``fit`` takes

        Returns
        -------
        dict of str to int
            ``parameters`` (the pairs, at the most that the lengths of the histories allow),
            ``log``, ``work`` and ``total``.
        """
        self._check_params()
        log = as_interactions(data)
        pairs = _most_pairs(np.diff(log.history_offsets), log.n_items)
        parts = {
            "parameters": 8 * pairs + 24 * log.n_items,
            "log": log.nbytes,
            # The pairs once more while they are put together; keys, order and columns of the log.
            "work": 8 * pairs + 48 * len(log),
        }
        return parts | {"total": sum(parts.values())}

    def _clear(self) -> None:
        n_items = len(self.item_ids)
        self._pair_offsets = np.zeros(n_items + 1, np.int32)
        self._pair_items = np.empty(0, np.int32)
        self._pair_counts = np.empty(0, np.float32)
        self._item_mass = np.zeros(n_items, np.float64)

    def _widen(self) -> None:
        new = len(self.item_ids) - len(self._item_mass)
        self._pair_offsets = np.pad(self._pair_offsets, (0, new), mode="edge")
        self._item_mass = np.pad(self._item_mass, (0, new))

    def _count(self, log: Interactions, histories: DistinctItems) -> None:
        from scipy.sparse import csr_array

        n_items = len(self.item_ids)
        lengths = np.diff(histories.offsets)
        if (most := _most_pairs(lengths, n_items)) >= MOST_PAIRS:
            raise InputError(
                f"the histories hold up to {most:,} pairs of items (the longest has "
                f"{lengths.max():,} items), more than {MOST_PAIRS:,} are not kept; cut them with "
                "log.sessionize(gap=...), or leave out rare items with log.filter(...)"
            )
        offsets: np.ndarray = histories.offsets.astype(_width_of(histories.offsets[-1]))
        holds = csr_array(
            (histories.values.astype(np.float64), histories.items, offsets),
            shape=(len(lengths), n_items),
        )
        together = _products(holds, lengths, self.threads)
        mass = np.bincount(
            histories.items, weights=histories.values.astype(np.float64) ** 2, minlength=n_items
        )
        if len(self._pair_items):
            together = together + _square(self._pair_counts, self._pair_items, self._pair_offsets)
        self._pair_offsets = together.indptr.astype(_width_of(together.nnz), copy=False)
        self._pair_items = together.indices.astype(np.int32, copy=False)
        self._pair_counts = together.data.astype(np.float32, copy=False)
        self._item_mass = self._item_mass + mass

    def _history_weights(self, queries: Queries) -> tuple[np.ndarray, np.ndarray]:
        self._check_params()
        return decayed_weights(queries, self.history_items, self.history_decay)

    def _scorer(self, queries: Queries, weights: np.ndarray) -> Scorer:
        histories = queries.histories
        return self._scores_of(histories.flat, histories.offsets - histories.offsets[0], weights, 0)

    def _scores_of(
        self, items: np.ndarray, offsets: np.ndarray, weights: np.ndarray, otherwise: float
    ) -> Scorer:
        """Return what scores bags of weighted items; ``otherwise`` is the score of no pair at all.

        The roots stand outside the sums: ``score_j = (sum_i w_i r_i n_ij) r_j`` with
        ``r_i = 1 / sqrt(n_i + shrinkage)``, so that counts are used as they lie in the file.
        """
        from scipy.sparse import csr_array

        mass = self._item_mass + self.shrinkage
        roots = np.divide(1, np.sqrt(mass), out=np.zeros_like(mass), where=mass > 0)
        with np.errstate(over="ignore"):  # weights may be as large as float32 goes
            weights = (weights * roots[items]).astype(np.float32)
        roots = roots.astype(np.float32)
        pairs, n_items = self._pairs(), len(self.item_ids)

        def score(start: int, stop: int, scores: np.ndarray) -> None:
            first, last = offsets[start], offsets[stop]
            bags = csr_array(
                (weights[first:last], items[first:last], offsets[start : stop + 1] - first),
                shape=(stop - start, n_items),
            )
            sums = bags @ pairs
            out = scores[: stop - start]
            if otherwise:
                out[:] = otherwise
                owner = np.repeat(np.arange(stop - start), np.diff(sums.indptr))
                out[owner, sums.indices] = sums.data * roots[sums.indices]
            else:
                sums.toarray(out=out)
                out *= roots

        return score

    def _pairs(self) -> csr_array:
        matrix = self._matrix
        if matrix is None:
            matrix = self._matrix = _square(self._pair_counts, self._pair_items, self._pair_offsets)
        return matrix

    def _forget_answers(self) -> None:
        self._matrix = None

    def similar_items(
        self, items: Iterable[Any], k: int = 10, *, threads: int | None = None
    ) -> Recommendations:
        """Return the items with the largest s to each of ``items``.

        Parameters
        ----------
        items : sequence of ids
        k : int
            Items a row; rows are short where fewer items share a history with the item.
        threads : int or None
            None takes all CPUs that the process may use.

        Raises
        ------
        UnknownIdError
            An id that the model has not seen.
        """
        self._check_fitted()
        self._check_params()
        checks.whole_number("k", k, maximum=2**31 - 1)
        codes = self.item_ids.encode(items, on_unknown="error")
        ones = np.ones(len(codes))
        scorer = self._scores_of(codes, np.arange(len(codes) + 1), ones, -np.inf)
        top = best_of(scorer, len(codes), k, len(self.item_ids), None, None, threads)
        return Recommendations.from_top(top, self.item_ids)

    def _parameters(self) -> dict[str, np.ndarray]:
        return {
            "pair_offsets": self._pair_offsets,
            "pair_items": self._pair_items,
            "pair_counts": self._pair_counts,
            "item_mass": self._item_mass,
        }

    def _restore(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        super()._restore(arrays, state)
        self._pair_offsets, self._pair_items = arrays["pair_offsets"], arrays["pair_items"]
        self._pair_counts, self._item_mass = arrays["pair_counts"], arrays["item_mass"]
        sizes = len(self._pair_offsets) - 1, len(self._item_mass)
        if sizes != (len(self.item_ids),) * 2:
            raise ValueError(f"pairs of {sizes} items, {len(self.item_ids)} items")
        if not self._pair_offsets[-1] == len(self._pair_items) == len(self._pair_counts):
            raise ValueError(f"{len(self._pair_items)} pairs, {len(self._pair_counts)} counts")


def _most_pairs(lengths: np.ndarray, n_items: int) -> int:
    """Return how many ordered pairs of items histories of some lengths can hold, at most."""
    return int(
        min(float((lengths.astype(np.float64) * (lengths - 1)).sum()), n_items * (n_items - 1))
    )


def _width_of(count: int) -> Any:
    """Return the narrowest type of offsets: SciPy converts indices to that of the offsets."""
    return np.int32 if count < 2**31 else np.int64


def _square(counts: np.ndarray, items: np.ndarray, offsets: np.ndarray) -> csr_array:
    from scipy.sparse import csr_array

    return csr_array((counts, items, offsets), shape=(len(offsets) - 1, len(offsets) - 1))


def _products(holds: csr_array, lengths: np.ndarray, threads: int | None) -> csr_array:
    """Return B' B without its diagonal, float32, columns ascending, some rows at a time."""
    from scipy.sparse import vstack

    turned = holds.T.tocsr()
    work = np.cumsum(np.bincount(holds.indices, np.repeat(lengths, lengths), turned.shape[0]))
    cuts = [0]
    while cuts[-1] < turned.shape[0]:
        before = work[cuts[-1] - 1] if cuts[-1] else 0
        cuts.append(max(int(np.searchsorted(work, before + PAIRS_AT_ONCE, "right")), cuts[-1] + 1))
    parts: list[Any] = [None] * (len(cuts) - 1)

    def multiply(start: int, stop: int) -> None:
        for piece in range(start, stop):
            first, last = cuts[piece], cuts[piece + 1]
            part = (turned[first:last] @ holds).astype(np.float32)
            own = np.repeat(np.arange(first, last), np.diff(part.indptr))
            part.data[part.indices == own] = 0
            part.eliminate_zeros()
            part.sort_indices()
            parts[piece] = part

    run_ranges(multiply, len(parts), 1, threads)
    return vstack(parts, format="csr")
