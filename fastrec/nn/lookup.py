"""Sparse one-hot x W: rows chosen by number, bags of them, and the update of what was touched.

A one-hot row times W is one row of W, a row with several ones (or weights) the sum of
a bag of rows. Nothing is multiplied out; the gradient goes back to the rows that were
used, each of which is updated once a step however often it was named.

Results are the same bits for any number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrec.errors import InputError
from fastrec.nn.matrices import BFloat16Rows, as_matrix
from fastrec.nn.optimizers import Optimizer
from fastrec.runtime import checks, isa
from fastrec.runtime.arrays import FLOATS_PER_LINE, aligned_empty, padded_copy
from fastrec.runtime.threads import resolve_threads, run_ranges

MODES = ("sum", "mean")
ROWS = ("float32", "bfloat16")
# Floats that a piece reads at least: some 20 us of work, ten times what handing it out costs.
PIECE_FLOATS = 100_000
# Pieces of which the sums of squares are added one after the other.
SQUARES_GRAIN = 4096


def gather(
    matrix: np.ndarray | BFloat16Rows, ids: Any, *, threads: int | None = None
) -> np.ndarray:
    """Return the rows that ``ids`` name.

    Parameters
    ----------
    matrix : ndarray of float32, shape (rows, dim), or BFloat16Rows
        Columns lie side by side; fastest where ``dim`` is a multiple of 16.
    ids : array of int, shape (n,)
        From 0 to rows - 1, in any order, repeated or not.
    threads : int or None
        See :func:`fastrec.runtime.threads.resolve_threads`.

    Returns
    -------
    ndarray of float32, shape (n, dim)

    Raises
    ------
    InputError
        Not such a matrix, or ids that are not its rows.

    Examples
    --------
    >>> gather(np.eye(3, dtype=np.float32), [2, 0]).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    numbers = _as_rows(matrix)
    rows = as_ids(ids, len(numbers))
    out = np.empty((len(rows), numbers.shape[1]), np.float32)
    job = isa.load("lookup").Gather(numbers, rows, out)
    run_ranges(job, len(rows), _grain(numbers.shape[1]), threads)
    return out[:, : matrix.shape[1]]


def bag(
    matrix: np.ndarray | BFloat16Rows,
    ids: Any,
    offsets: Any,
    weights: Any = None,
    *,
    mode: str = "sum",
    threads: int | None = None,
) -> np.ndarray:
    """Return the sum or the mean of each bag of rows.

    Parameters
    ----------
    matrix : ndarray of float32, shape (rows, dim), or BFloat16Rows
        Columns lie side by side; fastest where ``dim`` is a multiple of 16.
    ids : array of int, shape (n,)
        From 0 to rows - 1.
    offsets : array of int, shape (bags + 1,)
        Bag ``b`` is ``ids[offsets[b]:offsets[b + 1]]``; from 0 to n. A bag may be empty: zeros.
    weights : array of numbers, shape (n,), or None
        What each row is multiplied with, in sums.
    mode : {"sum", "mean"}
        A mean is the sum over the number of rows; it takes no weights.
    threads : int or None
        See :func:`fastrec.runtime.threads.resolve_threads`.

    Returns
    -------
    ndarray of float32, shape (bags, dim)
        Rows are added in the order of ``ids``, in float32.

    Raises
    ------
    InputError
        Arguments that do not fit together; ids that are not rows of the matrix.

    Examples
    --------
    >>> bag(np.eye(3, dtype=np.float32), [2, 0, 2], [0, 2, 2, 3]).tolist()
    [[1.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    numbers = _as_rows(matrix)
    rows = as_ids(ids, len(numbers))
    begins, factors = _as_bags(offsets, weights, mode, len(rows))
    out = np.empty((len(begins) - 1, numbers.shape[1]), np.float32)
    job = isa.load("lookup").Bags(numbers, rows, begins, factors, mode == "mean", out)
    floats = len(rows) * numbers.shape[1] // max(1, len(out))
    run_ranges(job, len(out), _grain(floats), threads)
    return out[:, : matrix.shape[1]]


class Lookup:
    """A matrix whose rows are looked up and learned.

    Parameters
    ----------
    matrix : ndarray of float32, shape (rows, dim)
        What to begin with; copied.
    optimizer : Optimizer
        How rows are updated.
    rows : {"float32", "bfloat16"}
        What :meth:`gather` and :meth:`bag` read: the matrix, or a copy of it rounded to bfloat16
        (8 binary digits), which every update makes anew for the rows that it moves. That is half
        the memory to read, which is what bags of a large matrix wait for, and half as much more
        to keep. What is learned stays float32; ``matrix`` is read-only then, as the copy would
        not follow what is written to it.
    threads : int or None
        See :func:`fastrec.runtime.threads.resolve_threads`.

    Attributes
    ----------
    matrix : ndarray of float32, shape (rows, dim)
        The rows as they are now.
    state : ndarray of float32, shape (rows, optimizer.slots(dim))
        What the optimizer keeps of them.
    rows : str
        As given.
    step : int
        Updates so far.

    Notes
    -----
    Rows are looked up by several threads at once; an update is for one at a time.

    Examples
    --------
    >>> from fastrec.nn import SGD
    >>> table = Lookup(np.zeros((3, 2), np.float32), SGD(rate=0.5))
    >>> table.update([2, 0, 2], [[1.0, 0.0], [0.0, 2.0], [1.0, 0.0]])
    >>> table.matrix.tolist()
    [[0.0, -1.0], [0.0, 0.0], [-1.0, 0.0]]
    """

    def __init__(
        self,
        matrix: np.ndarray,
        optimizer: Optimizer,
        *,
        rows: str = "float32",
        threads: int | None = None,
    ) -> None:
        self.optimizer = checks.instance_of(
            "optimizer", optimizer, Optimizer, "an optimizer", "such as fastrec.nn.SGD(rate=0.1)"
        )
        self.rows = checks.one_of("rows", rows, ROWS)
        given = as_matrix("matrix", matrix)
        self.threads = resolve_threads(threads)
        self._padded, self._dim = padded_copy(given), given.shape[1]
        self._rounded = None
        if self.rows == "bfloat16":
            self._rounded = BFloat16Rows(given, threads=self.threads)
        self.state = optimizer.state(*given.shape)
        self.step = 0
        self._kept: tuple[np.ndarray, ...] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy is made of: everything but what only spares allocations."""
        return self.__dict__ | {"_kept": None}

    @property
    def matrix(self) -> np.ndarray:
        """The rows as they are now."""
        # A view of its own each time: one that was kept would be a copy of it in copied objects.
        view = self._padded[:, : self._dim]
        view.flags.writeable = self._rounded is None
        return view

    def gather(self, ids: Any) -> np.ndarray:
        """Return the rows that ``ids`` name, shape (n, dim); see :func:`gather`."""
        return gather(self._read(), ids, threads=self.threads)[:, : self._dim]

    def bag(self, ids: Any, offsets: Any, weights: Any = None, *, mode: str = "sum") -> np.ndarray:
        """Return the sum or mean of each bag, shape (bags, dim); see :func:`bag`."""
        found = bag(self._read(), ids, offsets, weights, mode=mode, threads=self.threads)
        return found[:, : self._dim]

    def _read(self) -> np.ndarray | BFloat16Rows:
        """What lookups read."""
        return self._padded if self._rounded is None else self._rounded

    def update(
        self, ids: Any, gradient: Any, *, clip: float | None = None, rate: float | None = None
    ) -> None:
        """Move the rows that were gathered, each once, by the sum of its gradients.

        Parameters
        ----------
        ids : array of int, shape (n,)
        gradient : array of numbers, shape (n, dim)
            Of the loss, for each gathered row.
        clip : float or None
            Scale the gradient down so that its norm, over all rows, is at most this.
        rate : float or None
            Learning rate of this step; None takes the optimizer's.

        Raises
        ------
        InputError
            Arguments that do not fit together; ids that are not rows of the matrix.
        """
        rows = as_ids(ids, len(self.matrix))
        padded = self._as_gradient(gradient, len(rows), "one row an id")
        parts = isa.load("lookup").Gradients(padded, None, None, len(rows))
        self._update(rows, parts, clip, rate)

    def update_bags(
        self,
        ids: Any,
        offsets: Any,
        gradient: Any,
        weights: Any = None,
        *,
        mode: str = "sum",
        clip: float | None = None,
        rate: float | None = None,
    ) -> None:
        """Move the rows of bags, each once, by the gradients of all bags that it was in.

        Parameters
        ----------
        ids, offsets, weights, mode
            The bags, as they were given to :meth:`bag`.
        gradient : array of numbers, shape (bags, dim)
            Of the loss, for each bag.
        clip, rate : float or None
            See :meth:`update`.

        Raises
        ------
        InputError
            Arguments that do not fit together; ids that are not rows of the matrix.
        """
        kernel = isa.load("lookup")
        rows = as_ids(ids, len(self.matrix))
        begins, factors = _as_bags(offsets, weights, mode, len(rows))
        padded = self._as_gradient(gradient, len(begins) - 1, "one row a bag")
        is_mean = mode == "mean"
        index = np.empty(len(rows), np.int32)
        scale = np.empty(len(rows), np.float32) if is_mean or factors is not None else None
        kernel.bag_positions(begins, factors, is_mean, index, scale)
        self._update(rows, kernel.Gradients(padded, index, scale, len(rows)), clip, rate)

    def _as_gradient(self, gradient: Any, rows: int, what: str) -> np.ndarray:
        """Return a gradient of so many rows, padded with zeros; copied unless it is so already."""
        dim = self.matrix.shape[1]
        given = checks.as_array("gradient", gradient)
        if given.shape != (rows, dim) or given.dtype.kind not in "fiu":
            raise InputError(
                f"gradient must be numbers of shape ({rows}, {dim}), {what}, "
                f"got {checks.described(given)}"
            )
        is_padded = given.dtype == np.float32 and dim % FLOATS_PER_LINE == 0
        return given if is_padded and given.flags.c_contiguous else padded_copy(given)

    def _update(self, ids: np.ndarray, gradients: Any, clip: Any, rate: Any) -> None:
        kernel = isa.load("lookup")
        limit = None if clip is None else checks.real_number("clip", clip, minimum=1e-20)
        if rate is not None:
            rate = checks.real_number("rate", rate, minimum=0.0)
        dim = self.matrix.shape[1]
        rows, starts, positions, scratch, buffers = self._workspace(len(ids))
        groups = kernel.plan(ids, len(self.matrix), scratch, rows, starts, positions)

        def job(scale: float) -> Any:
            return kernel.Update(
                self.optimizer.settings(self.step, rate),
                *(self._padded, dim, self.state, rows, starts, positions),
                *(gradients, scale, buffers),
                None if self._rounded is None else self._rounded.numbers,
            )

        self.step += 1
        scale = 1.0
        if limit is not None:
            scale = min(1.0, limit / max(self._norm(job(1.0), groups), 1e-30))
        grain = _grain(2 * self._padded.shape[1] + 2 * self.state.shape[1])
        run_ranges(job(scale), groups, grain, self.threads)

    def _workspace(self, n: int) -> tuple[np.ndarray, ...]:
        """Return a plan's arrays and the threads' buffers for ``n`` ids, those of the last step."""
        if self._kept is None or len(self._kept[0]) < n:
            rows, starts, positions = (np.empty(size, np.int32) for size in (n, n + 1, n))
            scratch = aligned_empty((isa.load("lookup").plan_bytes(n),), np.int8)
            buffers = aligned_empty((self.threads, self._padded.shape[1]))
            self._kept = rows, starts, positions, scratch, buffers
        return self._kept

    def _norm(self, job: Any, groups: int) -> float:
        """Return the norm of the gradient over all groups, cut where no thread count matters."""
        squares = np.zeros(-(-groups // SQUARES_GRAIN))

        def measure(start: int, stop: int) -> None:
            squares[start // SQUARES_GRAIN] = job.squares(start, stop)

        run_ranges(measure, groups, SQUARES_GRAIN, self.threads)
        return float(np.sqrt(squares.sum()))


def _as_rows(matrix: Any) -> np.ndarray:
    """Return what the kernels read: a float32 matrix, or rounded rows with what pads them."""
    return matrix.numbers if isinstance(matrix, BFloat16Rows) else as_matrix("matrix", matrix)


def as_ids(ids: Any, rows: int) -> np.ndarray:
    """Return ids as contiguous int32 from 0 to ``rows - 1``, or say which one is not."""
    given = checks.as_array("ids", ids, "an array of whole numbers")
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        raise InputError(
            f"ids must be whole numbers, one-dimensional, got {checks.described(given)}"
        )
    if given.dtype != np.int32:
        if given.size and not 0 <= given.min() <= given.max() < rows:
            _refuse(given, int(np.flatnonzero((given < 0) | (given >= rows))[0]), rows)
        return np.ascontiguousarray(given, np.int32)
    found = np.ascontiguousarray(given)
    outside = isa.load("lookup").first_outside(found, rows)
    if outside < len(found):
        _refuse(found, outside, rows)
    return found


def _refuse(ids: np.ndarray, place: int, rows: int) -> None:
    span = f"from 0 to {rows - 1}, the rows of the matrix" if rows else "none: there are no rows"
    raise InputError(f"ids must be {span}, got {ids[place]} at place {place}")


def _as_bags(offsets: Any, weights: Any, mode: str, n: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the offsets as int64 and the weights as float32, checked against ``n`` ids."""
    checks.one_of("mode", mode, MODES)
    begins = checks.as_array("offsets", offsets, "an array of whole numbers")
    if begins.ndim != 1 or begins.dtype.kind not in "iu" or len(begins) == 0:
        raise InputError(
            "offsets must be whole numbers, one more than there are bags, "
            f"got {checks.described(begins)}"
        )
    begins = np.ascontiguousarray(begins, np.int64)
    if not isa.load("lookup").are_offsets(begins, n):
        raise InputError(
            f"offsets must ascend from 0 to {n}, the number of ids, got {begins[0]} to {begins[-1]}"
        )
    if weights is None:
        return begins, None
    if mode == "mean":
        raise InputError(
            'weights go with mode "sum", got mode "mean"; divide the weights by what they shall '
            "sum to"
        )
    factors = checks.as_array("weights", weights)
    if factors.shape != (n,) or factors.dtype.kind not in "fiu":
        raise InputError(f"weights must be {n} numbers, one an id, got {checks.described(factors)}")
    return begins, np.ascontiguousarray(factors, np.float32)


def _grain(floats: int) -> int:
    """Return how many rows make a piece, where each costs ``floats`` floats of memory."""
    return max(1, PIECE_FLOATS // max(1, floats))
