"""Context columns and user features: what they say is learned, and what is wrong with them said."""

import numpy as np
import pytest

import fastrec as fr

SMALL = {"units": 16, "epochs": 15, "batch_size": 8, "negatives": 8, "learning_rate": 0.01}


def day_log(count=400, seed=0, users=None):
    """Sessions in which what follows track 0 depends on the device, the hour and the user."""
    random = np.random.default_rng(seed)
    device = random.integers(0, 2, count)
    hour = random.integers(0, 24, count).astype(np.float32)
    user = np.arange(count) % 20
    rows = {"session": np.repeat(np.arange(count), 2), "user": np.repeat(user, 2)}
    nexts = {
        "device": 1 + device,
        "hour": np.where(hour < 12, 1, 2),
        "age": np.where(user < 10, 1, 2),
        "home": np.where(user % 2, 1, 2),
    }
    return random, rows, nexts, device, hour


def log_of(what, names=("desk", "phone")):
    _, rows, nexts, device, hour = day_log()
    items = np.ravel(np.column_stack([np.zeros(len(device), int), nexts[what]]))
    log = fr.Interactions.from_arrays(
        **rows,
        item=items,
        time=np.arange(len(items)),
        context={
            "device": np.repeat(np.array(names, object)[device], 2),
            "hour": np.repeat(hour, 2),
        },
    )
    people = {"id": np.arange(20), "age": np.arange(20) + 20.0}
    people["home"] = np.array(["south", "north"] * 10, object)
    return log.with_users(people, id="id")


def best(model, **about):
    return model.recommend([[0], [0]], 1, **about).items[:, 0].tolist()


@pytest.mark.parametrize("item_inputs", ["tied", "separate", "gates"])
@pytest.mark.parametrize(("name", "values"), [("device", ["desk", "phone"]), ("hour", [2.0, 22.0])])
def test_context_decides(item_inputs, name, values):
    model = fr.PlaylistRNN(**SMALL, context=(name,), item_inputs=item_inputs).fit(log_of(name))
    assert best(model, context={name: values}) == [1, 2]
    assert best(model, context={name: values[::-1]}) == [2, 1]


@pytest.mark.parametrize(("name", "values"), [("age", [21, 38]), ("home", ["north", "south"])])
def test_user_features_decide_and_may_be_given(name, values):
    model = fr.PlaylistRNN(**SMALL, user_features=(name,)).fit(log_of(name))
    assert best(model, users=[1, 18]) == [1, 2]
    assert best(model, context={name: values}) == [1, 2]
    assert best(model, users=[18, 1], context={name: values}) == [1, 2]


def test_queries_bring_context_and_users():
    log = log_of("device")
    model = fr.PlaylistRNN(**SMALL, context=("device", "hour"), user_features=("home",)).fit(log)
    assert fr.evaluate(model, fr.Queries.last_item(log), ("recall@1",))["recall@1"] == 1.0
    swapped = log_of("device", names=("phone", "desk"))
    assert fr.evaluate(model, fr.Queries.last_item(swapped), ("recall@1",))["recall@1"] == 0.0


def test_a_saved_model_knows_its_features(tmp_path):
    model = fr.PlaylistRNN(**SMALL, context=("device", "hour"), user_features=("home", "age"))
    model.fit(log_of("device")).save(tmp_path / "m.fastrec")
    asked = {"context": {"device": ["desk", "phone"], "hour": [3, 4]}, "users": [3, 4]}
    one = model.recommend([[0], [0]], 3, **asked)
    for mmap in (False, True):
        loaded = fr.load(tmp_path / "m.fastrec", mmap=mmap)
        assert loaded.get_params() == model.get_params()
        other = loaded.recommend([[0], [0]], 3, **asked)
        np.testing.assert_array_equal(one.items, other.items)
        np.testing.assert_array_equal(one.scores, other.scores)


def test_partial_fit_learns_new_categories_and_users():
    model = fr.PlaylistRNN(**SMALL, context=("device",), user_features=("home",))
    model.fit(log_of("device"))
    before = model._network.members[0].features.copy()
    more = fr.Interactions.from_arrays(
        user=np.repeat(np.arange(15, 25), 2),
        item=[0, 3] * 10,
        time=np.arange(20),
        context={"device": np.array(["radio"] * 20, object)},
    ).with_users({"id": np.arange(15, 25), "home": np.array(["west"] * 10, object)}, id="id")
    model.partial_fit(more)
    assert len(model._network.members[0].features) == len(before) + 2
    assert model.user_ids.ids.tolist() == list(range(25))
    top = model.recommend([[0]], 1, context={"device": ["radio"]}, users=[24])
    assert top.items[0, 0] == 3
    model.set_params(context=())
    with pytest.raises(fr.InputError, match="context is"):
        model.partial_fit(more)


# What is missing or wrong


def test_a_column_missing_at_recommend_time_is_named():
    model = fr.PlaylistRNN(**SMALL, context=("device", "hour")).fit(log_of("device"))
    with pytest.raises(fr.InputError, match=r"fitted with 'device', which the question lacks"):
        model.recommend([[0]])
    with pytest.raises(fr.InputError, match=r"'hour', which .* lacks \(it has 'device'\)"):
        model.recommend([[0]], context={"device": ["desk"]})
    with pytest.raises(fr.InputError, match="'device'"):
        fr.evaluate(model, fr.Queries.from_columns([[0]], [1]))


def test_an_unseen_category_has_no_row_or_is_an_error():
    model = fr.PlaylistRNN(**SMALL, context=("device",)).fit(log_of("device"))
    scores = [
        model.recommend([[0]], 2, context={"device": [device]}).scores.tolist()
        for device in ("fridge", "oven", "desk")
    ]
    assert scores[0] == scores[1] != scores[2]
    with pytest.raises(fr.UnknownIdError, match="fridge"):
        model.recommend([[0]], context={"device": ["fridge"]}, on_unknown="error")


def test_unknown_users_have_no_features_or_are_an_error():
    model = fr.PlaylistRNN(**SMALL, user_features=("home",)).fit(log_of("home"))
    assert model.recommend([[0]], 1, users=[777]).counts.tolist() == [1]
    with pytest.raises(fr.UnknownIdError, match="777"):
        model.recommend([[0]], users=[777], on_unknown="error")
    with pytest.raises(fr.InputError, match="for each of 1 histories, got 2"):
        model.recommend([[0]], users=[1, 2])
    with pytest.raises(fr.InputError, match="'home', which the question lacks"):
        model.recommend([[0]])


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({"devices": ["desk"]}, "did you mean 'device'"),
        ({"device": ["desk", "desk"]}, "one value for each of 1 histories, got 2"),
        ({"device": "desk"}, "must be one value a history"),
        (["desk"], "context must be a dict"),
        ({"device": ["desk"], "hour": ["late"]}, "'hour' must hold numbers"),
        ({"device": ["desk"], "hour": [np.nan]}, "'hour' must hold finite numbers, got nan"),
        ({"device": [3], "hour": [1]}, "strings"),
    ],
)
def test_context_that_does_not_fit_is_refused(context, message):
    model = fr.PlaylistRNN(**SMALL, context=("device", "hour")).fit(log_of("device"))
    with pytest.raises(fr.InputError, match=message):
        model.recommend([[0]], context=context)


def test_what_the_model_was_not_fitted_with_is_refused():
    model = fr.PlaylistRNN(**SMALL).fit(log_of("device"))
    with pytest.raises(fr.InputError, match="fitted without context"):
        model.recommend([[0]], context={"device": ["desk"]})
    with pytest.raises(fr.InputError, match="fitted without user_features"):
        model.recommend([[0]], users=[1])


def test_nan_features_are_refused_at_fit():
    log = fr.Interactions.from_arrays(user=[1, 1, 2, 2], item=[1, 2, 1, 2])
    users = log.with_users({"id": [1], "age": [3.0]}, id="id", missing="fill")
    with pytest.raises(fr.InputError, match="'age' must hold finite numbers, got nan in 1 of 2"):
        fr.PlaylistRNN(**SMALL, user_features=("age",)).fit(users)
