"""The exact index: every row is scored in float32, and only the best are kept."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np

from fastrec.errors import InputError
from fastrec.runtime import isa
from fastrec.runtime.arrays import aligned_empty, stride_of
from fastrec.runtime.checks import as_array, flag, one_of, row_numbers, whole_number
from fastrec.runtime.threads import resolve_threads, run_ranges
from fastrec.search.arguments import (
    RowLists,
    added_numbers,
    float_rows,
    largest_magnitude,
    row_lists,
)
from fastrec.search.result import TopK
from fastrec.search.scan import Rows, Scan

METRICS = ("dot", "cosine")
MAX_ROWS = 2**31 - 1
# Above this length one exclusion list for all queries is cheaper as a bias of -infinity.
LONG_EXCLUDE = 512
LISTS_AT_ONCE = 64
ROWS_AT_ONCE = 1 << 15
LARGEST_SCORE = float(np.finfo(np.float32).max)


class TopKIndex:
    """Exact top-k search over the rows of a matrix.

    Parameters
    ----------
    vectors : array_like of float, shape (n_rows, dim)
        Finite numbers. A float32 matrix with contiguous rows is used in place, also a memory map
        and a view such as ``padded[:, :dim]``: do not change it afterwards. Anything else is
        copied.
    metric : {"dot", "cosine"}, default "dot"
        Score: the dot product, or the cosine (rows are normalised once, into a copy; the cosine
        with a vector of zeros is 0).
    bias : array_like of float, shape (n_rows,), or None
        Added to the score of each row.
    threads : int or None
        Threads of a search, the caller's included. None: ``FASTREC_THREADS``, or all CPUs that
        this process may use.

    Raises
    ------
    InputError
        Wrong shape or dtype, NaN or infinity, more than 2**31 - 1 rows.

    Notes
    -----
    Building reads the matrix once, to check it. A search costs ``n_queries * n_rows * dim``
    multiply-adds and reads the matrix once per 512 queries; memory beyond the answer is at most
    about 64 MB a thread, whatever the number of queries and rows. Equal scores are ordered by the
    smaller row.

    A score is the sum ``bias + v[0] q[0] + v[1] q[1] + ...`` in this order, whatever the batch and
    the threads: the same query and row have the same score, bit for bit, in every search at one
    instruction-set level. Several threads may search one index at once.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrec.search import TopKIndex
    >>> index = TopKIndex(np.array([[1, 0], [0, 1], [1, 1]], dtype=np.float32))
    >>> index.search([[2, 1]], k=2).items
    array([[2, 0]], dtype=int32)
    """

    def __init__(
        self,
        vectors: Any,
        *,
        metric: str = "dot",
        bias: Any = None,
        threads: int | None = None,
    ) -> None:
        self.metric = one_of("metric", metric, METRICS)
        self.threads = threads
        used_threads = resolve_threads(threads)
        matrix = float_rows("vectors", vectors)
        if matrix.shape[1] == 0:
            raise InputError(f"vectors must have at least one column, got shape {matrix.shape}")
        if len(matrix) > MAX_ROWS:
            raise InputError(f"vectors must have at most {MAX_ROWS} rows, got {len(matrix)}")
        self._largest = largest_magnitude("vectors", matrix, self._kernel, used_threads)
        if self.metric == "cosine":
            matrix = _normalised(matrix, self._kernel, used_threads)
            self._largest = 1.0
        self._matrix = matrix
        self._bias, self._largest_bias = _checked_bias(
            bias, len(matrix), self._kernel, used_threads
        )

    @property
    def _kernel(self) -> ModuleType:
        return isa.load("topk", at=isa.level())

    @property
    def isa(self) -> str:
        """The instruction-set level that searches run at."""
        return isa.level()

    @property
    def matrix(self) -> np.ndarray:
        """What queries are multiplied with: float32 (n_rows, dim), read-only.

        For cosine these are the rows normalised, at length one or zero.
        """
        view = self._matrix.view()
        view.flags.writeable = False
        return view

    @property
    def bias(self) -> np.ndarray | None:
        """What is added to the score of each row: float32 (n_rows,), read-only, or None."""
        if self._bias is None:
            return None
        view = self._bias.view()
        view.flags.writeable = False
        return view

    @property
    def dim(self) -> int:
        """Numbers in a row."""
        return self._matrix.shape[1]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._matrix)

    def search(
        self,
        queries: Any,
        k: int,
        *,
        exclude: Any = None,
        allow: Any = None,
        added: Any = None,
        logsumexp: bool = False,
        threads: int | None = None,
    ) -> TopK:
        """Return the ``k`` best rows of each query.

        Parameters
        ----------
        queries : array_like of float, shape (n_queries, dim)
            Finite numbers, converted to float32.
        k : int
            Answers a query, at least 1. May be larger than the number of rows: the result
            is ``k`` wide all the same, the work is that of as many answers as there are rows.
        exclude, allow : None, 1-D array_like of int, or Ragged
            Rows that are no answer; the only rows that are. One list for all queries, or a
            ``Ragged`` with one list for each. -1 is padding.
        added : array_like of float, beside ``allow.flat``, or None
            What is added to the score of each row that a query's own list allows, as the first
            terms of its sum; the rows of a list are ascending and different then.
        logsumexp : bool
            Return as well what :meth:`logsumexp` does: the sum runs over all rows, whatever
            ``exclude`` and ``allow`` say. It is taken in the same pass, and in one of its own
            with ``allow`` or with a long list of exclusions for all queries.
        threads : int or None
            Threads of this search, the caller's included; None takes those of the index.

        Returns
        -------
        TopK
            Row numbers, scores and counts, best first.

        Raises
        ------
        InputError
            Wrong shape, dtype or row numbers; NaN or infinity; ``added`` without lists of
            ascending rows, or not one for each; numbers so large that a score
            could overflow float32; a ``k`` so large that the result has no room, or has more
            than 2**25 places behind the last row.
        """
        k = whole_number("k", k, maximum=MAX_ROWS)
        flag("logsumexp", logsumexp)
        threads = resolve_threads(self.threads if threads is None else threads)
        added = None if added is None else added_numbers(added, allow, len(self))
        matrix = self._checked_queries(queries, threads, added)
        n_rows, n_queries = len(self), len(matrix)
        excluded = row_lists("exclude", exclude, n_rows, n_queries, self._kernel, threads)
        allowed = row_lists("allow", allow, n_rows, n_queries, self._kernel, threads)
        found = TopK.empty(n_queries, k, n_rows)
        if logsumexp:
            found = replace(found, logsumexp=np.full(n_queries, -np.inf))
        if n_rows == 0 or n_queries == 0:
            return found
        if found.logsumexp is not None and (allowed or _is_long(excluded)):
            self._sum(matrix, threads, found.logsumexp)
            self._find(matrix, k, excluded, allowed, added, threads, replace(found, logsumexp=None))
        else:
            self._find(matrix, k, excluded, allowed, added, threads, found)
        return found

    def logsumexp(self, queries: Any, *, threads: int | None = None) -> np.ndarray:
        """Return the log of the sum of the exponentials of each query's scores, over all rows.

        Parameters
        ----------
        queries : array_like of float, shape (n_queries, dim)
            As in :meth:`search`, which returns the same numbers beside its answers.
        threads : int or None
            As in :meth:`search`.

        Returns
        -------
        ndarray of float64, shape (n_queries,)
            The normaliser of a softmax; -infinity where there are no rows. Exponentials are
            float32, within 2e-7 of their value each, and so is the sum, which is the same,
            bit for bit, in every batch and for any number of threads.

        Raises
        ------
        InputError
            As in :meth:`search`.
        """
        threads = resolve_threads(self.threads if threads is None else threads)
        matrix = self._checked_queries(queries, threads)
        sums = np.full(len(matrix), -np.inf)
        if len(self) and len(matrix):
            self._sum(matrix, threads, sums)
        return sums

    def scores_of(self, queries: Any, rows: Any) -> np.ndarray:
        """Return the score of one row for each query, summed in float64.

        Parameters
        ----------
        queries : array_like of float, shape (n, dim)
        rows : array_like of int, shape (n,)

        Returns
        -------
        ndarray of float64, shape (n,)
            What :meth:`search` returns up to the rounding of its float32 sums.
        """
        matrix = self._checked_queries(queries, resolve_threads(self.threads))
        chosen = row_numbers("rows", rows, len(self), "row")
        if len(chosen) != len(matrix):
            raise InputError(
                f"rows must be one for each of {len(matrix)} queries, got {len(chosen)}"
            )
        scores: np.ndarray = np.einsum(
            "ij,ij->i", matrix, self._matrix[chosen], dtype=np.float64, casting="same_kind"
        )
        return scores if self._bias is None else scores + self._bias[chosen]

    def _sum(self, queries: np.ndarray, threads: int, sums: np.ndarray) -> None:
        """Write the log of the sum of exponentials over all rows, and look for no answers."""
        rows = Rows(self._matrix, self._bias, None)
        scan = Scan(self._kernel, rows, 1, threads, sums, is_selecting=False)
        scan.run(queries, None, TopK.empty(0, 1, len(self)))

    def _find(
        self,
        queries: np.ndarray,
        k: int,
        excluded: RowLists | None,
        allowed: RowLists | None,
        added: np.ndarray | None,
        threads: int,
        found: TopK,
    ) -> None:
        """Write the answers, and the sums of exponentials where ``found`` has room for them."""
        if allowed is None or allowed.is_shared:
            self._search_all(queries, k, excluded, allowed, threads, found)
        else:
            self._search_lists(queries, k, excluded, allowed, added, threads, found)

    def _checked_queries(
        self, queries: Any, threads: int, added: np.ndarray | None = None
    ) -> np.ndarray:
        matrix = float_rows("queries", queries, columns=self.dim)
        largest = largest_magnitude("queries", matrix, self._kernel, threads)
        if self.metric == "cosine":
            matrix = _normalised(matrix, self._kernel, threads)
            largest = 1.0
        beside = self._largest_bias
        if added is not None and len(added):
            beside += float(np.abs(added).max())
        if self.dim * largest * self._largest + beside > LARGEST_SCORE:
            raise InputError(
                f"scores could overflow float32: numbers of up to {largest:g} in queries, "
                f"{self._largest:g} in vectors and {beside:g} beside them; scale them down"
            )
        return matrix

    def _search_all(
        self,
        queries: np.ndarray,
        k: int,
        excluded: RowLists | None,
        allowed: RowLists | None,
        threads: int,
        found: TopK,
    ) -> None:
        """Score all rows, or all that one list allows, for all queries."""
        bias, chosen = self._bias, allowed.rows if allowed else None
        if excluded and excluded.is_shared:
            if chosen is not None:
                chosen, excluded = np.setdiff1d(chosen, excluded.rows, assume_unique=True), None
            elif _is_long(excluded):
                bias = np.zeros(len(self), np.float32) if bias is None else bias.copy()
                bias[excluded.rows] = -np.inf
                excluded = None
        rows = Rows(self._matrix, bias, chosen)
        if len(rows):
            scan = Scan(self._kernel, rows, min(k, len(rows)), threads, found.logsumexp)
            scan.run(queries, excluded, found)

    def _search_lists(
        self,
        queries: np.ndarray,
        k: int,
        excluded: RowLists | None,
        allowed: RowLists,
        added: np.ndarray | None,
        threads: int,
        found: TopK,
    ) -> None:
        """Score for each query the rows of its own list."""
        kernel, dim = self._kernel, self.dim
        longest = int((allowed.ends - allowed.begins).max())
        if longest == 0:
            return
        k = min(k, longest)
        exclude = excluded.kernel_arguments if excluded else (None, None, None)
        size = kernel.scratch_size(dim) + (dim + 1) * kernel.LANES

        def answer(start: int, stop: int) -> None:
            kernel.scan_lists(
                self._matrix,
                self._bias,
                *allowed.kernel_arguments,
                added,
                *exclude,
                queries,
                k,
                np.empty(min(longest, 2 * k + 16), dtype=np.uint64),
                np.empty(size, dtype=np.float32),
                found.items,
                found.scores,
                found.counts,
                start,
                stop,
            )

        run_ranges(answer, len(queries), LISTS_AT_ONCE, threads)

    def __repr__(self) -> str:
        return f"TopKIndex({len(self)} rows, dim={self.dim}, metric={self.metric!r})"


def _is_long(excluded: RowLists | None) -> bool:
    """Say whether one list for all queries is better kept out of the scan."""
    return excluded is not None and excluded.is_shared and len(excluded.rows) > LONG_EXCLUDE


def _normalised(matrix: np.ndarray, kernel: ModuleType, threads: int) -> np.ndarray:
    """Return a copy of ``matrix`` with rows of length one, at the kernels' row stride."""
    rows, dim = matrix.shape
    padded = aligned_empty((rows, stride_of(dim)))
    padded[:, dim:] = 0
    unit = padded[:, :dim]
    run_ranges(
        lambda start, stop: kernel.normalise(matrix, unit, start, stop),
        rows,
        ROWS_AT_ONCE,
        threads,
    )
    return unit


def _checked_bias(
    bias: Any, n_rows: int, kernel: ModuleType, threads: int
) -> tuple[np.ndarray | None, float]:
    """Return the bias as contiguous float32 and its largest magnitude."""
    if bias is None:
        return None, 0.0
    array = as_array("bias", bias)
    if array.shape != (n_rows,):
        raise InputError(
            f"bias must have one number for each of the {n_rows} rows, got shape {array.shape}"
        )
    column = float_rows("bias", array.reshape(-1, 1))
    largest = largest_magnitude("bias", column, kernel, threads)
    return np.ascontiguousarray(column[:, 0]), largest
