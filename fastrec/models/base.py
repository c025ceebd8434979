"""What a recommender is: a fit on a log, and ranked items for histories.

A :class:`Recommender` turns ordered histories into ranked items. Its one way
in is :meth:`Recommender.rank`, on codes; ``recommend`` wraps it for external
ids and ``evaluate`` asks it for whole test sets, so both see the same lists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from fastrec.data import IdMap, Interactions, Queries, Ragged, as_interactions
from fastrec.data.id_columns import unmasked
from fastrec.errors import InputError
from fastrec.models.model import Model
from fastrec.models.requests import concatenate, flat_weights, is_row, rows_of_ids
from fastrec.runtime import checks
from fastrec.search import Recommendations
from fastrec.training.history import History
from fastrec.training.loop import Run

if TYPE_CHECKING:
    from fastrec.search import TopK
    from fastrec.training.callbacks import Callback


class Recommender(Model):
    """Turns histories into ranked items.

    Attributes
    ----------
    item_ids : IdMap
        The items that the model knows: most frequent first, behind them what
        ``partial_fit`` brought.
    item_counts : int64 ndarray, shape (items,)
        How often each was seen in training.
    user_ids : IdMap or None
        The users that the model knows; None where it knows none.
    history : History
        One row per epoch.
    """

    item_ids: IdMap
    item_counts: np.ndarray
    user_ids: IdMap | None = None
    uses_history_weights: ClassVar[bool] = False

    def __init__(self) -> None:
        if type(self) is Recommender:
            raise InputError(
                "Recommender is what all recommenders have in common; make one of them, for "
                "example Item2Vec()"
            )

    def fit(
        self,
        data: Any,
        *,
        validation: Queries | None = None,
        callbacks: Sequence[Callback] = (),
        progress: bool = False,
    ) -> Self:
        """Train on a log, from scratch.

        Parameters
        ----------
        data : Interactions, list of lists of ids, DataFrame, or CSR matrix
            See :func:`fastrec.data.as_interactions`.
        validation : Queries or None
            Evaluated after each epoch; its metrics are in the history.
        callbacks : sequence of Callback
            For example :class:`fastrec.EarlyStopping`.
        progress : bool
            Show a progress bar with the loss and events per second.

        Returns
        -------
        Recommender
            The model itself.

        Raises
        ------
        InputError
            A parameter out of range, an empty log, or data that cannot be read.
        DivergedError
            The loss became NaN or infinite; the model is as it was before.
        KeyboardInterrupt
            Ctrl-C, raised again; the model keeps the state that it has reached, and an
            epoch that was cut short is marked as partial in ``history``. Before the first
            epoch has begun, the model is as it was before.
        """
        log = self._checked_log(data)
        with self._replacing_state(History()):
            self._begin(log)
            self._train(self._run(log, validation, callbacks, progress), log)
        return self

    def partial_fit(
        self,
        data: Any,
        *,
        validation: Queries | None = None,
        callbacks: Sequence[Callback] = (),
        progress: bool = False,
    ) -> Self:
        """Train on, from the state at hand; the log may bring new items.

        Takes and raises what :meth:`fit` does. A model that has not been fitted is
        fitted. Costs one more copy of the parameters, so that a failure loses nothing.
        """
        if not self._is_fitted():
            return self.fit(data, validation=validation, callbacks=callbacks, progress=progress)
        log = self._checked_log(data)
        with self._replacing_state(History(self.history.to_rows())):
            self._extend(log)
            self._train(self._run(log, validation, callbacks, progress), log)
        return self

    def _checked_log(self, data: Any) -> Interactions:
        self._check_params()
        log = as_interactions(data)
        if len(log) == 0:
            raise InputError("the log is empty; fit needs at least one interaction")
        if log.value is not None and (log.value < 0).any():
            raise InputError(
                f"{type(self).__name__} takes value as a weight, which must be at least 0, got "
                f"{float(log.value.min())}; leave value out or make it a weight"
            )
        return log

    def _run(
        self,
        log: Interactions,
        validation: Queries | None,
        callbacks: Sequence[Callback],
        progress: bool,
    ) -> Run:
        if validation is not None:
            advice = "build them with Queries.every_prefix(log) or Queries.from_columns(...)"
            checks.instance_of("validation", validation, Queries, "Queries", advice)
        return Run(
            model=self,
            epochs=getattr(self, "epochs", 1),
            events=len(log),
            history=self.history,
            validation=validation,
            callbacks=callbacks,
            progress=checks.flag("progress", progress),
            threads=getattr(self, "threads", None),
        )

    def _check_params(self) -> None:
        """Raise InputError for a parameter that is out of range."""

    def _begin(self, log: Interactions) -> None:
        """Set up item ids, counts and fresh parameters for a log."""
        raise NotImplementedError

    def _extend(self, log: Interactions) -> None:
        """Take the new items of a log into copies of the parameters."""
        raise NotImplementedError

    def _train(self, run: Run, log: Interactions) -> None:
        """Run the epochs."""
        raise NotImplementedError

    def rank(
        self,
        queries: Queries,
        k: int,
        *,
        exclude: np.ndarray | Ragged | None = None,
        allow: np.ndarray | Ragged | None = None,
        threads: int | None = None,
    ) -> TopK:
        """Return the ``k`` best items of every query, in the model's codes.

        Parameters
        ----------
        queries : Queries
            In the model's codes (``queries.translate(model.item_ids, model.user_ids)``);
            their ``exclude_seen`` says whether items of the history may be answers.
        k : int
            At least 1; rows are short where fewer items qualify, and ``k`` wide all the same.
        exclude, allow : int32 codes, or Ragged of one list per query, or None
            Items that may not, or alone may, be answers.
        threads : int or None
            None takes all CPUs that the process may use.
        """
        raise NotImplementedError

    def recommend(
        self,
        histories: Any,
        k: int = 10,
        *,
        exclude_seen: bool = True,
        exclude: Any = None,
        allow: Any = None,
        weights: Any = None,
        on_unknown: str = "ignore",
        threads: int | None = None,
    ) -> Recommendations:
        """Recommend items for ordered histories.

        Parameters
        ----------
        histories : sequence of sequences of ids
            One history a row, oldest first; -1 (None) pads. May be empty.
        k : int
            Items a row, at least 1. Rows are short where fewer qualify; the result is ``k``
            wide all the same.
        exclude_seen : bool
            Leave out what the history holds.
        exclude, allow : ids, or a sequence of sequences of ids, one per row; or None
            Items that may not, or alone may, be recommended. Unknown ids never match.
        weights : sequence of sequences of float, or None
            A weight for each item of each history, where the model uses them.
        on_unknown : {"ignore", "error"}
            What to do with ids in ``histories`` that the model has not seen.
        threads : int or None
            None takes all CPUs that the process may use.

        Returns
        -------
        Recommendations
            ``items``, ``scores`` and ``counts``.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        InputError
            A malformed argument.
        UnknownIdError
            An unknown id with ``on_unknown="error"``.
        """
        return self._recommend(
            histories,
            k,
            exclude_seen=exclude_seen,
            exclude=exclude,
            allow=allow,
            weights=weights,
            on_unknown=on_unknown,
            threads=threads,
        )

    def _recommend(
        self,
        histories: Any,
        k: int,
        *,
        exclude_seen: bool,
        exclude: Any,
        allow: Any,
        weights: Any,
        on_unknown: str,
        threads: int | None,
        about: Callable[[int], Mapping[str, Any]] = lambda count: {},
    ) -> Recommendations:
        """Do what :meth:`recommend` does.

        ``about`` returns the other parts of the ``Queries`` that so many histories make.
        """
        self._check_fitted()
        checks.whole_number("k", k, maximum=2**31 - 1)
        checks.flag("exclude_seen", exclude_seen)
        checks.one_of("on_unknown", on_unknown, ("ignore", "error"))
        rows = rows_of_ids("histories", histories)
        if weights is not None and not self.uses_history_weights:
            raise InputError(
                f"{type(self).__name__} uses no weights of history items; leave them out"
            )
        codes, value = self._encode_rows(rows, weights, on_unknown)
        queries = Queries._trusted(
            item_ids=self.item_ids,
            histories=codes,
            history_value=value,
            exclude_seen=exclude_seen,
            **about(len(rows)),
        )
        top = self.rank(
            queries,
            k,
            exclude=self._encode_items("exclude", exclude, len(rows)),
            allow=self._encode_items("allow", allow, len(rows)),
            threads=threads,
        )
        return Recommendations.from_top(top, self.item_ids)

    def recommend_users(self, users: Iterable[Any], k: int = 10) -> Recommendations:
        """Recommend items for users of the training log, where the model knows users.

        Raises
        ------
        InputError
            The model knows histories only.
        """
        self._check_fitted()
        raise InputError(
            f"{type(self).__name__} knows no users; give their histories to recommend()"
        )

    def similar_items(
        self, items: Iterable[Any], k: int = 10, *, threads: int | None = None
    ) -> Recommendations:
        """Return the items most like each of ``items``, where the model has item vectors.

        Raises
        ------
        InputError
            The model has no item vectors.
        """
        self._check_fitted()
        raise InputError(f"{type(self).__name__} has no item vectors, so no similar items")

    def _encode_rows(
        self, rows: Sequence[Sequence[Any]], weights: Any, on_unknown: str
    ) -> tuple[Ragged, np.ndarray | None]:
        """Encode histories; ids that are padding or unknown are left out, with their weights."""
        lengths = np.fromiter((len(row) for row in rows), np.int64, len(rows))
        flat = self.item_ids.encode(concatenate(rows), on_unknown=on_unknown)
        value = None
        if weights is not None:
            value = flat_weights(weights, lengths)
        known = flat >= 0
        codes = Ragged.from_lengths(flat, lengths).where(known)
        return codes, None if value is None else value[known]

    def _encode_items(self, name: str, items: Any, rows: int) -> np.ndarray | Ragged | None:
        """Encode ``exclude`` or ``allow``: one list for all rows, or one per row."""
        if items is None:
            return None
        if isinstance(items, (str, bytes)) or not hasattr(items, "__iter__"):
            raise InputError(f"{name} must be ids, or one list of ids a history, got {items!r}")
        given = unmasked(items)
        if not isinstance(given, np.ndarray) or given.ndim == 0:
            given = checks.listed(name, given, "ids, or one list of ids a history")
        if len(given) and is_row(given[0]):
            if len(given) != rows:
                raise InputError(
                    f"{name} has {len(given)} lists for {rows} histories; give one list for each "
                    "history, or one flat list for all"
                )
            return self._encode_rows(rows_of_ids(name, given), None, "ignore")[0]
        codes = self.item_ids.encode(given, on_unknown="ignore")
        return np.unique(codes[codes >= 0])
