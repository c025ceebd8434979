"""Whatever is handed to what makes and changes data, the answer is a result or an error of fastrec.

Each call gets every one of the values, one argument at a time.
"""

import numpy as np
import pytest

import fastrec as fr
from fastrec.data import IdBuilder, as_interactions
from tests.hostile.values import problems_of, with_options

ROLES = ("item", "user", "session", "time", "order", "value")
IDS = {
    "IdMap": lambda g, x: fr.IdMap(x),
    "IdMap.from_ids": lambda g, x: fr.IdMap.from_ids(x),
    "IdMap.from_ids(name=)": lambda g, x: fr.IdMap.from_ids([1], x),
    "IdMap.from_arrays": lambda g, x: fr.IdMap.from_arrays("p", x),
    "IdMap.from_arrays(ids)": lambda g, x: fr.IdMap.from_arrays("p", {"p.ids": x}),
    "IdMap.from_arrays(texts)": lambda g, x: fr.IdMap.from_arrays(
        "p", {"p.blob": x, "p.offsets": x, "p.order": x}
    ),
    "IdMap.encode": lambda g, x: g.ids.encode(x),
    "IdMap.encode(texts)": lambda g, x: g.words.encode(x),
    "IdMap.encode(on_unknown=)": lambda g, x: g.ids.encode([1], x),
    "IdMap.decode": lambda g, x: g.ids.decode(x),
    "IdMap.decode(texts)": lambda g, x: g.words.decode(x),
    "IdMap.code": lambda g, x: g.ids.code(x),
    "IdMap.code(text)": lambda g, x: g.words.code(x),
    "in IdMap": lambda g, x: x in g.ids,
    "in IdMap(text)": lambda g, x: x in g.words,
    "IdMap ==": lambda g, x: g.ids == x,
    "IdMap.codes_in": lambda g, x: g.ids.codes_in(x),
    "IdMap.extend": lambda g, x: g.ids.extend(x),
    "IdMap.extend(texts)": lambda g, x: g.words.extend(x),
    "IdMap.take": lambda g, x: g.ids.take(x),
    "IdMap.take(texts)": lambda g, x: g.words.take(x),
    "IdBuilder.add": lambda g, x: IdBuilder().add(x),
}
RAGGED = {
    "Ragged(values)": lambda g, x: fr.Ragged(x, np.array([0, 1])),
    "Ragged(offsets)": lambda g, x: fr.Ragged(np.array([1]), x),
    "Ragged.from_lists": lambda g, x: fr.Ragged.from_lists(x),
    "Ragged.from_lists([x])": lambda g, x: fr.Ragged.from_lists([x]),
    "Ragged.from_lists(dtype=)": lambda g, x: fr.Ragged.from_lists([[1]], x),
    "Ragged.from_lengths(values)": lambda g, x: fr.Ragged.from_lengths(x, np.array([1])),
    "Ragged.from_lengths(lengths)": lambda g, x: fr.Ragged.from_lengths(np.array([1]), x),
    "Ragged.slice(start)": lambda g, x: g.ragged.slice(x, 1),
    "Ragged.slice(stop)": lambda g, x: g.ragged.slice(0, x),
    "Ragged.take": lambda g, x: g.ragged.take(x),
    "Ragged.joined": lambda g, x: g.ragged.joined(x),
    "Ragged.where": lambda g, x: g.ragged.where(x),
}
LOGS = {
    "Interactions.take": lambda g, x: g.log.take(x),
    "Interactions.sessionize": lambda g, x: g.log.sessionize(x),
    "Interactions.with_users": lambda g, x: g.log.with_users(x, id="u"),
    "Interactions.with_users(id=)": lambda g, x: g.log.with_users({"u": [1, 2]}, id=x),
    "Interactions.with_users(ids)": lambda g, x: g.log.with_users({"u": x}, id="u"),
    "Interactions.with_users(column)": lambda g, x: g.log.with_users({"u": [1, 2], "c": x}, id="u"),
    "Interactions.with_items(missing=)": lambda g, x: g.log.with_items(
        {"u": [1, 2, 3]}, id="u", missing=x
    ),
    "Interactions.save": lambda g, x: g.log.save(x),
    "Interactions.open": lambda g, x: fr.Interactions.open(x),
    "Interactions.from_arrays(context column)": lambda g, x: fr.Interactions.from_arrays(
        **g.columns, context={"c": x}
    ),
    "Interactions.from_arrays(category)": lambda g, x: fr.Interactions.from_arrays(
        **g.columns, context={"c": x}, categories=["c"]
    ),
    "Interactions.from_sequences": lambda g, x: fr.Interactions.from_sequences(x),
    "Interactions.from_sequences([x])": lambda g, x: fr.Interactions.from_sequences([x]),
    "Interactions.from_sequences(users=)": lambda g, x: fr.Interactions.from_sequences(
        [[1], [2]], x
    ),
    "Interactions.from_csr": lambda g, x: fr.Interactions.from_csr(x),
    "Interactions.from_arrow": lambda g, x: fr.Interactions.from_arrow(x, item="item", user="user"),
    "Interactions.from_arrow(column)": lambda g, x: fr.Interactions.from_arrow(
        {"item": x, "user": x}, item="item", user="user"
    ),
    "Interactions.from_parquet": lambda g, x: fr.Interactions.from_parquet(x, item="a", user="b"),
    "Interactions.from_csv": lambda g, x: fr.Interactions.from_csv(x, item="a", user="b"),
    "as_interactions": lambda g, x: as_interactions(x),
    "split_by_time": lambda g, x: fr.split_by_time(x, fraction=0.5),
    "split_last": lambda g, x: fr.split_last(x),
    "split_last(n=)": lambda g, x: fr.split_last(g.log, x),
    "split_users": lambda g, x: fr.split_users(x, fraction=0.5),
    "split_users(fraction=)": lambda g, x: fr.split_users(g.log, fraction=x),
    "split_users(seed=)": lambda g, x: fr.split_users(g.log, fraction=0.5, seed=x),
    **with_options(
        "Interactions",
        (
            *("item", "item_ids", "history_offsets", "user", "user_ids", "session", "session_ids"),
            *("time", "time_unit", "value", "context", "context_ids", "users", "items"),
        ),
        lambda g, **option: fr.Interactions(**g.parts | option),
    ),
    **with_options(
        "Interactions.filter",
        ("min_item_count", "min_user_count", "min_history_length"),
        lambda g, **option: g.log.filter(**option),
    ),
    **with_options(
        "Interactions.from_arrays",
        (*ROLES, "context", "categories", "time_unit"),
        lambda g, **option: fr.Interactions.from_arrays(**g.columns | option),
    ),
    **with_options(
        "Interactions.from_arrow",
        (*ROLES, "context", "categories", "time_unit"),
        lambda g, **option: fr.Interactions.from_arrow(
            g.columns, **{"item": "item", "user": "user"} | option
        ),
    ),
    **with_options(
        "Interactions.from_csv",
        (*ROLES, "delimiter", "header", "text", "into"),
        lambda g, **option: fr.Interactions.from_csv(
            g.folder / "log.csv", **{"item": "item", "user": "user"} | option
        ),
    ),
    **with_options(
        "split_by_time",
        ("fraction", "after"),
        lambda g, **option: fr.split_by_time(g.log, **option),
    ),
    "best_recall": lambda g, x: g.made.best_recall(x),
    **with_options(
        "synthetic_playlists",
        ("playlists", "tracks", "genres", "queries", "seed"),
        lambda g, **option: fr.synthetic_playlists(
            **{"playlists": 20, "tracks": 100, "genres": 2, "queries": 5} | option
        ),
    ),
}
QUERIES = {
    "Queries.every_prefix": lambda g, x: fr.Queries.every_prefix(x),
    "Queries.every_prefix(max_history=)": lambda g, x: fr.Queries.every_prefix(
        g.log, max_history=x
    ),
    "Queries.every_prefix(exclude_seen=)": lambda g, x: fr.Queries.every_prefix(
        g.log, exclude_seen=x
    ),
    "Queries.last_item": lambda g, x: fr.Queries.last_item(x),
    "Queries.held_out(train)": lambda g, x: fr.Queries.held_out(x, g.log),
    "Queries.held_out(test)": lambda g, x: fr.Queries.held_out(g.log, x),
    "Queries.from_columns": lambda g, x: fr.Queries.from_columns(x),
    "Queries.from_columns([x])": lambda g, x: fr.Queries.from_columns([x]),
    "Queries.from_parquet": lambda g, x: fr.Queries.from_parquet(x, history="h"),
    "Queries.from_parquet(history=)": lambda g, x: fr.Queries.from_parquet(
        g.folder / "t.parquet", history=x
    ),
    "Queries.from_parquet(target=)": lambda g, x: fr.Queries.from_parquet(
        g.folder / "t.parquet", history="h", target=x
    ),
    "Queries.translate(item_ids)": lambda g, x: g.queries.translate(x),
    "Queries.translate(user_ids)": lambda g, x: g.queries.translate(g.ids, x),
    "Queries.slice(start)": lambda g, x: g.queries.slice(x, 2),
    "Queries.slice(stop)": lambda g, x: g.queries.slice(0, x),
    "Queries.take": lambda g, x: g.queries.take(x),
    **with_options(
        "Queries",
        (
            *("item_ids", "histories", "targets", "exclude_seen", "user", "user_ids", "time"),
            *("history_time", "history_value", "time_unit", "context", "context_ids"),
        ),
        lambda g, **option: fr.Queries(**{"item_ids": g.ids, "histories": g.ragged} | option),
    ),
    **with_options(
        "Queries.from_columns",
        ("targets", "users", "item_ids", "user_ids", "exclude_seen"),
        lambda g, **option: fr.Queries.from_columns([[1], [2]], **{"users": [1, 2]} | option),
    ),
    "evaluate(model)": lambda g, x: fr.evaluate(x, g.queries),
    "evaluate(queries)": lambda g, x: fr.evaluate(g.model, x),
    "evaluate(metric)": lambda g, x: fr.evaluate(g.model, g.queries, [x]),
    **with_options(
        "evaluate",
        ("metrics", "batch_size", "threads"),
        lambda g, **option: fr.evaluate(g.model, g.queries, **option),
    ),
}
CALLS = IDS | RAGGED | LOGS | QUERIES


@pytest.mark.parametrize("name", CALLS)
def test_no_value_is_answered_by_an_error_of_another_package(name, good, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # some of the values are names of files
    assert problems_of(CALLS[name], good) == []
