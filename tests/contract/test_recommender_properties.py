"""What holds for any log and any question, whatever hypothesis thinks of."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastrec as fr
from tests.scratch import unsynced

INTS = st.one_of(st.integers(0, 30), st.integers(0, 2**63 - 1))
# Lone surrogates cannot be written as UTF-8, so they are no ids.
STRINGS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
FACTORIES = {
    "popularity": fr.Popularity,
    "item2vec": lambda: fr.Item2Vec(dim=3, epochs=1, negatives=2, threads=1),
    "playlist-rnn": lambda: fr.PlaylistRNN(units=3, epochs=1, negatives=2, batch_size=2),
    "item-knn": fr.ItemKNN,
    "session-knn": fr.SessionKNN,
}


@st.composite
def questions(draw):
    """A log with at least one event, and a call of recommend on it."""
    ids = draw(st.sampled_from([INTS, STRINGS]))
    rows = draw(st.lists(st.lists(ids, max_size=8), min_size=1, max_size=8))
    rows = [*rows, draw(st.lists(ids, min_size=2, max_size=8))]
    seen = sorted({item for row in rows for item in row})
    some = st.one_of(st.sampled_from(seen), ids)
    lists = st.lists(some, max_size=6)
    histories = draw(st.lists(lists, max_size=4))
    each = st.lists(lists, min_size=len(histories), max_size=len(histories))
    restriction = st.one_of(st.none(), lists, each)
    return {
        "rows": rows,
        "histories": histories,
        "k": draw(st.integers(1, 40)),
        "exclude_seen": draw(st.booleans()),
        "exclude": draw(restriction),
        "allow": draw(restriction),
    }


def per_row(restriction, count):
    """One set of ids a history, or None for no restriction."""
    if restriction is None:
        return [None] * count
    if restriction and isinstance(restriction[0], list):
        return [set(part) for part in restriction]
    return [set(restriction)] * count


@pytest.mark.parametrize("name", FACTORIES)
@given(question=questions())
def test_any_question_gets_exactly_the_items_that_qualify(name, question):
    rows = question.pop("rows")
    histories, k = question["histories"], question["k"]
    model = FACTORIES[name]().fit(rows)
    answer = model.recommend(**question)
    assert answer.items.shape == answer.scores.shape == (len(histories), k)
    excluded = per_row(question["exclude"], len(histories))
    allowed = per_row(question["allow"], len(histories))
    known = {item for row in rows for item in row}
    for row, history in enumerate(histories):
        eligible = known if allowed[row] is None else known & allowed[row]
        eligible = eligible - (excluded[row] or set())
        if question["exclude_seen"]:
            eligible = eligible - set(history)
        if name != "popularity" and not known & set(history):
            eligible = set()
        count = answer.counts[row]
        items = answer.items[row, :count].tolist()
        assert count == min(k, len(eligible))
        assert len(set(items)) == count
        assert set(items) <= eligible
        assert (np.diff(answer.scores[row, :count]) <= 0).all()
        assert np.isnan(answer.scores[row, count:]).all()
        assert all(item in (-1, None) for item in answer.items[row, count:].tolist())


@pytest.mark.parametrize("name", FACTORIES)
@given(question=questions())
def test_a_saved_model_answers_any_question_the_same(name, question, scratch):
    model = FACTORIES[name]().fit(question.pop("rows"))
    path = scratch / "m.fastrec"
    with unsynced():
        model.save(path)
    one, other = model.recommend(**question), fr.load(path, mmap=True).recommend(**question)
    np.testing.assert_array_equal(one.items, other.items)
    np.testing.assert_array_equal(one.scores, other.scores)
