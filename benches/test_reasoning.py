"""Trajectories kept, judged and distilled: rates, and how the time grows with their number."""

from __future__ import annotations

import resource
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from nt_memory import (
    ManualClock,
    MemoryDistiller,
    MemorySystem,
    Trajectory,
    TrajectoryTracker,
    VerdictJudge,
)

START = datetime(2020, 1, 1, tzinfo=timezone.utc)
LATER = START + timedelta(days=3650)
DIM, GROUPS, STRAYS = 256, 40, 0.1
BATCH = 500


def states(count: int) -> np.ndarray:
    """Return unit vectors around some directions, a tenth of them strays."""
    rng = np.random.default_rng(0)
    middles, noise = rng.standard_normal((GROUPS, DIM)), rng.standard_normal((count, DIM))
    middles /= np.linalg.norm(middles, axis=1, keepdims=True)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    rows = middles[rng.integers(0, GROUPS, count)] * 0.9 + noise * np.sqrt(1.0 - 0.81)
    stray = rng.random(count) < STRAYS
    rows[stray] = noise[stray]
    return rows.astype(np.float32)


def decided(number: int, state: np.ndarray) -> Trajectory:
    """Return a whole trajectory: seen, done, expected, ended, and what came of it."""
    at = START + timedelta(minutes=number)
    made = Trajectory("hedge", start_time=at, symbol="SPY", regime="QUIET")
    seen = {"close": round(100.0 + number * 0.01, 2), "volume": number % 9973, "drift": 0.25}
    made.add_observation(seen, state, at=at)
    made.add_action("buy", {"quantity": 10}, predicted_outcome=0.02, confidence=0.6, at=at)
    made.complete(at)
    made.add_outcome(0.001 * (number % 41) - 0.02, known_at=at + timedelta(days=5))
    return made


def resident() -> float:
    """Return the megabytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


def fill(memory: MemorySystem, vectors: np.ndarray) -> float:
    """Track trajectories in batches; return the seconds that it took."""
    tracker, count = TrajectoryTracker(memory), len(vectors)
    begun = time.perf_counter()
    for start in range(0, count, BATCH):
        rows = range(start, min(start + BATCH, count))
        tracker.track_many(decided(row, vectors[row]) for row in rows)
    return time.perf_counter() - begun


def test_create_and_track(tmp_path, timed):
    vectors = states(301)
    with MemorySystem(tmp_path / "store") as memory:
        tracker = TrajectoryTracker(memory)
        timed("trajectory/create_and_track", lambda n: tracker.track(decided(n, vectors[n])), 300)


def test_judge_batch_100(timed):
    vectors = states(100)
    many = [decided(number, vectors[number]) for number in range(100)]
    judge = VerdictJudge()
    timed("verdict/judge_batch_100", lambda _: judge.judge_batch(many), 500)


@pytest.mark.parametrize("count", [10, 50, 100, 1_000, 10_000, 100_000])
def test_distillation(tmp_path, results, count):
    clock = ManualClock(START)
    with MemorySystem(tmp_path / "store", clock=clock) as memory:
        vectors = states(count)
        before = resident()
        seconds = fill(memory, vectors)
        results.number(f"trajectory/track_{count}", count / seconds * 60.0, "a minute")
        results.number(f"trajectory/track_{count}_memory", resident() - before, "MB")
        clock.set(LATER)
        distiller = MemoryDistiller(memory, agent_id="hedge")
        begun = time.perf_counter()
        found = distiller.distill()
        results.number(f"distillation/distill_{count}", (time.perf_counter() - begun) * 1e3, "ms")
        assert found.members + found.waiting + found.ignored == count
        begun = time.perf_counter()
        saved = distiller.compress(timedelta(days=30))
        if saved.ratio is not None:
            seconds = time.perf_counter() - begun
            results.number(f"distillation/compress_{count}", seconds * 1e3, "ms")
            results.number(f"distillation/ratio_{count}", saved.ratio, "times smaller")
