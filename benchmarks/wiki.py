"""wiki17m: word vectors of an encyclopaedia, judged by analogies and by people's similarities.

All articles train. They are cut into lines of at most :data:`LINE` words, because gensim drops
what follows the 10,000th word of a line: so both sides walk the same windows. Words that occur
fewer than five times are left out by both.

``analogy`` is the accuracy on questions-words over the 30,000 most frequent words, ``wordsim353``
and ``simlex999`` are Spearman's correlations. ``words/s`` counts the words of the text, also those
that sub-sampling or the minimum count drop, over the time of training without the vocabulary.

gensim reading a file counts the lines of each thread against those of all, so with two threads its
learning rate falls within an epoch by half of what it should, and training ends at .0026 instead of
.0001. That is to its advantage here: ours follows the rate that was asked for.

There is no hold-out: parameters are the tools' common defaults, chosen on nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from benchmarks.harness import data_folder
from benchmarks.texts import Text, write_lines

if TYPE_CHECKING:
    from fastrec import Vectors

LINE = 1_000


def load() -> Text:
    """Return the articles, in lines."""
    return write_lines(lines())


def lines() -> Iterator[str]:
    """Yield the articles in pieces of at most :data:`LINE` words."""
    import pyarrow.parquet as pq

    source = pq.ParquetFile(data_folder("wiki17m") / "articles.parquet")
    for batch in source.iter_batches(columns=["text"], batch_size=256):
        for text in batch["text"]:
            words = text.as_py().split()
            for start in range(0, len(words), LINE):
                yield " ".join(words[start : start + LINE])


def judge(vectors: Vectors) -> dict[str, float]:
    """Return what word vectors, most frequent word first, come to."""
    import fastrec as fr

    tasks = data_folder("word_eval")
    similarities = {
        name: fr.evaluate_similarity(vectors, tasks / f"{name}.parquet").spearman
        for name in ("wordsim353", "simlex999")
    }
    analogies = fr.evaluate_analogies(vectors, tasks / "questions_words.parquet")
    return {"analogy": analogies.accuracy, **similarities}
