"""Sessions of a service: states that tracks are appended to, and that travel as bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np

from fastrec.data import IdMap
from fastrec.errors import FormatError, InputError
from fastrec.generation.network import Listeners, Network
from fastrec.runtime import checks
from fastrec.search import Recommendations, TopKIndex
from fastrec.storage import container

FORMAT = "fastrec-session"
FORMAT_VERSION = 1


class Player(Protocol):
    """What a model offers to its sessions."""

    item_ids: IdMap

    def _search_index(self) -> TopKIndex:
        """Return the index over all tracks."""

    def _session_kind(self) -> Mapping[str, Any]:
        """Return what states have to fit: the net's architecture, items and weights."""

    def _session_network(self) -> Network:
        """Return the net."""

    def _encode_items(self, name: str, items: Any, rows: int) -> Any:
        """Encode ``exclude`` or ``allow``."""


@dataclass(eq=False)
class SessionStates:
    """Many sessions side by side; ``model.sessions(n)`` begins them.

    Attributes
    ----------
    heard : int64 ndarray, shape (n,)
        How many tracks each session has heard.

    Notes
    -----
    Not for several threads at once; different objects may be.
    """

    model: Player
    listeners: Listeners
    heard: np.ndarray

    def __len__(self) -> int:
        return len(self.heard)

    @property
    def states(self) -> np.ndarray:
        """What the net remembers: float32, shape (n, floats), one row a session."""
        return self.listeners.states

    def take(self, rows: Any) -> SessionStates:
        """Return copies of some sessions, by number or as a mask."""
        numbers = checks.row_numbers("rows", rows, len(self), "session")
        return SessionStates(self.model, self.listeners.take(numbers), self.heard[numbers])

    def __copy__(self) -> SessionStates:
        return self.take(np.arange(len(self)))

    def __deepcopy__(self, memo: Any) -> SessionStates:
        return self.__copy__()  # of the same model

    def __reduce__(self) -> Any:
        raise _no_pickle()

    def advance(self, tracks: Any, on_unknown: str = "error") -> None:
        """Let session i hear ``tracks[i]``; see :meth:`GeneratesPlaylists.advance`."""
        checks.one_of("on_unknown", on_unknown, ("ignore", "error"))
        codes = self.model.item_ids.encode(tracks, on_unknown=on_unknown, name="tracks")
        if len(codes) != len(self):
            raise InputError(
                f"tracks must be one for each of {len(self)} sessions, got {len(codes)}; -1 (None "
                "where ids are strings) lets a session wait"
            )
        self.listeners.hear(codes)
        self.heard += codes >= 0

    def next(
        self, k: int = 10, *, exclude: Any = None, allow: Any = None, threads: int | None = None
    ) -> Recommendations:
        """Return the ``k`` tracks most likely to come next in each session.

        Parameters
        ----------
        k : int
        exclude, allow : ids, one list of ids a session, or None
            As in :meth:`Recommender.recommend`; tracks that were heard are not left out.
        threads : int or None
            None takes all CPUs that the process may use.

        Returns
        -------
        Recommendations
            One row a session; a session that has heard nothing has no answers.
        """
        top = self.model._search_index().search(
            self.listeners.queries(),
            k,
            exclude=self.model._encode_items("exclude", exclude, len(self)),
            allow=self.model._encode_items("allow", allow, len(self)),
            threads=threads,
        )
        top.clear(self.heard == 0)
        return Recommendations.from_top(top, self.model.item_ids)

    def to_bytes(self) -> bytes:
        """Return the sessions as bytes: a safetensors container, with checksums."""
        arrays = {"states": self.states, "heard": self.heard}
        features = self.listeners.features
        if features is not None:
            arrays |= {f"feature_{name}": getattr(features, name) for name in features._fields}
        metadata = {
            "format": FORMAT,
            "format_version": str(FORMAT_VERSION),
            "model": json.dumps(dict(self.model._session_kind()), sort_keys=True),
        }
        return container.to_bytes(arrays, metadata)

    @classmethod
    def from_bytes(cls, model: Any, data: bytes) -> Self:
        """Return the sessions in what :meth:`to_bytes` has returned.

        Raises
        ------
        InputError
            They are sessions of another model, or this one has been trained since.
        FormatError
            Damaged, of a newer version, or no sessions.
        """
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise InputError(f"data must be bytes, got {checks.described(data)}")
        content = container.from_bytes(bytes(data))
        _check_format(content.metadata)
        _check_kind(content.metadata, model._session_kind())
        network = model._session_network()
        template = network.zero_states(1)
        states, heard = content.arrays.get("states"), content.arrays.get("heard")
        if (
            states is None
            or heard is None
            or states.dtype != np.float32
            or heard.dtype != np.int64
            or heard.ndim != 1
            or states.shape != (len(heard), template.shape[1])
        ):
            raise FormatError("the session is damaged: its arrays have another shape")
        room = network.zero_states(len(heard))
        room[...] = states
        features = model._session_features(content.arrays, len(heard))
        return cls(model, Listeners(network, room, features, None), heard.copy())


class Session:
    """One listener of a service; ``model.session()`` begins one.

    Notes
    -----
    ``append`` costs one step of the net, ``next`` one pass over the tracks' vectors. Not for
    several threads at once; different sessions of one model may be.

    Examples
    --------
    >>> import fastrec as fr
    >>> log = fr.Interactions.from_sequences([[1, 2, 3, 4], [2, 3, 4, 1]] * 20)
    >>> model = fr.PlaylistRNN(units=16, epochs=8, batch_size=8, negatives=4).fit(log)
    >>> session = model.session()
    >>> session.append(2)
    >>> model.session_from_bytes(session.to_bytes()).next(1, exclude=[2]).items
    array([[3]])
    """

    def __init__(self, states: SessionStates) -> None:
        advice = "model.session() begins one"
        checks.instance_of("states", states, SessionStates, "SessionStates", advice)
        if len(states) != 1:
            raise InputError(f"a Session is one session, got {len(states)}; use SessionStates")
        self._states = states

    @property
    def heard(self) -> int:
        """How many tracks were appended."""
        return int(self._states.heard[0])

    @property
    def state(self) -> np.ndarray:
        """What the net remembers: float32, shape (floats,), a read-only view."""
        view = self._states.states[0].view()
        view.flags.writeable = False
        return view

    def append(self, track: Any, on_unknown: str = "error") -> None:
        """Take the next track; with ``on_unknown="ignore"`` an unknown one changes nothing.

        Raises
        ------
        UnknownIdError
            The model does not know the track.
        """
        self._states.advance([track], on_unknown)

    def next(
        self, k: int = 10, *, exclude: Any = None, allow: Any = None, threads: int | None = None
    ) -> Recommendations:
        """Return the ``k`` tracks most likely to come next, as a ranking of one row.

        Takes what :meth:`SessionStates.next` does. Nothing was heard: no answers.
        """
        return self._states.next(k, exclude=exclude, allow=allow, threads=threads)

    def to_bytes(self) -> bytes:
        """Return the session as bytes; ``model.session_from_bytes(data)`` goes on with it."""
        return self._states.to_bytes()

    @classmethod
    def from_bytes(cls, model: Any, data: bytes) -> Session:
        """Return the session in what :meth:`to_bytes` has returned.

        Raises
        ------
        InputError, FormatError
            As :meth:`SessionStates.from_bytes`.
        """
        return cls(SessionStates.from_bytes(model, data))

    def __copy__(self) -> Session:
        return Session(self._states.__copy__())

    def __deepcopy__(self, memo: Any) -> Session:
        return self.__copy__()  # of the same model

    def __reduce__(self) -> Any:
        raise _no_pickle()

    def __repr__(self) -> str:
        return f"Session({self.heard} tracks heard)"


def _no_pickle() -> InputError:
    return InputError(
        "sessions are not pickled, because their model would go along; send to_bytes(), and "
        "go on with from_bytes(model, data)"
    )


def _check_format(metadata: Mapping[str, str]) -> None:
    if metadata.get("format") != FORMAT:
        raise FormatError(
            f"the bytes are no session of fastrec (format {metadata.get('format')!r}, expected "
            f"{FORMAT!r}); give what to_bytes() has returned"
        )
    version = metadata.get("format_version", "")
    if not version.isdecimal() or int(version) > FORMAT_VERSION:
        raise FormatError(
            f"the session is of format version {version!r}, this version of fastrec reads up to "
            f"{FORMAT_VERSION}; upgrade with: pip install --upgrade fastrec-engine"
        )


def _check_kind(metadata: Mapping[str, str], own: Mapping[str, Any]) -> None:
    """Raise where the session's model was another one than ours."""
    try:
        kind = json.loads(metadata.get("model", ""))
        differing = [name for name in own if kind.get(name) != own[name]]
    except (ValueError, AttributeError, RecursionError):
        raise FormatError("the session is damaged: it does not say of which model it is") from None
    if not differing:
        return
    if differing == ["weights"]:
        raise InputError(
            "the session was begun with other weights: the model has been trained since, or is "
            "another one of the same shape; begin a new session and append its tracks again"
        )
    name = differing[0]
    raise InputError(
        f"the session is of another model, with {name}={kind.get(name)!r}, this one has "
        f"{name}={own[name]!r}; load the model that it was begun with"
    )
