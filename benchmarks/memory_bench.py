"""What training and encoding ids take in memory beyond what they are given.

A fresh process loads its input, clears its high-water mark and does the work.
``train-memory`` compares the mark with what the two matrices and the log's
columns take, ``id-memory`` with one gigabyte for ten million strings.
``word2vec-arrays`` is ``train-memory`` on the words of wiki17m, and
``word2vec-process`` compares the highest mark of a whole process that reads the
text from a file and trains with gensim's in ``corpus_file`` mode.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import wiki
from benchmarks.harness import Row

NAMES = ("train-memory", "id-memory", "word2vec-arrays", "word2vec-process")
EVENTS, LENGTH, ITEMS, DIM = 10_000_000, 20, 200_000, 128
BAR = 1.1
IDS, ID_LIMIT = 10_000_000, 10**9
MIB = 1 << 20
STATUS = """
import json, re, sys
import numpy as np
import fastrec as fr
from benchmarks.memory_bench import DIM, EVENTS, IDS, ITEMS, LENGTH

def status(field):
    return 1024 * int(re.search(field + r":\\s+(\\d+)", open("/proc/self/status").read())[1])

def peak_of(work):
    '''Return what the work returns, and by how many bytes memory grew at its highest.'''
    open("/proc/self/clear_refs", "w").write("5")
    before = status("VmRSS")
    result = work()
    return result, status("VmHWM") - before
"""
TRAINING = """
threads = int(sys.argv[1])
fr.Item2Vec(dim=DIM, epochs=1, threads=threads).fit([[1, 2, 3]] * 100)  # loads what fit loads
items = np.random.default_rng(1).integers(ITEMS, size=EVENTS, dtype=np.int32)
users = np.repeat(np.arange(EVENTS // LENGTH, dtype=np.int32), LENGTH)
log = fr.Interactions.from_arrays(user=users, item=items)
del items, users
model = fr.Item2Vec(dim=DIM, epochs=1, threads=threads)
estimate = model.memory(log)
_, peak = peak_of(lambda: model.fit(log))
print(json.dumps({"peak": peak + estimate["log"], **estimate}))
"""
ENCODING = """
fr.IdMap.from_ids([f"{number:020d}" for number in range(100_000)])  # loads what encoding loads
ids = [f"user-{number:015d}" for number in np.random.default_rng(1).permutation(IDS).tolist()]
(known, codes), peak = peak_of(lambda: fr.IdMap.from_ids(ids))
again, again_peak = peak_of(lambda: known.encode(ids))
assert np.array_equal(codes, again) and len(known) == IDS and len(ids[0]) == 20
print(json.dumps({"peak": peak, "again": again_peak, "map": known.nbytes, "codes": codes.nbytes}))
"""
WORDS = """
corpus = fr.Corpus.from_file(sys.argv[1], tokenize=str.split)
model = fr.Word2Vec(dim=100, epochs=1, threads=2)
read = status("VmHWM")
_, peak = peak_of(lambda: model.fit(corpus))
parameters = sum(matrix.nbytes for matrix in model._parameters().values())
print(json.dumps({
    "process": max(read, status("VmHWM")), "peak": peak + corpus.tokens.nbytes,
    "parameters": parameters, "ids": corpus.tokens.nbytes,
}))
"""
GENSIM_WORDS = """
from gensim.models import Word2Vec
Word2Vec(corpus_file=sys.argv[1], vector_size=100, sg=1, epochs=1, workers=2)
print(json.dumps({"process": status("VmHWM")}))
"""


def rows(only: str | None = None) -> Iterator[Row]:
    """Measure the rows of this module; Linux only, which says what a process has used."""
    if not Path("/proc/self/clear_refs").exists():
        return
    if only in (None, "train-memory"):
        yield from (training_row(threads) for threads in (1, 2))
    if only in (None, "id-memory"):
        yield encoding_row()
    if only in (None, "word2vec-arrays", "word2vec-process"):
        yield from (row for row in word_rows() if only in (None, row.name))


def training_row(threads: int) -> Row:
    """Measure an epoch of skip-gram on ten million events."""
    found = measured(TRAINING, str(threads))
    return Row(
        name="train-memory",
        unit="MiB",
        ours=found["peak"] / MIB,
        peer=(found["parameters"] + found["log"]) / MIB,
        peer_name="parameters + log",
        threads=threads,
        extra={"bar": 1 / BAR, "estimate": found["total"] / MIB},
    )


def encoding_row() -> Row:
    """Measure a map of ten million different strings of 20 bytes, made and then looked up in."""
    found = measured(ENCODING)
    return Row(
        name="id-memory",
        unit="MiB",
        ours=found["peak"] / MIB,
        peer=ID_LIMIT / MIB,
        peer_name="limit of 1 GB, 10 M strings",
        threads=1,
        extra={
            "bar": 1,
            "map + codes": (found["map"] + found["codes"]) / MIB,
            "encode again": found["again"] / MIB,
        },
    )


def word_rows() -> Iterator[Row]:
    """Measure an epoch of skip-gram on the words of an encyclopaedia, 2 threads on both sides."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "text.txt"
        path.write_text("".join(f"{line}\n" for line in wiki.lines()), encoding="utf-8")
        ours = measured(WORDS, str(path))
        peer = measured(GENSIM_WORDS, str(path))
    yield Row(
        name="word2vec-arrays",
        unit="MiB",
        ours=ours["peak"] / MIB,
        peer=(ours["parameters"] + ours["ids"]) / MIB,
        peer_name="parameters + encoded ids",
        threads=2,
        extra={"bar": 1 / BAR},
    )
    yield Row(
        name="word2vec-process",
        unit="MiB",
        ours=ours["process"] / MIB,
        peer=peer["process"] / MIB,
        peer_name="gensim (corpus_file)",
        threads=2,
        extra={"bar": 1},
    )


def measured(program: str, *arguments: str) -> dict[str, int]:
    """Run a program in a process of its own and return what it prints, in bytes."""
    done = subprocess.run(
        [sys.executable, "-c", STATUS + program, *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    found: dict[str, int] = json.loads(done.stdout)
    return found
