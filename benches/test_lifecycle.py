"""Consolidation and pruning of a hundred thousand episodes, or of as many as one likes."""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta, timezone

import numpy as np
from test_reasoning import resident, states

from nt_memory import ManualClock, MemoryLifecycle, MemorySystem

START = datetime(2020, 1, 1, tzinfo=timezone.utc)
BATCH = 10_000
# NT_MEMORY_PRUNED asks for another number; a million takes some minutes.
PRUNED = int(os.environ.get("NT_MEMORY_PRUNED", "100000"))


def fill(memory: MemorySystem, vectors: np.ndarray, count: int, apart: timedelta) -> None:
    """Write episodes as a table, each a step after the one before, settled a step later."""
    step = np.timedelta64(round(apart.total_seconds() * 1e6), "us")
    first = np.datetime64(START.replace(tzinfo=None), "us")
    for start in range(0, count, BATCH):
        rows = np.arange(start, min(start + BATCH, count))
        at = first + rows * step
        memory.remember_many(
            {
                "namespace": "swarm/hedge/episodes",
                "kind": "episode",
                "agent_id": "hedge",
                "event_time": at,
                "symbol": "SPY",
                "confidence": 1.0,
                "attributes.action": "BUY",
                "attributes.action_size": 1.0,
                "embedding": vectors[rows % len(vectors)],
                "outcome.reward": 0.001 * (rows % 41) - 0.02,
                "outcome.known_at": at + step,
            }
        )


def test_consolidation(tmp_path, results):
    """A hundred nights of a thousand episodes each, in one run."""
    clock, count = ManualClock(START), 100_000
    with MemorySystem(tmp_path / "store", clock=clock) as memory:
        fill(memory, states(count), count, timedelta(days=100) / count)
        clock.set(START + timedelta(days=101))
        begun = time.perf_counter()
        done = MemoryLifecycle(memory).consolidate()
        results.number("lifecycle/consolidate_100000", (time.perf_counter() - begun) * 1e3, "ms")
        assert done.episodes == count
        begun = time.perf_counter()
        assert MemoryLifecycle(memory).consolidate().windows == 0
        results.number("lifecycle/consolidate_nothing", (time.perf_counter() - begun) * 1e3, "ms")


def test_pruning(tmp_path, results):
    clock = ManualClock(START)
    with MemorySystem(tmp_path / "store", clock=clock) as memory:
        fill(memory, states(10_000), PRUNED, timedelta(seconds=1))
        clock.set(START + timedelta(days=365))
        before, begun = resident(), time.perf_counter()
        assert MemoryLifecycle(memory).prune().episodes == PRUNED
        results.number(f"lifecycle/prune_{PRUNED}", (time.perf_counter() - begun) * 1e3, "ms")
        results.number(f"lifecycle/prune_{PRUNED}_memory", resident() - before, "MB")
