"""``fastrec generate``: what the library answers, for people and as JSON."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastrec as fr
from tests.cli.outcome import check_human_error


@pytest.fixture(scope="module")
def playlist_model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "rnn.fastrec"
    tracks = [[1, 2, 3, 4, 5, 6], [4, 5, 6, 7, 8, 9]] * 30
    model = fr.PlaylistRNN(units=8, negatives=8, batch_size=8, epochs=3, threads=1).fit(tracks)
    model.save(path)
    return path


def test_generate_prints_what_the_library_answers(fastrec, playlist_model):
    done = fastrec("generate", playlist_model, "--start", "1,2", "--length", "4", "--json")
    expected = fr.load(playlist_model).generate([[1, 2]], 4)
    assert done.code == 0
    (playlist,) = done.json["playlists"]
    assert playlist["start"] == [1, 2]
    assert playlist["items"] == expected.to_lists()[0]
    assert playlist["log_probabilities"] == expected.log_probabilities[0].tolist()
    assert playlist["total"] == expected.totals[0]
    assert playlist["dead_end"] is None


def test_generate_takes_every_rule(fastrec, playlist_model, tmp_path):
    groups = tmp_path / "tracks.parquet"
    pq.write_table(pa.table({"track": list(range(1, 10)), "by": ["x", "y", "z"] * 3}), groups)
    done = fastrec(
        *("generate", playlist_model, "--start", "1,2", "--start", "3", "--length", "4"),
        *("--strategy", "sample", "--seed", "5", "--top-k", "8", "--top-p", "0.9"),
        *("--temperature", "1.5", "--groups", groups, "--group-columns", "track,by"),
        *("--max-in-row", "1", "--max-per-group", "3", "--exclude", "9", "--fixed", "1=6"),
        *("--end", "8", "--novelty", "0.3", "--json"),
    )
    expected = fr.load(playlist_model).generate(
        [[1, 2], [3]],
        4,
        strategy="sample",
        seed=5,
        top_k=8,
        top_p=0.9,
        temperature=1.5,
        groups={track: track % 3 for track in range(1, 10)},
        max_in_row=1,
        max_per_group=3,
        exclude=[9],
        fixed={1: 6},
        end=8,
        novelty=0.3,
    )
    assert [each["items"] for each in done.json["playlists"]] == expected.to_lists()


def test_generate_prints_tables_and_dead_ends(fastrec, playlist_model):
    arguments = ("generate", playlist_model, "--start", "1", "--length", "5", "--allow", "2,3")
    beam = ("--strategy", "beam", "--beam-width", "2", "--length-normalization", "1")
    done = fastrec(*arguments, *beam)
    assert done.code == 0
    assert "start 1; log-probability" in done.out
    assert "a dead end at place 2: every track that may be played" in done.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--start", "77", "--length", "3"), "77"),
        (("--start", "1", "--length", "0"), "length must be"),
        (("--start", "1", "--length", "3", "--strategy", "best"), "strategy must be one of"),
        (
            ("--start", "1", "--length", "3", "--length-normalization", "1"),
            "is for strategy='beam'",
        ),
        (("--start", "1", "--length", "3", "--fixed", "x"), "--fixed takes PLACE=ID"),
        (("--start", "1", "--length", "3", "--fixed", "0=2", "--fixed", "0=3"), "place 0 twice"),
        (("--start", "1", "--length", "3", "--fixed", "0=2", "--exclude", "2"), "exclude bans it"),
        (("--start", "1", "--length", "3", "--end", "2,3"), "--end takes one id"),
        (("--start", "1", "--length", "3", "--groups", "none.parquet"), "there is no file"),
        (("--length", "3"), "--start"),
    ],
    ids=str,
)
def test_human_errors_are_one_line(fastrec, playlist_model, arguments, words):
    check_human_error(fastrec("generate", playlist_model, *arguments), words)


def test_a_model_without_playlists_is_named(fastrec, model_file):
    done = fastrec("generate", model_file, "--start", "1", "--length", "2")
    check_human_error(done, "holds a Item2Vec, which makes no playlists")


def test_string_ids_are_taken_as_they_are(fastrec, tmp_path):
    model = fr.PlaylistRNN(units=8, negatives=8, epochs=1, threads=1).fit(
        [["a, b", "c", "d"], ["c", "d", "a, b"]] * 20
    )
    model.save(tmp_path / "m.fastrec")
    done = fastrec(
        *("generate", tmp_path / "m.fastrec", "--start", "c", "--length", "2"),
        *("--end", "a, b", "--json"),
    )
    assert done.json["playlists"][0]["items"] == ["d", "a, b"]
    assert np.isfinite(done.json["playlists"][0]["total"])
