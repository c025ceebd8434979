"""The smallest end-to-end run: lists go in, ranked items come out, and a file keeps the model."""

import fastrec as fr

# Two groups of items that never meet in a history.
HISTORIES = [[1, 2, 3, 4], [2, 3, 4, 1], [3, 1, 4, 2], [11, 12, 13, 14], [12, 14, 11, 13]] * 40


def test_a_model_trains_recommends_saves_and_loads(tmp_path):
    model = fr.Item2Vec(dim=16, window=3, negatives=3, epochs=20, threads=1, seed=1)
    model.fit(HISTORIES, progress=False)

    recommended = model.recommend([[1, 2], [12]], k=2)
    assert set(recommended.items[0]) == {3, 4}
    assert set(recommended.items[1]) <= {11, 13, 14}

    path = tmp_path / "smoke.fastrec"
    model.save(path)
    loaded = fr.load(path, mmap=True).recommend([[1, 2], [12]], k=2)
    assert loaded.items.tolist() == recommended.items.tolist()
    assert loaded.scores.tolist() == recommended.scores.tolist()
