"""Each command does what its help says, for people and as JSON."""

import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest

import fastrec as fr

TRAIN = ("--user", "session", "--item", "item", "--order", "position", "--quiet")
FIRST_GROUP, SECOND_GROUP = {1, 2, 3, 4, 5, 6}, {11, 12, 13, 14, 15, 16}


def test_train_writes_a_model_and_prints_each_epoch(fastrec, folder, tmp_path):
    out = tmp_path / "m.fastrec"
    done = fastrec(
        *("train", "item2vec", "--data", folder / "train.parquet", *TRAIN, "--out", out),
        *("--set", "epochs=3", "--set", "dim=8", "--json"),
    )
    assert done.code == 0
    assert fr.load(out).get_params()["dim"] == 8
    assert [row["epoch"] for row in done.json["epochs"]] == [1, 2, 3]
    assert done.json["events"] == 800


def test_train_orders_histories_by_the_order_column(fastrec, folder, tmp_path):
    out = tmp_path / "m.fastrec"
    arguments = ("train", "popularity", "--data", folder / "train.parquet", *TRAIN, "--out", out)
    assert fastrec(*arguments).code == 0
    log = fr.Interactions.from_parquet(
        folder / "train.parquet", user="session", item="item", order="position"
    )
    assert log.item_ids.decode(log.sequences()[0]).tolist() == [1, 2, 3, 4]


def test_train_reads_csv_like_parquet(fastrec, folder, tmp_path):
    counts = []
    for name in ("train.csv", "train.parquet"):
        out = tmp_path / f"{name}.fastrec"
        done = fastrec("train", "popularity", "--data", folder / name, *TRAIN, "--out", out)
        assert done.code == 0
        counts.append(fr.load(out).item_counts.tolist())
    assert counts[0] == counts[1]


def test_train_reads_a_saved_log(fastrec, folder, tmp_path):
    log = fr.Interactions.from_parquet(
        folder / "train.parquet", user="session", item="item", order="position"
    )
    log.save(tmp_path / "log")
    out = tmp_path / "m.fastrec"
    done = fastrec("train", "popularity", "--data", tmp_path / "log", "--out", out, "--json")
    assert done.json["events"] == 800


@pytest.mark.parametrize(
    ("name", "setting", "expected"),
    [
        ("item-knn", "history_items=1", ("ItemKNN", {"history_items": 1})),
        ("session-knn", "recency=50", ("SessionKNN", {"recency": 50.0})),
    ],
)
def test_train_counts_neighbours(fastrec, folder, tmp_path, name, setting, expected):
    out = tmp_path / "m.fastrec"
    done = fastrec(
        *("train", name, "--data", folder / "train.parquet", *TRAIN, "--out", out),
        *("--set", setting),
    )
    assert done.code == 0
    model = fr.load(out)
    assert (type(model).__name__, model.get_params() | expected[1]) == (
        expected[0],
        model.get_params(),
    )
    assert model.recommend([[1, 2]], 1).items.tolist() == [[3]]


def test_train_validates_and_stops_early(fastrec, folder, tmp_path):
    done = fastrec(
        *("train", "item2vec", "--data", folder / "train.parquet", *TRAIN),
        *("--out", tmp_path / "m.fastrec", "--set", "epochs=50", "--set", "dim=8"),
        *("--validation", folder / "test.parquet", "--history", "prefix", "--target", "target"),
        *("--stop-on", "recall@20", "--patience", "1", "--json"),
    )
    assert len(done.json["epochs"]) < 50
    assert "recall@20" in done.json["epochs"][0]


def test_evaluate_prints_the_metrics_of_the_library(fastrec, folder, model_file):
    done = fastrec(
        *("evaluate", model_file, "--queries", folder / "test.parquet", "--json"),
        *("--history", "prefix", "--target", "target", "--metrics", "recall@3,mrr@3"),
    )
    queries = fr.Queries.from_parquet(folder / "test.parquet", history="prefix", target="target")
    expected = fr.evaluate(fr.load(model_file), queries, metrics=("recall@3", "mrr@3"))
    assert done.json["metrics"] == dict(expected)
    assert done.json["n_queries"] == 3


def test_evaluate_leaves_out_seen_items_when_asked(fastrec, folder, model_file):
    values = [
        fastrec(
            *("evaluate", model_file, "--queries", folder / "test.parquet", flag, "--json"),
            *("--history", "prefix", "--target", "target", "--metrics", "mrr@12"),
        ).json["metrics"]["mrr@12"]
        for flag in ("--exclude-seen", "--allow-seen")
    ]
    assert values[0] > values[1]


def test_recommend_prints_the_ranking_of_the_library(fastrec, model_file):
    done = fastrec("recommend", model_file, "--history", "1,2,3", "-k", "2", "--json")
    (expected,) = fr.load(model_file).recommend([[1, 2, 3]], k=2).to_lists()
    (result,) = done.json["results"]
    assert result["history"] == [1, 2, 3]
    assert result["items"] == [item for item, _ in expected]
    assert result["scores"] == [score for _, score in expected]


def test_recommend_answers_several_histories_at_once(fastrec, model_file):
    done = fastrec("recommend", model_file, "--history", "1", "--history", "11,12", "--json")
    assert [result["history"] for result in done.json["results"]] == [[1], [11, 12]]


def test_recommend_obeys_exclude_and_allow(fastrec, model_file):
    done = fastrec(
        *("recommend", model_file, "--history", "1,2", "--json"),
        *("--allow", "3,4,11", "--exclude", "4"),
    )
    assert set(done.json["results"][0]["items"]) == {3, 11}


def test_recommend_prints_short_rows_as_they_are(fastrec, model_file):
    done = fastrec("recommend", model_file, "--history", "1", "-k", "100", "--json")
    assert len(done.json["results"][0]["items"]) == 11


def test_recommend_prints_a_table_for_people(fastrec, model_file):
    done = fastrec("recommend", model_file, "--history", "1,2", "-k", "3")
    assert "history 1, 2" in done.out
    assert "rank" in done.out


def test_similar_finds_the_group_of_an_item(fastrec, model_file):
    done = fastrec("similar", model_file, "1,11", "-k", "5", "--json")
    first, second = done.json["results"]
    assert set(first["items"]) == FIRST_GROUP - {1}
    assert set(second["items"]) == SECOND_GROUP - {11}


@pytest.fixture
def words():
    ids, _ = fr.IdMap.from_ids(["man", "woman", "king", "queen", "tree"])
    matrix = np.array([[1, 0, 1], [1, 1, 0], [3, 0, 1], [3, 1, 0], [0, 1, 2]], np.float32)
    return fr.Vectors(ids, matrix)


SAVERS = {
    "text": lambda vectors, path: vectors.save_word2vec(path),
    "binary": lambda vectors, path: vectors.save_word2vec(path, binary=True),
    "npz": lambda vectors, path: vectors.save_npz(path),
    "parquet": lambda vectors, path: vectors.to_parquet(path),
}


@pytest.mark.parametrize("form", SAVERS)
def test_similar_reads_files_of_vectors(fastrec, words, tmp_path, form):
    SAVERS[form](words, tmp_path / "v")
    (result,) = fastrec("similar", tmp_path / "v", "king", "-k", "2", "--json").json["results"]
    assert result["items"] == words.similar("king", k=2).items[0].tolist()


@pytest.mark.parametrize("method", ["add", "mul"])
def test_analogy_prints_the_answers_of_the_library(fastrec, words, tmp_path, method):
    words.save_npz(tmp_path / "v")
    done = fastrec(
        *("analogy", tmp_path / "v", "--positive", "king,woman", "--negative", "man"),
        *("-k", "2", "--method", method, "--json"),
    )
    (expected,) = words.analogy(["king", "woman"], ["man"], k=2, method=method).to_lists()
    assert done.json["items"] == [item for item, _ in expected]
    assert done.json["scores"] == [score for _, score in expected]


def test_analogy_prints_a_table_for_people(fastrec, words, tmp_path):
    words.save_npz(tmp_path / "v")
    done = fastrec("analogy", tmp_path / "v", "--positive", "king,woman", "--negative", "man")
    assert "king + woman - man" in done.out
    assert "queen" in done.out


def test_analogy_restricts_the_answers(fastrec, words, tmp_path):
    words.save_npz(tmp_path / "v")
    done = fastrec("analogy", tmp_path / "v", "--positive", "king", "--restrict", "2", "--json")
    assert set(done.json["items"]) == {"man", "woman"}


def test_analogy_takes_the_vectors_of_a_model(fastrec, model_file):
    done = fastrec("analogy", model_file, "--positive", "1,2", "-k", "4", "--json")
    assert set(done.json["items"]) == FIRST_GROUP - {1, 2}


def test_analogy_evaluates_questions(fastrec, words, tmp_path):
    words.save_npz(tmp_path / "v")
    (tmp_path / "q.txt").write_text(": family\nman woman king queen\nMan woman boy girl\n")
    arguments = ("analogy", tmp_path / "v", "--questions", tmp_path / "q.txt")
    total = fastrec(*arguments, "--json").json["total"]
    assert (total["correct"], total["asked"], total["left_out"]) == (1, 1, 1)
    table = fastrec(*arguments).out
    assert "family" in table
    assert "total" in table


def test_plot_vectors_draws_what_is_named(fastrec, words, tmp_path):
    words.save_npz(tmp_path / "v")
    out = tmp_path / "p.png"
    done = fastrec(
        *("plot", "vectors", tmp_path / "v", "--group", "people=man,woman", "--ids", "tree,man"),
        *("--top", "3", "--out", out, "--title", "Words", "--json"),
    )
    assert out.read_bytes().startswith(b"\x89PNG")
    points = {point["id"]: point["group"] for point in done.json["points"]}
    assert points == {"man": "people", "woman": "people", "tree": None, "king": None}
    expected = words.project(list(points))
    found = [[point["x"], point["y"]] for point in done.json["points"]]
    np.testing.assert_allclose(found, expected.points, rtol=1e-6)


def test_plot_vectors_says_what_it_drew(fastrec, words, tmp_path):
    words.save_npz(tmp_path / "v")
    done = fastrec("plot", "vectors", tmp_path / "v", "--top", "9", "--out", tmp_path / "p.png")
    assert done.out.startswith("5 vectors, ")


def test_plot_history_draws_loss_and_metrics(fastrec, tmp_path):
    rows = [[1, 2, 3, 4], [2, 3, 4, 5]] * 10
    queries = fr.Queries.from_columns([[1, 2]], [3])
    model = fr.PlaylistRNN(units=4, epochs=3, negatives=4).fit(rows, validation=queries)
    model.save(tmp_path / "m.fastrec")
    out = tmp_path / "curves.png"
    arguments = ("plot", "history", tmp_path / "m.fastrec", "--out", out)
    done = fastrec(*arguments, "--title", "A", "--json")
    assert out.read_bytes().startswith(b"\x89PNG")
    assert done.json["curves"] == ["loss", "recall@20", "mrr@20", "ndcg@20"]
    assert done.json["epochs"] == 3
    said = fastrec(*arguments).out
    assert said.startswith("loss, recall@20, mrr@20, ndcg@20 of 3 epochs")


def test_train_playlist_rnn_with_context(fastrec, tmp_path):
    lines = ["session,item,device"]
    lines += [f"{n},{item},{'ab'[n % 2]}" for n in range(20) for item in (1, 2, 3)]
    (tmp_path / "log.csv").write_text("\n".join(lines))
    done = fastrec(
        *("train", "playlist-rnn", "--data", tmp_path / "log.csv", "--session", "session"),
        *("--item", "item", "--context", "device", "--out", tmp_path / "m.fastrec", "--json"),
        *("--set", "units=4", "--set", "epochs=2", "--set", "negatives=4"),
        *("--set", "context=('device',)", "--quiet"),
    )
    assert done.json["model"] == "PlaylistRNN"
    model = fr.load(tmp_path / "m.fastrec")
    answer = model.recommend([[1]], 1, context={"device": ["a"]}, exclude_seen=False)
    assert answer.counts.tolist() == [1]


def test_info_shows_class_sizes_and_parameters(fastrec, model_file):
    facts = fastrec("info", model_file, "--json").json
    assert facts["model"] == "Item2Vec"
    assert facts["items"] == 12
    assert facts["parameters"]["dim"] == 8
    assert len(facts["epochs"]) == 15
    assert "Item2Vec" in fastrec("info", model_file).out


def test_info_compares_the_checksums_when_asked(fastrec, model_file, tmp_path):
    assert fastrec("info", model_file, "--verify", "--json").json["verified"]
    content = bytearray(model_file.read_bytes())
    content[-1] ^= 1
    (tmp_path / "flipped.fastrec").write_bytes(content)
    assert not fastrec("info", tmp_path / "flipped.fastrec", "--json").json["verified"]
    done = fastrec("info", tmp_path / "flipped.fastrec", "--verify")
    assert done.code == 2
    assert "have changed since they were saved" in done.err


def test_export_writes_word2vec_text_that_loads_again(fastrec, model_file, tmp_path):
    out = tmp_path / "v.txt"
    assert fastrec("export", model_file, "--out", out).code == 0
    vectors = fr.load(model_file).item_vectors
    found = {
        line.split()[0]: [float(x) for x in line.split()[1:]]
        for line in out.read_text().splitlines()[1:]
    }
    np.testing.assert_allclose(found["12"], vectors[12], rtol=1e-5, atol=1e-7)


def test_export_writes_word2vec_binary(fastrec, model_file, tmp_path):
    out = tmp_path / "v.bin"
    assert fastrec("export", model_file, "--out", out).code == 0
    assert out.read_bytes().startswith(b"12 8\n")


def test_export_writes_npz(fastrec, model_file, tmp_path):
    out = tmp_path / "v.npz"
    assert fastrec("export", model_file, "--out", out).code == 0
    with np.load(out) as stored:
        ids, matrix = stored["ids"], stored["vectors"]
    vectors = fr.load(model_file).item_vectors
    np.testing.assert_array_equal(matrix[ids.tolist().index(12)], vectors[12])


def test_export_writes_parquet(fastrec, model_file, tmp_path):
    out = tmp_path / "v.parquet"
    assert fastrec("export", model_file, "--out", out, "--json").json["format"] == "parquet"
    table = pq.read_table(out)
    row = table.column("id").to_pylist().index(12)
    vectors = fr.load(model_file).item_vectors
    np.testing.assert_array_equal(table.column("vector")[row].as_py(), vectors[12])


def test_export_takes_the_format_that_is_named(fastrec, model_file, tmp_path):
    done = fastrec(
        *("export", model_file, "--out", tmp_path / "v.txt", "--json"),
        *("--format", "word2vec-binary"),
    )
    assert done.json["format"] == "word2vec-binary"


@pytest.mark.parametrize(
    "command",
    [
        *("train", "evaluate", "recommend", "similar", "analogy", "plot vectors"),
        *("plot history", "info", "export", "demo"),
    ],
)
def test_every_command_offers_help_and_json(fastrec, command):
    done = fastrec(*command.split(), "--help")
    assert done.code == 0
    assert "--json" in done.out


def test_without_arguments_it_lists_the_commands(fastrec):
    done = fastrec()
    assert done.code == 0
    assert "recommend" in done.out


def test_version_prints_the_installed_one(fastrec):
    from importlib.metadata import version

    assert fastrec("--version").out == f"fastrec {version('fastrec-engine')}\n"


def test_it_runs_as_a_module(model_file):
    done = subprocess.run(
        [sys.executable, "-m", "fastrec.cli", "info", str(model_file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "Item2Vec" in done.stdout


def test_a_reader_that_leaves_early_is_no_error(model_file):
    program = (
        "import sys, fastrec.cli; sys.stdout.close(); import os;"
        "r, w = os.pipe(); os.close(r); sys.stdout = os.fdopen(w, 'w');"
        f"sys.exit(fastrec.cli.main(['info', {str(model_file)!r}, '--json']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
