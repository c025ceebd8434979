"""Ranked items in external ids: what recommenders and similarity searches answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastrec.data.ids import IdMap, require_map
from fastrec.runtime import checks
from fastrec.search.result import TopK


@dataclass(frozen=True)
class Recommendations:
    """Ranked items of each request, best first.

    Always ``k`` wide, also where ``k`` exceeds the number of items: ``counts`` says how much
    of a row is real, and :meth:`to_lists` gives no more than that.

    Attributes
    ----------
    items : ndarray, shape (requests, k)
        External ids: int64, or objects where ids are strings. Short rows end in -1
        (None for strings).
    scores : float32 ndarray, shape (requests, k)
        Higher is better; NaN where a row is short.
    counts : int32 ndarray, shape (requests,)
        How many items of a row are real.
    """

    items: np.ndarray
    scores: np.ndarray
    counts: np.ndarray

    @classmethod
    def from_top(cls, top: TopK, ids: IdMap) -> Recommendations:
        """Turn row numbers into external ids; places that no id can fill are not looked at."""
        require_map("ids", ids)
        checks.instance_of("top", top, TopK, "a TopK", "TopKIndex.search returns one")
        width = min(top.items.shape[1], len(ids))
        items = ids.decode(top.items[:, :width])
        if width < top.items.shape[1]:
            found, padding = items, -1 if ids.kind == "int" else None
            items = np.full(top.items.shape, padding, dtype=found.dtype)
            items[:, :width] = found
        return cls(items, top.scores, top.counts)

    def to_lists(self) -> list[list[tuple[Any, float]]]:
        """Return the real (item, score) pairs of each request as plain values."""
        return list(self)

    def __len__(self) -> int:
        return len(self.counts)

    def __iter__(self) -> Iterator[list[tuple[Any, float]]]:
        for items, scores, count in zip(self.items, self.scores, self.counts, strict=True):
            yield list(zip(items[:count].tolist(), scores[:count].tolist(), strict=True))
