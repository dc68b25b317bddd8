"""Fixtures of the Python benches, and the file that their results go to."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # `measure` lies beside, and is no package

from measure import Results

if TYPE_CHECKING:
    from collections.abc import Callable

RESULTS = Results()


@pytest.fixture
def results() -> Results:
    return RESULTS


@pytest.fixture
def timed(benchmark) -> Callable[..., None]:
    """Time whole calls by pytest-benchmark, and note their percentiles, or a rate."""

    def run(
        name: str, call: Callable[[int], object], rounds: int, per: int = 0, unit: str = ""
    ) -> None:
        turns = iter(range(rounds + 1))
        benchmark.group, benchmark.name = name.rsplit("/", 1)
        benchmark.pedantic(lambda: call(next(turns)), rounds=rounds, warmup_rounds=1)
        seconds = benchmark.stats.stats.data
        if per:
            RESULTS.number(name, per / float(np.median(seconds)), unit)
        else:
            RESULTS.latency(name, [second * 1e9 for second in seconds])

    return run


def pytest_sessionstart() -> None:
    RESULTS.number("machine/load_before", os.getloadavg()[0], "waiting or running")


def pytest_terminal_summary(terminalreporter) -> None:
    RESULTS.number("machine/load_after", os.getloadavg()[0], "waiting or running")
    write = terminalreporter.write_line
    write("")
    for row in RESULTS.rows:
        if row["unit"] == "ns":
            loop = f"  loop {row['loop_p50']:,.1f}" if "loop_p50" in row else ""
            figures = f"p50 {row['p50']:>14,.1f} p95 {row['p95']:>14,.1f} p99 {row['p99']:>14,.1f}"
            write(f"{row['name']:<40} {figures} ns{loop}")
        else:
            write(f"{row['name']:<40} {row['value']:>18,.1f} {row['unit']}")
    folder = os.environ.get("NT_BENCH_RESULTS")
    if folder and RESULTS.rows:
        path = Path(folder) / "python.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(line + "\n" for line in RESULTS.lines()))
