"""Data sets, and percentiles of calls that are too short to be timed one by one.

``benches/README.md`` says what is measured and how.
"""

from __future__ import annotations

import gc
import json
import random
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta, timezone
from time import perf_counter_ns
from typing import Any

import numpy as np
import numpy.typing as npt

from nt_memory import Record

KEYS = 100_000
BATCH = 64
CALLS = BATCH * 2000
VALUE = b"\7" * 100
START = datetime(2024, 1, 2, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)

Key = tuple[str, str]
Get = Callable[[str, str], bytes | None]


def keys(count: int) -> list[Key]:
    """Return keys as agents use them, each a pair of strings that exist nowhere else."""
    return [key_of(i) for i in range(count)]


def key_of(i: int) -> Key:
    return f"swarm/agent-{i % 100}", f"position/{i:06}"


def by_namespace(pairs: Iterable[Key]) -> dict[str, dict[str, bytes]]:
    values: dict[str, dict[str, bytes]] = {}
    for namespace, key in pairs:
        values.setdefault(namespace, {})[key] = VALUE
    return values


def embeddings(count: int) -> npt.NDArray[np.float32]:
    """Return embeddings around 200 centres, 256 numbers each."""
    source = np.random.default_rng(7)
    centres = source.uniform(-1, 1, (200, 256))
    noise = source.uniform(-0.5, 0.5, (count, 256))
    return (centres[source.integers(200, size=count)] + noise).astype(np.float32)


class Results:
    """Rows of one run, in the form that the Rust harness writes too."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def latency(self, name: str, nanos: Sequence[float], batch: int = 1, **more: float) -> None:
        """Note percentiles; each number is the mean of `batch` calls."""
        p50, p95, p99 = (round(float(x), 1) for x in np.percentile(nanos, [50, 95, 99]))
        count = len(nanos) * batch
        row = {"name": name, "unit": "ns", "count": count, "batch": batch}
        self.rows.append({**row, "p50": p50, "p95": p95, "p99": p99, **more})

    def number(self, name: str, value: float, unit: str) -> None:
        """Note a rate or a size."""
        self.rows.append({"name": name, "value": round(value, 1), "unit": unit})

    def lines(self) -> list[str]:
        """Return one JSON object a row."""
        return [json.dumps(row, separators=(",", ":")) for row in self.rows]


def calls_in_order(bound: int, seed: int) -> list[list[Key]]:
    """Return batches of random keys whose strings lie in memory in the order of the calls.

    They are made anew, so that none has a hash yet and none is the string that was stored.
    """
    chosen = random.Random(seed)
    return batched([key_of(chosen.randrange(bound)) for _ in range(CALLS)])


def batched(pairs: Sequence[Key]) -> list[list[Key]]:
    return [list(pairs[at : at + BATCH]) for at in range(0, len(pairs), BATCH)]


def time_batches(get: Get, batches: Sequence[Sequence[Key]]) -> list[float]:
    """Return nanoseconds a call, one number a batch."""
    times = []
    gc.collect()
    gc.disable()
    for batch in batches:
        started = perf_counter_ns()
        for namespace, key in batch:
            get(namespace, key)
        times.append((perf_counter_ns() - started) / len(batch))
    gc.enable()
    return times


def time_loop(batches: Sequence[Sequence[Key]]) -> float:
    """Return the median of the same without the call."""
    times = []
    for batch in batches:
        started = perf_counter_ns()
        for _namespace, _key in batch:
            pass
        times.append((perf_counter_ns() - started) / len(batch))
    return float(np.median(times))


def records(vectors: npt.NDArray[np.float32]) -> list[Record]:
    """Return one record a vector, a minute apart, of ten agents in turn."""
    return [
        Record(
            namespace="market",
            kind="state",
            event_time=START + i * MINUTE,
            agent_id=f"agent-{i % 10}",
            symbol="SPY",
            attributes={"volatility": float(i)},
            embedding=vector,
        )
        for i, vector in enumerate(vectors)
    ]
