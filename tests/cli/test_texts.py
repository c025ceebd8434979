"""Models of texts: trained from files and Parquet, and taken by the commands that ask vectors."""

import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastrec as fr
from fastrec.cli import main
from fastrec.training import loop
from tests.cli.test_failures import check_human_error
from tests.contract.embedders import topics

ROWS = topics(80)
IDS = [f"doc {number}" for number in range(80)]
SMALL = ("--set", "dim=8", "--set", "min_count=1", "--set", "subsample=0", "--set", "threads=1")
SMALL += ("--set", "epochs=20", "--set", "learning_rate=0.1", "--quiet")


@pytest.fixture(scope="session")
def texts(tmp_path_factory):
    """A folder with texts.txt, texts.txt.gz and texts.parquet."""
    folder = tmp_path_factory.mktemp("texts")
    lines = [" ".join(row) for row in ROWS]
    (folder / "texts.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with gzip.open(folder / "texts.txt.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    columns = {"text": lines, "cut": ROWS, "name": IDS, "number": range(80), "same": [7] * 80}
    pq.write_table(pa.table(columns), folder / "texts.parquet")
    return folder


def trained(texts, folder, model, *options):
    out = folder / f"{model}.fastrec"
    assert (
        main(["train", model, "--text", str(texts / "texts.txt"), "--out", str(out), *options]) == 0
    )
    return out


@pytest.fixture(scope="session")
def word_file(texts, tmp_path_factory):
    """A Word2Vec that the command has trained."""
    return trained(texts, tmp_path_factory.mktemp("models"), "word2vec", *SMALL)


@pytest.fixture(scope="session")
def document_file(texts, tmp_path_factory):
    """A Doc2Vec with words that the command has trained."""
    folder = tmp_path_factory.mktemp("models")
    return trained(texts, folder, "doc2vec", *SMALL, "--set", "train_words=true")


def same(one, other):
    assert one.ids == other.ids
    np.testing.assert_array_equal(one.matrix, other.matrix)


# train


def test_train_fits_the_words_of_a_text_file(word_file):
    params = {"dim": 8, "min_count": 1, "subsample": 0, "epochs": 20, "learning_rate": 0.1}
    model = fr.Word2Vec(**params, threads=1)
    same(fr.load(word_file).word_vectors, model.fit(ROWS).word_vectors)


@pytest.mark.parametrize("model", ["word2vec", "doc2vec"])
@pytest.mark.parametrize(
    "source",
    [
        ("--text", "texts.txt.gz"),
        ("--data", "texts.parquet"),
        ("--data", "texts.parquet", "--column", "cut"),
        ("--data", ".", "--column", "text"),
    ],
    ids=str,
)
def test_train_reads_the_same_texts_from_every_source(fastrec, texts, tmp_path, model, source):
    expected = fr.load(trained(texts, tmp_path, model, *SMALL))
    option, name, *column = source
    out = tmp_path / "m.fastrec"
    assert fastrec("train", model, option, texts / name, *column, "--out", out, *SMALL).code == 0
    same(fr.load(out).embed(ROWS), expected.embed(ROWS))


def test_train_prints_what_it_has_read(fastrec, texts, tmp_path):
    arguments = (
        "train",
        "word2vec",
        "--text",
        texts / "texts.txt",
        "--out",
        tmp_path / "m",
        *SMALL,
    )
    facts = fastrec(*arguments, "--json").json
    words = len({word for row in ROWS for word in row})
    assert (facts["documents"], facts["tokens"], facts["words"]) == (80, 640, words)
    assert [row["epoch"] for row in facts["epochs"]] == list(range(1, 21))
    assert f"Word2Vec: 80 documents, 640 tokens, {words} words -> " in fastrec(*arguments).out


@pytest.mark.parametrize(("column", "ids"), [("name", IDS), ("number", list(range(80)))])
def test_train_names_documents_by_the_column_of_their_ids(fastrec, texts, tmp_path, column, ids):
    out = tmp_path / "m.fastrec"
    source = ("--data", texts / "texts.parquet", "--id", column)
    assert fastrec("train", "doc2vec", *source, "--out", out, *SMALL).code == 0
    assert list(fr.load(out).document_vectors) == ids


@pytest.mark.parametrize("file", ["model", "vectors"])
def test_train_makes_sentence_vectors_of_word_vectors(fastrec, texts, word_file, tmp_path, file):
    words = fr.load(word_file).word_vectors
    words.save_word2vec(tmp_path / "v.txt")
    given = word_file if file == "model" else tmp_path / "v.txt"
    out = tmp_path / "m.fastrec"
    done = fastrec(
        *("train", "sentencevectors", "--text", texts / "texts.txt", "--vectors", given),
        *("--out", out, "--set", "weighting=tfidf", "--quiet"),
    )
    assert done.code == 0
    expected = fr.SentenceVectors(weighting="tfidf").fit(ROWS, vectors=words)
    got = fr.load(out).embed(ROWS).matrix
    np.testing.assert_allclose(got, expected.embed(ROWS).matrix, atol=1e-5)


def test_train_makes_sentence_vectors_of_the_words_of_a_doc2vec(
    fastrec, texts, document_file, tmp_path
):
    out = tmp_path / "m.fastrec"
    done = fastrec(
        *("train", "sentencevectors", "--text", texts / "texts.txt", "--vectors", document_file),
        *("--out", out, "--quiet"),
    )
    assert done.code == 0
    assert fr.load(out).word_ids == fr.load(document_file).word_ids


def test_train_stops_on_the_loss(fastrec, texts, tmp_path):
    done = fastrec(
        *("train", "word2vec", "--text", texts / "texts.txt", "--out", tmp_path / "m", *SMALL),
        *("--set", "epochs=500", "--stop-on", "loss", "--patience", "1", "--json"),
    )
    assert len(done.json["epochs"]) < 500


def test_ctrl_c_in_training_saves_the_state_reached(fastrec, texts, tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(loop.Meter, "update", interrupt)
    out = tmp_path / "m.fastrec"
    done = fastrec("train", "word2vec", "--text", texts / "texts.txt", "--out", out, *SMALL)
    assert done.code == 130
    assert fr.load(out).history.column("partial") == [True]


# What takes the files


def test_similar_finds_words_of_the_topic(fastrec, word_file):
    first, second = fastrec("similar", word_file, "a1,b2", "-k", "4", "--json").json["results"]
    assert (first["item"], second["item"]) == ("a1", "b2")
    assert {word[0] for word in first["items"]} == {"a"}
    assert {word[0] for word in second["items"]} == {"b"}


def test_similar_finds_documents_and_words_of_a_doc2vec(fastrec, document_file):
    documents = fastrec("similar", document_file, "0,1", "-k", "5", "--json").json["results"]
    expected = fr.load(document_file).similar_documents([0, 1], 5).items.tolist()
    assert [result["items"] for result in documents] == expected
    words = fastrec("similar", document_file, "a1", "--vectors", "word", "--json").json["results"]
    assert words[0]["items"] == fr.load(document_file).similar_words("a1").items[0].tolist()


@pytest.mark.parametrize("kind", [(), ("--vectors", "word")])
def test_analogies_are_answered_from_a_model_of_words(fastrec, word_file, document_file, kind):
    file = document_file if kind else word_file
    asked = ("--positive", "a1,b2", "--negative", "b1", "-k", "3", "--json")
    done = fastrec("analogy", file, *kind, *asked)
    expected = fr.load(file).word_vectors.analogy(["a1", "b2"], ["b1"], k=3).items[0].tolist()
    assert done.json["items"] == expected


def test_analogy_questions_are_put_to_a_model_of_words(fastrec, word_file, tmp_path):
    (tmp_path / "q.txt").write_text(": topics\na1 b1 a2 b2\n")
    done = fastrec("analogy", word_file, "--questions", tmp_path / "q.txt", "--json")
    assert done.json["total"]["asked"] == 1


@pytest.mark.parametrize("kind", ["word", "document"])
def test_export_writes_the_vectors_that_are_named(fastrec, document_file, tmp_path, kind):
    out = tmp_path / "v.npz"
    done = fastrec("export", document_file, "--out", out, "--vectors", kind, "--json")
    assert done.json["kind"] == kind
    same(fr.Vectors.load_npz(out), getattr(fr.load(document_file), f"{kind}_vectors"))


def test_export_writes_words_where_there_is_nothing_else(fastrec, word_file, tmp_path):
    done = fastrec("export", word_file, "--out", tmp_path / "v.txt")
    assert " word vectors of 8 numbers -> " in done.out
    assert fr.Vectors.load_word2vec(tmp_path / "v.txt").ids == fr.load(word_file).word_ids


def test_info_counts_phrases(fastrec, tmp_path):
    texts = ["new york is in new york"] * 5
    phrases = fr.Phrases(min_count=1, threshold=0).fit(texts)
    phrases.save(tmp_path / "phrases.fastrec")
    shown = fastrec("info", tmp_path / "phrases.fastrec", "--json").json
    assert (shown["model"], shown["phrases"]) == ("Phrases", len(phrases))


def test_info_counts_words_and_documents(fastrec, word_file, document_file):
    words = fastrec("info", word_file, "--json").json
    assert (words["model"], words["ids"]) == ("Word2Vec", "strings")
    assert words["words"] == len(fr.load(word_file).word_ids)
    assert "items" not in words
    assert fastrec("info", document_file, "--json").json["documents"] == 80
    assert "Word2Vec" in fastrec("info", word_file).out


def test_plot_draws_words_and_documents(fastrec, word_file, document_file, tmp_path):
    pytest.importorskip("matplotlib")
    out = tmp_path / "p.png"
    done = fastrec("plot", "vectors", word_file, "--ids", "a1,a2,b1", "--out", out, "--json")
    assert [point["id"] for point in done.json["points"]] == ["a1", "a2", "b1"]
    arguments = ("plot", "vectors", document_file, "--out", out, "--top", "4", "--json")
    points = fastrec(*arguments).json["points"]
    assert [point["id"] for point in points] == [0, 1, 2, 3]
    words = fastrec(*arguments, "--vectors", "word").json["points"]
    assert all(isinstance(point["id"], str) for point in words)


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["word2vec"], ["--text", "--data"]),
        (["word2vec", "--text", "TXT", "--data", "PARQUET"], ["--text", "--data"]),
        (["word2vec", "--text", "missing.txt"], ["missing.txt"]),
        (["word2vec", "--data", "TXT"], ["texts.txt", ".parquet", "--text"]),
        (["word2vec", "--data", "PARQUET", "--column", "txt"], ["'txt'", "text"]),
        (["word2vec", "--data", "PARQUET", "--column", "number"], ["number", "texts or lists"]),
        (["word2vec", "--text", "TXT", "--column", "text"], ["--column", "--data"]),
        (["doc2vec", "--text", "TXT", "--id", "name"], ["--id", "--data"]),
        (["word2vec", "--data", "PARQUET", "--id", "name"], ["no documents", "--id"]),
        (["doc2vec", "--data", "PARQUET", "--id", "same"], ["ids must be different, got 7"]),
        (["word2vec", "--text", "TXT", "--item", "i", "--time-unit", "s"], ["--item, --time-unit"]),
        (["word2vec", "--text", "TXT", "--validation", "q.parquet"], ["--validation"]),
        (["word2vec", "--text", "TXT", "--stop-on", "recall@20"], ["--stop-on", "loss"]),
        (["word2vec", "--text", "TXT", "--vectors", "v.txt"], ["vectors of its own", "--vectors"]),
        (["sentencevectors", "--text", "TXT"], ["--vectors"]),
        (["sentencevectors", "--text", "TXT", "--vectors", "missing"], ["missing"]),
        (["word2vec", "--text", "TXT", "--set", "tokenize=str.split"], ["tokenize", "library"]),
        (["word2vec", "--text", "TXT", "--set", "windw=3"], ["'windw'", "'window'"]),
        (["word2vec", "--text", "TXT", "--set", "min_count=999"], ["min_count=999", "lower"]),
        (["doc2vec", "--text", "TXT", "--set", "architecture=cbow"], ["'dbow', 'dm'", "cbow"]),
        (["item2vec", "--text", "TXT"], ["trained on a log", "--text"]),
        (["item2vec"], ["--data"]),
    ],
)
def test_mistakes_in_training_are_named(fastrec, texts, tmp_path, arguments, words):
    places = {"TXT": texts / "texts.txt", "PARQUET": texts / "texts.parquet"}
    given = [places.get(argument, argument) for argument in arguments]
    done = fastrec("train", *given, "--out", tmp_path / "m.fastrec", "--quiet")
    check_human_error(done, *words)
    assert not (tmp_path / "m.fastrec").exists()


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xe9t\xe9\n"])
def test_files_without_a_text_are_named(fastrec, tmp_path, content):
    (tmp_path / "t.txt").write_bytes(content)
    done = fastrec("train", "word2vec", "--text", tmp_path / "t.txt", "--out", tmp_path / "m")
    check_human_error(done, "t.txt")


QUERY = ("--history", "cut", "--target", "name")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["similar", "WORDS", "unheard"], ["unheard"]),
        (["similar", "WORDS", "a1", "--vectors", "document"], ["Word2Vec", "documents"]),
        (["similar", "WORDS", "a1", "--vectors", "words"], ["--vectors", "'words'"]),
        (["similar", "FILE", "a1", "--vectors", "word"], ["--vectors"]),
        (["similar", "DOCUMENTS", "a1"], ["a1", "whole numbers"]),
        (["export", "WORDS", "--vectors", "item", "--out", "v.txt"], ["Word2Vec", "items"]),
        (["recommend", "WORDS", "--history", "a1"], ["Word2Vec", "similar"]),
        (["evaluate", "WORDS", "--queries", "PARQUET", *QUERY], ["Word2Vec"]),
    ],
)
def test_mistakes_in_asking_are_named(
    fastrec, texts, word_file, document_file, tmp_path, command, words
):
    fr.load(word_file).word_vectors.save_npz(tmp_path / "v")
    places = {"WORDS": word_file, "DOCUMENTS": document_file, "FILE": tmp_path / "v"}
    places["PARQUET"] = texts / "texts.parquet"
    check_human_error(fastrec(*[places.get(part, part) for part in command]), *words)


def test_a_doc2vec_without_words_says_how_to_train_them(fastrec, texts, tmp_path):
    out = trained(texts, tmp_path, "doc2vec", *SMALL)
    done = fastrec("analogy", out, "--positive", "a1", "--vectors", "word")
    check_human_error(done, "train_words=True")


def test_sentence_vectors_have_none_to_search(fastrec, texts, word_file, tmp_path):
    out = trained(texts, tmp_path, "sentencevectors", "--vectors", str(word_file), "--quiet")
    check_human_error(fastrec("similar", out, "a1"), "SentenceVectors", "no vectors of items")
    assert fastrec("info", out, "--json").json["model"] == "SentenceVectors"
