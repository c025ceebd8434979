"""How often items occur in the same histories, and what that says about others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from fastrec.errors import InputError
from fastrec.models.neighbours import DistinctItems
from fastrec.runtime.threads import run_ranges

if TYPE_CHECKING:
    from scipy.sparse import csr_array

PAIRS_AT_ONCE = 1 << 21  # some tens of milliseconds of counting, so that Ctrl-C is heard
MOST_PAIRS = 1 << 31
SHRINKAGE, HISTORY_DECAY = 20.0, 0.5  # of a score by default


@dataclass(frozen=True, eq=False)
class PairCounts:
    """For each item those it occurred with, and how often: ``B' B`` without its diagonal.

    B is the matrix of histories x items that says what is in which. Methods return new counts
    and leave these as they are.

    Attributes
    ----------
    offsets : int32 or int64 ndarray, shape (items + 1,)
        Item i occurred with ``items[offsets[i] : offsets[i + 1]]``.
    items : int32 ndarray, ascending for each item
    counts : float32 ndarray, beside ``items``
    mass : float64 ndarray, shape (items,)
        The diagonal: in how many histories each item is.
    """

    offsets: np.ndarray
    items: np.ndarray
    counts: np.ndarray
    mass: np.ndarray
    _kept: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def empty(cls, n_items: int) -> PairCounts:
        """Return counts of no histories."""
        nothing = np.empty(0, np.int32), np.empty(0, np.float32)
        return cls(np.zeros(n_items + 1, np.int32), *nothing, np.zeros(n_items, np.float64))

    def widened(self, n_items: int) -> PairCounts:
        """Return the same counts with room for items that are new."""
        new = n_items - len(self.mass)
        offsets = np.pad(self.offsets, (0, new), mode="edge")
        return PairCounts(offsets, self.items, self.counts, np.pad(self.mass, (0, new)))

    def counted(self, histories: DistinctItems, threads: int | None) -> PairCounts:
        """Return the counts with those of some histories added.

        Raises
        ------
        InputError
            The histories hold more than 2**31 pairs.
        """
        from scipy.sparse import csr_array

        n_items, lengths = len(self.mass), np.diff(histories.offsets)
        if (most := most_pairs(lengths, n_items)) >= MOST_PAIRS:
            raise InputError(
                f"the histories hold up to {most:,} pairs of items (the longest has "
                f"{lengths.max():,} items), more than {MOST_PAIRS:,} are not kept; cut them with "
                "log.sessionize(gap=...), or leave out rare items with log.filter(...)"
            )
        offsets: np.ndarray = histories.offsets.astype(_width_of(histories.offsets[-1]))
        values = histories.values.astype(np.float64)
        holds = csr_array((values, histories.items, offsets), shape=(len(lengths), n_items))
        together = _products(holds, lengths, threads)
        if len(self.items):
            together = together + self.matrix()
        return PairCounts(
            together.indptr.astype(_width_of(together.nnz), copy=False),
            together.indices.astype(np.int32, copy=False),
            together.data.astype(np.float32, copy=False),
            self.mass + np.bincount(histories.items, weights=values**2, minlength=n_items),
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the counts by the names that files use."""
        return {
            "pair_offsets": self.offsets,
            "pair_items": self.items,
            "pair_counts": self.counts,
            "item_mass": self.mass,
        }

    @classmethod
    def restored(cls, arrays: Mapping[str, np.ndarray], n_items: int) -> PairCounts:
        """Return the counts that :meth:`arrays` has described; KeyError, ValueError if damaged."""
        names = ("pair_offsets", "pair_items", "pair_counts", "item_mass")
        pairs = cls(*(arrays[name] for name in names))
        sizes = len(pairs.offsets) - 1, len(pairs.mass)
        if sizes != (n_items,) * 2:
            raise ValueError(f"pairs of {sizes} items, {n_items} items")
        if not pairs.offsets[-1] == len(pairs.items) == len(pairs.counts):
            raise ValueError(f"{len(pairs.items)} pairs, {len(pairs.counts)} counts")
        return pairs

    def scorer(
        self, items: np.ndarray, offsets: np.ndarray, weights: np.ndarray, shrinkage: float
    ) -> Callable[[int, int], csr_array]:
        """Return what scores bags ``[start, stop)`` of weighted items by shrunken cosines.

        Bag b has ``items[offsets[b] : offsets[b + 1]]``. The score of item j in it is
        ``sum_i w_i n_ij / sqrt((n_i + shrinkage) (n_j + shrinkage))``, float32, for each j that
        occurred with any i; columns are not sorted. The roots stand outside the sums, so that
        counts are used as they lie in a file. It may be called from several threads.
        """
        from scipy.sparse import csr_array

        (exact, roots), pairs, n_items = self._roots(shrinkage), self.matrix(), len(self.mass)
        with np.errstate(over="ignore"):  # weights may be as large as float32 goes
            weights = (weights * exact[items]).astype(np.float32)

        def score(start: int, stop: int) -> csr_array:
            first, last = offsets[start], offsets[stop]
            # Of the type of the pairs' offsets, or SciPy would convert all of these.
            ends = (offsets[start : stop + 1] - first).astype(pairs.indptr.dtype)
            bags = csr_array(
                (weights[first:last], items[first:last], ends), shape=(stop - start, n_items)
            )
            sums = bags @ pairs
            sums.data *= roots[sums.indices]
            return sums

        return score

    def matrix(self) -> csr_array:
        """Return the counts as a sparse matrix (items, items), without a copy."""
        from scipy.sparse import csr_array

        matrix = self._kept.get("matrix")
        if matrix is None:
            matrix = csr_array((len(self.mass),) * 2, dtype=np.float32)
            # Its constructor would copy what is a small part of a mapped file.
            matrix.data, matrix.indices, matrix.indptr = self.counts, self.items, self.offsets
            self._kept["matrix"] = matrix
        return matrix

    def _roots(self, shrinkage: float) -> tuple[np.ndarray, np.ndarray]:
        """Return ``1 / sqrt(n_i + shrinkage)`` of each item, float64 and float32; 0 for none."""
        known, roots = self._kept.get("roots", (None, None))
        if known != shrinkage:
            mass = self.mass + shrinkage
            exact = np.divide(1, np.sqrt(mass), out=np.zeros_like(mass), where=mass > 0)
            roots = exact, exact.astype(np.float32)
            self._kept["roots"] = shrinkage, roots
        return roots


def pair_bytes(lengths: np.ndarray, n_items: int) -> tuple[int, int]:
    """Return the bytes of counts at the most that histories allow, and of the work to count."""
    pairs = 8 * most_pairs(lengths, n_items)
    # They are there once more while they are put together; keys, order and columns of the log.
    return pairs + 16 * n_items, pairs + 64 * int(lengths.sum())


def most_pairs(lengths: np.ndarray, n_items: int) -> int:
    """Return how many ordered pairs of items histories of some lengths can hold, at most."""
    return int(
        min(float((lengths.astype(np.float64) * (lengths - 1)).sum()), n_items * (n_items - 1))
    )


def _width_of(count: int) -> Any:
    """Return the narrowest type of offsets: SciPy converts indices to that of the offsets."""
    return np.int32 if count < 2**31 else np.int64


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
