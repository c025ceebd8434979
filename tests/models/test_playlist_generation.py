"""Generation with a trained PlaylistRNN: its own probabilities, features, files, sessions."""

import numpy as np
import pytest

import fastrec as fr
from fastrec.errors import InputError


@pytest.fixture(scope="module")
def made():
    return fr.synthetic_playlists(1500, 300, genres=3, queries=100, seed=1)


@pytest.fixture(scope="module", params=["cosine", "dot"])
def model(request, made):
    return fr.PlaylistRNN(
        units=24,
        scores=request.param,
        bias=request.param == "dot",
        negatives=64,
        batch_size=32,
        epochs=4,
        learning_rate=0.01,
        seed=1,
        threads=2,
    ).fit(made.log)


def log_softmax(model, history):
    """Return the log-probability of every track from the net's own parts, in float64."""
    network = model._network
    codes = model.item_ids.encode(history)
    states = network.zero_states(1)
    for code in codes:
        network.advance(states, np.array([code], np.int32))
    scores = np.float64(network.queries(states))[0] @ np.float64(network.output_vectors()).T
    if network.bias is not None:
        scores = scores + network.bias
    return scores - (scores.max() + np.log(np.exp(scores - scores.max()).sum()))


def test_greedy_follows_the_net(made, model):
    artist = dict(zip(made.names.tolist(), made.log.items["artist"].tolist(), strict=True))
    start = made.queries.histories[0][:2]
    history = made.log.item_ids.decode(start).tolist()
    found = model.generate([history], 8, groups=artist, max_in_row=1, max_per_group=2)
    played = list(history)
    for place, track in enumerate(found.to_lists()[0]):
        logs = log_softmax(model, played)
        code = model.item_ids.code(track)
        assert found.log_probabilities[0, place] == pytest.approx(logs[code], abs=1e-4)
        artists = [artist[name] for name in played]
        open_ = [
            name not in played and artist[name] != artists[-1] and artists.count(artist[name]) < 2
            for name in model.item_ids.ids
        ]
        assert logs[code] > logs[open_].max() - 1e-4
        played.append(track)
    assert found.counts[0] == 8


def test_generation_likelihood_and_ranking_agree(made, model):
    start = model.item_ids.ids[:3].tolist()
    found = model.generate([start], 1, allow_repeats=True)
    ranked = model.recommend([start], k=1, exclude_seen=False)
    assert found.items[0, 0] == ranked.items[0, 0]
    steps = model.log_likelihood([[*start, found.items[0, 0]]], per_step=True)
    assert steps[0][-1] == pytest.approx(found.log_probabilities[0, 0], abs=1e-5)


def test_playlists_that_were_learnt_are_likelier_than_shuffled_ones(made, model):
    played = made.log.item_ids.decode(made.log.item[:200]).tolist()
    shuffled = np.random.default_rng(0).permutation(np.array(played, object)).tolist()
    assert model.perplexity([played]) < model.perplexity([shuffled])


def test_a_session_answers_as_recommend_does(made, model):
    history = model.item_ids.ids[[5, 1, 8]].tolist()
    session = model.session()
    for track in history:
        session.append(track)
    found = session.next(6, exclude=history)
    ranked = model.recommend([history], k=6)
    np.testing.assert_array_equal(found.items, ranked.items)
    np.testing.assert_allclose(found.scores, ranked.scores, rtol=1e-5)


def test_a_session_survives_the_file_of_its_model(made, model, tmp_path):
    session = model.session()
    session.append(model.item_ids.ids[0])
    model.save(tmp_path / "m.fastrec")
    opened = fr.load(tmp_path / "m.fastrec", mmap=True)
    again = opened.session_from_bytes(session.to_bytes())
    np.testing.assert_array_equal(again.next(5).items, session.next(5).items)
    found = opened.generate([[model.item_ids.ids[0]]], 4, strategy="sample", seed=3)
    expected = model.generate([[model.item_ids.ids[0]]], 4, strategy="sample", seed=3)
    np.testing.assert_array_equal(found.items, expected.items)


def test_training_on_ends_the_sessions_that_were(made, model):
    trained = fr.PlaylistRNN(**model.get_params()).fit(made.log)
    data, states = trained.session().to_bytes(), trained.sessions(1)
    assert trained.session_from_bytes(data).heard == 0
    trained.partial_fit(made.log)
    with pytest.raises(InputError, match="begun with other weights"):
        trained.session_from_bytes(data)
    with pytest.raises(InputError, match="before it was trained on"):
        trained.advance(states, model.item_ids.ids[:1])


@pytest.fixture(scope="module")
def about_users():
    sessions = [["a", "b", "c"], ["d", "e", "f"]] * 60
    rows = [(row, item) for row, session in enumerate(sessions) for item in session]
    log = fr.Interactions.from_arrow(
        {
            "user": np.array([row % 2 for row, _ in rows]),
            "session": np.array([row for row, _ in rows]),
            "item": [item for _, item in rows],
            "device": [["phone", "desk"][row % 2] for row, _ in rows],
        },
        user="user",
        session="session",
        item="item",
        context=["device"],
    )
    log = log.with_users({"user": np.array([0, 1]), "age": np.array([20.0, 60.0])}, id="user")
    return fr.PlaylistRNN(
        units=8,
        negatives=4,
        batch_size=16,
        epochs=6,
        context=["device"],
        user_features=["age"],
        threads=1,
    ).fit(log)


def test_features_enter_every_step(about_users):
    known = {"users": [0], "context": {"device": ["phone"]}}
    plain = about_users.generate([["a"]], 3, **known)
    other = about_users.generate([["a"]], 3, users=[1], context={"device": ["desk"]})
    assert (plain.log_probabilities != other.log_probabilities).all()
    whole = [["a", *plain.to_lists()[0]]]
    sums = about_users.log_likelihood(whole, **known)
    assert sums[0] == pytest.approx(plain.totals[0], abs=1e-4)
    session = about_users.session(user=0, context={"device": "phone"})
    session.append("a")
    ranked = about_users.recommend([["a"]], k=3, **known)
    np.testing.assert_array_equal(session.next(3, exclude=["a"]).items, ranked.items)
    again = about_users.session_from_bytes(session.to_bytes())
    again.append("b")
    session.append("b")
    np.testing.assert_array_equal(again.state, session.state)
    by_value = about_users.session(user_features={"age": 20.0}, context={"device": "phone"})
    by_value.append("a")
    by_value.append("b")
    np.testing.assert_allclose(by_value.state, session.state, atol=1e-6)


def test_a_missing_feature_is_named(about_users):
    with pytest.raises(InputError, match="device"):
        about_users.generate([["a"]], 3)
    with pytest.raises(InputError, match="device"):
        about_users.session(user=0)


def test_users_of_a_model_without_features_are_refused(model):
    with pytest.raises(InputError, match="leave users out"):
        model.generate([model.item_ids.ids[:1].tolist()], 3, users=[1])


@pytest.mark.parametrize("loss", ["bpr_max", "top1_max"])
def test_ranking_losses_refuse_probabilities(made, loss):
    model = fr.PlaylistRNN(units=8, negatives=16, epochs=1, loss=loss, threads=1).fit(
        [["a", "b", "c"]] * 30
    )
    with pytest.raises(InputError, match="ranks tracks and gives no probabilities"):
        model.generate([["a"]], 2, strategy="sample")
    with pytest.raises(InputError, match="ranks tracks and gives no probabilities"):
        model.perplexity([["a", "b"]])
