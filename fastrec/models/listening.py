"""Sessions of a recurrent recommender: states that a service appends tracks to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastrec.data import Queries, Ragged
from fastrec.errors import FormatError, InputError
from fastrec.generation.network import Listeners
from fastrec.generation.sessions import Session, SessionStates
from fastrec.native.checksum import Checksum
from fastrec.runtime import checks

if TYPE_CHECKING:
    from fastrec.models.vector_model import VectorRecommender

    Base = VectorRecommender
else:
    Base = object


class KeepsSessions(Base):
    """Sessions of a model that has a recurrent net.

    The class that takes these methods has ``_network`` (see
    :class:`fastrec.nn.ensemble.Ensemble`) and ``_features`` (a
    :class:`fastrec.models.features.FeatureRows`, or None), and is a :class:`VectorRecommender`.
    """

    _network: Any
    _features: Any
    _kind_of_states: dict[str, Any] | None = None

    def session(
        self,
        *,
        user: Any = None,
        user_features: Mapping[str, Any] | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> Session:
        """Begin a session that has heard nothing.

        Parameters
        ----------
        user : id or None
            Whose session it is, where the model has user features.
        user_features, context : mapping of str to value, or None
            One value of each column; features of a user go before what is known of the user.

        Raises
        ------
        InputError
            A column that the model was fitted with is missing.
        """
        merged: dict[Any, Any] = {}
        for name, given in (("context", context), ("user_features", user_features)):
            if given is not None:
                merged |= checks.mapping(name, given, "give {name of the column: value}")
        about = {name: [value] for name, value in merged.items()}
        users = None if user is None else [user]
        return Session(self.sessions(1, users=users, context=about or None))

    def sessions(
        self, n: int, *, users: Any = None, context: Mapping[str, Any] | None = None
    ) -> SessionStates:
        """Begin ``n`` sessions side by side; users and context hold one value for each."""
        self._check_fitted()
        n = checks.whole_number("n", n, minimum=0, maximum=2**31 - 1)
        features = self._features_of_sessions(n, users, context)
        listeners = Listeners(self._network, self._network.zero_states(n), features, None)
        return SessionStates(self, listeners, np.zeros(n, np.int64))

    def session_from_bytes(self, data: bytes) -> Session:
        """Return the session in what ``session.to_bytes()`` has returned.

        Raises
        ------
        InputError
            It is of another model, or of this one before it was trained on.
        FormatError
            Damaged, of a newer version, or no session.
        """
        self._check_fitted()
        return Session.from_bytes(self, data)

    def advance(
        self, states: SessionStates, tracks: Any, *, on_unknown: str = "error"
    ) -> SessionStates:
        """Let every session hear one track more, all in one call.

        Parameters
        ----------
        states : SessionStates
            Of ``model.sessions(n)``; changed in place.
        tracks : ids, shape (n,)
            -1 (None where ids are strings) lets a session wait.
        on_unknown : {"error", "ignore"}
            What to do with tracks that the model does not know; ignored ones change nothing.

        Returns
        -------
        SessionStates
            ``states``.
        """
        self._check_fitted()
        advice = "model.sessions(n) begins some"
        checks.instance_of("states", states, SessionStates, "SessionStates", advice)
        if states.listeners.network is not self._network:
            raise InputError(
                "states are of another model, or of this one before it was trained on; begin new "
                "ones with model.sessions(n)"
            )
        states.advance(tracks, on_unknown)
        return states

    def _features_of_sessions(self, count: int, users: Any, context: Any) -> Any:
        """Return the features with which each of ``count`` sessions hears its tracks, or None."""
        about = self._about(count, users, context, "error")
        if self._features is None:
            return None
        empty = Ragged(np.empty(0, np.int32), np.zeros(count + 1, np.int64))
        return self._features.of_queries(
            Queries._trusted(item_ids=self.item_ids, histories=empty, **about)
        )

    def _about(
        self, count: int, users: Any, context: Mapping[str, Any] | None, on_unknown: str
    ) -> dict[str, Any]:
        """Return users and context of so many questions as ``Queries`` hold them."""
        about: dict[str, Any] = {}
        if users is not None:
            if self.user_ids is None:
                raise InputError("the model was fitted without user_features; leave users out")
            codes = self.user_ids.encode(users, on_unknown, "users")
            if len(codes) != count:
                raise InputError(
                    f"users must be one for each of {count} histories, got {len(codes)}"
                )
            about |= {"user": codes, "user_ids": self.user_ids}
        if context is not None:
            if self._features is None:
                raise InputError("the model was fitted without context; leave it out")
            values, ids = self._features.codes_of(context, count, on_unknown)
            about |= {"context": values, "context_ids": ids}
        return about

    def _session_network(self) -> Any:
        return self._network

    def _session_features(self, arrays: Mapping[str, np.ndarray], count: int) -> Any:
        """Return the features of sessions that were kept as bytes."""
        if self._features is None:
            return None
        template = self._features.none(count)
        try:
            kept = template._make(arrays[f"feature_{name}"] for name in template._fields)
        except KeyError:
            raise FormatError("the session is damaged: it lacks its features") from None
        for part, own in zip(kept, template, strict=True):
            if part.shape != own.shape or part.dtype != own.dtype:
                raise FormatError("the session is damaged: its features have another shape")
        return template._make(np.ascontiguousarray(part) for part in kept)

    def _session_kind(self) -> dict[str, Any]:
        """Return what states have to fit; the weights by their checksum, taken once."""
        kind = self._kind_of_states
        if kind is None:
            checksum = Checksum()
            for _, array in sorted(self._network.arrays().items()):
                checksum.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8))
            kind = {
                **self._network.architecture.to_dict(),
                "items": len(self.item_ids),
                "state_floats": self._network.zero_states(0).shape[1],
                "weights": checksum.hexdigest(),
            }
            self._kind_of_states = kind
        return kind

    def _forget_answers(self) -> None:
        super()._forget_answers()
        self._kind_of_states = None
