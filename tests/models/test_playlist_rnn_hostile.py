"""PlaylistRNN under bad input, odd arrays, several threads and processes, and Ctrl-C."""

import copy
import os
import pickle
import threading
import tracemalloc

import numpy as np
import pytest

import fastrec as fr
from tests.ctrl_c import ctrl_c_after

SMALL = {"units": 8, "epochs": 2, "batch_size": 8, "negatives": 8, "learning_rate": 0.01}
CYCLE = [[(start + step) % 12 for step in range(2 + start % 5)] for start in range(12)] * 10
CELLS = ("gru", "lstm", "tanh", "relu")


def small(**params):
    return fr.PlaylistRNN(**{**SMALL, **params})


@pytest.fixture(scope="module")
def model():
    return small(threads=2).fit(CYCLE)


@pytest.fixture
def mapped(model, tmp_path):
    model.save(tmp_path / "m.fastrec")
    return fr.load(tmp_path / "m.fastrec", mmap=True)


# Bad input


@pytest.mark.parametrize(
    ("batching", "truncation"),
    [("sessions", 512), ("sessions", 1 << 20), ("lanes", 1), ("lanes", 512), ("lanes", 1 << 20)],
)
def test_a_session_of_100000_tracks_trains_in_bounded_memory(batching, truncation):
    tracks = np.random.default_rng(0).integers(0, 500, 100_000)
    log = fr.Interactions.from_sequences([tracks, [1, 2, 3]])
    one = small(batching=batching, truncation=truncation, epochs=1, negatives=1, threads=1)
    tracemalloc.start()
    one.fit(log)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300e6
    assert one.memory(log)["work"] < 300e6
    assert one.history[0]["skipped_sessions"] == 0
    assert one.recommend([tracks], 3, exclude_seen=False).counts.tolist() == [3]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("scores", ["cosine", "dot"])
def test_a_rate_that_diverges_is_an_error_for_every_cell(cell, scores):
    wild = small(cell=cell, scores=scores, optimizer="sgd", learning_rate=1e9, clip=0.0, epochs=20)
    with pytest.raises(fr.DivergedError, match="lower learning_rate"):
        wild.fit(CYCLE)
    with pytest.raises(fr.NotFittedError):
        wild.recommend([[1]])


@pytest.mark.parametrize("scores", ["cosine", "dot"])
@pytest.mark.parametrize("optimizer", ["adam", "adagrad", "row_adagrad", "sgd"])
def test_a_rate_of_any_size_never_leaves_scores_that_are_no_numbers(optimizer, scores):
    for rate in (1e-300, 10.0, 1e5, 1e38, 1e300):
        wild = small(scores=scores, optimizer=optimizer, learning_rate=rate, threads=1)
        try:
            found = wild.fit(CYCLE).recommend([[1]], 12, exclude_seen=False)
        except fr.FastrecError:
            continue
        assert np.isfinite(found.scores).all()


def test_a_start_that_is_unknown_is_refused_or_has_to_hold_another(model):
    with pytest.raises(fr.UnknownIdError, match="77"):
        model.generate([[1, 77]], 2)
    with pytest.raises(fr.InputError, match="start 1 holds no track that the model knows"):
        model.generate([[1], [77]], 2, on_unknown="ignore")
    assert model.generate([[1, 77]], 2, on_unknown="ignore").counts.tolist() == [2]


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"length": 0}, "length must be a whole number from 1"),
        ({"allow": [77]}, "exclude and allow leave no track at all"),
        ({"exclude": range(12)}, "exclude and allow leave no track at all"),
        ({"fixed": {0: 1}}, "the start holds it already"),
        ({"fixed": {3: 2}}, "each place of fixed must be a whole number from 0 to 2"),
        ({"fixed": {0: 3}, "end": 3}, "another place holds it too"),
        ({"end": 77}, "77"),
        ({"max_in_row": 0, "groups": {1: "a"}}, "max_in_row must be"),
        ({"groups": {77: "a"}, "max_in_row": 1}, "not one track that the model knows"),
    ],
    ids=str,
)
def test_rules_that_nothing_satisfies_are_refused(model, rules, message):
    with pytest.raises(fr.FastrecError, match=message):
        model.generate([[1]], **{"length": 3, **rules})


@pytest.mark.parametrize(
    ("strategy", "name", "value"),
    [
        ("sample", "temperature", 1e308),
        ("greedy", "novelty", 1e308),
        ("beam", "length_normalization", 1e308),
    ],
)
def test_numbers_that_would_overflow_are_refused(model, strategy, name, value):
    with pytest.raises(fr.InputError, match=f"{name} must be a finite number from"):
        model.generate([[1]], 20, strategy=strategy, **{name: value})


@pytest.mark.parametrize("number", [1e38, -3e38, 1e9])
def test_context_far_from_all_that_was_seen_is_refused(number):
    log = fr.Interactions.from_arrays(
        user=[0, 0, 1, 1], item=[1, 2, 2, 1], context={"hour": [1.0, 2.0, 1.0, 2.0]}
    )
    aware = small(context=["hour"]).fit(log)
    with pytest.raises(fr.InputError, match="times as far from the mean"):
        aware.recommend([[1]], 1, context={"hour": [number]})
    assert np.isfinite(aware.recommend([[1]], 1, context={"hour": [1e5]}).scores).all()


@pytest.mark.parametrize("strategy", ["greedy", "sample", "beam"])
def test_more_tracks_than_there_are_end_in_a_dead_end(model, strategy):
    found = model.generate([[1], [2, 3]], 30, strategy=strategy)
    assert found.counts.tolist() == [11, 10]
    assert found.dead_ends[0].startswith("place 11: every track that may be played")
    assert all(len(set(row)) == len(row) for row in found)


def test_a_k_beyond_the_tracks_is_short_and_one_beyond_memory_is_refused(model):
    assert model.recommend([[1]], 1000).counts.tolist() == [11]
    session = model.session()
    session.append(1)
    assert session.next(1000).counts.tolist() == [12]
    for ask in (lambda: model.recommend([[1]], 2**31 - 1), lambda: session.next(2**31 - 1)):
        with pytest.raises(fr.InputError, match="ask for k=12"):
            ask()


def test_nothing_asked_is_nothing_answered(model):
    assert model.recommend([], 3).items.shape == (0, 3)
    assert model.recommend([[]], 3).counts.tolist() == [0]
    assert model.log_likelihood([[], [1]]).tolist() == [0, 0]
    assert len(model.generate([], 3)) == 0
    assert model.advance(model.sessions(0), []).next(3).items.shape == (0, 3)
    with pytest.raises(fr.InputError, match="no second track"):
        model.perplexity([[1], []])


def test_ids_of_any_letters_come_through(tmp_path):
    ids = ["\0", "a\0b", "e\u0301", "\u00e9", "\U0001f3b5", "\u202e", "\u200b", " ", "\n", "-1"]
    named = small().fit([ids, ids[::-1]] * 5)
    assert sorted(named.item_ids.ids) == sorted(ids)
    named.save(tmp_path / "m.fastrec")
    opened = fr.load(tmp_path / "m.fastrec")
    (made,) = named.generate([[ids[0]]], 9).to_lists()
    assert sorted([ids[0], *made]) == sorted(ids)
    assert opened.generate([[ids[0]]], 9).to_lists() == [made]
    session = opened.session()
    session.append(ids[4])
    np.testing.assert_array_equal(
        named.session_from_bytes(session.to_bytes()).next(5).items, session.next(5).items
    )


@pytest.mark.parametrize("form", ["C", "F", "read-only", ">i4", "i1", "u2"])
def test_histories_in_arrays_of_any_kind_get_the_same_answers(model, form):
    plain = np.arange(24).reshape(4, 6) % 12
    given = np.asarray(plain, order=form if form in "CF" else "C").copy(order="K")
    if form not in ("C", "F", "read-only"):
        given = plain.astype(form)
    given.flags.writeable = form != "read-only"
    expected = model.recommend(plain[:, ::2].tolist(), 3)
    np.testing.assert_array_equal(model.recommend(given[:, ::2], 3).items, expected.items)
    np.testing.assert_array_equal(
        model.log_likelihood(given[:, ::2]), model.log_likelihood(plain[:, ::2].tolist())
    )


# Files, copies, threads, processes


def test_a_mapped_model_answers_as_the_one_in_memory(model, mapped):
    assert not mapped._network.members[0].dense.flags.writeable
    np.testing.assert_array_equal(
        mapped.recommend([[1, 2]], 5).items, model.recommend([[1, 2]], 5).items
    )
    for strategy in ("greedy", "sample", "beam"):
        made = (each.generate([[1]], 6, strategy=strategy).items for each in (mapped, model))
        np.testing.assert_array_equal(*made)
    states = mapped.advance(mapped.sessions(2), [1, 2])
    np.testing.assert_array_equal(states.states, model.advance(model.sessions(2), [1, 2]).states)
    assert mapped.perplexity([[1, 2, 3]]) == model.perplexity([[1, 2, 3]])


def test_a_mapped_model_trains_on_and_its_file_stays(model, mapped, tmp_path):
    before = (tmp_path / "m.fastrec").read_bytes()
    other = copy.deepcopy(model).partial_fit([[1, 2, 99]] * 5)
    mapped.partial_fit([[1, 2, 99]] * 5)
    np.testing.assert_array_equal(mapped.item_vectors.matrix, other.item_vectors.matrix)
    assert (tmp_path / "m.fastrec").read_bytes() == before


def test_a_mapped_checkpoint_goes_on_from_its_own_file(tmp_path):
    path = tmp_path / "run.fastrec"
    whole = small(epochs=3).fit(CYCLE, callbacks=[fr.Checkpoint(tmp_path / "other.fastrec")])

    class Stop(fr.Checkpoint):
        def on_epoch_end(self, run, row):
            super().on_epoch_end(run, row)
            run.stop("enough")

    Stop.__name__ = "Checkpoint"
    small(epochs=3).fit(CYCLE, callbacks=[Stop(path)])
    opened = fr.load(path, mmap=True)
    opened.fit(CYCLE, callbacks=[fr.Checkpoint(path)], resume=path)
    np.testing.assert_array_equal(opened.item_vectors.matrix, whole.item_vectors.matrix)


def test_copies_of_sessions_go_on_by_themselves(model):
    session = model.session()
    session.append(1)
    for made in (copy.copy(session), copy.deepcopy(session)):
        made.append(2)
        assert (made.heard, session.heard) == (2, 1)
    states = copy.deepcopy(model.advance(model.sessions(2), [1, 2]))
    assert model.advance(states, [3, -1]).heard.tolist() == [2, 1]


@pytest.mark.parametrize("begin", [lambda m: m.session(), lambda m: m.sessions(2)])
def test_sessions_are_not_pickled_and_say_how_they_travel(model, begin):
    with pytest.raises(fr.InputError, match="to_bytes"):
        pickle.dumps(begin(model))


def test_three_threads_ask_one_model_at_once(model):
    histories = [[track] for track in range(12)]
    ranked = model.recommend(histories, 3, exclude_seen=False)
    made = model.generate(histories, 5, strategy="beam").items

    def recommends():
        return (model.recommend(histories, 3, exclude_seen=False).items == ranked.items).all()

    def generates():
        return (model.generate(histories, 5, strategy="beam").items == made).all()

    def advances():
        states = model.advance(model.sessions(12), range(12))
        return (states.next(3).items == ranked.items).all()

    wrong = []

    def repeat(ask):
        for _ in range(20):
            model._forget_answers()  # all of them build the index and the checksum anew
            if not ask():
                wrong.append(ask.__name__)

    asking = [threading.Thread(target=repeat, args=(a,)) for a in (recommends, generates, advances)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert wrong == []


def test_two_fits_in_threads_that_are_not_the_main_one_are_each_right(model):
    fitted = {}

    def fit(threads):
        fitted[threads] = small(threads=threads).fit(CYCLE)

    fitting = [threading.Thread(target=fit, args=(threads,)) for threads in (2, 3)]
    for thread in fitting:
        thread.start()
    for thread in fitting:
        thread.join()
    for threads in (2, 3):
        np.testing.assert_array_equal(
            fitted[threads].item_vectors.matrix, model.item_vectors.matrix
        )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_recommends_generates_and_trains(model):
    vectors = model.item_vectors.matrix
    ranked = model.recommend([[1]] * 300, 3).items
    child = os.fork()
    if child == 0:
        code = 1
        try:
            same = (model.recommend([[1]] * 300, 3).items == ranked).all()
            same &= model.generate([[1]], 3).counts[0] == 3
            same &= (small(threads=2).fit(CYCLE).item_vectors.matrix == vectors).all()
            code = 0 if same else 2
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("batching", ["sessions", "lanes"])
def test_ctrl_c_ends_a_fit_and_keeps_what_it_has_reached(cell, batching):
    endless = small(cell=cell, batching=batching, epochs=10**6, threads=2)
    with ctrl_c_after(0.1), pytest.raises(KeyboardInterrupt):
        endless.fit(CYCLE)
    assert np.isfinite(endless.recommend([[1]], 5).scores).all()
    assert endless.history[-1]["partial"]
    assert len(endless.history) < 10**6
