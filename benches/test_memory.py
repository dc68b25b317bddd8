"""What a process holds for records with embeddings: PSS, mapped files and all."""

from __future__ import annotations

import subprocess
import sys

from measure import embeddings, records

from nt_memory import MemorySystem

STORED = 50_000
QUERIES = 1000
# A process of its own holds nothing of the filling; queries come first, so that caches are filled.
ASKED = """
import sys
import numpy as np
from nt_memory import MemorySystem

def pss():
    with open("/proc/self/smaps_rollup") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024

MemorySystem(":memory:").close()
before = pss()
with MemorySystem(sys.argv[1]) as memory:
    for query in np.random.default_rng(1).uniform(-1, 1, (int(sys.argv[2]), 256)):
        memory.recall(embedding=query.astype(np.float32), log=False)
    print(pss() - before)
"""


def test_reopened_store(tmp_path, results):
    with MemorySystem(tmp_path / "store") as memory:
        made = records(embeddings(STORED))
        for at in range(0, STORED, 1000):
            memory.remember_many(made[at : at + 1000])
    command = [sys.executable, "-c", ASKED, str(tmp_path / "store"), str(QUERIES)]
    grown = int(subprocess.run(command, check=True, capture_output=True).stdout)
    results.number("memory/50k_records_256_floats/ours", grown / STORED, "bytes a record")
