"""The data sets and how models are compared on them: what trains, what is asked, what counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks import apps, carts, imdb, news, third_order, wiki
from benchmarks.asked import Asked, newest
from benchmarks.harness import MissingDataError, data_folder
from benchmarks.peers_texts import Gensim
from benchmarks.texts import Text

if TYPE_CHECKING:
    from fastrec import Interactions
    from fastrec.data import SyntheticPlaylists


@dataclass(frozen=True)
class Outcome:
    """What a trained model comes to.

    Attributes
    ----------
    metrics : dict of str to float
    seconds : float
        Of training alone, all epochs.
    """

    metrics: dict[str, float]
    seconds: float


@dataclass(frozen=True)
class Protocol:
    """A data set's fixed comparison.

    The data are an :class:`Asked`, or more where ``measure`` needs more than ``fr.evaluate`` does.

    Attributes
    ----------
    load : callable returning Asked
        What trains, and the questions of the test part.
    hold_out : callable of (Asked) returning Asked
        Sets a part of what trains aside and asks about that instead: what parameters are
        chosen on. It sees no question of the test part.
    measure : callable of (unfitted model, Asked) returning Outcome
        Trains and judges. A metric that a baseline has no answer for may be missing.
    metrics : tuple of str
        What ``measure`` returns for the models of the recipes.
    baselines : dict of str to callable returning an unfitted model
        Measured on the same data and shown beside every row.
    peers : dict of str to callable of (unfitted model) returning an unfitted peer
        Another package's model of the same parameters, measured in turns with ours.
    """

    load: Callable[[], Any]
    hold_out: Callable[[Any], Any]
    measure: Callable[[Any, Any], Outcome]
    metrics: tuple[str, ...]
    baselines: Mapping[str, Callable[[], Any]] = field(default_factory=dict)
    peers: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Begun:
    """An unfitted model whose item vectors begin as those of others, trained first.

    Attributes
    ----------
    model : Model
    firsts : tuple of Model
        One for all members of the model, or one for each, with None for a random start.
    """

    model: Any
    firsts: tuple[Any, ...]


@dataclass(frozen=True)
class Newest:
    """An unfitted model that trains on the end of a log; see :func:`benchmarks.asked.newest`."""

    model: Any
    seconds: int
    half_life: float


def fit(model: Any, log: Interactions) -> tuple[Any, float]:
    """Train a model, and what it begins with; return it and the seconds of both."""
    start = time.perf_counter()
    if isinstance(model, Newest):
        return fit(model.model, newest(log, model.seconds, model.half_life))
    if isinstance(model, Begun):
        firsts = [None if first is None else first.fit(log) for first in model.firsts]
        model = model.model
        model.fit(log, item_vectors=firsts[0] if len(firsts) == 1 else firsts)
    else:
        model.fit(log)
    return model, time.perf_counter() - start


def ranking(
    load: Callable[[], Asked],
    hold_out: Callable[[Interactions], Asked],
    metrics: tuple[str, ...],
    baselines: Mapping[str, Callable[[], Any]] | None = None,
) -> Protocol:
    """Return the protocol of a recommender that ``fr.evaluate`` judges.

    ``hold_out`` is given the training log, and the other arguments are those of :class:`Protocol`.
    """

    def measure(model: Any, data: Asked) -> Outcome:
        import fastrec as fr

        model, seconds = fit(model, data.train)
        return Outcome(dict(fr.evaluate(model, data.queries, metrics)), seconds)

    return Protocol(load, lambda data: hold_out(data.train), measure, metrics, baselines or {})


def last_sessions(log: Interactions) -> Asked:
    """Set the last 5 % of the sessions aside and ask for every prefix of theirs."""
    import numpy as np

    import fastrec as fr

    cut = int(0.95 * log.n_histories)
    train, rest = log.take(np.arange(cut)), log.take(np.arange(cut, log.n_histories))
    return Asked(train, fr.Queries.every_prefix(rest))


def a_fifth_of_the_events(log: Interactions) -> Asked:
    """Set a fifth of the events aside, drawn at random, to be found by the rest of each user."""
    import numpy as np

    import fastrec as fr

    is_held = np.random.default_rng(0).random(len(log)) < 0.2
    users, items = log.user_ids.decode(log.user), log.item_ids.decode(log.item)
    train, held = (
        fr.Interactions.from_arrays(user=users[part], item=items[part])
        for part in (~is_held, is_held)
    )
    return Asked(train, fr.Queries.held_out(train, held))


def sessions(dataset: str) -> Callable[[], Asked]:
    """Whole sessions train; each (prefix, target) of the test part ranks every item."""

    def load() -> Asked:
        import fastrec as fr

        folder = data_folder(dataset)
        train = fr.Interactions.from_parquet(
            folder / "train.parquet", user="session", item="item", order="position"
        )
        queries = fr.Queries.from_parquet(
            folder / "test.parquet", history="prefix", target="target"
        )
        return Asked(train, queries)

    return load


def held_out_users(dataset: str) -> Callable[[], Asked]:
    """Each user's held-out items are sought among all that the user has not in train."""

    def load() -> Asked:
        import fastrec as fr

        folder = data_folder(dataset)
        train, test = (
            fr.Interactions.from_parquet(folder / f"{part}.parquet", user="user", item="item")
            for part in ("train", "test")
        )
        return Asked(train, fr.Queries.held_out(train, test))

    return load


def popularity() -> Any:
    """Return the unfitted baseline of what is liked by most."""
    import fastrec as fr

    return fr.Popularity()


def item_knn(**params: Any) -> Any:
    """Return the unfitted baseline of what occurs together."""
    import fastrec as fr

    return fr.ItemKNN(**params)


def measure_news(model: Any, data: Asked) -> Outcome:
    """Train, judge, and say how many of the articles that are asked for could be found at all."""
    import fastrec as fr

    model, seconds = fit(model, data.train)
    metrics = dict(fr.evaluate(model, data.queries, ("recall@20", "mrr@20")))
    return Outcome(metrics | {"reachable": news.reachable(data)}, seconds)


def measure_third_order(model: Any, made: SyntheticPlaylists) -> Outcome:
    """Train, and judge beside the best that the process allows."""
    model, seconds = fit(model, made.log)
    return Outcome(third_order.judge(model, made), seconds)


def measure_apps(model: Any, data: apps.Apps) -> Outcome:
    """Train once; judge the left-out apps and, where the model knows neighbours, those."""
    import fastrec as fr

    model, seconds = fit(model, data.train)
    metrics = dict(fr.evaluate(model, data.queries, ("recall@20",)))
    if not isinstance(model, fr.Popularity):  # which knows no neighbours
        metrics |= apps.category_shares(model, data, k=10)
    return Outcome(metrics, seconds)


def measure_words(model: Any, text: Text) -> Outcome:
    """Train word vectors and judge them; ours takes the text from memory, gensim as it likes."""
    if isinstance(model, Gensim):
        model.fit(text)
        seconds = model.seconds
    else:
        seconds = fit_text(model, text)
    rate = text.corpus.n_tokens * model.epochs / seconds
    return Outcome({**wiki.judge(model.word_vectors), "words/s": rate}, seconds)


def measure_reviews(model: Any, reviews: imdb.Reviews) -> Outcome:
    """Train one or several models of paragraph vectors and judge them side by side."""
    models = model if isinstance(model, list) else [model]
    seconds = sum(fit_text(each, reviews.text) for each in models)
    vectors = [each.document_vectors.matrix for each in models]
    return Outcome({"error": imdb.error(vectors, reviews)}, seconds)


def fit_text(model: Any, text: Text) -> float:
    """Train a model on a text and return the seconds of its epochs, without the vocabulary."""
    model.fit(text.corpus, progress=False)
    return float(sum(row["seconds"] for row in model.history))


def no_hold_out(data: Any) -> Any:
    """Refuse: nothing is chosen for this data set."""
    raise MissingDataError("has no hold-out: its recipes take the tools' common defaults")


PROTOCOLS = {
    "nowplaying": ranking(sessions("nowplaying"), last_sessions, ("recall@20", "mrr@20")),
    "diginetica": ranking(sessions("diginetica"), last_sessions, ("recall@20", "mrr@20")),
    "gowalla": ranking(held_out_users("gowalla"), a_fifth_of_the_events, ("recall@20", "ndcg@20")),
    "globo_news_10d": Protocol(
        news.load,
        lambda data: news.hold_out(data.train),
        measure_news,
        ("recall@20", "mrr@20", "reachable"),
    ),
    "uci_online_retail": ranking(
        carts.load,
        carts.cut,
        ("recall@20", "mrr@20"),
        {
            "popularity": popularity,
            # The best of the hold-out, of shrinkage 5 to 100 and decay .1 to .4.
            "item-knn": lambda: item_knn(shrinkage=20, history_decay=0.3),
        },
    ),
    "frappe_apps": Protocol(
        apps.load,
        apps.hold_out,
        measure_apps,
        ("recall@20", "category@10", "category@10 by chance"),
        # Plain: a shrinkage of 10 gives .01 of recall on the hold-out and takes .006 of category.
        {
            "popularity": popularity,
            "item-knn": lambda: item_knn(shrinkage=0, history_decay=1.0),
        },
    ),
    "synthetic_third_order": Protocol(
        third_order.load,
        third_order.hold_out,
        measure_third_order,
        ("recall@20", "expected@20", "best@20", "of best"),
        {"first-order": third_order.FirstOrder},
    ),
    "wiki17m": Protocol(
        wiki.load,
        no_hold_out,
        measure_words,
        ("analogy", "wordsim353", "simlex999", "words/s"),
        peers={"gensim": Gensim},
    ),
    "imdb": Protocol(imdb.load, imdb.hold_out, measure_reviews, ("error",)),
}
