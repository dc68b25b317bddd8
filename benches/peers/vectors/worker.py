"""What runs in a process of its own: one part of one engine; rows go to stdout."""

from __future__ import annotations

import json
import sys
from itertools import count, cycle
from pathlib import Path
from time import perf_counter, perf_counter_ns
from typing import TYPE_CHECKING

import numpy as np
from measure import Results

from vectors.datasets import DataSet, K
from vectors.engines import create
from vectors.masks import KINDS, SHARES, filtered
from vectors.truth import recall

if TYPE_CHECKING:
    from vectors.engines import Engine, Vectors

EFS = (16, 32, 48, 64, 96, 128, 192, 256, 512)
EXACT_EFS = (16,)
WARM_UP = 100
FILTER_EF = 128


def build(data: DataSet, engine: str, threads: int) -> Results:
    """Build, and keep the index."""
    results, name = Results(), f"{prefix(data, engine)}/build_{threads}"
    vectors = data.vectors()
    index = create(engine, vectors.shape[1], data.size)
    before, started = resident(), perf_counter()
    index.build(vectors, threads)
    results.number(f"{name}/seconds", perf_counter() - started, "s")
    results.number(f"{name}/resident", (resident() - before) / data.size, "bytes a vector")
    path = data.index(engine)
    half = path.with_suffix(".half")
    index.save(half)
    half.replace(path)
    results.number(f"{name}/file", path.stat().st_size / data.size, "bytes a vector")
    return results


def curve(data: DataSet, engine: str, seconds: float) -> Results:
    """Load, and ask with every ef: recall, single calls, and batches on one and two threads."""
    results, name = Results(), f"{prefix(data, engine)}/curve"
    queries, truth = data.queries(), data.truth()
    index = create(engine, queries.shape[1], data.size)
    before = resident()
    index.load(data.index(engine))
    results.number(f"{name}/resident", (resident() - before) / data.size, "bytes a vector")
    for ef in EXACT_EFS if engine == "exact" else EFS:
        nanos = single_calls(index, queries, ef, seconds)
        found = index.search(queries, K, ef, 2)
        results.latency(
            f"{name}/{ef}",
            nanos,
            ef=ef,
            recall=round(recall(found, truth), 4),
            qps_1=rate(index, queries, ef, 1, seconds),
            qps_2=rate(index, queries, ef, 2, seconds),
        )
    return results


def filters(data: DataSet, engine: str, seconds: float) -> Results:
    """Ask under masks of every share, independent of the queries and far from them."""
    results, name = Results(), f"{prefix(data, engine)}/filter"
    queries = data.queries()
    index = loaded(data, engine)
    for kind in KINDS:
        for share in SHARES:
            nanos: list[int] = []
            found, truth = [], []
            for group in filtered(data, kind, share):
                allowed = index.prepare(group.mask)
                # A group may take its part of the time; at least four of its queries are asked.
                until = perf_counter() + seconds / 4
                for place, query in enumerate(group.queries):
                    if place >= 4 and perf_counter() > until:
                        break
                    started = perf_counter_ns()
                    ids = index.search_allowed(queries[[query]], K, FILTER_EF, allowed)
                    nanos.append(perf_counter_ns() - started)
                    found.append(ids)
                    truth.append(group.truth[[place]])
            share_found = recall(np.concatenate(found), np.concatenate(truth))
            results.latency(
                f"{name}/{kind}/{share:.2%}", nanos, ef=FILTER_EF, recall=round(share_found, 4)
            )
    return results


def replace(data: DataSet, engine: str, seconds: float) -> Results:
    """Delete half of the vectors and add them again; the recall before and after."""
    results, name = Results(), f"{prefix(data, engine)}/replace"
    vectors, queries, truth = data.vectors(), data.queries(), data.truth()
    index = loaded(data, engine)
    half = np.random.default_rng(17).permutation(data.size)[: data.size // 2]

    def note(when: str) -> None:
        for ef in (64, 128):
            nanos = single_calls(index, queries, ef, seconds)
            found = recall(index.search(queries, K, ef, 2), truth)
            results.latency(f"{name}/{when}/{ef}", nanos, ef=ef, recall=round(found, 4))

    note("before")
    fresh, started = vectors[half], perf_counter()
    index.replace(half, fresh, 2)
    results.number(f"{name}/seconds", perf_counter() - started, "s")
    note("after")
    return results


def serve(data: DataSet, engine: str, seconds: float) -> None:
    """Answer rounds: a line ``ef`` in, a line of figures out, until the input ends."""
    queries, truth = data.queries(), data.truth()
    index = loaded(data, engine)
    print(json.dumps({"ready": engine}), flush=True)
    for line in sys.stdin:
        ef = int(line)
        nanos = single_calls(index, queries, ef, seconds)
        started = perf_counter()
        found = index.search(queries, K, ef, 2)
        rate_2 = len(queries) / (perf_counter() - started)
        p50 = float(np.median(nanos))
        print(json.dumps({"p50": p50, "qps_2": rate_2, "recall": recall(found, truth)}), flush=True)


def single_calls(index: Engine, queries: Vectors, ef: int, seconds: float) -> list[int]:
    """Return nanoseconds of calls with one query, each timed, after a warm-up."""
    rows = [queries[[i]] for i in range(len(queries))]
    until = perf_counter() + seconds / 5
    for row in rows[:WARM_UP]:
        index.search(row, K, ef, 1)
        if perf_counter() > until:
            break
    nanos = []
    until = perf_counter() + seconds
    for row in rows:
        started = perf_counter_ns()
        index.search(row, K, ef, 1)
        nanos.append(perf_counter_ns() - started)
        if perf_counter() > until:
            break
    return nanos


def rate(index: Engine, queries: Vectors, ef: int, threads: int, seconds: float) -> float:
    """Return queries a second in batches of 100, over a fifth of the time of a figure."""
    started = perf_counter()
    batches = cycle(np.array_split(queries, 10))
    for done in count(1):
        batch = next(batches)
        index.search(batch, K, ef, threads)
        passed = perf_counter() - started
        if passed > seconds / 5:
            return round(done * len(batch) / passed, 1)
    raise AssertionError


def loaded(data: DataSet, engine: str) -> Engine:
    """Return the index that was kept."""
    index = create(engine, data.queries().shape[1], data.size)
    index.load(data.index(engine))
    return index


def resident() -> int:
    """Return the bytes that the process would free by ending: PSS, shared pages in part."""
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise AssertionError


def prefix(data: DataSet, engine: str) -> str:
    """Return how the names of rows start."""
    return f"vectors/{data.name}/{data.size}/{engine}"
