"""``--user`` and ``--context`` of ``fastrec recommend`` and ``fastrec generate``."""

import numpy as np
import pytest

import fastrec as fr
from tests.cli.outcome import check_human_error


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model that reads a device, an hour and the home of a user, and its file."""
    random = np.random.default_rng(0)
    user = np.repeat(np.arange(40), 4)
    device = random.integers(2, size=len(user))
    log = fr.Interactions.from_arrays(
        user=user,
        item=random.integers(8, size=len(user)),
        time=np.arange(len(user)),
        context={
            "device": np.array(["desk", "my phone"], object)[device],
            "hour": random.uniform(0, 24, len(user)),
        },
    )
    people = {"id": np.arange(40), "home": np.array(["north", "south"] * 20, object)}
    settings = {"units": 8, "negatives": 8, "batch_size": 8, "epochs": 2, "threads": 1}
    columns = {"context": ("device", "hour"), "user_features": ("home",)}
    model = fr.PlaylistRNN(**settings, **columns).fit(log.with_users(people, id="id"))
    path = tmp_path_factory.mktemp("about") / "m.fastrec"
    model.save(path)
    return model, path


ASKED = ("--history", "1,2", "--history", "3", "--json")


def test_recommend_takes_one_value_for_all_or_one_for_each(fastrec, model):
    model, path = model
    done = fastrec(
        *("recommend", path, *ASKED, "--user", 3, "--user", 4),
        *("--context", "device=my phone", "--context", "hour=3.5,20"),
    )
    context = {"device": ["my phone"] * 2, "hour": [3.5, 20.0]}
    expected = model.recommend([[1, 2], [3]], users=[3, 4], context=context)
    found = [list(zip(each["items"], each["scores"], strict=True)) for each in done.json["results"]]
    assert found == expected.to_lists()
    assert (
        expected.to_lists()
        != model.recommend(
            [[1, 2], [3]], users=[4, 3], context=context | {"device": ["desk"] * 2}
        ).to_lists()
    )


def test_context_goes_before_what_is_known_of_the_user(fastrec, model):
    model, path = model
    given = ("--context", "device=desk", "--context", "hour=1", "--context", "home=south")
    done = fastrec("recommend", path, *ASKED, "--user", "3", *given)
    context = {"device": ["desk"] * 2, "hour": [1.0] * 2, "home": ["south"] * 2}
    expected = model.recommend([[1, 2], [3]], users=[3, 3], context=context)
    assert [each["items"] for each in done.json["results"]] == [
        [item for item, _ in row] for row in expected.to_lists()
    ]


def test_generate_takes_them_too(fastrec, model):
    model, path = model
    done = fastrec(
        *("generate", path, "--start", "1", "--length", "3", "--user", "5", "--json"),
        *("--context", "device=desk", "--context", "hour=9"),
    )
    context = {"device": ["desk"], "hour": [9.0]}
    expected = model.generate([[1]], 3, users=[5], context=context)
    assert done.json["playlists"][0]["items"] == expected.to_lists()[0]
    assert done.json["playlists"][0]["total"] == expected.totals[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--context", "device"), "--context takes NAME=VALUE"),
        (("--context", "devise=desk"), "did you mean 'device'"),
        (("--context", "device=desk", "--context", "device=desk"), "names 'device' twice"),
        (("--context", "hour=noon"), "--context hour takes numbers, got noon"),
        (("--context", "hour=1,2,3"), "one for each of 2 histories, got 3"),
        (("--user", "1", "--user", "2", "--user", "3"), "one for each of 2 histories, got 3"),
        (("--user", "x"), "--user takes whole numbers"),
        (("--user", "1"), "which the question lacks"),
    ],
    ids=str,
)
def test_human_errors_are_one_line(fastrec, model, arguments, words):
    check_human_error(fastrec("recommend", model[1], *ASKED, *arguments), words)


@pytest.mark.parametrize("option", [("--user", "1"), ("--context", "device=desk")])
def test_a_model_that_reads_neither_says_so(fastrec, model_file, option):
    done = fastrec("recommend", model_file, "--history", "1", *option)
    check_human_error(done, "fitted without context and user features; leave out " + option[0])
