"""Vectors with names: one row of numbers for each id, to look up, compare and export."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fastrec.data.ids import IdMap, require_map
from fastrec.data.ragged import Ragged
from fastrec.errors import InputError
from fastrec.runtime import checks
from fastrec.search import analogies
from fastrec.search.index import METRICS, TopKIndex
from fastrec.search.projection import Projection, principal_plane
from fastrec.search.recommendations import Recommendations
from fastrec.search.result import TopK
from fastrec.search.vector_files import VectorFiles

SHOWN = 3


class Vectors(VectorFiles):
    """One vector for each id.

    Iterating gives the ids, ``len`` counts them, ``id in vectors`` asks for one,
    ``numpy.asarray`` gives the matrix.

    Parameters
    ----------
    ids : IdMap, n ids
        By row.
    matrix : ndarray of float32, shape (n, dim)
        Shown, not copied: a memory map and a view such as ``padded[:, :dim]`` stay
        where they are. A change of it after a search is not seen by later ones.

    Attributes
    ----------
    ids : IdMap
    matrix : ndarray of float32, shape (n, dim)
        Read-only.

    Raises
    ------
    InputError
        Another dtype or shape.

    Notes
    -----
    Safe to use from several threads at once. Pickles and deep copies hold the ids
    and the vectors, read into memory where they were mapped, and no search index.

    Examples
    --------
    >>> import numpy as np
    >>> ids, _ = IdMap.from_ids(["up", "down", "left"])
    >>> vectors = Vectors(ids, np.array([[0, 1], [0, -1], [-1, 0.5]], dtype=np.float32))
    >>> vectors
    Vectors(3 str ids, dim=2: 'up', 'down', 'left')
    >>> vectors["down"]
    array([ 0., -1.], dtype=float32)
    >>> vectors.similar("up", k=2).items
    array([['left', 'down']], dtype=object)
    """

    def __init__(self, ids: IdMap, matrix: np.ndarray) -> None:
        require_map("ids", ids)
        is_array = isinstance(matrix, np.ndarray) and checks.masked_place(matrix) is None
        if not is_array or matrix.dtype != np.float32 or matrix.ndim != 2:
            raise InputError(
                "matrix must be a float32 array of shape (ids, dim), got "
                f"{checks.described(matrix)}; convert it with "
                "numpy.asarray(matrix, dtype=numpy.float32)"
            )
        if len(matrix) != len(ids):
            raise InputError(
                f"matrix must have a row for each of {len(ids)} ids, got {len(matrix)}"
            )
        self.ids = ids
        self.matrix = matrix.view()
        self.matrix.flags.writeable = False
        self._indexes: dict[str, TopKIndex] = {}

    @property
    def dim(self) -> int:
        """Numbers in a vector."""
        return self.matrix.shape[1]

    def __len__(self) -> int:
        """Return the number of vectors."""
        return len(self.matrix)

    def __iter__(self) -> Iterator[Any]:
        """Yield the ids by row."""
        return iter(self.ids.ids.tolist())

    def __contains__(self, id: object) -> bool:
        return id in self.ids

    def __getitem__(self, ids: Any) -> np.ndarray:
        """Return the vector of one id, or the vectors of several.

        Returns
        -------
        ndarray of float32
            Of shape (dim,), a read-only view, for one id; of shape (m, dim), a
            copy, for a list of m ids.

        Raises
        ------
        UnknownIdError
            An id without a vector.
        InputError
            Not ids, or ids of the other kind.
        """
        if _is_one(ids):
            one: np.ndarray = self.matrix[self.ids.code(ids)]
            return one
        return self.matrix[self._codes(ids)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Return the matrix for NumPy."""
        if copy is False:
            if dtype is not None and np.dtype(dtype) != self.matrix.dtype:
                raise ValueError(f"vectors are float32; {dtype} needs a copy")
            return self.matrix
        return np.array(self.matrix, dtype=dtype) if copy else np.asarray(self.matrix, dtype=dtype)

    def to_numpy(self) -> np.ndarray:
        """Return a copy: float32, shape (n, dim), C-contiguous, writable, rows as in ``ids``."""
        return np.array(self.matrix, order="C")

    def similar(
        self, items: Any, k: int = 10, *, metric: str = "cosine", threads: int | None = None
    ) -> Recommendations:
        """Return the ids whose vectors are most like those of ``items``.

        The first search of a metric prepares an index: it reads the matrix once and,
        for cosine, keeps a normalised copy.

        Parameters
        ----------
        items : id, sequence of m ids, or ndarray of float, shape (m, dim)
            A matrix is taken as vectors that need not be of any id, see :meth:`similar_to`.
        k : int
            Answers an item; the id itself is left out. The result is ``k`` wide, also where
            there are fewer ids.
        metric : {"cosine", "dot"}
        threads : int or None
            None takes all CPUs that the process may use.

        Returns
        -------
        Recommendations
            ``items`` (ids), ``scores`` and ``counts``, one row an item.

        Raises
        ------
        UnknownIdError
            An id without a vector.
        InputError
            A malformed argument.
        """
        if isinstance(items, np.ndarray) and items.ndim == 2 and items.dtype.kind == "f":
            return self.similar_to(items, k, metric=metric, threads=threads)
        codes = self._codes(items)
        itself = Ragged(codes, np.arange(len(codes) + 1, dtype=np.int64))
        return self._search(self.matrix[codes], k, metric, itself, threads)

    def similar_to(
        self,
        vectors: Any,
        k: int = 10,
        *,
        metric: str = "cosine",
        exclude: Any = None,
        threads: int | None = None,
    ) -> Recommendations:
        """Return the ids whose vectors are most like the given vectors.

        Parameters
        ----------
        vectors : array_like of float, shape (m, dim)
            Finite numbers.
        exclude : sequence of ids, or None
            Ids that are no answer to any of them.
        k, metric, threads
            As in :meth:`similar`, which returns and raises the same.
        """
        excluded = None if exclude is None else self._codes(exclude)
        return self._search(vectors, k, metric, excluded, threads)

    def analogy(
        self,
        positive: Any,
        negative: Any = (),
        k: int = 10,
        *,
        method: str = "add",
        restrict: int | None = None,
        threads: int | None = None,
    ) -> Recommendations:
        """Return what is to ``positive`` as ``negative`` is not: king - man + woman.

        Parameters
        ----------
        positive : sequence of ids; or m of them, one a question
            What an answer is like; at least one id. A list of lists asks many questions
            at once, which is much faster than one after the other.
        negative : sequence of ids; or m of them
            What an answer is unlike; may be empty.
        k : int
            Answers a question.
        method : {"add", "mul"}
            ``add`` (3CosAdd): largest cosine with the sum of the positive less the
            negative vectors, all of length one; scores are cosines. ``mul`` (3CosMul):
            largest product of the similarities to the positive ids, divided by those to
            the negative ones plus 0.001, where a similarity is (cosine + 1) / 2; at most 12
            ids of each sort.
        restrict : int or None
            Answers are among the first so many rows; where vectors are ordered by
            frequency, this leaves out rare words. None: all rows.
        threads : int or None
            None takes all CPUs that the process may use.

        Returns
        -------
        Recommendations
            ``items`` (ids), ``scores`` and ``counts``, one row a question. The ids of a
            question are never its answers.

        Raises
        ------
        UnknownIdError
            An id without a vector.
        InputError
            A question without a positive id, lists that do not fit, or a malformed argument.

        Notes
        -----
        O(n dim) multiply-adds a question for ``add``; for ``mul`` O(n dim) for each different
        word of a block of questions and O(n) for each word of a question. The answer does
        not depend on ``threads``; scores of ``mul`` may differ in the last bit with the
        questions that are asked along. Levy and Goldberg, "Linguistic Regularities in Sparse
        and Explicit Word Representations", CoNLL 2014, equations 3 and 4.

        Examples
        --------
        >>> ids, _ = IdMap.from_ids(["man", "woman", "king", "queen", "tree"])
        >>> matrix = np.array([[1, 0, 1], [1, 1, 0], [3, 0, 1], [3, 1, 0], [0, 1, 2]])
        >>> words = Vectors(ids, matrix.astype(np.float32))
        >>> words.analogy(["king", "woman"], ["man"], k=1).items
        array([['queen']], dtype=object)
        """
        above, below = analogies.questions_of(self.ids, positive, negative)
        top = self.rank_analogies(
            above, below, k, method=method, restrict=restrict, threads=threads
        )
        return Recommendations.from_top(top, self.ids)

    def rank_analogies(
        self,
        positive: Ragged,
        negative: Ragged,
        k: int,
        *,
        method: str = "add",
        restrict: int | None = None,
        exclude: Ragged | None = None,
        threads: int | None = None,
    ) -> TopK:
        """Do what :meth:`analogy` does for questions in codes, the row numbers of words.

        Parameters
        ----------
        positive, negative : Ragged of int32, m questions
            At least one positive word each.
        exclude : Ragged of int32, m lists, or None
            What is no answer; None: the words of the question.
        k, method, restrict, threads
            As in :meth:`analogy`, which raises the same.
        """
        checks.whole_number("k", k, maximum=2**31 - 1)
        checks.one_of("method", method, analogies.METHODS)
        analogies.check_codes(positive, negative, exclude, len(self))
        candidates = len(self)
        if restrict is not None:
            candidates = min(candidates, checks.whole_number("restrict", restrict))
        return analogies.rank(
            self._index("cosine", threads),
            positive,
            negative,
            k,
            method=method,
            candidates=candidates,
            exclude=positive.joined(negative) if exclude is None else exclude,
            threads=threads,
        )

    def project(self, ids: Any = None) -> Projection:
        """Return two coordinates for each vector: its first two principal components.

        Parameters
        ----------
        ids : id, sequence of ids, or None
            Whose vectors; None: all.

        Returns
        -------
        Projection
            ``points``, float32 (n, 2) in the order of ``ids``, and ``variance``, the share
            of the variance that each of the two axes shows.

        Raises
        ------
        UnknownIdError
            An id without a vector.
        InputError
            Not ids.

        Notes
        -----
        O(n dim min(n, dim)) operations and about 24 n dim bytes. Deterministic: each axis
        points to where its component of largest magnitude is positive.

        Examples
        --------
        >>> ids, _ = IdMap.from_ids(["left", "middle", "right"])
        >>> line = np.array([[-2, 1, 0], [0, 1, 0], [2, 1, 0]], dtype=np.float32)
        >>> found = Vectors(ids, line).project()
        >>> found.points[:, 0], round(found.variance[0], 6)
        (array([-2.,  0.,  2.], dtype=float32), 1.0)
        """
        return principal_plane(self.matrix if ids is None else self.matrix[self._codes(ids)])

    def _index(self, metric: str, threads: int | None) -> TopKIndex:
        index = self._indexes.get(metric)
        if index is None:
            # Two threads may build it at once; both get an index and one of them is kept.
            index = self._indexes[metric] = TopKIndex(self.matrix, metric=metric, threads=threads)
        return index

    def _search(
        self, queries: Any, k: int, metric: str, exclude: Any, threads: int | None
    ) -> Recommendations:
        checks.one_of("metric", metric, METRICS)
        index = self._index(metric, threads)
        return Recommendations.from_top(
            index.search(queries, k, exclude=exclude, threads=threads), self.ids
        )

    def _codes(self, ids: Any) -> np.ndarray:
        """Return the code of each id, or of one; padding is no id here."""
        codes = self.ids.encode([ids] if _is_one(ids) else ids)
        if (codes < 0).any():
            raise InputError("padding (-1 or None) has no vector; leave it out")
        return codes

    def __reduce__(self) -> tuple[Any, ...]:
        # A memory map travels as a plain array; indexes are built again where they are needed.
        return type(self), (self.ids, np.asarray(self.matrix))

    def __repr__(self) -> str:
        shown = self.ids.decode(np.arange(min(SHOWN, len(self)), dtype=np.int32)).tolist()
        names = ", ".join(map(repr, shown)) + (", ..." if len(self) > SHOWN else "")
        return f"Vectors({len(self)} {self.ids.kind} ids, dim={self.dim}: {names or 'none'})"


def require_vectors(name: str, value: Any) -> Vectors:
    """Return ``value`` if it is vectors."""
    advice = "a model's are in item_vectors or word_vectors; Vectors(ids, matrix) makes them"
    return checks.instance_of(name, value, Vectors, "Vectors", advice)


def _is_one(ids: Any) -> bool:
    """Say whether this is one id and no sequence of ids."""
    return ids is None or np.isscalar(ids)
