"""Whatever is handed to models and to search, the answer is a result or an error of fastrec."""

import pytest

import fastrec as fr
from fastrec.evaluation import parse_metrics
from fastrec.models import model_class
from tests.hostile.values import problems_of, with_options

SEARCH = {
    "TopK.empty(n_queries)": lambda g, x: fr.TopK.empty(x, 2, 3),
    "TopK.empty(k)": lambda g, x: fr.TopK.empty(2, x, 3),
    "TopK.empty(n_rows)": lambda g, x: fr.TopK.empty(2, 2, x),
    "Recommendations.from_top": lambda g, x: fr.Recommendations.from_top(x, g.ids),
    "Recommendations.from_top(ids)": lambda g, x: fr.Recommendations.from_top(
        fr.TopK.empty(1, 2, 3), x
    ),
    "parse_metrics": lambda g, x: parse_metrics(x),
    "TopKIndex": lambda g, x: fr.TopKIndex(x),
    **with_options(
        "TopKIndex",
        ("metric", "bias", "threads"),
        lambda g, **option: fr.TopKIndex(g.matrix, **option),
    ),
    "TopKIndex.search": lambda g, x: g.index.search(x, 2),
    **with_options(
        "TopKIndex.search",
        ("k", "exclude", "allow", "threads"),
        lambda g, **option: g.index.search(g.matrix, **{"k": 2} | option),
    ),
    "select": lambda g, x: fr.select(x, 2),
    **with_options(
        "select",
        ("k", "exclude", "allow", "threads"),
        lambda g, **option: fr.select(g.matrix, **{"k": 2} | option),
    ),
    "Vectors(ids)": lambda g, x: fr.Vectors(x, g.matrix),
    "Vectors(matrix)": lambda g, x: fr.Vectors(g.ids, x),
    "Vectors[]": lambda g, x: g.vectors[x],
    "in Vectors": lambda g, x: x in g.vectors,
    "Vectors.similar": lambda g, x: g.vectors.similar(x),
    **with_options(
        "Vectors.similar",
        ("k", "metric", "threads"),
        lambda g, **option: g.vectors.similar([1], **option),
    ),
    "Vectors.similar_to": lambda g, x: g.vectors.similar_to(x),
    "Vectors.similar_to(exclude=)": lambda g, x: g.vectors.similar_to(g.matrix, exclude=x),
    "Vectors.save_word2vec": lambda g, x: g.vectors.save_word2vec(x),
    "Vectors.save_word2vec(binary=)": lambda g, x: g.vectors.save_word2vec("saved", x),
    "Vectors.load_word2vec": lambda g, x: fr.Vectors.load_word2vec(x),
    **with_options(
        "Vectors.load_word2vec",
        ("binary", "kind"),
        lambda g, **option: fr.Vectors.load_word2vec(g.folder / "vectors", **option),
    ),
}


class Asking(fr.Callback):
    """Names metrics."""

    def __init__(self, metrics):
        self.metrics = metrics


MODELS = {
    "Item2Vec.fit": lambda g, x: fr.Item2Vec(dim=4, epochs=1, threads=1).fit(x),
    "Item2Vec.memory": lambda g, x: fr.Item2Vec().memory(x),
    "Popularity.fit": lambda g, x: fr.Popularity().fit(x),
    "Popularity.partial_fit": lambda g, x: fr.Popularity().fit([[1]]).partial_fit(x),
    "fit(callback)": lambda g, x: fr.Popularity().fit(g.log, callbacks=[x]),
    **with_options(
        "fit",
        ("validation", "callbacks", "progress"),
        lambda g, **option: fr.Popularity().fit(g.log, **option),
    ),
    **with_options(
        "Item2Vec",
        sorted(set(fr.Item2Vec().get_params())),
        lambda g, **option: fr.Item2Vec(**{"dim": 4, "epochs": 1, "threads": 1} | option).fit(
            g.log
        ),
    ),
    **with_options(
        "ItemKNN",
        sorted(fr.ItemKNN().get_params()),
        lambda g, **option: fr.ItemKNN(**option).fit(g.log),
    ),
    **with_options(
        "SessionKNN",
        sorted(fr.SessionKNN().get_params()),
        lambda g, **option: fr.SessionKNN(**option).fit(g.log).recommend([[1]]),
    ),
    "ItemKNN.memory": lambda g, x: fr.ItemKNN().memory(x),
    "ItemKNN.similar_items": lambda g, x: fr.ItemKNN().fit(g.log).similar_items(x),
    "SessionKNN.memory": lambda g, x: fr.SessionKNN().memory(x),
    "set_params": lambda g, x: fr.Item2Vec(dim=4, epochs=1).fit(g.log).set_params(score_by=x),
    "Recommender.fit": lambda g, x: fr.Recommender().fit(x),
    "save": lambda g, x: g.model.save(x),
    "load": lambda g, x: fr.load(x),
    **with_options(
        "load", ("mmap", "verify"), lambda g, **option: fr.load(g.folder / "model", **option)
    ),
    "model_class": lambda g, x: model_class(x),
    "recommend": lambda g, x: g.model.recommend(x),
    "recommend(texts)": lambda g, x: g.named.recommend(x),
    "recommend([x])": lambda g, x: g.model.recommend([x]),
    "recommend(exclude=[x])": lambda g, x: g.model.recommend([[1]], exclude=[x]),
    "recommend(weights=[x])": lambda g, x: g.model.recommend([[1]], weights=[x]),
    **with_options(
        "recommend",
        ("k", "exclude_seen", "exclude", "allow", "weights", "on_unknown", "threads"),
        lambda g, **option: g.model.recommend([[1]], **option),
    ),
    "recommend_users": lambda g, x: g.model.recommend_users(x),
    "similar_items": lambda g, x: g.model.similar_items(x),
    "similar_items(k=)": lambda g, x: g.model.similar_items([1], x),
    "rank": lambda g, x: g.model.rank(x, 3),
    **with_options(
        "rank",
        ("k", "exclude", "allow", "threads"),
        lambda g, **option: g.model.rank(g.translated, **{"k": 3} | option),
    ),
    "EarlyStopping": lambda g, x: fr.EarlyStopping(x),
    **with_options(
        "EarlyStopping",
        ("patience", "min_delta", "restore_best"),
        lambda g, **option: fr.EarlyStopping(**option),
    ),
    "Callback.metrics": lambda g, x: fr.Popularity().fit(
        g.log, validation=g.queries, callbacks=[Asking(x)]
    ),
    "History.append": lambda g, x: fr.History().append(x),
    "History": lambda g, x: fr.History(x),
    "History([x])": lambda g, x: fr.History([x]),
    "History.column": lambda g, x: g.model.history.column(x),
}
CALLS = SEARCH | MODELS
TOO_LONG = {"Item2Vec(epochs=)": lambda x: isinstance(x, int) and x > 1000}


@pytest.mark.parametrize("name", CALLS)
def test_no_value_is_answered_by_an_error_of_another_package(name, good, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # some of the values are names of files
    assert problems_of(CALLS[name], good, TOO_LONG.get(name, lambda _: False)) == []
