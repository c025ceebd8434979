"""Accuracy on analogies and correlation with people: against float64, SciPy and gensim."""

import json
import math

import numpy as np
import pytest
from scipy import stats

import fastrec as fr
from fastrec.errors import InputError
from tests.reference import analogies as reference
from tests.reference.topk import unit

METHODS = ("add", "mul")
N_WORDS = 60


def vectors_of(words, matrix):
    return fr.Vectors(fr.IdMap.from_ids(words)[0], np.asarray(matrix, dtype=np.float32))


def words_with_structure(n_pairs=20, noise=0.45):
    """Return pairs of words, each with a common difference, noisy enough that some are missed."""
    draw = np.random.default_rng(3)
    first = draw.standard_normal((n_pairs, 8))
    second = first + draw.standard_normal(8) + noise * draw.standard_normal((n_pairs, 8))
    others = draw.standard_normal((N_WORDS - 2 * n_pairs, 8))
    pairs = [(f"base{i}", f"form{i}") for i in range(n_pairs)]
    words = [word for pair in pairs for word in pair]
    words += [f"other{i}" for i in range(N_WORDS - 2 * n_pairs)]
    matrix = np.vstack([np.stack([first, second], axis=1).reshape(-1, 8), others])
    order = draw.permutation(N_WORDS)
    return vectors_of([words[i] for i in order], matrix[order]), pairs


def questions_of(pairs):
    """Return every question about two of the pairs; the later ones are a section of their own."""
    return [
        ("early" if row < len(pairs) // 2 else "late", *pair, *other)
        for row, pair in enumerate(pairs)
        for other in pairs
        if other != pair
    ]


@pytest.fixture(scope="module")
def material():
    vectors, pairs = words_with_structure()
    return vectors, questions_of(pairs)


def write_questions(path, rows):
    lines, before = [], None
    for section, *words in rows:
        if section != before:
            lines.append(f": {section}")
            before = section
        lines.append(" ".join(words))
    path.write_text("\n".join(lines) + "\n")
    return path


# Analogies


@pytest.mark.parametrize("restrict", [None, 40])
@pytest.mark.parametrize("method", METHODS)
def test_accuracy_is_that_of_the_equations(material, method, restrict):
    vectors, questions = material
    found = fr.evaluate_analogies(vectors, questions, method=method, restrict_vocab=restrict)
    row_of = {word: row for row, word in enumerate(list(vectors)[:restrict])}
    counts = {name: [0, 0, 0] for name in ("early", "late")}
    for section, *words in questions:
        a, b, c, d = (row_of.get(word) for word in words)
        if None in (a, b, c, d):
            counts[section][2] += 1
            continue
        best = reference.answers(vectors.matrix, [b, c], [a], 1, method, restrict)
        counts[section][0] += best == [d]
        counts[section][1] += 1
    sections = {part.name: [part.correct, part.asked, part.left_out] for part in found}
    assert sections == counts
    assert 0 < found.total.correct < found.total.asked


def test_the_total_is_that_of_all_sections(material):
    found = fr.evaluate_analogies(*material, restrict_vocab=40)
    for count in ("correct", "asked", "left_out"):
        assert getattr(found.total, count) == sum(getattr(part, count) for part in found)
    assert found.accuracy == found.total.correct / found.total.asked


def test_the_accuracy_does_not_depend_on_threads(material):
    one, two = (fr.evaluate_analogies(*material, threads=threads).sections for threads in (1, 2))
    assert one == two


@pytest.mark.parametrize("method", METHODS)
def test_equal_scores_count_against_a_question(method):
    matrix = [[1, 0, 1], [1, 1, 0], [3, 0, 1], [3, 1, 0], [3, 1, 0]]
    vectors = vectors_of(["man", "woman", "king", "queen", "twin"], matrix)
    question = ("man", "woman", "king", "queen")
    assert fr.evaluate_analogies(vectors, [question], method=method).accuracy == 0


def test_vectors_that_are_all_the_same_solve_nothing():
    vectors = vectors_of(list("abcde"), np.ones((5, 3)))
    assert fr.evaluate_analogies(vectors, [tuple("abcd")]).accuracy == 0


def test_a_section_of_which_nothing_is_known_has_no_accuracy(material):
    vectors, questions = material
    found = fr.evaluate_analogies(vectors, [*questions, ("new", "w", "x", "y", "z")])
    assert (found["new"].asked, found["new"].left_out) == (0, 1)
    assert math.isnan(found["new"].accuracy)
    assert json.loads(json.dumps(found.as_dict()))["sections"][2]["accuracy"] is None


def test_sections_are_found_by_their_names(material):
    found = fr.evaluate_analogies(*material)
    assert found["late"] is found.sections[1]
    with pytest.raises(KeyError, match="no section 'latest', there are 'early', 'late'"):
        found["latest"]


def test_the_result_shows_each_section_and_the_total(material):
    found = fr.evaluate_analogies(*material)
    first, *rows = repr(found).splitlines()
    assert first.split() == ["section", "accuracy", "correct", "asked", "left", "out"]
    assert [row.split()[0] for row in rows] == ["early", "late", "total"]
    assert rows[2].split()[2:] == [str(found.total.correct), str(found.total.asked), "0"]


def test_ids_that_are_whole_numbers_are_asked_about():
    vectors = vectors_of([3, 5, 8, 9], [[1, 0, 1], [1, 1, 0], [3, 0, 1], [3, 1, 0]])
    assert fr.evaluate_analogies(vectors, [(3, 5, 8, 9)]).accuracy == 1


# Case

PLANE = [[1, 0, 1], [1, 1, 0], [3, 0, 1], [3, 1, 0], [0, 1, 2]]
QUESTION = ("Man", "Woman", "King", "Queen")


def test_lower_case_vectors_take_questions_of_any_case():
    vectors = vectors_of(["man", "woman", "king", "queen", "tree"], PLANE)
    assert fr.evaluate_analogies(vectors, [QUESTION]).accuracy == 1


def test_case_counts_where_it_is_said_to(material):
    vectors = vectors_of(["man", "woman", "king", "queen", "tree"], PLANE)
    with pytest.raises(InputError, match=r"'Man'.*ignore_case=True"):
        fr.evaluate_analogies(vectors, [QUESTION], ignore_case=False)


def test_case_counts_where_words_have_any():
    vectors = vectors_of(["Man", "Woman", "King", "Queen", "tree"], PLANE)
    questions = [QUESTION, tuple(word.lower() for word in QUESTION)]
    found = fr.evaluate_analogies(vectors, questions)
    assert (found.total.correct, found.total.left_out) == (1, 1)


def test_rare_words_with_capitals_change_nothing_beyond_the_vocabulary():
    vectors = vectors_of(["man", "woman", "king", "queen", "tree", "Man"], [*PLANE, [9, 9, 9]])
    assert fr.evaluate_analogies(vectors, [QUESTION], restrict_vocab=5).accuracy == 1


def test_words_that_differ_in_case_alone_are_one_where_it_is_ignored():
    """KING is a twin of the word asked for, QUEEN of the answer: neither is a wrong answer."""
    words = ["man", "woman", "king", "Queen", "KING", "QUEEN", "tree"]
    matrix = [*PLANE[:4], [3.1, 0.9, 0], PLANE[3], PLANE[4]]
    vectors = vectors_of(words, matrix)
    found = fr.evaluate_analogies(vectors, [QUESTION], ignore_case=True)
    assert (found.total.correct, found.total.asked) == (1, 1)


def test_the_most_frequent_of_several_spellings_is_asked_for():
    words = ["man", "woman", "king", "queen", "tree", "KING"]
    matrix = [*PLANE, [-3, 0, -1]]
    found = fr.evaluate_analogies(vectors_of(words, matrix), [QUESTION], ignore_case=True)
    assert found.accuracy == 1


# What cannot be asked


@pytest.mark.parametrize(
    ("questions", "options", "message"),
    [
        ([], {}, "there are no questions"),
        ([("w", "x", "y", "z")], {}, "not one of the 1 questions.*60 words.*'w', 'x', 'y', ..."),
        ([(1, 2, 3, 4)], {}, "the words are whole numbers"),
        ([("base0", "form0", "base1", "form1")], {"restrict_vocab": 0}, "restrict_vocab must be"),
        ([("base0", "form0", "base1", "form1")], {"ignore_case": 1}, "ignore_case must be"),
        ([("base0", "form0", "base1", "form1")], {"method": "sum"}, "method must be one of"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(material, questions, options, message):
    with pytest.raises(InputError, match=message):
        fr.evaluate_analogies(material[0], questions, **options)


def test_whole_numbers_have_no_case():
    with pytest.raises(InputError, match="ignore_case is for words"):
        fr.evaluate_analogies(vectors_of([1, 2], np.eye(2)), [(1, 2, 1, 2)], ignore_case=True)


def test_no_vectors_cannot_be_evaluated():
    with pytest.raises(InputError, match="no vectors"):
        fr.evaluate_analogies(vectors_of([], np.empty((0, 3))), [("a", "b", "c", "d")])


# gensim


def keyed_vectors(vectors):
    models = pytest.importorskip("gensim.models")
    keyed = models.KeyedVectors(vector_size=vectors.dim)
    keyed.add_vectors(list(vectors), vectors.to_numpy())
    return keyed


@pytest.mark.parametrize("restrict", [60, 40])
def test_accuracy_is_that_of_gensim(material, tmp_path, restrict):
    check_gensim(*material, tmp_path / "questions.txt", restrict_vocab=restrict)


@pytest.mark.parametrize("ignore_case", [True, False])
def test_accuracy_of_words_of_mixed_case_is_that_of_gensim(material, tmp_path, ignore_case):
    """Every third word begins with a capital, and some other word differs from it in case alone."""
    vectors, questions = material
    words = [word.capitalize() if row % 3 == 0 else word for row, word in enumerate(vectors)]
    words[-6:] = [word.upper() for word in words[:6]]
    mixed = vectors_of(words, vectors.matrix)
    check_gensim(mixed, questions, tmp_path / "questions.txt", ignore_case=ignore_case)


def check_gensim(vectors, questions, path, restrict_vocab=60, ignore_case=True):
    """Compare with the counts of gensim, which only knows 3CosAdd."""
    write_questions(path, questions)
    score, (*sections, _) = keyed_vectors(vectors).evaluate_word_analogies(
        str(path), restrict_vocab=restrict_vocab, case_insensitive=ignore_case
    )
    found = fr.evaluate_analogies(
        vectors, path, restrict_vocab=restrict_vocab, ignore_case=ignore_case
    )
    assert found.accuracy == pytest.approx(score)
    assert [(part.name, part.correct, part.asked) for part in found] == [
        (part["section"], len(part["correct"]), len(part["correct"]) + len(part["incorrect"]))
        for part in sections
    ]
    assert found.total.correct > 0


def test_correlations_are_those_of_gensim(tmp_path):
    vectors, pairs = random_pairs()
    path = tmp_path / "pairs.tsv"
    path.write_text("\n".join(f"{one}\t{other}\t{score}" for one, other, score in pairs) + "\n")
    pearson, spearman, unknown = keyed_vectors(vectors).evaluate_word_pairs(str(path))
    found = fr.evaluate_similarity(vectors, path)
    assert found.pearson == pytest.approx(pearson[0], abs=1e-6)
    assert found.spearman == pytest.approx(spearman[0])
    assert 100 * found.left_out / len(pairs) == pytest.approx(unknown)


# Similarity


def random_pairs(count=80):
    """Return vectors, and pairs with scores that are tied here and there, and words unknown."""
    draw = np.random.default_rng(11)
    words = [f"w{i}" for i in range(40)]
    vectors = vectors_of(words, draw.standard_normal((40, 6)))
    names = [*words, "unknown"]
    drawn = (draw.permutation(41)[:2].tolist() for _ in range(count))
    scores = draw.integers(0, 11, count).tolist()
    pairs = [
        (names[one], names[other], float(score))
        for (one, other), score in zip(drawn, scores, strict=True)
    ]
    return vectors, pairs


def test_correlations_are_those_of_scipy():
    vectors, pairs = random_pairs()
    known = [pair for pair in pairs if "unknown" not in pair]
    rows = unit(np.float64(vectors.matrix))
    row_of = {word: row for row, word in enumerate(vectors)}
    cosines = [rows[row_of[one]] @ rows[row_of[other]] for one, other, _ in known]
    scores = [score for *_, score in known]
    found = fr.evaluate_similarity(vectors, pairs)
    assert found.spearman == pytest.approx(stats.spearmanr(cosines, scores).statistic)
    assert found.pearson == pytest.approx(stats.pearsonr(cosines, scores).statistic)
    assert (found.pairs, found.left_out) == (len(known), len(pairs) - len(known))
    assert found.left_out > 0


def test_pairs_of_another_case_are_known_to_lower_case_vectors():
    vectors = vectors_of(["cat", "tiger", "stone"], [[2, 1], [2, 0], [-1, 4]])
    pairs = [("Cat", "Tiger", 7), ("Cat", "Stone", 1)]
    assert fr.evaluate_similarity(vectors, pairs).pairs == 2
    with pytest.raises(InputError, match="ignore_case=True"):
        fr.evaluate_similarity(vectors, pairs, ignore_case=False)


def test_words_are_all_equally_like_themselves():
    draw = np.random.default_rng(2)
    vectors = vectors_of(list("abcdefgh"), draw.standard_normal((8, 7)))
    pairs = [(word, word, 10) for word in vectors] + [("a", "b", 1)]
    assert fr.evaluate_similarity(vectors, pairs).spearman == pytest.approx(1)


def test_vectors_of_zeros_are_like_nothing():
    vectors = vectors_of(["a", "b", "c"], [[0, 0], [1, 0], [1, 1]])
    found = fr.evaluate_similarity(vectors, [("a", "b", 0), ("b", "c", 1)])
    assert found.pearson == pytest.approx(1)


@pytest.mark.parametrize("scores", [[3], [3, 3]])
def test_one_pair_and_equal_scores_have_no_correlation(scores):
    vectors = vectors_of(["a", "b", "c"], [[1, 0], [1, 1], [0, 2]])
    pairs = [("a", other, score) for other, score in zip("bc", scores, strict=False)]
    found = fr.evaluate_similarity(vectors, pairs)
    assert math.isnan(found.spearman)
    assert found.as_dict() == {
        "spearman": None, "pearson": None, "pairs": len(scores), "left_out": 0
    }  # fmt: skip


@pytest.mark.parametrize(
    ("pairs", "message"),
    [([], "there are no pairs"), ([("x", "a", 1.0)], "not one of the 1 pairs.*'x'")],
)
def test_what_cannot_be_compared_is_refused(pairs, message):
    with pytest.raises(InputError, match=message):
        fr.evaluate_similarity(vectors_of(["a", "b"], np.eye(2)), pairs)


# Real questions


@pytest.mark.realdata
def test_the_real_questions_are_read(real_data):
    from fastrec.evaluation.word_questions import read_analogies, read_pairs

    folder = real_data / "word_eval"
    words = read_analogies(folder / "questions_words.parquet")
    phrases = read_analogies(folder / "questions_phrases.parquet")
    assert (len(words.words), len(words.sections)) == (4 * 19_544, 14)
    assert len(phrases.words) == 4 * 3_218
    assert len(read_pairs(folder / "wordsim353.parquet").scores) == 353
    assert len(read_pairs(folder / "simlex999.parquet").scores) == 999
