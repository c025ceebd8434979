"""A human error is one line on stderr and exit code 2; only --debug shows a traceback."""

import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fastrec.data import Interactions
from fastrec.errors import InputError
from tests.cli.outcome import check_human_error

TRAIN = ("--user", "session", "--item", "item", "--quiet")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trian"], ["trian"]),
        (["info"], ["fastrec info --help"]),
        (["info", "m.fastrec", "--jsno"], ["--jsno"]),
        (["recommend", "m.fastrec", "--history", "1", "-k", "ten"], ["-k", "integer"]),
        (["info", "missing.fastrec"], ["missing.fastrec"]),
        (["evaluate", "m", "--queries", "missing.parquet"], ["missing.parquet"]),
        (["demo", "--data", "missing"], ["missing"]),
    ],
)
def test_mistakes_on_the_line_are_named(fastrec, arguments, words):
    check_human_error(fastrec(*arguments), *words)


def test_an_unknown_model_gets_the_closest_name(fastrec, folder, tmp_path):
    done = fastrec(
        *("train", "item2vek", "--data", folder / "train.parquet", *TRAIN),
        *("--out", tmp_path / "m"),
    )
    check_human_error(done, "item2vek", "item2vec")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("dimm=3", ["dimm", "'dim'"]),
        ("dim", ["key=value"]),
        ("dim=wide", ["dim=wide", "a whole number"]),
        ("dim=0", ["dim", "0"]),
        ("dynamic_window=1", ["true or false"]),
        ("architecture=glove", ["skipgram", "glove"]),
    ],
)
def test_settings_that_the_model_lacks_or_refuses_are_named(
    fastrec, folder, tmp_path, setting, words
):
    done = fastrec(
        *("train", "item2vec", "--data", folder / "train.parquet", *TRAIN),
        *("--out", tmp_path / "m.fastrec", "--set", setting),
    )
    check_human_error(done, *words)


def test_an_unknown_column_is_named(fastrec, folder, tmp_path):
    done = fastrec(
        *("train", "popularity", "--data", folder / "train.parquet", "--out", tmp_path / "m"),
        *("--user", "sesion", "--item", "item"),
    )
    check_human_error(done, "sesion")


def test_the_item_column_must_be_named(fastrec, folder, tmp_path):
    done = fastrec(
        *("train", "popularity", "--data", folder / "train.parquet", "--out", tmp_path / "m"),
        *("--user", "session"),
    )
    check_human_error(done, "--item")


def test_a_missing_output_folder_is_found_before_training(fastrec, folder, tmp_path):
    done = fastrec(
        *("train", "popularity", "--data", folder / "train.parquet", *TRAIN),
        *("--out", tmp_path / "nowhere" / "m.fastrec"),
    )
    check_human_error(done, "nowhere")


def test_stopping_early_needs_queries(fastrec, folder, tmp_path):
    done = fastrec(
        *("train", "item2vec", "--data", folder / "train.parquet", *TRAIN),
        *("--out", tmp_path / "m.fastrec", "--stop-on", "recall@20"),
    )
    check_human_error(done, "--validation")


def test_columns_of_a_saved_log_cannot_be_named_again(fastrec, tmp_path):
    Interactions.from_sequences([[1, 2]]).save(tmp_path / "log")
    done = fastrec(
        "train", "popularity", "--data", tmp_path / "log", *TRAIN, "--out", tmp_path / "m"
    )
    check_human_error(done, "saved log", "--user", "--item")


def test_a_file_of_another_kind_is_no_log(fastrec, tmp_path):
    (tmp_path / "log.txt").write_text("hello")
    done = fastrec(
        "train", "popularity", "--data", tmp_path / "log.txt", *TRAIN, "--out", tmp_path / "m"
    )
    check_human_error(done, ".parquet", ".csv")


def test_a_damaged_parquet_file_is_named(fastrec, tmp_path):
    (tmp_path / "log.parquet").write_bytes(b"PAR1 but not really")
    done = fastrec(
        "train", "popularity", "--data", tmp_path / "log.parquet", *TRAIN, "--out", tmp_path / "m"
    )
    check_human_error(done, "log.parquet")


def test_a_file_that_is_no_model_is_named(fastrec, folder):
    check_human_error(fastrec("info", folder / "train.parquet"), "train.parquet")


def test_ids_of_the_wrong_kind_are_refused(fastrec, model_file):
    done = fastrec("recommend", model_file, "--history", "1,two")
    check_human_error(done, "--history", "1,two", "whole numbers")


@pytest.mark.parametrize("text", ["[1.5]", "[true]", "[null]", "[[1]]", "1_000", "1,,2", "[1"])
def test_what_is_no_list_of_whole_numbers_is_refused(fastrec, model_file, text):
    check_human_error(fastrec("recommend", model_file, "--history", text), "--history", text)


def test_unknown_ids_are_refused_when_asked(fastrec, model_file):
    done = fastrec("recommend", model_file, "--history", "1,999", "--on-unknown", "error")
    check_human_error(done, "999")


def test_k_of_zero_is_refused(fastrec, model_file):
    check_human_error(fastrec("recommend", model_file, "--history", "1", "-k", "0"), "0")


def test_a_model_without_vectors_cannot_export(fastrec, folder, tmp_path):
    out = tmp_path / "p.fastrec"
    fastrec("train", "popularity", "--data", folder / "train.parquet", *TRAIN, "--out", out)
    done = fastrec("export", out, "--out", tmp_path / "v.txt")
    check_human_error(done, "Popularity", "vectors")


@pytest.mark.parametrize("ending", ["txt", "bin", "npz", "parquet"])
def test_an_export_into_no_folder_is_refused(fastrec, model_file, tmp_path, ending):
    done = fastrec("export", model_file, "--out", tmp_path / "nowhere" / f"v.{ending}")
    check_human_error(done, "there is no folder", "nowhere")


def test_an_unknown_export_format_is_refused(fastrec, model_file, tmp_path):
    check_human_error(fastrec("export", model_file, "--out", tmp_path / "v.xyz"), "v.xyz", "npz")


@pytest.fixture
def vectors_file(tmp_path):
    path = tmp_path / "v.txt"
    path.write_text("3 2\nup 0 1\ndown 0 -1\nleft -1 0.5\n")
    return path


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--positive", "sideways"], ["'sideways'", "unknown"]),
        (["--positive", ""], ["positive must hold at least one id"]),
        (["--positive", "up", "--method", "sum"], ["'add', 'mul'", "'sum'"]),
        (["--positive", "up", "--questions", "q.txt"], ["--positive", "--questions"]),
        (["--negative", "up"], ["--positive", "--questions"]),
        (["--negative", "up", "--questions", "q.txt"], ["--negative"]),
        (["--questions", "q.txt"], ["q.txt"]),
    ],
)
def test_analogies_that_cannot_be_asked_are_named(fastrec, vectors_file, arguments, words):
    check_human_error(fastrec("analogy", vectors_file, *arguments), *words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["--ids", "--group", "--top"]),
        (["--ids", "sideways"], ["'sideways'", "unknown"]),
        (["--group", "up,down"], ["NAME=IDS", "up,down"]),
    ],
)
def test_pictures_that_cannot_be_drawn_are_named(fastrec, vectors_file, tmp_path, arguments, words):
    done = fastrec("plot", "vectors", vectors_file, "--out", tmp_path / "p.png", *arguments)
    check_human_error(done, *words)


def test_a_picture_must_be_called_png(fastrec, vectors_file, tmp_path):
    done = fastrec("plot", "vectors", vectors_file, "--top", "2", "--out", tmp_path / "p.jpg")
    check_human_error(done, "p.jpg", ".png")


def test_a_model_without_vectors_has_no_analogies(fastrec, folder, tmp_path):
    out = tmp_path / "p.fastrec"
    fastrec("train", "popularity", "--data", folder / "train.parquet", *TRAIN, "--out", out)
    check_human_error(fastrec("analogy", out, "--positive", "1"), "Popularity", "no vectors")


def test_plot_without_a_subject_is_refused(fastrec):
    check_human_error(fastrec("plot"), "fastrec plot --help")


def test_unknown_metrics_are_refused(fastrec, folder, model_file):
    done = fastrec(
        *("evaluate", model_file, "--queries", folder / "test.parquet"),
        *("--history", "prefix", "--target", "target", "--metrics", "recal@20"),
    )
    check_human_error(done, "recal@20")


def test_users_given_as_items_are_noticed(fastrec, model_file, tmp_path):
    table = pa.table({"prefix": [[7001, 7002]], "target": [7003]})
    pq.write_table(table, tmp_path / "swapped.parquet")
    done = fastrec(
        *("evaluate", model_file, "--queries", tmp_path / "swapped.parquet"),
        *("--history", "prefix", "--target", "target"),
    )
    check_human_error(done, "are users given as items")


def test_debug_shows_the_traceback(fastrec):
    with pytest.raises(InputError):
        fastrec("info", "missing.fastrec", "--debug")


def test_a_defect_is_called_one_and_has_its_own_code(fastrec, monkeypatch, model_file):
    def fail(*_):
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("fastrec.cli.info.open_model", fail)
    done = fastrec("info", model_file)
    assert done.code == 1
    assert done.err == (
        "fastrec: a defect in fastrec: ZeroDivisionError: oops (--debug shows the traceback)\n"
    )


def test_ctrl_c_ends_with_its_own_code(fastrec, monkeypatch, model_file):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("fastrec.cli.info.open_model", interrupt)
    assert fastrec("info", model_file).code == 130


def test_ctrl_c_in_training_saves_the_state_reached(fastrec, folder, tmp_path, monkeypatch):
    import fastrec as fr

    fit = fr.Item2Vec.fit

    def interrupted(self, *arguments, **options):
        fit(self, *arguments, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(fr.Item2Vec, "fit", interrupted)
    out = tmp_path / "m.fastrec"
    done = fastrec(
        *("train", "item2vec", "--data", folder / "train.parquet", *TRAIN, "--out", out),
        *("--set", "dim=8", "--set", "epochs=1"),
    )
    assert done.code == 130
    assert fr.load(out).recommend([[1]], k=1).counts[0] == 1


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra_one_line_says_how_to_install_it(missing):
    program = (
        f"import sys; sys.modules[{missing!r}] = None;"
        "import fastrec.cli; sys.exit(fastrec.cli.main(['demo', '--help']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == (
        f"fastrec: the command line needs {missing}; "
        "install it: pip install 'fastrec-engine[cli]'\n"
    )
