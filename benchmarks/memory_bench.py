"""What training takes in memory beyond its parameters and its log.

A fresh process loads the log, clears its high-water mark and trains; the row
compares the mark with what the two matrices and the log's columns take.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.harness import Row

NAMES = ("train-memory",)
EVENTS, LENGTH, ITEMS, DIM = 10_000_000, 20, 200_000, 128
BAR = 1.1
MIB = 1 << 20
MEASURE = """
import json, re, sys
import numpy as np
import fastrec as fr
from benchmarks.memory_bench import DIM, EVENTS, ITEMS, LENGTH

def status(field):
    return 1024 * int(re.search(field + r":\\s+(\\d+)", open("/proc/self/status").read())[1])

threads = int(sys.argv[1])
fr.Item2Vec(dim=DIM, epochs=1, threads=threads).fit([[1, 2, 3]] * 100)  # loads what fit loads
items = np.random.default_rng(1).integers(ITEMS, size=EVENTS, dtype=np.int32)
users = np.repeat(np.arange(EVENTS // LENGTH, dtype=np.int32), LENGTH)
log = fr.Interactions.from_arrays(user=users, item=items)
del items, users
open("/proc/self/clear_refs", "w").write("5")
with_log = status("VmRSS")
model = fr.Item2Vec(dim=DIM, epochs=1, threads=threads)
estimate = model.memory(log)
model.fit(log)
print(json.dumps({
    "peak": status("VmHWM") - with_log + estimate["log"], **estimate
}))
"""


def rows(only: str | None = None) -> Iterator[Row]:
    """Measure the row of this module; Linux only, which says what a process has used."""
    if not Path("/proc/self/clear_refs").exists():
        return
    for threads in (1, 2):
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, str(threads)],
            check=True,
            capture_output=True,
            text=True,
        )
        found = json.loads(done.stdout)
        yield Row(
            name="train-memory",
            unit="MiB",
            ours=found["peak"] / MIB,
            peer=(found["parameters"] + found["log"]) / MIB,
            peer_name="parameters + log",
            threads=threads,
            extra={"bar": 1 / BAR, "estimate": found["total"] / MIB},
        )
