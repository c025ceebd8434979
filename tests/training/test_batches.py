"""Every event is predicted once, in order, whatever the limits; blocks and seeds change no step."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastrec as fr
from fastrec.training.batches import (
    BATCHES_A_CHUNK,
    Limits,
    Sessions,
    lane_blocks,
    session_blocks,
)

PLANS = {"sessions": session_blocks, "lanes": lane_blocks}


def steps_of(plan, targets, limits, seed=1, moments=None):
    """The steps of an epoch, each a list of (session, begin, length, slot, fresh)."""
    steps, random = [], np.random.default_rng(seed)
    for block in PLANS[plan](np.array(targets, np.int64), limits, random, moments):
        assert block.first_step == len(steps)
        assert block.events == block.length.sum()
        for first, last in zip(block.step_rows[:-1], block.step_rows[1:], strict=True):
            columns = (block.session, block.begin, block.length, block.slot, block.fresh)
            steps.append(
                list(zip(*(column[first:last].tolist() for column in columns), strict=True))
            )
    return steps


@pytest.mark.parametrize("plan", PLANS)
@given(
    targets=st.lists(st.one_of(st.integers(-1, 4), st.integers(0, 60)), max_size=40),
    batch_size=st.integers(1, 9),
    truncation=st.sampled_from([1, 2, 7, 512]),
    events=st.integers(1, 50),
    block=st.integers(1, 200),
    is_by_time=st.booleans(),
)
def test_a_plan_reads_every_session_to_its_end(
    plan, targets, batch_size, truncation, events, block, is_by_time
):
    limits = Limits(batch_size, truncation, events, block)
    moments = -np.arange(len(targets)) if is_by_time else None
    done, kept = dict.fromkeys(range(len(targets)), 0), {}
    for rows in steps_of(plan, targets, limits, moments=moments):
        lengths = [length for _, _, length, _, _ in rows]
        slots = [slot for *_, slot, _ in rows if slot >= 0]
        assert 1 <= len(rows) <= batch_size
        assert min(lengths) >= 1
        assert lengths == sorted(lengths, reverse=True)
        assert max(lengths) <= truncation
        assert sum(lengths) <= max(events, batch_size if plan == "lanes" else 1)
        assert len(set(slots)) == len(slots)
        assert all(slot < batch_size for slot in slots)
        for session, begin, length, slot, fresh in rows:
            assert begin == done[session]
            assert fresh == (begin == 0)
            if not fresh:
                assert kept[slot] == session  # nobody has written over its state meanwhile
            if slot >= 0:
                kept[slot] = session
            done[session] += length
            assert slot >= 0 or (fresh and done[session] == targets[session])
    assert list(done.values()) == [max(count, 0) for count in targets]


@pytest.mark.parametrize("plan", PLANS)
def test_blocks_cut_the_steps_and_change_none(plan):
    targets = np.random.default_rng(0).geometric(0.2, 300)
    whole = steps_of(plan, targets, Limits(8, 5, 100, 10**9))
    assert steps_of(plan, targets, Limits(8, 5, 100, 1)) == whole
    assert steps_of(plan, targets, Limits(8, 5, 100, 77)) == whole


@pytest.mark.parametrize("plan", PLANS)
def test_a_seed_gives_its_own_order(plan):
    targets = np.random.default_rng(0).geometric(0.2, 300)
    limits = Limits(8, 5, 100, 50)
    assert steps_of(plan, targets, limits, 1) == steps_of(plan, targets, limits, 1)
    assert steps_of(plan, targets, limits, 1) != steps_of(plan, targets, limits, 2)


def test_whole_sessions_of_like_length_stand_together():
    targets = np.random.default_rng(0).geometric(0.1, 6400)
    steps = steps_of("sessions", targets, Limits(128, 512, 10**6, 10**6))
    padded = sum(len(rows) * rows[0][2] for rows in steps)
    assert padded < 1.15 * targets.sum()


def test_a_free_lane_takes_the_next_session_at_once():
    targets = [3] * 8
    steps = steps_of("lanes", targets, Limits(4, 1, 100, 5))
    assert [len(rows) for rows in steps] == [4] * 6


def test_a_session_of_100_000_is_cut_and_carried():
    steps = steps_of("sessions", [99_999, 3], Limits(128, 512, 10**6, 10**5))
    lengths = [[row[2] for row in rows] for rows in steps]
    assert lengths[0] == [512, 3]
    assert lengths[1:] == [[512]] * 194 + [[99_999 - 195 * 512]]


# Sessions of a log


def test_unknown_items_leave_the_sessions():
    log = fr.Interactions.from_sequences([[1, 2, 3], [2], [3, 3, 2, 1]])
    row_of_code = log.item_ids.codes_in(fr.IdMap.from_ids([1, 3])[0])
    sessions = Sessions.of(log, row_of_code)
    assert sessions.targets.tolist() == [1, -1, 2]
    blocks = list(session_blocks(sessions.targets, Limits(2, 9, 9, 9), np.random.default_rng(0)))
    places = sessions.places_of(blocks[0])
    assert [sessions.items_at(row).tolist() for row in places] == [[1, 1, 0], [0, 1]]


def test_a_row_reads_from_where_it_begins():
    log = fr.Interactions.from_sequences([[5, 6, 7, 8]])
    sessions = Sessions.of(log, log.item_ids.codes_in(log.item_ids))
    assert sessions.places is None
    blocks = list(session_blocks(sessions.targets, Limits(2, 2, 9, 9), np.random.default_rng(0)))
    rows = [row.tolist() for row in sessions.places_of(blocks[0])]
    assert rows == [[0, 1, 2], [2, 3]]


@pytest.mark.parametrize("plan", PLANS)
def test_sessions_by_time_are_mixed_with_their_neighbours_alone(plan):
    count, batch = 3000, 4
    moments = np.random.default_rng(2).permutation(count)
    targets = np.random.default_rng(3).integers(1, 6, count)
    limits = Limits(batch, 512, 1000, 400)
    steps = steps_of(plan, targets, limits, moments=moments)
    taken = [moments[session] for rows in steps for session, *_, fresh in rows if fresh]
    assert sorted(taken) == list(range(count))
    assert np.abs(np.array(taken) - np.arange(count)).max() < 2 * batch * BATCHES_A_CHUNK
    drawn = [session for rows in steps_of(plan, targets, limits) for session, *_ in rows]
    assert np.corrcoef(moments[drawn], np.arange(len(drawn)))[0, 1] < 0.1


def test_moments_are_those_of_each_last_event():
    log = fr.Interactions.from_arrays(
        user=np.array([1, 0, 0, 1, 2]), item=np.arange(5), time=np.array([50, 7, 9, 20, 3])
    )
    known = np.array([0, 1, -1, 2, 3, -1], np.int32)
    moments = Sessions.of(log, known).last_moments
    assert sorted(moments.tolist()) == [3, 9, 50]
    bare = fr.Interactions.from_sequences([[1, 2], [3], [4, 5, 6]])
    assert Sessions.of(bare, np.zeros(7, np.int32)).last_moments.tolist() == [1, 2, 5]
