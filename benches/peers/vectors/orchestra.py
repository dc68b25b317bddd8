"""Runs parts of engines one at a time, each in a fresh process, and keeps their rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vectors import hnsw_rs
from vectors.engines import ENGINES, create
from vectors.equal_recall import at_recall
from vectors.worker import prefix

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vectors.datasets import DataSet
    from vectors.rows import Row, Rows

PARTS = ("build", "curve", "filter", "replace")
# One thread of BLAS: an engine's threads are what is compared.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of an engine is measured: `parts` by name, builds by their threads."""

    parts: Sequence[str]
    threads: Sequence[int]
    seconds: float
    again: bool


def measure(data: DataSet, engine: str, rows: Rows, wanted: Wanted) -> None:
    """Measure every part of an engine that is wanted and has no row yet."""
    again = wanted.again
    if engine == hnsw_rs.NAME:
        _part(f"{prefix(data, engine)}/", rows, again=again, run=lambda: hnsw_rs.run(data))
    else:
        for part in _parts(engine, wanted):
            # A part that follows reads the index that the last build left.
            missing = part.startswith("build") and not data.index(engine).exists()
            run = lambda part=part: _worker(data, engine, part, wanted.seconds)  # noqa: E731
            _part(f"{prefix(data, engine)}/{part}/", rows, again=again or missing, run=run)
    point = at_recall([row for row in rows.under(f"{prefix(data, engine)}/curve/") if "ef" in row])
    name = f"{prefix(data, engine)}/at_recall"
    rows.replace(name, [{"name": name, **point}] if point else [])


def _parts(engine: str, wanted: Wanted) -> list[str]:
    index = create(engine, 8, 8)
    able = {"filter": index.filters, "replace": index.replaces}
    names = []
    for part in PARTS:
        if part in wanted.parts and able.get(part, True):
            threads = (1,) if engine == "exact" else wanted.threads
            names += [f"build_{count}" for count in threads] if part == "build" else [part]
    return names


def default_threads(data: DataSet) -> tuple[int, ...]:
    """Return how many threads build: one and two, and two only where one would take an hour."""
    return (1, 2) if data.size <= 100_000 else (2,)


def default_engines(data: DataSet) -> list[str]:
    """Return the engines that are asked to hold as much."""
    names = [name for name, (_, _, most) in ENGINES.items() if data.size <= most]
    return [*names, hnsw_rs.NAME] if data.size <= hnsw_rs.MOST else names


def start(data: DataSet, engine: str, part: str, seconds: float) -> subprocess.Popen[str]:
    """Start a worker; `race` keeps several of them."""
    arguments = [data.name, str(data.size), engine, part, "--cache", str(data.cache)]
    arguments += ["--seconds", str(seconds)]
    return subprocess.Popen(
        [sys.executable, "-m", "vectors", "worker", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **ONE_THREAD},
    )


def _worker(data: DataSet, engine: str, part: str, seconds: float) -> list[Row]:
    process = start(data, engine, part, seconds)
    out, _ = process.communicate()
    if process.returncode:
        sys.exit(f"{prefix(data, engine)}/{part}: ended with {process.returncode}")
    return [json.loads(line) for line in out.splitlines()]


def _part(name: str, rows: Rows, *, again: bool, run: Callable[[], list[Row]]) -> None:
    if rows.has(name) and not again:
        return
    rows.replace(name, run())
    for row in rows.under(name):
        print(shown(row), flush=True)


def shown(row: Row) -> str:
    """Return a row as one line to read."""
    if "value" in row:
        return f"{row['name']:<52} {row['value']:>12,.1f} {row['unit']}"
    rates = f" {row['qps_1']:>9,.0f} {row['qps_2']:>9,.0f} q/s" if "qps_1" in row else ""
    micros = " ".join(f"{row[field] / 1e3:>9,.0f}" for field in ("p50", "p95", "p99"))
    return f"{row['name']:<52} {micros} us  recall {row['recall']:.4f}{rates}"
