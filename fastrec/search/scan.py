"""How a search is cut into pieces: blocks of queries, ranges of rows, and shortlists of both.

A block of queries is packed once. Many blocks: each is one piece of work that
passes over all rows. Few blocks: the rows are cut too, the threads share a
block, and each works on shortlists of its own that are merged at the end. The
answer is the same in either case, bit for bit: a score depends on its two
vectors alone, and the best k of a set do not depend on how it was cut.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from fastrec.runtime.arrays import aligned_empty
from fastrec.runtime.threads import run_ranges
from fastrec.search.arguments import RowLists
from fastrec.search.result import TopK

# 512 queries are enough to read the rows from memory once for 32 k sums of products; more would
# only make the shortlists larger than the second cache.
QUERY_BLOCK = 512
# Memory that the shortlists of one thread may take.
SHORTLIST_BYTES = 64 << 20
# A piece of work takes between these, and a thread gets about so many: short enough that all
# threads end together, long enough for the 20 us that Python needs between two.
PIECE_SECONDS = (0.5e-3, 8e-3)
PIECES_A_THREAD = 8
# A piece of a shared block is this part of what is left for each thread: large at first, so that
# few begin, and small at last, so that all threads end together.
PIECE_OF_SHARE = 1 / 2
# Threads share a block of queries where each then has this much to do.
SHARE_SECONDS = 1e-3
# What a core does in a second, roughly.
FUSED_ADDS = 8e10
BYTES = 1.5e10
# A multiple of the rows of every tile of every level.
TILE_ROWS = 336
# A call into the kernel lasts at most this long, so that Ctrl-C is honoured.
CALL_SECONDS = 0.1


@dataclass(frozen=True)
class Rows:
    """What is searched.

    Attributes
    ----------
    matrix : ndarray of float32, shape (n_rows, dim)
        Contiguous rows at any stride.
    bias : ndarray of float32, shape (n_rows,), or None
        Added to the scores.
    chosen : ndarray of int32, or None
        Ascending: only these rows are answers.
    """

    matrix: np.ndarray
    bias: np.ndarray | None
    chosen: np.ndarray | None

    def __len__(self) -> int:
        """Return the number of rows to score."""
        return len(self.matrix) if self.chosen is None else len(self.chosen)


class Shortlists:
    """The best rows so far of one block of queries, on one thread."""

    def __init__(self, kernel: ModuleType, n_queries: int, capacity: int, dim: int) -> None:
        lanes = -(-n_queries // (2 * kernel.LANES)) * 2 * kernel.LANES
        self.limits = np.full(lanes, np.inf, dtype=np.float32)
        self.limits[:n_queries] = -np.inf
        self.keys = np.empty((n_queries, capacity), dtype=np.uint64)
        self.counts = np.zeros(n_queries, dtype=np.int64)
        self.scratch = np.empty(kernel.scratch_size(dim), dtype=np.float32)
        self.parts = np.empty(lanes, dtype=np.float32)
        self.row = 0

    def raise_limits(self, other: Shortlists) -> None:
        """Take over what ``other`` has found that an answer has to reach.

        A score that equals the other's k-th may still be an answer, by a smaller row.
        """
        reach = np.nextafter(other.limits, np.float32(-np.inf))
        np.maximum(self.limits, reach, out=self.limits)


class Sums:
    """Sums of the exponentials of a block's scores, chunk by chunk of the rows."""

    def __init__(self, kernel: ModuleType, n_rows: int, n_queries: int) -> None:
        lanes = -(-n_queries // (2 * kernel.LANES)) * 2 * kernel.LANES
        self.sums = np.zeros((-(-n_rows // kernel.SUM_ROWS), lanes))
        self.peaks = np.zeros(self.sums.shape, dtype=np.float32)

    def log_total(self, n_queries: int) -> np.ndarray:
        """Return the log of what the chunks add up to, float64, shape (n_queries,)."""
        peaks = self.peaks.astype(np.float64)
        highest = peaks.max(axis=0)
        # All lanes at once: NumPy adds a single column in another order than one among others.
        total: np.ndarray = (self.sums * np.exp(peaks - highest)).sum(axis=0)
        return highest[:n_queries] + np.log(total[:n_queries])


class Scan:
    """One search over one set of rows.

    Parameters
    ----------
    kernel : module
        The compiled ``topk``.
    rows : Rows
        What is searched; at least one row.
    k : int
        Answers that are wanted, at most the number of rows.
    threads : int
        Threads to use, the caller's included.
    logsumexp : ndarray of float64, shape (n_queries,), or None
        Takes the log of the sum of exponentials of the scores of all rows, excluded ones among
        them; for a search of all rows.
    is_selecting : bool
        Whether there are answers to find, or only those sums to take.
    """

    def __init__(
        self,
        kernel: ModuleType,
        rows: Rows,
        k: int,
        threads: int,
        logsumexp: np.ndarray | None = None,
        is_selecting: bool = True,
    ) -> None:
        self.kernel = kernel
        self.rows = rows
        self.k = k
        self.threads = threads
        self.logsumexp = logsumexp
        self.is_selecting = is_selecting
        # Pieces begin where a chunk of the sums does, whatever the number of threads.
        self.step_rows = TILE_ROWS if logsumexp is None else kernel.SUM_ROWS
        self.dim = rows.matrix.shape[1]
        # Room for k more: each time it is used up, the k best are kept and the limit rises.
        self.capacity = min(len(rows), 2 * k + 16)

    def run(self, queries: np.ndarray, exclude: RowLists | None, found: TopK) -> None:
        """Answer ``queries`` (n, dim) into ``found``, whose rows are at least ``k`` long."""
        n_queries = len(queries)
        block = self.largest_block()
        starts = range(0, n_queries, block)
        seconds = self.seconds_per_row(min(block, n_queries)) * len(self.rows)
        is_long = seconds >= SHARE_SECONDS * self.threads
        if self.threads > 1 and is_long and len(starts) < PIECES_A_THREAD * self.threads:
            for start in starts:
                self.run_shared(queries, exclude, found, start, min(n_queries, start + block))
        else:
            self.run_apart(queries, exclude, found, min(block, self.fair_block(n_queries)))

    def largest_block(self) -> int:
        """Return how many queries share a pass over the rows, whole panels where they fit."""
        panel = 2 * self.kernel.LANES
        room = max(1, SHORTLIST_BYTES // (8 * self.capacity))
        return min(QUERY_BLOCK, room if room < panel else room // panel * panel)

    def fair_block(self, n_queries: int) -> int:
        """Return how many queries make pieces of which all threads get some, but no tiny ones."""
        panel = 2 * self.kernel.LANES
        share = -(-n_queries // (PIECES_A_THREAD * self.threads * panel))
        least = PIECE_SECONDS[0] / (self.seconds_per_row(panel) * len(self.rows))
        return panel * max(share, math.ceil(least))

    def seconds_per_row(self, n_queries: int) -> float:
        """Return roughly how long a core takes for one row and ``n_queries`` queries."""
        lanes = -(-n_queries // self.kernel.LANES) * self.kernel.LANES
        return self.dim * max(lanes / FUSED_ADDS, 4 / BYTES) + 1e-9

    def rows_in(self, seconds: float, n_queries: int) -> int:
        """Return how many rows take about ``seconds``, in whole tiles of the kernel."""
        rows = int(seconds / self.seconds_per_row(n_queries))
        return max(1, rows // self.step_rows) * self.step_rows

    def cuts(self, n_queries: int) -> list[int]:
        """Return where the pieces of a shared block begin, and the end of the last."""
        cuts, n_rows = [0], len(self.rows)
        least, most = (self.rows_in(seconds, n_queries) for seconds in PIECE_SECONDS)
        while cuts[-1] < n_rows:
            share = (n_rows - cuts[-1]) / self.threads
            rows = int(PIECE_OF_SHARE * share / self.step_rows) * self.step_rows
            cuts.append(min(n_rows, cuts[-1] + min(max(rows, least), most)))
        return cuts

    def run_apart(
        self, queries: np.ndarray, exclude: RowLists | None, found: TopK, block: int
    ) -> None:
        """Give each thread whole blocks of queries."""
        failed = threading.Event()

        def answer(start: int, stop: int) -> None:
            try:
                part = _Block(self, queries, exclude, start, stop)
                lists = self.shortlists(stop - start)
                step = self.rows_in(CALL_SECONDS, stop - start)
                for row in range(0, len(self.rows), step):
                    if failed.is_set():
                        return
                    part.scan(lists, row, min(len(self.rows), row + step))
                part.finish(lists, found)
            except BaseException:
                failed.set()
                raise

        run_ranges(answer, len(queries), block, self.threads)

    def run_shared(
        self, queries: np.ndarray, exclude: RowLists | None, found: TopK, start: int, stop: int
    ) -> None:
        """Let all threads work on one block of queries, each on rows of its own."""
        part = _Block(self, queries, exclude, start, stop)
        cuts = self.cuts(stop - start)
        idle: list[Shortlists] = []
        lock = threading.Lock()

        def take(row: int) -> Shortlists:
            # Rows must reach a shortlist in ascending order.
            with lock:
                for place, lists in enumerate(idle):
                    if lists.row <= row:
                        return idle.pop(place)
            return self.shortlists(stop - start)

        def answer(piece: int, _: int) -> None:
            first, last = cuts[piece], cuts[piece + 1]
            lists = take(first)
            for other in tuple(idle):  # others come and go meanwhile
                lists.raise_limits(other)
            part.scan(lists, first, last)
            lists.row = last
            with lock:
                idle.append(lists)

        run_ranges(answer, len(cuts) - 1, 1, self.threads)
        best = idle[0]
        for other in idle[1:]:
            self.kernel.merge(best.keys, best.counts, other.keys, other.counts, self.k)
        part.finish(best, found)

    def shortlists(self, n_queries: int) -> Shortlists:
        """Return empty shortlists for ``n_queries`` queries."""
        lists = Shortlists(self.kernel, n_queries, self.capacity, self.dim)
        if not self.is_selecting:
            lists.limits[:] = np.inf
        return lists


class _Block:
    """Packed queries ``[start, stop)`` of a search."""

    def __init__(
        self,
        search: Scan,
        queries: np.ndarray,
        exclude: RowLists | None,
        start: int,
        stop: int,
    ) -> None:
        self.search = search
        self.start, self.stop = start, stop
        self.exclude = exclude.slice(start, stop).kernel_arguments if exclude else (None,) * 3
        size = search.kernel.packed_size(stop - start, search.dim)
        self.panels = aligned_empty((size,))
        search.kernel.pack(queries[start:stop], self.panels)
        self.sums = None
        if search.logsumexp is not None:
            self.sums = Sums(search.kernel, len(search.rows), stop - start)

    def scan(self, lists: Shortlists, first: int, last: int) -> None:
        """Score rows ``[first, last)`` into ``lists``."""
        rows = self.search.rows
        self.search.kernel.scan(
            rows.matrix,
            rows.bias,
            rows.chosen,
            *self.exclude,
            self.panels,
            lists.limits,
            lists.keys,
            lists.counts,
            self.search.k,
            lists.scratch,
            *((self.sums.sums, self.sums.peaks, lists.parts) if self.sums else (None,) * 3),
            first,
            last,
        )

    def finish(self, lists: Shortlists, found: TopK) -> None:
        """Write the answers of this block."""
        part = slice(self.start, self.stop)
        if self.sums is not None and self.search.logsumexp is not None:
            self.search.logsumexp[part] = self.sums.log_total(self.stop - self.start)
        if not self.search.is_selecting:
            return
        self.search.kernel.finish(
            lists.keys,
            lists.counts,
            self.search.k,
            found.items[part],
            found.scores[part],
            found.counts[part],
        )
