"""The baseline that any recommender has to beat: what is liked by most."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrec.data import IdMap, Interactions, Queries
from fastrec.models.catalogue import Catalogue
from fastrec.models.vector_model import VectorRecommender
from fastrec.search import TopKIndex
from fastrec.training.loop import Meter, Run, run_epochs


class Popularity(VectorRecommender):
    """Recommend the most frequent items, the same for all but for what each has seen.

    The score of an item is its share of all interactions, or of their ``value``
    where the log has one. Of equal items the one with the smaller row is first.
    Empty and unknown histories get the list too. The loss of the one epoch is the
    entropy of that distribution, in nats. Deterministic; ``rank`` may be
    called from several threads.

    Examples
    --------
    >>> import fastrec as fr
    >>> model = fr.Popularity().fit([[1, 2], [2, 3], [2]])
    >>> model.recommend([[1]], k=1).items
    array([[2]])
    """

    def __init__(self) -> None:
        pass

    def _is_fitted(self) -> bool:
        return hasattr(self, "_mass")

    def _begin(self, log: Interactions) -> None:
        self._take(Catalogue.of(log), log)

    def _extend(self, log: Interactions) -> None:
        mass = self._mass
        self._take(Catalogue(self.item_ids, self.item_counts).extended(log), log)
        self._mass[: len(mass)] += mass

    def _take(self, catalogue: Catalogue, log: Interactions) -> None:
        """Add up the log per item; the catalogue's counts include it already."""
        self.item_ids, self.item_counts = catalogue.item_ids, catalogue.item_counts
        rows = catalogue.rows_of(log)
        self._mass = np.bincount(
            rows[log.item], weights=log.value, minlength=len(self.item_ids)
        ).astype(np.float64)

    def _train(self, run: Run, log: Interactions) -> None:
        def count(_epoch: int, meter: Meter) -> None:
            self._forget_answers()
            share = self._mass[self._mass > 0] / self._mass.sum()
            meter.update(len(log), float(-(share * np.log(share)).sum()), 1.0, "the values")

        run_epochs(run, count)

    def _build_index(self) -> TopKIndex:
        total = self._mass.sum()
        shares = self._mass / total if total > 0 else self._mass
        return TopKIndex(shares.astype(np.float32).reshape(-1, 1))

    def _query_vectors(self, queries: Queries, threads: int | None = None) -> np.ndarray:
        return np.ones((len(queries), 1), dtype=np.float32)

    def _can_answer(self, queries: Queries) -> np.ndarray:
        return np.ones(len(queries), dtype=bool)

    def _parameters(self) -> dict[str, np.ndarray]:
        return {"mass": self._mass}

    def _arrays(self) -> dict[str, np.ndarray]:
        return {
            "mass": self._mass,
            "item_counts": self.item_counts,
            **self.item_ids.to_arrays("item_ids"),
        }

    def _restore(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        super()._restore(arrays, state)
        self._mass = arrays["mass"]
        self.item_counts = arrays["item_counts"]
        self.item_ids = IdMap.from_arrays("item_ids", arrays)
        if not len(self._mass) == len(self.item_counts) == len(self.item_ids):
            raise ValueError(f"{len(self._mass)} masses of {len(self.item_ids)} items")
