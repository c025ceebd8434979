"""Several nets in one PlaylistRNN: trained side by side, asked as one."""

import numpy as np
import pytest

import fastrec as fr
from fastrec.errors import InputError

random = np.random.default_rng(0)
ROWS = [random.integers(0, 40, length).tolist() for length in random.geometric(0.2, 300) + 1]
PARAMS = {"units": 16, "epochs": 3, "batch_size": 8, "negatives": 16, "learning_rate": 0.01}
HISTORIES = [[1, 2, 3], [7], [4, 4, 9]]


def made(members=3, **params):
    return fr.PlaylistRNN(**{**PARAMS, "members": members, **params})


@pytest.fixture(scope="module")
def model():
    return made().fit(ROWS)


def assert_same(one, other):
    assert one._parameters().keys() == other._parameters().keys()
    for name, array in one._parameters().items():
        np.testing.assert_array_equal(other._parameters()[name], array, err_msg=name)
    assert one.history.column("loss") == other.history.column("loss")


@pytest.mark.parametrize("batching", ["sessions", "lanes"])
def test_the_first_member_learns_as_it_would_alone(batching):
    params = {"batching": batching, "input_dropout": 0.3}
    alone, several = made(1, **params).fit(ROWS), made(3, **params).fit(ROWS)
    for name, array in alone._parameters().items():
        np.testing.assert_array_equal(several._parameters()[name], array, err_msg=name)
    members = several._network.members
    assert len({net.outputs.tobytes() for net in members}) == 3


def test_the_loss_is_the_mean_of_the_members(model):
    class Look(fr.Callback):
        log_every = 1

        def on_log(self, run, row):
            trainers = run.model._training.trainers
            self.losses = [trainer.totals[0] / trainer.totals[1] for trainer in trainers]

    look = Look()
    fitted = made(epochs=1).fit(ROWS, callbacks=[look])
    assert len(set(look.losses)) == 3
    assert fitted.history[0]["loss"] == pytest.approx(np.mean(look.losses), rel=1e-9)
    alone = made(1, epochs=1).fit(ROWS)
    assert alone.history[0]["loss"] == pytest.approx(look.losses[0], rel=1e-12)


def test_scores_are_the_mean_of_the_members(model):
    found = model.recommend(HISTORIES, 40, exclude_seen=False)
    means = np.zeros((3, 40))
    for net in model._network.members:
        rows = fr.Ragged.from_lists([model.item_ids.encode(history) for history in HISTORIES])
        means += net.queries(net.encode(rows)) @ net.output_vectors().T / 3
    for row in range(3):
        codes = model.item_ids.encode(found.items[row])
        np.testing.assert_allclose(found.scores[row], means[row, codes], rtol=1e-4, atol=1e-5)
        assert np.all(np.diff(found.scores[row]) <= 0)


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_threads_change_no_bit(model, threads):
    assert_same(model, made(threads=threads).fit(ROWS))


def test_a_file_keeps_all_members(model, tmp_path):
    path = tmp_path / "m.fastrec"
    model.save(path)
    for mmap in (False, True):
        loaded = fr.load(path, mmap=mmap)
        assert_same(model, loaded)
        for found, expected in zip(
            loaded.recommend(HISTORIES, 5), model.recommend(HISTORIES, 5), strict=True
        ):
            assert found == expected


@pytest.mark.parametrize("batching", ["sessions", "lanes"])
def test_a_run_that_was_cut_goes_on_to_the_same_bits(tmp_path, monkeypatch, batching):
    monkeypatch.setattr("fastrec.models.recurrent_memory.PRODUCTS_A_BLOCK", 1)
    params = {"batching": batching, "truncation": 4, "schedule": "cosine"}
    path = tmp_path / "run.fastrec"

    class Cut(fr.Callback):
        log_every = 1
        left = 60

        def on_log(self, run, row):
            self.left -= 1
            if self.left == 0:
                raise RuntimeError("cut")

    whole = made(**params).fit(ROWS)
    with pytest.raises(RuntimeError, match="cut"):
        made(**params).fit(ROWS, callbacks=[fr.Checkpoint(path, every=1, unit="events"), Cut()])
    callbacks = [fr.Checkpoint(path), Cut()]
    callbacks[1].left = -1
    assert_same(whole, made(**params).fit(ROWS, resume=path, callbacks=callbacks))
    with pytest.raises(InputError, match="members is 2"):
        made(2, **params).fit(ROWS, resume=path, callbacks=callbacks)


def test_sessions_carry_the_states_of_all_members(model):
    session = model.session()
    for track in HISTORIES[0]:
        session.append(track)
    again = model.session_from_bytes(session.to_bytes())
    expected = model.recommend(HISTORIES[:1], 5, exclude_seen=False)
    for one in (session, again):
        np.testing.assert_array_equal(one.next(5).items, expected.items)
        one.append(5)
    np.testing.assert_array_equal(session.state, again.state)
    with pytest.raises(InputError, match="another model"):
        made(2).fit(ROWS).session_from_bytes(session.to_bytes())


@pytest.mark.parametrize("strategy", ["greedy", "beam", "sample"])
def test_playlists_are_as_likely_as_the_members_say_together(model, strategy):
    seed = {"seed": 1} if strategy == "sample" else {}
    found = model.generate(HISTORIES, 6, strategy=strategy, **seed)
    for start, tracks, logs in zip(
        HISTORIES, found.to_lists(), found.log_probabilities, strict=True
    ):
        steps = model.log_likelihood([[*start, *tracks]], per_step=True)
        np.testing.assert_allclose(logs, steps[0][len(start) - 1 :], atol=1e-4)
    scores = model.recommend([[7]], 40, exclude_seen=False).scores[0].astype(np.float64)
    first = model.log_likelihood([[7, int(model.recommend([[7]], 1).items[0, 0])]])[0]
    best = model.recommend([[7]], 1).scores[0, 0]
    assert first == pytest.approx(best - np.log(np.exp(scores).sum()), abs=1e-4)


def test_partial_fit_trains_all_members_on(model):
    grown = made().fit(ROWS)
    before = {name: array.copy() for name, array in grown._parameters().items()}
    grown.partial_fit([[1, 2, 77], [77, 3, 4]] * 20)
    assert len(grown.item_ids) == 41
    for name, array in before.items():
        assert not np.array_equal(grown._parameters()[name][: len(array)], array), name
    grown.set_params(members=2)
    with pytest.raises(InputError, match="members is 2, but this model was fitted with 3"):
        grown.partial_fit([[1, 2]])


def vectors(seed):
    matrix = np.random.default_rng(seed).normal(size=(40, 16)).astype(np.float32)
    return fr.Vectors(fr.IdMap.from_ids(np.arange(40))[0], matrix)


def directions(net):
    rows = net.inputs[:, :16]
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def begun_with(item_vectors):
    """Return the directions of each member's items after training that changes nothing."""
    model = made(learning_rate=1e-9, epochs=1).fit(ROWS, item_vectors=item_vectors)
    order = model.item_ids.encode(np.arange(40))
    return [directions(net)[order] for net in model._network.members]


def test_members_begin_with_the_item_vectors_all_or_each_with_its_own():
    one, other = vectors(1), vectors(2)
    expected = [
        given.matrix / np.linalg.norm(given.matrix, axis=1, keepdims=True) for given in (one, other)
    ]
    for found in begun_with(one):
        np.testing.assert_allclose(found, expected[0], atol=1e-5)
    found = begun_with([one, None, other])
    np.testing.assert_allclose(found[0], expected[0], atol=1e-5)
    np.testing.assert_allclose(found[2], expected[1], atol=1e-5)
    np.testing.assert_allclose(found[1], begun_with(None)[1], atol=1e-5)


@pytest.mark.parametrize("given", [[vectors(1)] * 2, [], [None] * 4])
def test_a_list_of_item_vectors_has_one_for_each_member(given):
    with pytest.raises(InputError, match="but there are 3 members"):
        made().fit(ROWS, item_vectors=given)


def test_what_is_in_a_list_of_item_vectors_is_looked_at():
    with pytest.raises(InputError, match="item_vectors must be Vectors"):
        made().fit(ROWS, item_vectors=[vectors(1), "abc", None])


def test_similar_items_go_by_the_mean_cosine(model):
    assert model.item_vectors.matrix.shape == (40, 48)
    cosines = np.zeros((40, 40))
    for net in model._network.members:
        rows = net.outputs[:, :16] / np.linalg.norm(net.outputs[:, :16], axis=1, keepdims=True)
        cosines += rows @ rows.T / 3
    found = model.similar_items([5], 3)
    codes = model.item_ids.encode(found.items[0])
    own = model.item_ids.code(5)
    np.testing.assert_allclose(found.scores[0], cosines[own, codes], atol=1e-5)


def test_memory_counts_every_member_but_one_step():
    one, four = (made(count).memory(ROWS) for count in (1, 4))
    for part in ("parameters", "optimizer"):
        assert four[part] == 4 * one[part]
    assert one["log"] == four["log"]
    assert four["work"] < 2 * one["work"]


@pytest.mark.parametrize("members", [0, -1, 65, 1.5, "2", None, True])
def test_members_out_of_range_are_refused(members):
    with pytest.raises(InputError, match="members"):
        made(members).fit(ROWS)
