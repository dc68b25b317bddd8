"""What it costs to begin, and how long the demo takes; each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from statistics import median
from time import perf_counter

import pytest

RUNS = 9
TIMED = """
import sys, time
{before}
started = time.perf_counter_ns()
{timed}
print((time.perf_counter_ns() - started) / 1e6)
"""
CASES = {
    "import_numpy": ("", "import numpy"),
    "import_after_numpy": ("import numpy", "import nt_memory"),
    "open_in_memory": (
        "import numpy, nt_memory",
        "nt_memory.MemorySystem(':memory:')",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_start(case, results):
    before, timed = CASES[case]
    code = TIMED.format(before=before, timed=timed)
    times = [
        float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)
        for _ in range(RUNS)
    ]
    results.number(f"start/{case}", median(times), "ms")


def test_demo(tmp_path, results):
    command = [sys.executable, "-m", "nt_memory.cli", "demo", "--out", str(tmp_path)]
    started = perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    results.number("start/demo_20_years", perf_counter() - started, "s")
