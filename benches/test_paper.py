"""What a bar costs in paper trading, against what the agents remember already.

A million memories take some minutes to load and to link: ``NT_BENCH_PAPER=1000000``.
"""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from measure import embeddings

from nt_memory import (
    LiquidityAgent,
    ManualClock,
    MarkovAgent,
    MemoryConfig,
    MemorySystem,
    PaperTrader,
    ReplayFeed,
    RiskGuard,
    SentimentAgent,
    SimulatedBroker,
    Swarm,
    VectorConfig,
    VectorSpace,
    WyckoffAgent,
)
from nt_memory._values import pack
from nt_memory.agents.features import FeatureSettings
from nt_memory.backtest import load_sp500
from nt_memory.paper.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nt_memory.market import BarSeries

SIZES = [int(size) for size in os.environ.get("NT_BENCH_PAPER", "10000,100000").split(",")]
AGENTS = (LiquidityAgent, SentimentAgent, WyckoffAgent, MarkovAgent)
DIM = 256
SLICE = 10_000
# Bars that are there before the first one that is handled, and how many are timed.
BEFORE, WARM, BARS = 600, 5, 100
NAME = "desk"
PARTS = ("features", "decide", "whole")


def load(memory: MemorySystem, size: int) -> None:
    """Remember so many events of the years before the bars, of the agents in turn."""
    vectors = embeddings(SLICE)
    source = np.random.default_rng(1)
    names = [agent.name for agent in AGENTS]
    first = np.datetime64("1989-01-01", "us")
    step = np.timedelta64(10 * 365 * 86_400_000_000 // size, "us")
    for start in range(0, size, SLICE):
        rows = np.arange(start, min(start + SLICE, size))
        # No two are equal, and none is near the next.
        noise = source.normal(0.0, 0.1, (len(rows), DIM)).astype(np.float32)
        owners = [names[row % len(names)] for row in rows]
        memory.remember_many(
            {
                "namespace": [f"swarm/{owner}/trading" for owner in owners],
                "kind": "market_event",
                "symbol": "SPX",
                "agent_id": owners,
                "event_time": first + rows * step,
                "embeddings.text": vectors[: len(rows)] + noise,
            }
        )


@pytest.fixture(scope="module", params=SIZES)
def size(request) -> int:
    """How many memories there are before the first bar."""
    return int(request.param)


@pytest.fixture(scope="module", params=["exact", "index"])
def memory(request, size, tmp_path_factory) -> Iterator[MemorySystem]:
    """Exact under a clock that is moved by hand; by an index under that of the machine."""
    is_exact = request.param == "exact"
    config = MemoryConfig(
        storage_path=tmp_path_factory.mktemp("paper") / "store",
        spaces={"text": VectorSpace(dim=DIM)},
        vector=VectorConfig(engine="exact" if is_exact else "auto"),
        clock=ManualClock(load_sp500().closed_at(0)) if is_exact else None,
        max_memory_bytes=4 << 30,
    )
    with MemorySystem(config) as memory:
        load(memory, size)
        while memory.stats()["l2_waiting"]:
            time.sleep(0.05)
        yield memory
    shutil.rmtree(config.storage_path)  # a million take two gigabytes


def kept(memory: MemorySystem, bars: BarSeries) -> None:
    """Have a trader find bars in the memory, as if it had handled them."""
    columns = (bars.open, bars.high, bars.low, bars.close, bars.volume)
    rows = np.array(columns).T.tolist()
    keys = [f"{bars.symbol}/{at}" for at in bars.times.tolist()]
    values = dict(zip(keys, map(pack, rows), strict=True))
    memory.put_many(f"shared/paper/{NAME}/bars", values)


def timed(owner: object, name: str, seconds: list[float]) -> None:
    """Have the calls of a method timed."""
    method = getattr(owner, name)

    def run(*arguments):
        began = time.perf_counter()
        try:
            return method(*arguments)
        finally:
            seconds.append(time.perf_counter() - began)

    setattr(owner, name, run)


def test_a_bar(memory, size, results, monkeypatch):
    bars = load_sp500()
    clock = memory.clock if isinstance(memory.clock, ManualClock) else None
    feed = ReplayFeed(bars.window(BEFORE, BEFORE + WARM + BARS), clock=clock)
    swarm = Swarm(memory, AGENTS, guard=RiskGuard(memory, name=NAME))
    kept(memory, bars.head(BEFORE))
    trader = PaperTrader(memory, feed, SimulatedBroker(memory, NAME), swarm, name=NAME)
    parts: dict[str, list[float]] = {name: [] for name in PARTS}
    timed(swarm, "decide", parts["decide"])
    with monkeypatch.context() as patch:
        features = Watch.features

        def told(watch):
            began = time.perf_counter()
            found = features(watch)
            parts["features"].append(time.perf_counter() - began)
            return found

        patch.setattr(Watch, "features", told)
        timed(trader, "step", parts["whole"])
        assert sum(1 for _ in trader.run()) == WARM + BARS
    how = "index" if clock is None else "exact"
    recalled = memory.recall(text="x", namespace="swarm/liquidity/trading", top_k=1, log=False)
    # An agent has a quarter of all, and the index answers from ten thousand on.
    assert recalled.exact is (how == "exact" or size // len(AGENTS) < 10_000)
    for name, seconds in parts.items():
        nanos = [second * 1e9 for second in seconds[WARM:]]
        results.latency(f"paper/{name}_{size}_{how}/ours", nanos)


def test_features_by_the_number_of_bars(results):
    """They are computed over a window: what went before costs nothing."""
    bars = load_sp500()
    for before in (600, 5000):
        watch = Watch(bars.symbol, FeatureSettings(), 7, None)
        watch.add(bars.head(before))
        seconds = []
        for _ in range(50):
            began = time.perf_counter()
            watch.features()
            seconds.append((time.perf_counter() - began) * 1e9)
        results.latency(f"paper/features_after_{before}/ours", seconds)
