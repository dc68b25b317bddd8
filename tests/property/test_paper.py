"""Equity of paper trading, over any bars and decisions, whenever it is begun again."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markets import random_bars
from nt_memory import SimulatedBroker
from nt_memory.backtest import Costs, Market, Sizing
from nt_memory.backtest.engine import simulate
from papers import Told, by_hand, open_on, start, trader

weights = st.floats(-1.0, 1.0)
costs = st.floats(0.0, 0.1)


@settings(max_examples=40)
@given(
    st.integers(0, 10_000),
    st.lists(weights, min_size=1, max_size=25),
    st.integers(1, 5),
    costs,
    costs,
    st.floats(0.0, 1.0),
    st.sets(st.integers(0, 24)),
)
def test_the_equity_is_that_of_a_computation_by_hand(
    seed, decided, holding, fee, slippage, share, restarts
):
    bars = random_bars(len(decided), seed)
    expected = by_hand(bars, decided, 5000.0, fee, slippage, share, holding)
    decides, clock, found = Told({"TEST": decided}, holding), start(), []

    def broker(memory, name):
        return SimulatedBroker(
            memory, name, cash=5000.0, fee=fee, slippage=slippage, answer=lambda _: share
        )

    with open_on(None, clock) as memory:
        made = trader(memory, bars, clock, broker, decides)
        for bar in range(len(bars)):
            if bar in restarts:
                made = trader(memory, bars, clock, broker, decides)
            found.append(made.step(bars.window(bar, bar + 1)).equity)
    assert found == pytest.approx(expected, rel=1e-9)


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.lists(weights, min_size=2, max_size=25), st.integers(1, 5))
def test_without_gaps_and_costs_it_is_the_equity_of_a_backtest(seed, decided, holding):
    """Paper trading sizes at the close what a backtest sizes at the next open."""
    bars = random_bars(len(decided), seed)
    opened = np.concatenate([bars.open[:1], bars.close[:-1]])
    low, high = np.minimum(bars.low, opened), np.maximum(bars.high, opened)
    bars = replace(bars, open=opened, low=low, high=high)
    market = Market([bars])
    targets = Sizing().positions(market, 0, np.array(decided)[:, None], holding)
    expected = 100_000.0 * np.cumprod(1.0 + simulate(market, 0, targets, Costs(0.0, 0.0)).returns)

    def broker(memory, name):
        return SimulatedBroker(memory, name, fee=0.0, slippage=0.0)

    clock = start()
    with open_on(None, clock) as memory:
        made = trader(memory, bars, clock, broker, Told({"TEST": decided}, holding))
        found = [step.equity for step in made.run()]
    assert found[1:] == pytest.approx(expected.tolist(), rel=1e-9)


@settings(max_examples=10)
@given(st.integers(0, 10_000), st.integers(1, 11))
def test_what_comes_later_changes_nothing_before(seed, cut):
    bars, other = random_bars(12, seed), random_bars(12, seed + 1)
    times = bars.times

    def decisions(market):
        clock = start()
        with open_on(None, clock) as memory:
            feed = trader(memory, market, clock, decides=Told({"TEST": [0.5, -1.0]}))
            return [replace(step, refused=None) for step in feed.run()]

    mixed = replace(
        bars,
        **{
            name: [*getattr(bars, name)[:cut], *getattr(other, name)[cut:]]
            for name in ("open", "high", "low", "close", "volume")
        },
    )
    assert (mixed.times == times).all()
    assert decisions(bars)[:cut] == decisions(mixed)[:cut]
