"""Recurrent nets and neighbours on the command line: whatever is wrong is said in one line."""

import pytest

import fastrec as fr
from tests.cli.outcome import check_human_error

LOG = "user,item,device,hour\n" + "".join(
    f"{user},{item},{'tv' if user % 2 else 'desk'},{item}.5\n"
    for user in range(8)
    for item in (user % 3, 3, 4, 5)
)
COLUMNS = ("--user", "user", "--item", "item", "--quiet")
SMALL = ("--set", "units=4", "--set", "epochs=1", "--set", "negatives=2", "--set", "threads=1")


@pytest.fixture
def log(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log.csv").write_text(LOG)
    return tmp_path / "log.csv"


@pytest.mark.parametrize("name", ["playlist-rnn", "item-knn", "session-knn"])
def test_each_model_is_trained_by_its_name(fastrec, log, name):
    settings = SMALL if name == "playlist-rnn" else ()
    done = fastrec("train", name, "--data", log, *COLUMNS, *settings, "--out", "m")
    assert done.code == 0
    assert fastrec("recommend", "m", "--history", "3", "--json").code == 0
    assert fastrec("info", "m").code == 0


@pytest.mark.parametrize("name", ["playlist-rnn", "item-knn", "session-knn"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"user,item\n", "the log is empty"),
        (b"\x00\x01\x02", "log.csv"),
        (b"user,track\n1,2\n", "item"),
        (b"user,item\n1,1.5\n", "whole numbers or strings"),
    ],
    ids=["empty", "header", "bytes", "other columns", "fractions"],
)
def test_a_file_that_is_no_log_is_named(fastrec, log, name, content, words):
    log.write_bytes(content)
    check_human_error(fastrec("train", name, "--data", log, *COLUMNS, "--out", "m"), words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("playlist-rnn", "--set", "units=0"), "units must be a whole number from 1"),
        (("playlist-rnn", "--set", "units=99999999999"), "units must be"),
        (("playlist-rnn", "--set", "learning_rate=1e999"), "learning_rate must be a finite"),
        (("playlist-rnn", "--set", "learning_rate=nan"), "learning_rate must be a finite"),
        (("playlist-rnn", "--set", "cell=gpu"), "cell must be one of"),
        (("playlist-rnn", "--set", "bias=1"), "bias"),
        (("playlist-rnn", "--set", "unit=4"), "did you mean 'units'"),
        (("playlist-rnn", "--set", "threads=1e9"), "threads"),
        (("playlist-rnn", "--set", "threads=1000000000"), "threads must be a whole number from 1"),
        (("playlist-rnn", "--set", "context=['device']"), "no context column 'device'"),
        (("playlist-rnn", "--set", "context=device"), "context"),
        (("playlist-rnn", "--context", "nothing"), "nothing"),
        (("item-knn", "--set", "shrinkage=-1"), "shrinkage must be"),
        (("item-knn", "--set", "history_items=0"), "history_items must be"),
        (("session-knn", "--set", "k=0"), "k must be"),
        (("session-knn", "--set", "weighting=x"), "weighting must be one of"),
        (("session-knn", "--set", "recency=0"), "recency must be above 0"),
        (("playlist_rn",), "did you mean"),
    ],
    ids=str,
)
def test_a_setting_out_of_range_is_named(fastrec, log, arguments, words):
    done = fastrec("train", *arguments, "--data", log, *COLUMNS, "--out", "m")
    check_human_error(done, words)


def test_sessions_of_one_track_teach_nothing(fastrec, log):
    log.write_text("user,item\n1,1\n2,2\n")
    done = fastrec("train", "playlist-rnn", "--data", log, *COLUMNS, *SMALL, "--out", "m")
    check_human_error(done, "none of the 2 sessions has two items")


@pytest.fixture
def nets(log):
    tracks = [[1, 2, 3, 4, 5], [3, 4, 5, 1, 2]] * 4
    net = {"units": 4, "epochs": 1, "negatives": 2, "threads": 1}
    fr.PlaylistRNN(**net).fit(tracks).save("plain")
    with_context = fr.Interactions.from_arrays(
        user=[0, 0, 1, 1], item=[1, 2, 2, 1], context={"device": ["tv", "tv", "pc", "pc"]}
    )
    fr.PlaylistRNN(**net, context=["device"]).fit(with_context).save("about")
    fr.ItemKNN().fit(tracks).save("counts")
    return log.parent


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("plain", "--start", "", "--length", "2"), "holds no track that the model knows"),
        (("plain", "--start", "1", "--length", "99999999999"), "length must be"),
        (("plain", "--start", "1", "--length", "2", "--temperature", "0"), "temperature"),
        (("plain", "--start", "1", "--length", "2", "--temperature", "1"), "strategy='sample'"),
        (("plain", "--start", "1", "--length", "2", "--novelty", "nan"), "novelty must be"),
        (("plain", "--start", "1", "--length", "2", "--threads", "0"), "threads"),
        (("plain", "--start", "1", "--length", "2", "--fixed", "9=2"), "each place of fixed"),
        (("plain", "--start", "1", "--length", "2", "--fixed", "\u00b2=2"), "--fixed takes"),
        (("plain", "--start", "1", "--length", "2", "--fixed", "9" * 5000 + "=2"), "--fixed"),
        (("plain", "--start", "1", "--length", "2", "--max-in-row", "1"), "give groups="),
        (("plain", "--start", "1", "--length", "2", "--groups", "log.csv"), "artist"),
        (("plain", "--start", "[1", "--length", "2"), "no JSON list"),
        (("plain", "--start", "9" * 5000, "--length", "2"), "--start"),
        (("about", "--start", "1", "--length", "2"), "device"),
        (("counts", "--start", "1", "--length", "2"), "makes no playlists"),
        (("log.csv", "--start", "1", "--length", "2"), "is not a fastrec file"),
        (("none", "--start", "1", "--length", "2"), "there is no file none"),
    ],
    ids=lambda value: str(value)[:80],
)
def test_generate_says_what_is_wrong(fastrec, nets, arguments, words):
    check_human_error(fastrec("generate", *arguments), words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("log.csv", "--out", "p.png"), "is not a fastrec file"),
        (("plain", "--out", "p.jpg"), "let it end in .png"),
        (("plain", "--out", "no/p.png"), "no/p.png"),
        (("none", "--out", "p.png"), "there is no file none"),
    ],
    ids=str,
)
def test_plot_history_says_what_is_wrong(fastrec, nets, arguments, words):
    pytest.importorskip("matplotlib")
    check_human_error(fastrec("plot", "history", *arguments), words)


def test_a_net_without_its_context_recommends_nothing(fastrec, nets):
    check_human_error(fastrec("recommend", "about", "--history", "1"), "device")
