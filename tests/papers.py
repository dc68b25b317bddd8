"""Builders for paper trading: small feeds, swarms that are told what to decide, stores that die."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from markets import random_bars
from nt_memory import (
    FeatureSettings,
    LiquidityAgent,
    ManualClock,
    MarkovAgent,
    MemoryConfig,
    MemorySystem,
    OrderRefusedError,
    PaperTrader,
    ReplayFeed,
    RiskGuard,
    RiskLimits,
    SentimentAgent,
    SimulatedBroker,
    Swarm,
    VectorSpace,
    WyckoffAgent,
)
from nt_memory._values import unpack
from nt_memory.paper.state import PaperState

NAME = "desk"
# Features that are told after a few bars.
SMALL = FeatureSettings(
    score_window=6,
    liquidity_window=2,
    profile_window=4,
    momentum_window=2,
    volatility_window=2,
    trend_window=3,
    range_window=4,
    state_window=4,
    transition_window=4,
)
_ULID = re.compile(r"\b[0-9A-HJKMNP-TV-Z]{26}\b")


class KilledError(BaseException):
    """The process is no more."""


class DyingStore:
    """A store whose n-th commit never happens, as if the process had been killed before it."""

    def __init__(self, inner, at=0):
        self.inner = inner
        self.at = at
        self.commits = 0

    def commit(self, ops, /, *, dry_run=False):
        self.commits += 1
        if self.commits == self.at:
            raise KilledError
        return self.inner.commit(ops, dry_run=dry_run)

    def __getattr__(self, name):
        return getattr(self.inner, name)


class Told:
    """A swarm that decides what it is told, a weight a bar and symbol in turn."""

    def __init__(self, weights, holding=1):
        self.holding = holding
        self.weights = {symbol: list(row) for symbol, row in weights.items()}
        self.times = {}

    def decide(self, past, features, regime=None):
        times = self.times.setdefault(past.symbol, [])
        if int(past.times[-1]) not in times:
            times.append(int(past.times[-1]))
        row = self.weights[past.symbol]
        weight = row[min(len(times), len(row)) - 1]
        signal = "long" if weight > 0 else "short" if weight < 0 else "neutral"
        return SimpleNamespace(
            weight=weight, decision=SimpleNamespace(signal=signal, why="it was told")
        )


class Fragile(MarkovAgent):
    """Raises at its seventh decision on a symbol."""

    raises_at = 7

    def opinion(self, symbol, bar_time, features):
        day = int(bar_time.timestamp()) // 86_400
        if day == self.raises_at:
            msg = "out of order"
            raise ArithmeticError(msg)
        return super().opinion(symbol, bar_time, features)


class ForgetfulBroker(SimulatedBroker):
    """Keeps its book in Python only."""

    book = None

    def _read(self):
        row, book = super()._read()
        if self.book is None:
            self.book = book
        return row, self.book

    def _write(self, row, book, ops):
        super()._write(row, {**book, "cash": self._cash, "positions": {}}, ops)
        self.book = book


def moody(order):
    """Refuse some orders and fill some in half, the same ones whenever asked."""
    day = int(order.at.timestamp()) // 86_400
    if day % 5 == 0:
        msg = "not today"
        raise OrderRefusedError(msg)
    return 0.5 if day % 3 == 0 else 1.0


def series(count, symbols=1, seed=0):
    """Return random bars of so many symbols."""
    return [
        replace(random_bars(count, seed + place), symbol=f"S{place}") for place in range(symbols)
    ]


def open_on(store, clock):
    """Open a memory on a store that outlasts it."""
    spaces = {"text": VectorSpace(dim=32)}
    config = MemoryConfig(cold_engine="memory", spaces=spaces, seed=7, clock=clock)
    return MemorySystem(config) if store is None else MemorySystem(config, store=store)


def swarm(memory, agents=(LiquidityAgent, SentimentAgent, WyckoffAgent, Fragile)):
    """Return a swarm that is quick to trade, to pause and to bench."""
    guard = RiskGuard(memory, name=NAME, limits=RiskLimits(losses=2, pause=2 * 86_400.0))
    return Swarm(memory, agents, holding=2, guard=guard, bench=3)


def trader(
    memory,
    market,
    clock=None,
    broker=SimulatedBroker,
    decides=None,
    feed=ReplayFeed,
    **options,
):
    """Return a trader with all that belongs to it."""
    return PaperTrader(
        memory,
        feed(market, clock=clock),
        broker(memory, NAME, **({"answer": moody} if decides is None else {})),
        swarm(memory) if decides is None else decides,
        name=NAME,
        settings=SMALL,
        **{"lookback": None, **options},
    )


def start():
    """Return a clock before all bars."""
    return ManualClock(random_bars(1).closed_at(0).replace(year=1970, month=1, day=1))


def traded(memory):
    """Return what a trader and its agents have left in a memory, without what is drawn by lot."""
    store = memory.store
    records = []
    for id_ in store.select():
        for raw in store.versions(id_):
            plain = replace(raw, recorded_at=0, commit=0, embeddings={}, payload=None)
            payload = None if raw.payload is None else unpack(raw.payload)
            if raw.kind == "risk":
                payload = without_commit(payload)
            records.append(_ULID.sub("*", f"{plain} {payload}"))
    space = f"shared/paper/{NAME}"
    rows = {
        (name, key): memory.get(name, key)
        for name in (f"{space}/bars", f"{space}/equity", f"{space}/broker")
        for key in memory.keys(name)[0]
    }
    for key in memory.keys("shared/risk")[0]:
        rows["shared/risk", key] = without_commit(unpack(memory.get("shared/risk", key)))
    state = replace(PaperState.of(memory.get(space, "state")), generation=0)
    return {"records": sorted(records), "rows": rows, "state": state}


def without_commit(guard):
    """Return what a guard knows without the number of a commit: a restart makes more of them."""
    at, _, id_ = guard["told"]
    return {**guard, "told": [at, id_]}


def by_hand(bars, weights, cash=100_000.0, fee=0.0001, slippage=0.0002, share=1.0, holding=1):
    """Return the equity at each close of a market of one symbol, added up in the plain way."""
    found, shares, missing = [], 0.0, 0.0
    for bar in range(len(bars)):
        bought = missing * share
        price = bars.open[bar] * (1 + slippage * np.sign(bought))
        cash -= bought * price + fee * abs(bought) * price
        shares += bought
        equity = cash + shares * bars.close[bar]
        found.append(equity)
        target = sum(weights[max(bar - holding + 1, 0) : bar + 1]) / holding
        missing = target * max(equity, 0.0) / bars.close[bar] - shares
    return found
