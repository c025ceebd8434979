"""One of everything, as it should be, for calls in which one argument is not."""

import csv
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastrec as fr


@pytest.fixture(scope="session")
def good(tmp_path_factory):
    """One of everything, as it should be."""
    folder = tmp_path_factory.mktemp("hostile")
    model = fr.Item2Vec(dim=4, epochs=1, threads=1).fit([[1, 2, 3], [2, 3, 4]])
    model.save(folder / "model")
    model.item_vectors.save_word2vec(folder / "vectors")
    with (folder / "log.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["user", "item"], [1, 2], [1, 3]])
    table = pa.table({"user": [1, 1], "item": [2, 3], "h": [[1], [2]]})
    pq.write_table(table, folder / "t.parquet")
    (folder / "text").write_text("a b\nb c a\n")
    pq.write_table(pa.table({"text": ["a b", "b c a"], "id": [3, 4]}), folder / "text.parquet")
    model.item_vectors.save_npz(folder / "vectors.npz")
    model.item_vectors.to_parquet(folder / "vectors.parquet")
    queries = fr.Queries.from_columns([[1], [2]], [2, 3])
    log = fr.Interactions.from_arrays(
        user=[1, 1, 2, 2], item=[1, 2, 2, 3], time=[1, 2, 3, 4], value=[1, 1, 2, 1]
    )
    words = fr.IdMap.from_ids(["a", "b", "c"])[0]
    word_vectors = fr.Vectors(words, np.eye(3, 4, dtype=np.float32))
    events = fr.Interactions.from_arrays(
        user=[1, 1, 1, 2, 2],
        item=[1, 2, 3, 2, 3],
        context={"device": ["tv", "tv", "desk", "desk", "tv"], "hour": [1.0, 2.0, 3.0, 4.0, 5.0]},
    ).with_users({"user": [1, 2], "age": [20.0, 60.0]}, id="user")
    net = {"units": 4, "epochs": 1, "threads": 1, "negatives": 2, "batch_size": 2}
    return SimpleNamespace(
        player=fr.PlaylistRNN(**net).fit(log),
        reader=fr.PlaylistRNN(**net).fit([["a", "b", "c"], ["b", "c"]]),
        listener=fr.PlaylistRNN(**net, context=["device", "hour"], user_features=["age"]).fit(
            events
        ),
        about={"device": ["tv"], "hour": [1.0]},
        counter=fr.ItemKNN().fit(log),
        visitor=fr.SessionKNN().fit(log),
        folder=folder,
        log=log,
        parts={
            "item": log.item,
            "item_ids": log.item_ids,
            "history_offsets": log.history_offsets,
            "user": log.user,
            "user_ids": log.user_ids,
        },
        columns={"item": [1, 2], "user": [1, 1]},
        ids=fr.IdMap.from_ids([1, 2, 3])[0],
        words=fr.IdMap.from_ids(["a", "b"])[0],
        model=model,
        named=fr.Popularity().fit([["a", "b"], ["b"]]),
        vectors=model.item_vectors,
        queries=queries,
        translated=queries.translate(model.item_ids),
        index=fr.TopKIndex(np.eye(4, dtype=np.float32)),
        ragged=fr.Ragged.from_lists([[1, 2], [0]]),
        made=fr.synthetic_playlists(20, 100, genres=2, queries=5),
        corpus=fr.Corpus.from_texts(["a b", "b c a"]),
        texts=fr.Doc2Vec(dim=4, epochs=1, threads=1, min_count=1, subsample=0).fit(["a b", "b a"]),
        sums=fr.SentenceVectors(threads=1).fit(["a b", "b"], vectors=word_vectors),
        word_vectors=word_vectors,
        matrix=np.zeros((3, 4), np.float32),
    )
