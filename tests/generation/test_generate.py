"""Greedy and beam search: every rule, against trying all tracks one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastrec.errors import InputError, UnknownIdError
from fastrec.generation import steps
from tests.generation.fakes import FakeModel, MarkovNetwork, TanhNetwork, softmax_logs
from tests.generation.rules_truth import beam_truth, greedy_truth, longest_run

ITEMS = 30
NETWORK = TanhNetwork(ITEMS, 17)
GROUP_OF = {code: code % 7 for code in range(ITEMS) if code % 5}  # some tracks are of no group


@pytest.fixture
def model():
    return FakeModel(NETWORK)


def ids(codes):
    return [code * 10 for code in codes]


def as_arguments(rules, fixed):
    """Return the arguments of generate for rules on codes."""
    found = dict(rules)
    for name in ("exclude", "allow"):
        if name in found:
            found[name] = ids(found[name])
    if "max_per_group" in rules or "max_in_row" in rules:
        found["groups"] = {code * 10: group for code, group in GROUP_OF.items()}
    places = {place: code * 10 for place, code in enumerate(fixed) if code is not None}
    return found | ({"fixed": places} if places else {})


RULES = [
    {},
    {"allow_repeats": True},
    {"exclude": [3, 4, 5, 6, 7]},
    {"allow": list(range(0, 30, 2))},
    {"max_in_row": 1},
    {"max_in_row": 2, "allow_repeats": True},
    {"max_per_group": 1},
    {"max_per_group": 2, "max_in_row": 1, "exclude": [20], "allow": list(range(2, 29))},
]
FIXED = [[None] * 8, [None, 11, 18, None, None, None, None, 13], [24, *[None] * 6, 27]]


@pytest.mark.parametrize("fixed", FIXED, ids=["free", "middle", "ends"])
@pytest.mark.parametrize("rules", RULES, ids=str)
@pytest.mark.parametrize("large", [10_000, 0], ids=["listed", "filtered"])
def test_greedy_takes_the_best_track_that_the_rules_let_in(model, rules, fixed, large, monkeypatch):
    monkeypatch.setattr(steps, "LARGE_GROUP", large)
    monkeypatch.setattr(steps, "SPARE", 1)
    monkeypatch.setattr(steps, "WIDER", 2)
    if rules.get("max_in_row") == 1 and fixed[1] == 11:
        fixed = [None, 11, None, None, 18, None, None, 13]  # 11 and 18 are of one group
    if rules.get("max_per_group") == 1:
        fixed = [11 if code == 18 else None for code in fixed]
    if "allow" in rules:
        rules = rules | {"allow": [*rules["allow"], *filter(None, fixed)]}
    starts = [[1], [2, 8], [12, 1]]
    found = model.generate([ids(start) for start in starts], 8, **as_arguments(rules, fixed))
    for row, start in enumerate(starts):
        played, chances = greedy_truth(
            lambda heard: softmax_logs(NETWORK, heard), start, 8, fixed, GROUP_OF, rules
        )
        assert found.to_lists()[row] == ids(played)
        np.testing.assert_allclose(found.log_probabilities[row, : len(played)], chances, atol=1e-5)
        assert found.totals[row] == pytest.approx(sum(chances), abs=1e-4)
        assert found.counts[row] == len(played)
        assert (found.dead_ends[row] is None) == (len(played) == 8)
        assert (found.items[row, len(played) :] == -1).all()


def contradicts(start, rules):
    """Say whether start and fixed tracks alone break the rules, whatever comes between them."""
    whole = [*start, *(rules["fixed"].get(place) for place in range(10))]
    tracks = [track for track in whole if track is not None]
    if len(set(tracks)) < len(tracks):
        return True
    groups = [rules["groups"].get(track) for track in whole]
    for place in rules["fixed"]:
        at = len(start) + place
        if groups[at] is None:
            continue
        run = 1
        while run <= at and groups[at - run] == groups[at]:
            run += 1
        if run > rules["max_in_row"] or groups.count(groups[at]) > rules["max_per_group"]:
            return True
    return False


@given(
    seed=st.integers(0, 10**6),
    most_in_row=st.integers(1, 4),
    most_in_all=st.integers(1, 6),
    fixed=st.dictionaries(st.integers(0, 9), st.integers(0, ITEMS - 1), max_size=4),
    start=st.lists(st.integers(0, ITEMS - 1), min_size=1, max_size=4, unique=True),
)
def test_any_rules_are_obeyed_or_refused(seed, most_in_row, most_in_all, fixed, start):
    model = FakeModel(TanhNetwork(ITEMS, 5, seed))
    groups = {code * 10: code % 4 for code in range(ITEMS) if code % 5}
    rules = {
        "groups": groups,
        "max_in_row": most_in_row,
        "max_per_group": most_in_all,
        "fixed": {place: code * 10 for place, code in fixed.items()},
    }
    if contradicts(ids(start), rules):
        with pytest.raises(InputError, match="is fixed at place"):
            model.generate([ids(start)], 10, **rules)
        return
    found = model.generate([ids(start)], 10, **rules)
    played = found.to_lists()[0]
    assert len(set(played) | set(ids(start))) == len(played) + len(start)
    own = [groups.get(track) for track in played]
    before = [groups.get(track) for track in ids(start)]
    for place, code in fixed.items():
        if place < len(played):
            assert played[place] == code * 10
    for group in set(own) - {None}:
        assert own.count(group) <= max(most_in_all - before.count(group), 0)
    if longest_run(before) <= most_in_row:
        assert longest_run([*before, *own]) <= most_in_row
    assert len(played) == 10 or found.dead_ends[0]


@pytest.mark.parametrize("width", [1, 2, 5])
@pytest.mark.parametrize("rules", RULES[:6], ids=str)
def test_beam_finds_the_likeliest_playlist_among_its_beginnings(model, rules, width):
    fixed = [None, None, 23, None, 9]
    starts = [[1], [2, 8]]
    if "allow" in rules:
        rules = rules | {"allow": [*rules["allow"], 23, 9]}
    found = model.generate(
        [ids(start) for start in starts],
        5,
        strategy="beam",
        beam_width=width,
        **as_arguments(rules, fixed),
    )
    for row, start in enumerate(starts):
        played, total = beam_truth(
            lambda heard: softmax_logs(NETWORK, heard), start, 5, width, fixed, GROUP_OF, rules
        )
        assert found.to_lists()[row] == ids(played)
        assert found.totals[row] == pytest.approx(total, abs=1e-4)


def test_a_wide_beam_finds_the_best_playlist_of_all():
    chances = np.array([[0.02, 0.5, 0.48, 0], [0.1, 0.1, 0.4, 0.4], [0.01, 0.01, 0.01, 0.97]])
    chances = np.vstack([chances, [0.25] * 4]) + 1e-9
    model = FakeModel(MarkovNetwork(chances / chances.sum(axis=1, keepdims=True)))
    greedy = model.generate([[0]], 2)
    best = model.generate([[0]], 2, strategy="beam", beam_width=3)
    assert greedy.to_lists() == [[10, 20]]
    assert best.to_lists() == [[20, 30]]
    assert best.totals[0] > greedy.totals[0]


def test_a_beam_goes_round_a_dead_end_that_greedy_meets(model):
    groups = {code * 10: code // 15 for code in range(ITEMS)}
    arguments = {"groups": groups, "max_in_row": 1, "allow": ids([3, 16, 17, 4])}
    greedy = model.generate([[10]], 5, **arguments)
    beam = model.generate([[10]], 5, strategy="beam", beam_width=4, **arguments)
    assert greedy.counts.tolist() == [4]
    assert beam.counts.tolist() == [4]
    assert greedy.dead_ends[0].startswith("place 4: every track that may be played")


def test_a_dead_end_of_groups_says_so(model):
    groups = {code * 10: "one" for code in range(ITEMS)}
    found = model.generate([[10], [20]], 3, groups=groups, max_per_group=2)
    assert found.counts.tolist() == [1, 1]
    assert "the limits of groups rule out every track" in found.dead_ends[0]
    assert np.isnan(found.log_probabilities[:, 1:]).all()
    sampled = model.generate([[10]], 3, strategy="sample", groups=groups, max_per_group=2)
    assert sampled.counts.tolist() == [1]
    assert sampled.dead_ends == found.dead_ends[:1]


def test_dead_ends_of_a_beam_compete_by_their_normalized_total():
    # 30, 10 and no further has the chance .3; 10, 30, 20 and no further .2, but three tracks.
    chances = np.full((4, 4), 1e-6)
    chances[0, [1, 3]] = 0.4, 0.6
    chances[1, 3] = 1
    chances[3, 1:3] = 0.5
    model = FakeModel(MarkovNetwork(chances / chances.sum(axis=1, keepdims=True)))
    arguments = {"groups": {10: "one", 20: "one", 30: "other"}, "max_in_row": 1}
    arguments |= {"strategy": "beam", "beam_width": 3}
    plain = model.generate([[0]], 5, **arguments)
    assert plain.to_lists() == [[30, 10]]
    assert plain.dead_ends[0].startswith("place 2: the limits of groups")
    normalized = model.generate([[0]], 5, length_normalization=1.0, **arguments)
    assert normalized.to_lists() == [[10, 30, 20]]
    assert normalized.dead_ends[0].startswith("place 3: every track")


def test_novelty_prefers_what_is_rarely_played(model):
    counts = np.arange(ITEMS, 0, -1) ** 3
    model.item_counts = counts
    penalty = 0.7 * np.log(counts / counts.sum())
    found = model.generate([[10]], 6, novelty=0.7)
    played, chances = greedy_truth(
        lambda heard: softmax_logs(NETWORK, heard), [1], 6, [None] * 6, {}, {}, penalty
    )
    assert found.to_lists() == [ids(played)]
    np.testing.assert_allclose(found.log_probabilities[0], chances, atol=1e-5)
    assert counts[played].mean() < counts[np.array(model.generate([[10]], 6).items[0]) // 10].mean()


def test_each_playlist_has_its_own_lists_and_end(model):
    found = model.generate(
        [[10], [20]],
        3,
        exclude=[[30, 40], [50]],
        allow=[ids(range(20)), ids(range(10, 28))],
        fixed=[{}, {0: 270}],
        end=[190, 260],
    )
    first, second = found.to_lists()
    assert first[-1] == 190
    assert set(first) <= set(ids(range(20))) - {30, 40}
    assert (second[0], second[-1]) == (270, 260)


def test_a_long_exclude_list_is_obeyed():
    network = TanhNetwork(2000, 8)
    model = FakeModel(network)
    banned = np.random.default_rng(0).permutation(2000)[:1500]
    found = model.generate([[0]], 20, exclude=banned * 10)
    assert not set(found.to_lists()[0]) & set((banned * 10).tolist())
    free = model.generate([[0]], 20, allow=np.setdiff1d(np.arange(2000), banned) * 10)
    np.testing.assert_array_equal(found.items, free.items)
    np.testing.assert_allclose(found.log_probabilities, free.log_probabilities)


@pytest.mark.parametrize("strategy", ["greedy", "beam", "sample"])
def test_threads_do_not_change_a_bit(strategy):
    model = FakeModel(TanhNetwork(5000, 16))
    starts = (np.arange(40)[:, None] * 10).tolist()
    one = model.generate(starts, 5, strategy=strategy, threads=1)
    for threads in (2, 3, 8):
        other = model.generate(starts, 5, strategy=strategy, threads=threads)
        np.testing.assert_array_equal(one.items, other.items)
        np.testing.assert_array_equal(one.log_probabilities, other.log_probabilities)


def test_string_ids_come_back_as_strings():
    names = [f"track {code}" for code in range(ITEMS)]
    model = FakeModel(NETWORK, ids=names)
    found = model.generate([["track 1"]], 40)
    assert found.counts.tolist() == [29]
    assert set(found.to_lists()[0]) <= set(names)
    assert found.items[0, 29:].tolist() == [None] * 11


def test_a_pair_of_columns_gives_groups(model):
    by_pair = (model.item_ids, np.array(["", *"ab" * 14, "a"], object))
    by_dict = {code * 10: "ab"[(code + 1) % 2] for code in range(1, 29)} | {290: "a"}
    one = model.generate([[10]], 9, groups=by_pair, max_in_row=1)
    other = model.generate([[10]], 9, groups=by_dict, max_in_row=1)
    np.testing.assert_array_equal(one.items, other.items)


BAD = {
    "length 0": ({"length": 0}, "length must be a whole number"),
    "length float": ({"length": 2.0}, "length must be a whole number"),
    "strategy": ({"strategy": "best"}, "strategy must be one of 'greedy'"),
    "temperature": ({"strategy": "sample", "temperature": 0}, "temperature must be at least"),
    "negative temperature": ({"strategy": "sample", "temperature": -1.0}, "temperature must be"),
    "nan": ({"strategy": "sample", "temperature": np.nan}, "temperature must be"),
    "top_p above 1": ({"strategy": "sample", "top_p": 1.5}, "top_p must be"),
    "top_p 0": ({"strategy": "sample", "top_p": 0.0}, "top_p must be above 0"),
    "top_k 0": ({"strategy": "sample", "top_k": 0}, "top_k must be"),
    "greedy temperature": ({"temperature": 0.5}, "temperature is for strategy='sample'"),
    "greedy seed": ({"seed": 1}, "seed is for strategy='sample'"),
    "sample beam": ({"strategy": "sample", "beam_width": 3}, "beam_width is for strategy='beam'"),
    "beam width": ({"strategy": "beam", "beam_width": 0}, "beam_width must be"),
    "novelty": ({"novelty": np.inf}, "novelty must be"),
    "no start": ({"start": [[]]}, "start 0 holds no track"),
    "flat start": ({"start": [10]}, "start must be a sequence of sequences"),
    "limits alone": ({"max_in_row": 2}, "max_in_row limits groups"),
    "groups alone": ({"groups": {10: 1}}, "groups limit nothing"),
    "groups unknown": ({"groups": {7: 1}, "max_in_row": 1}, "not one track that the model knows"),
    "groups kind": ({"groups": 7, "max_in_row": 1}, "groups must be a dict"),
    "max_per_group": ({"groups": {10: 1}, "max_per_group": 0}, "max_per_group must be"),
    "all excluded": ({"exclude": ids(range(ITEMS))}, "leave no track at all to playlist 0"),
    "none allowed": ({"allow": []}, "leave no track at all to playlist 0"),
    "nothing left": ({"allow": [20], "exclude": [20]}, "leave no track at all"),
    "fixed banned": ({"fixed": {1: 20}, "exclude": [20]}, "fixed at place 1 .* exclude bans it"),
    "fixed not allowed": ({"fixed": {1: 20}, "allow": [30]}, "allow does not hold it"),
    "fixed in start": ({"fixed": {1: 10}}, "the start holds it already"),
    "fixed twice": ({"fixed": {0: 20, 1: 20}}, "another place holds it too"),
    "fixed place": ({"fixed": {4: 20}}, "each place of fixed must be a whole number from 0 to 3"),
    "fixed kind": ({"fixed": [20]}, "fixed must be a dict"),
    "fixed count": ({"fixed": [{}, {}]}, "fixed must be one for each of 1 playlists"),
    "end twice": ({"fixed": {3: 20}, "end": 30}, "shall end on 30, but fixed"),
    "end banned": ({"end": 20, "exclude": [20]}, "exclude bans it"),
    "fixed row": (
        {"fixed": {0: 20, 1: 30}, "groups": {20: "a", 30: "a"}, "max_in_row": 1},
        "2 tracks of its group, but max_in_row=1",
    ),
    "fixed in all": (
        {"fixed": {0: 20, 2: 30}, "groups": {20: "a", 30: "a"}, "max_per_group": 1},
        "2 tracks of its group, but max_per_group=1",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD.keys())
def test_bad_arguments_are_refused(model, arguments, message):
    given = {"start": [[10]], "length": 4} | arguments
    with pytest.raises(InputError, match=message):
        model.generate(given.pop("start"), given.pop("length"), **given)


def test_unknown_tracks_are_refused_or_left_out(model):
    with pytest.raises(UnknownIdError, match="7"):
        model.generate([[10, 7]], 3)
    with pytest.raises(UnknownIdError, match="7"):
        model.generate([[10]], 3, end=7)
    one = model.generate([[10, 7]], 3, on_unknown="ignore")
    np.testing.assert_array_equal(one.items, model.generate([[10]], 3).items)
    with pytest.raises(InputError, match="start 1 holds no track"):
        model.generate([[10], [7]], 3, on_unknown="ignore")
