"""Sessions: appended track by track, many at once, and through bytes."""

import json

import numpy as np
import pytest

from fastrec.errors import FormatError, InputError, UnknownIdError
from fastrec.generation import SessionStates
from fastrec.storage import container
from tests.generation.fakes import FakeModel, TanhNetwork, softmax_logs

NETWORK = TanhNetwork(50, 13)


@pytest.fixture
def model():
    return FakeModel(NETWORK)


def test_a_session_ranks_as_a_history_does(model):
    session = model.session()
    for track in (10, 20, 30):
        session.append(track)
    found = session.next(5, exclude=[40], allow=np.arange(0, 30) * 10)
    logs = softmax_logs(NETWORK, [1, 2, 3])
    options = [code for code in range(30) if code != 4]
    best = sorted(options, key=lambda code: -logs[code])[:5]
    assert found.items.tolist() == [[code * 10 for code in best]]
    assert session.heard == 3
    assert repr(session) == "Session(3 tracks heard)"


def test_a_session_that_has_heard_nothing_has_no_answers(model):
    assert model.session().next(5).counts.tolist() == [0]


def test_unknown_tracks_are_refused_or_change_nothing(model):
    session = model.session()
    session.append(10)
    before = session.state.copy()
    with pytest.raises(UnknownIdError, match="7"):
        session.append(7)
    session.append(7, on_unknown="ignore")
    np.testing.assert_array_equal(session.state, before)
    assert session.heard == 1


def test_many_sessions_advance_in_one_call(model):
    random = np.random.default_rng(0)
    tracks = random.integers(0, 50, (4, 2000)) * 10
    states = model.sessions(2000)
    for column in tracks:
        assert model.advance(states, column) is states
    waiting = np.where(np.arange(2000) % 2, tracks[0], -1)
    model.advance(states, waiting)
    assert states.heard[:2].tolist() == [4, 5]
    found = states.next(3)
    for row in (0, 1, 1999):
        one = model.session()
        for track in [*tracks[:, row], *([tracks[0, row]] if row % 2 else [])]:
            one.append(track)
        np.testing.assert_array_equal(one.next(3).items[0], found.items[row])
    part = states.take([1999, 1])
    np.testing.assert_array_equal(part.next(3).items, found.items[[1999, 1]])


def test_a_session_goes_on_after_bytes(model):
    session = model.session()
    for track in (10, 20):
        session.append(track)
    data = session.to_bytes()
    again = FakeModel(NETWORK).session_from_bytes(data)
    assert isinstance(data, bytes)
    for each in (session, again):
        each.append(30)
    np.testing.assert_array_equal(again.state, session.state)
    assert again.heard == 3
    np.testing.assert_array_equal(again.next(4).scores, session.next(4).scores)


def test_many_sessions_go_through_bytes_together(model):
    states = model.sessions(3)
    model.advance(states, [10, -1, 30])
    again = SessionStates.from_bytes(model, states.to_bytes())
    np.testing.assert_array_equal(again.states, states.states)
    assert again.heard.tolist() == [1, 0, 1]
    with pytest.raises(InputError, match="a Session is one session, got 3"):
        model.session_from_bytes(states.to_bytes())


def test_a_session_of_another_model_is_refused(model):
    data = model.session().to_bytes()
    with pytest.raises(InputError, match="with units=13, this one has units=9"):
        FakeModel(TanhNetwork(50, 9)).session_from_bytes(data)
    with pytest.raises(InputError, match="with items=50, this one has items=60"):
        FakeModel(TanhNetwork(60, 13)).session_from_bytes(data)
    with pytest.raises(InputError, match="begun with other weights"):
        FakeModel(TanhNetwork(50, 13, seed=1)).session_from_bytes(data)
    with pytest.raises(InputError, match="states are of another model"):
        FakeModel(TanhNetwork(50, 13)).advance(model.sessions(1), [10])


def test_weights_that_have_changed_are_noticed(model):
    data = model.session().to_bytes()
    model._network = TanhNetwork(50, 13, seed=1)
    model._forget_answers()
    with pytest.raises(InputError, match="trained since"):
        model.session_from_bytes(data)


def test_every_damaged_byte_of_a_session_is_noticed(model):
    session = model.session()
    session.append(10)
    data = session.to_bytes()
    ignored = 0
    for place in range(len(data)):
        broken = bytearray(data)
        broken[place] ^= 1
        try:
            again = model.session_from_bytes(bytes(broken))
        except (FormatError, InputError):
            continue
        ignored += 1  # a blank that is there for alignment alone, or a letter's case
        np.testing.assert_array_equal(again.state, session.state)
        assert again.heard == 1
    assert ignored < 128
    for size in (0, 7, len(data) // 2, len(data) - 1):
        with pytest.raises(FormatError):
            model.session_from_bytes(data[:size])


def rewritten(data, **changes):
    content = container.from_bytes(data)
    return container.to_bytes(content.arrays, content.metadata | changes)


def test_other_versions_and_formats_are_refused(model):
    data = model.session().to_bytes()
    with pytest.raises(FormatError, match="format version '2'"):
        model.session_from_bytes(rewritten(data, format_version="2"))
    with pytest.raises(FormatError, match="no session of fastrec"):
        model.session_from_bytes(rewritten(data, format="fastrec-model"))
    for broken in ("", "[]", "nothing"):
        with pytest.raises(FormatError, match="of which model"):
            model.session_from_bytes(rewritten(data, model=broken))
    kind = json.dumps(dict(model._session_kind()))
    wrong = container.to_bytes(
        {"states": np.zeros((1, 5), np.float32), "heard": np.zeros(1, np.int64)},
        {"format": "fastrec-session", "format_version": "1", "model": kind},
    )
    with pytest.raises(FormatError, match="another shape"):
        model.session_from_bytes(wrong)
    with pytest.raises(InputError, match="data must be bytes"):
        model.session_from_bytes("text")


@pytest.mark.parametrize(
    ("tracks", "message"),
    [([10], "one for each of 2 sessions, got 1"), ([1.5, 2.5], "tracks"), (["a", "b"], "tracks")],
    ids=str,
)
def test_tracks_must_be_one_for_each_session(model, tracks, message):
    with pytest.raises(InputError, match=message):
        model.advance(model.sessions(2), tracks)


def test_states_must_be_those_of_sessions(model):
    with pytest.raises(InputError, match=r"states must be SessionStates.*model.sessions"):
        model.advance(np.zeros((2, 13)), [10, 20])
