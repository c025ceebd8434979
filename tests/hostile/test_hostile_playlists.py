"""Whatever is handed to nets, playlists, sessions and lookups, the answer is a result or an error.

Each call gets every one of the values, one argument at a time.
"""

import numpy as np
import pytest

import fastrec as fr
from fastrec import nn
from tests.hostile.values import problems_of, with_options

SMALL = {"units": 4, "epochs": 1, "threads": 1, "negatives": 2, "batch_size": 2}


def small(**params):
    return fr.PlaylistRNN(**{**SMALL, **params})


def lookup(g):
    return nn.Lookup(g.matrix, nn.SGD(rate=0.1), threads=1)


FITS = {
    **with_options(
        "PlaylistRNN", sorted(fr.PlaylistRNN().get_params()), lambda g, **o: small(**o).fit(g.log)
    ),
    "PlaylistRNN.fit": lambda g, x: small().fit(x),
    "PlaylistRNN.partial_fit": lambda g, x: small().fit(g.log).partial_fit(x),
    "PlaylistRNN.memory": lambda g, x: fr.PlaylistRNN().memory(x),
    **with_options(
        "PlaylistRNN.fit",
        ("validation", "callbacks", "progress", "item_vectors", "resume"),
        lambda g, **option: small().fit(g.log, **option),
    ),
    **with_options(
        "PlaylistRNN.partial_fit",
        ("validation", "callbacks", "progress"),
        lambda g, **option: small().fit(g.log).partial_fit(g.log, **option),
    ),
    "PlaylistRNN.fit(callback)": lambda g, x: small().fit(g.log, callbacks=[x]),
    "PlaylistRNN.fit(context column)": lambda g, x: small(context=["c"]).fit(
        fr.Interactions.from_arrays(**g.columns, context={"c": x})
    ),
    "PlaylistRNN.fit(user feature)": lambda g, x: small(user_features=["c"]).fit(
        g.log.with_users({"u": [1, 2], "c": x}, id="u")
    ),
    "PlaylistRNN.set_params": lambda g, x: small().fit(g.log).set_params(scale=x).recommend([[1]]),
    "Checkpoint": lambda g, x: small().fit(g.log, callbacks=[fr.Checkpoint(x)]),
    **with_options(
        "Checkpoint", ("every", "unit"), lambda g, **option: fr.Checkpoint("run", **option)
    ),
    **with_options("StopAt", ("loss", "seconds"), lambda g, **option: fr.StopAt(**option)),
}
ANSWERS = {
    "PlaylistRNN.recommend": lambda g, x: g.player.recommend(x),
    "PlaylistRNN.recommend([x])": lambda g, x: g.player.recommend([x]),
    "PlaylistRNN.recommend(users=[x])": lambda g, x: g.listener.recommend(
        [[1]], users=[x], context=g.about
    ),
    "PlaylistRNN.recommend(category)": lambda g, x: g.listener.recommend(
        [[1]], users=[1], context={"device": [x], "hour": [1]}
    ),
    "PlaylistRNN.recommend(number)": lambda g, x: g.listener.recommend(
        [[1]], users=[1], context={"device": ["tv"], "hour": [x]}
    ),
    "PlaylistRNN.recommend(column)": lambda g, x: g.listener.recommend(
        [[1]], users=[1], context={"device": ["tv"], "hour": x}
    ),
    "PlaylistRNN.recommend(categories)": lambda g, x: g.listener.recommend(
        [[1]], users=[1], context={"device": x, "hour": [1]}
    ),
    "PlaylistRNN.similar_items": lambda g, x: g.player.similar_items(x),
    "PlaylistRNN.rank": lambda g, x: g.player.rank(x, 3),
    **with_options(
        "PlaylistRNN.recommend",
        (
            *("k", "exclude_seen", "exclude", "allow", "weights", "on_unknown", "threads"),
            *("users", "context"),
        ),
        lambda g, **option: g.listener.recommend(
            [[1]], **{"users": [1], "context": g.about} | option
        ),
    ),
    **with_options(
        "PlaylistRNN.rank",
        ("k", "exclude", "allow", "threads"),
        lambda g, **option: g.player.rank(
            g.queries.translate(g.player.item_ids), **{"k": 3} | option
        ),
    ),
}
GROUPS = {1: "a", 2: "b", 3: "a"}
PLAYLISTS = {
    "generate": lambda g, x: g.player.generate(x, 2),
    "generate([x])": lambda g, x: g.player.generate([x], 2),
    "generate([[x]])": lambda g, x: g.player.generate([[x]], 2),
    "generate(texts)": lambda g, x: g.reader.generate([[x]], 2),
    "generate(length)": lambda g, x: g.player.generate([[1]], x),
    "generate(fixed track)": lambda g, x: g.player.generate([[1]], 2, fixed={0: x}),
    "generate(fixed place)": lambda g, x: g.player.generate([[1]], 2, fixed=_mapping(x, 2)),
    "generate(fixed=[x])": lambda g, x: g.player.generate([[1]], 2, fixed=[x]),
    "generate(end=[x])": lambda g, x: g.player.generate([[1]], 2, end=[x]),
    "generate(exclude=[x])": lambda g, x: g.player.generate([[1]], 2, exclude=[x]),
    "generate(allow=[x])": lambda g, x: g.player.generate([[1]], 2, allow=[x]),
    "generate(group)": lambda g, x: g.player.generate([[1]], 2, groups={1: x}, max_in_row=1),
    "generate(group of)": lambda g, x: g.player.generate(
        [[1]], 2, groups=_mapping(x, "a"), max_in_row=1
    ),
    "generate(group ids)": lambda g, x: g.player.generate(
        [[1]], 2, groups=(x, ["a"]), max_in_row=1
    ),
    "generate(group names)": lambda g, x: g.player.generate(
        [[1]], 2, groups=([1], x), max_in_row=1
    ),
    **with_options(
        "generate",
        (
            *("strategy", "allow_repeats", "exclude", "allow", "groups", "max_in_row"),
            *("max_per_group", "fixed", "end", "novelty", "on_unknown", "threads"),
        ),
        lambda g, **option: g.player.generate([[1]], 2, **option),
    ),
    **with_options(
        "generate about a listener",
        ("users", "context"),
        lambda g, **option: g.listener.generate(
            [[1]], 2, **{"users": [1], "context": g.about} | option
        ),
    ),
    **with_options(
        "generate by groups",
        ("groups", "max_in_row", "max_per_group"),
        lambda g, **option: g.player.generate(
            [[1]], 2, **{"groups": GROUPS, "max_in_row": 1} | option
        ),
    ),
    **with_options(
        "generate samples",
        ("temperature", "top_k", "top_p", "seed", "novelty", "exclude", "allow"),
        lambda g, **option: g.player.generate([[1]], 2, strategy="sample", **option),
    ),
    **with_options(
        "generate beams",
        ("beam_width", "length_normalization", "novelty"),
        lambda g, **option: g.player.generate([[1]], 2, strategy="beam", **option),
    ),
    "log_likelihood": lambda g, x: g.player.log_likelihood(x),
    "log_likelihood([x])": lambda g, x: g.player.log_likelihood([x]),
    "perplexity": lambda g, x: g.player.perplexity(x),
    "perplexity([x])": lambda g, x: g.player.perplexity([x]),
    **with_options(
        "log_likelihood",
        ("per_step", "on_unknown", "threads", "users", "context"),
        lambda g, **option: g.listener.log_likelihood(
            [[1, 2]], **{"users": [1], "context": g.about} | option
        ),
    ),
    **with_options(
        "perplexity",
        ("on_unknown", "threads", "users", "context"),
        lambda g, **option: g.listener.perplexity(
            [[1, 2]], **{"users": [1], "context": g.about} | option
        ),
    ),
}
SESSIONS = {
    "Session": lambda g, x: fr.Session(x),
    "sessions": lambda g, x: len(g.player.sessions(x)) < 100 or g.player.sessions(x),
    "session(feature)": lambda g, x: g.listener.session(
        user_features={"age": x}, context={"device": "tv", "hour": 1}
    ),
    "session(category)": lambda g, x: g.listener.session(user=1, context={"device": x, "hour": 1}),
    "session(number)": lambda g, x: g.listener.session(user=1, context={"device": "tv", "hour": x}),
    **with_options(
        "session",
        ("user", "user_features", "context"),
        lambda g, **option: g.listener.session(
            **{"user": 1, "context": {"device": "tv", "hour": 1}} | option
        ),
    ),
    **with_options(
        "sessions",
        ("users", "context"),
        lambda g, **option: g.listener.sessions(1, **{"users": [1], "context": g.about} | option),
    ),
    "session_from_bytes": lambda g, x: g.player.session_from_bytes(x),
    "Session.from_bytes": lambda g, x: fr.Session.from_bytes(g.player, x),
    "Session.from_bytes(model)": lambda g, x: fr.Session.from_bytes(x, b"a"),
    "SessionStates.from_bytes": lambda g, x: fr.SessionStates.from_bytes(g.player, x),
    "SessionStates.from_bytes(model)": lambda g, x: fr.SessionStates.from_bytes(x, b"a"),
    "Session.append": lambda g, x: g.player.session().append(x),
    "Session.append(text)": lambda g, x: g.reader.session().append(x),
    "Session.append(on_unknown=)": lambda g, x: g.player.session().append(1, x),
    "SessionStates.take": lambda g, x: g.player.sessions(3).take(x),
    "SessionStates.advance": lambda g, x: g.player.sessions(2).advance(x),
    "SessionStates.advance(on_unknown=)": lambda g, x: g.player.sessions(1).advance([1], x),
    "advance(states)": lambda g, x: g.player.advance(x, [1]),
    "advance(tracks)": lambda g, x: g.player.advance(g.player.sessions(2), x),
    "advance(texts)": lambda g, x: g.reader.advance(g.reader.sessions(1), x),
    "advance(on_unknown=)": lambda g, x: g.player.advance(g.player.sessions(1), [1], on_unknown=x),
    **with_options(
        "Session.next",
        ("k", "exclude", "allow", "threads"),
        lambda g, **option: _heard(g.player.session()).next(**option),
    ),
}
LOOKUPS = {
    "gather": lambda g, x: nn.gather(x, [0]),
    "gather(ids)": lambda g, x: nn.gather(g.matrix, x),
    "gather(threads=)": lambda g, x: nn.gather(g.matrix, [0], threads=x),
    "bag": lambda g, x: nn.bag(x, [0], [0, 1]),
    "bag(ids)": lambda g, x: nn.bag(g.matrix, x, [0, 2]),
    "bag(offsets)": lambda g, x: nn.bag(g.matrix, [0, 1], x),
    **with_options(
        "bag",
        ("weights", "mode", "threads"),
        lambda g, **option: nn.bag(g.matrix, [0, 1], [0, 2], **option),
    ),
    "Lookup": lambda g, x: nn.Lookup(x, nn.SGD(rate=0.1)),
    "Lookup(optimizer)": lambda g, x: nn.Lookup(g.matrix, x),
    "Lookup(threads=)": lambda g, x: nn.Lookup(g.matrix, nn.SGD(rate=0.1), threads=x),
    "Lookup.gather": lambda g, x: lookup(g).gather(x),
    "Lookup.bag": lambda g, x: lookup(g).bag(x, [0, 1]),
    "Lookup.bag(offsets)": lambda g, x: lookup(g).bag([0, 1], x),
    "Lookup.update(ids)": lambda g, x: lookup(g).update(x, np.ones((2, 4), np.float32)),
    "Lookup.update(gradient)": lambda g, x: lookup(g).update([0, 1], x),
    **with_options(
        "Lookup.update",
        ("clip", "rate"),
        lambda g, **option: lookup(g).update([0], np.ones((1, 4)), **option),
    ),
    **with_options(
        "Lookup.update_bags",
        ("ids", "offsets", "gradient", "weights", "mode", "clip", "rate"),
        lambda g, **option: lookup(g).update_bags(
            **{"ids": [0, 1], "offsets": [0, 2], "gradient": np.ones((1, 4))} | option
        ),
    ),
    **with_options("SGD", ("rate", "decay", "momentum"), lambda g, **o: _used(nn.SGD, g, o)),
    **with_options(
        "Adagrad",
        ("rate", "decay", "momentum", "epsilon"),
        lambda g, **o: _used(nn.Adagrad, g, o),
    ),
    **with_options(
        "Adam",
        ("rate", "decay", "beta1", "beta2", "epsilon"),
        lambda g, **o: _used(nn.Adam, g, o),
    ),
    **with_options(
        "RowAdagrad", ("rate", "decay", "epsilon"), lambda g, **o: _used(nn.RowAdagrad, g, o)
    ),
}
OTHERS = {
    "TopKIndex.search(logsumexp=)": lambda g, x: g.index.search(g.matrix, 2, logsumexp=x),
    "TopKIndex.logsumexp": lambda g, x: g.index.logsumexp(x),
    "TopKIndex.logsumexp(threads=)": lambda g, x: g.index.logsumexp(g.matrix, threads=x),
    "TopKIndex.scores_of": lambda g, x: g.index.scores_of(x, np.array([0])),
    "TopKIndex.scores_of(items)": lambda g, x: g.index.scores_of(g.matrix, x),
    "ItemKNN.fit": lambda g, x: fr.ItemKNN().fit(x),
    "ItemKNN.partial_fit": lambda g, x: fr.ItemKNN().fit(g.log).partial_fit(x),
    "ItemKNN.recommend": lambda g, x: g.counter.recommend(x),
    "ItemKNN.recommend([x])": lambda g, x: g.counter.recommend([x]),
    "ItemKNN.rank": lambda g, x: g.counter.rank(x, 3),
    "ItemKNN.similar_items(k=)": lambda g, x: g.counter.similar_items([1], x),
    "ItemKNN.similar_items(threads=)": lambda g, x: g.counter.similar_items([1], threads=x),
    "ItemKNN.set_params": lambda g, x: fr.ItemKNN().fit(g.log).set_params(shrinkage=x),
    "SessionKNN.fit": lambda g, x: fr.SessionKNN().fit(x),
    "SessionKNN.partial_fit": lambda g, x: fr.SessionKNN().fit(g.log).partial_fit(x),
    "SessionKNN.recommend": lambda g, x: g.visitor.recommend(x),
    "SessionKNN.recommend([x])": lambda g, x: g.visitor.recommend([x]),
    "SessionKNN.rank": lambda g, x: g.visitor.rank(x, 3),
    "SessionKNN.set_params": lambda g, x: fr.SessionKNN().fit(g.log).set_params(k=x),
    **{
        f"{name}.recommend({option}=)": lambda g, x, name=name, option=option: getattr(
            g, name
        ).recommend([[1]], **{option: x})
        for name in ("counter", "visitor")
        for option in ("k", "exclude", "allow", "weights", "on_unknown", "threads")
    },
}
DRAWN = {
    "History.plot": lambda g, x: g.player.history.plot(x),
    "History.plot(title=)": lambda g, x: g.player.history.plot("drawn.png", title=x),
    "History([{epoch: x}]).plot": lambda g, x: fr.History([{"epoch": x, "loss": 1.0}]).plot(
        "drawn.png"
    ),
    "History([{loss: x}]).plot": lambda g, x: fr.History([{"epoch": 1, "loss": x}]).plot(
        "drawn.png"
    ),
    "History([{x: 1}]).plot": lambda g, x: fr.History([_mapping(x, 1.0)]).plot("drawn.png"),
    "History([x]).plot": lambda g, x: fr.History([x]).plot("drawn.png"),
}
CALLS = FITS | ANSWERS | PLAYLISTS | SESSIONS | LOOKUPS | OTHERS


def _mapping(key, value):
    """Return a dict of one entry, or nothing where the key can be none."""
    try:
        return {key: value}
    except TypeError:
        return {}


def _heard(session):
    session.append(1)
    return session


def _used(optimizer, g, options):
    nn.Lookup(g.matrix, optimizer(**{"rate": 0.1} | options), threads=1).update(
        [0], np.ones((1, 4), np.float32)
    )


def left_out(name):
    """What tells which values a call does not get."""
    if "epochs" in name or "layers" in name:  # training for so many would take a while
        return lambda value: isinstance(value, int) and value > 1000
    return lambda _: False


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", CALLS)
def test_no_value_is_answered_by_an_error_of_another_package(name, good, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # some of the values are names of files
    assert problems_of(CALLS[name], good, left_out(name)) == []


@pytest.mark.parametrize("name", DRAWN)
def test_no_value_for_a_picture_is_answered_so(name, good, monkeypatch, tmp_path):
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    assert problems_of(DRAWN[name], good) == []
