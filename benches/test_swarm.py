"""Twenty years of daily bars: six agents with a memory, and what they are told."""

from __future__ import annotations

import time

import pytest

from nt_memory import (
    AnalogueAgent,
    FeatureTable,
    ManualClock,
    MemoryConfig,
    MemorySystem,
    Swarm,
)
from nt_memory.agents.swarm import AGENTS
from nt_memory.backtest import load_sp500
from nt_memory.regime import RegimeDetectionAgent

BARS = 5000


@pytest.fixture(scope="module")
def bars():
    return load_sp500().head(BARS)


def test_six_agents_over_five_thousand_bars(bars, results, tmp_path):
    began = time.perf_counter()
    table = FeatureTable(bars)
    results.number("swarm/features_5000_bars/ours", 1e3 * (time.perf_counter() - began), "ms")
    told = time.perf_counter()
    regimes = RegimeDetectionAgent().predict(bars).labels
    results.number("swarm/regimes_5000_bars/ours", 1e3 * (time.perf_counter() - told), "ms")
    clock, nanos = ManualClock(bars.closed_at(0)), []
    config = MemoryConfig(storage_path=tmp_path / "store", clock=clock, seed=0)
    with MemorySystem(config) as memory:
        swarm = Swarm(memory, (*AGENTS, AnalogueAgent))
        for bar in range(BARS):
            clock.set(bars.closed_at(bar))
            regime = regimes[bar]
            start = time.perf_counter_ns()
            swarm.decide(bars.head(bar + 1), table.at(bar), regime and regime.value)
            nanos.append(time.perf_counter_ns() - start)
        results.number("swarm/records_5000_bars/ours", memory.stats()["records"], "records")
    results.number("swarm/5000_bars/ours", time.perf_counter() - began, "s")
    results.latency("swarm/bar_of_first_1000/ours", nanos[:1000])
    results.latency("swarm/bar_of_last_1000/ours", nanos[-1000:])
