"""Targets of hostile input: regimes, backtests, paper trading."""

from contextlib import contextmanager, suppress

import numpy as np

from hostile import START, name_, value, with_bad_arguments, with_bad_fields
from hostile_bars import EXTREMES, SMALL, columns_of, hostile_bars, refusing
from markets import random_bars
from nt_memory import (
    FeatureWindow,
    Ledger,
    ManualClock,
    MarketSnapshot,
    MarkovAgent,
    OrderBook,
    PaperTrader,
    Regime,
    RegimeDetectionAgent,
    ReplayFeed,
    SentimentAgent,
    SimulatedBroker,
    Swarm,
    regime_features,
)
from nt_memory.backtest import Costs, Market, Settings, Sizing, Stance, walk_forward
from nt_memory.backtest.arms import ShuffledAnalogueAgent
from nt_memory.backtest.bootstrap import sharpe_difference
from nt_memory.backtest.decay import tune_decay
from nt_memory.backtest.lookahead import check_lookahead
from nt_memory.backtest.worlds import empty_world, planted_world
from nt_memory.paper import Order
from nt_memory.regime.features import feature_table


def regimes(memory, rng):
    usual = {"agent_id": "regimes", "lookback": 40, "neighbours": 2, "hold": 2}
    bad = {rng.choice(list(usual)): value(rng)} if rng.random() < 0.3 else {}
    agent = RegimeDetectionAgent(rng.choice([memory, memory, None]), **{**usual, **bad})
    bars = hostile_bars(rng, f"R{rng.random()}")
    if rng.random() < 0.3:
        with suppress(ValueError):
            agent.fit(rng.choice([bars, bars.close]))
    name, *given = rng.choice(
        [("fit", bars), ("predict", bars), ("update", bars), ("update", 1.0), ("predict", [1.0])]
    )
    if rng.random() < 0.5:
        with_bad_arguments(rng, getattr(agent, name), *given)
    else:
        getattr(agent, name)(*given)
    agent.update(rng.choice([1.0, bars]))


def snapshots(memory, rng):
    agent = RegimeDetectionAgent(memory, lookback=40, neighbours=1)
    bars = random_bars(60, rng.randrange(9))
    book = {"bids": [(99.5, 30.0), (99.0, 1e-300)], "asks": [(100.5, rng.choice(EXTREMES))]}
    if rng.random() < 0.1:
        with_bad_fields(rng, OrderBook, **book)
    book = rng.choice([None, OrderBook(**book)])
    usual = {"symbol": "SPY", "at": START, "prices": bars.close, "volumes": bars.volume}
    odd = columns_of(rng, 60)
    usual |= rng.choice([{}, {"prices": odd["close"], "volumes": odd["volume"]}])
    snapshot = MarketSnapshot(**usual, book=book)
    if rng.random() < 0.2:
        with_bad_fields(rng, MarketSnapshot, **usual, book=book)
        snapshot.get_price_history(value(rng))
    given = rng.choice([snapshot] * 9 + [value(rng)])
    if rng.random() < 0.5:
        agent.detect_regime(given, rng.choice([None, 50, value(rng)]))
    else:
        regime, sure = rng.choice([Regime.QUIET, value(rng)]), rng.choice([1.0, value(rng)])
        agent.remember_regime(given, regime, sure, known_at=rng.choice([None, START, value(rng)]))


def numbers_of_regimes(memory, rng):
    told = columns_of(rng, 60)
    usual = (told["close"], told["volume"], None, 40)
    regime_features(*usual)
    feature_table(*usual[:2], 40)
    window = FeatureWindow(40)
    for price, volume in zip(*usual[:2], strict=True):
        window.update(price, volume)
    bad = rng.choice([regime_features, feature_table, window.update, FeatureWindow])
    given = {"update": (1.0, 1.0, None), "FeatureWindow": (40,), "feature_table": usual[:2]}
    with_bad_arguments(rng, bad, *given.get(bad.__name__, usual))


SETTINGS = {"train": 5, "holding": 2, "resamples": 100}


def settings_of_backtests(memory, rng):
    kind = rng.choice([Sizing, Costs])
    made = with_bad_fields(rng, kind)
    more = {"sizing": made} if kind is Sizing else {"costs": made}
    usual = {**SETTINGS, **rng.choice([more, {}]), "test": rng.choice([None, 5])}
    given = with_bad_fields(rng, Settings, **usual)
    given.windows(60)
    given.windows(rng.choice([100, value(rng)]))


def windows(memory, rng):
    usual = {"train": 5, "test": 5, "step": None, "embargo": 1, "holding": 1}
    bad = {name: value(rng) for name in rng.sample(list(usual), rng.choice([0, 1, 2]))}
    walk_forward(rng.choice([50, value(rng)]), **{**usual, **bad})


def worlds(memory, rng):
    made = rng.choice([empty_world, planted_world])
    bars = with_bad_arguments(rng, made, 1, 50)
    Market(rng.choice([[bars], [bars, bars], value(rng)]))


def markets(memory, rng):
    series = [hostile_bars(rng, rng.choice(["A", "A", value(rng)])), hostile_bars(rng, "B")]
    market = Market(rng.choice([series, series[:1], [*series, value(rng)]]))
    sizing = with_bad_fields(rng, Sizing) if rng.random() < 0.5 else Sizing(window=2)
    weights = np.ones((len(market), len(market.symbols)))
    assert market.prices.open.shape == weights.shape
    assert market.head(1).closing()
    sizing.positions(market, 0, weights, 3)
    with_bad_arguments(rng, market.closed_at, 0)


class Wild:
    """Decides whatever comes."""

    def __init__(self, rng):
        self.rng = rng

    def decide(self, past):
        usual = {"weights": {"TEST": 0.5}, "regime": "QUIET", "contributions": {"a": {"TEST": 0.5}}}
        if self.rng.random() < 0.95:
            return Stance(**usual)
        return self.rng.choice(
            [
                with_bad_fields(self.rng, Stance, **usual),
                Stance({name_(self.rng): value(self.rng)}),
                value(self.rng),
            ]
        )


def backtests(memory, rng):
    market = Market([random_bars(30, 1)])

    @contextmanager
    def strategies(stage):
        yield rng.choice([{"memory": Wild(rng), "no memory": Wild(rng)}] * 9 + [value(rng)])

    settings = Settings(**SETTINGS, test=rng.choice([None, 10]))
    if rng.random() < 0.8:
        cuts = rng.choice([2, [5], value(rng)])
        check_lookahead(market, strategies, settings, cuts=cuts)
    else:
        usual = {"holding": 1, "top_k": 2, "train": 2, "test": 2, "seed": 0}
        bad = {rng.choice(list(usual)): value(rng)}
        tune_decay(random_bars(30), rng.choice([[None], value(rng)]), **{**usual, **bad})


def bootstraps(memory, rng):
    usual = {"seed": 0, "resamples": 10, "level": 0.9}
    bad = {name: value(rng) for name in rng.sample(list(usual), rng.choice([0, 1, 1]))}
    arms = [np.array([rng.choice([0.0, 0.1, -0.1, 1e9]) for _ in range(25)]) for _ in "ab"]
    sharpe_difference(*arms, **{**usual, **bad})
    ShuffledAnalogueAgent(memory, seed=value(rng))


BROKER = {"name": "broker", "cash": 1000.0, "fee": 0.0001, "slippage": 0.0002}


def brokers(memory, rng):
    bad = {rng.choice(list(BROKER)): value(rng)} if rng.random() < 0.3 else {}
    bad |= (
        {"answer": rng.choice([value(rng), lambda order: value(rng)])} if rng.random() < 0.3 else {}
    )
    broker = SimulatedBroker(memory, **{**BROKER, "name": f"b{rng.randrange(9**9)}", **bad})
    usual = {"id": "o", "symbol": "X", "quantity": 1.0, "at": START}
    bars = hostile_bars(rng, "X")
    with suppress(ValueError):
        broker.fills(rng.choice([bars.head(1), bars]), 0)
    order = with_bad_fields(rng, Order, **usual)
    refusing(memory, broker.submit, rng.choice([order] * 9 + [value(rng)]))
    refusing(memory, broker.fills, *rng.choice([(bars, value(rng)), (value(rng), 0), (bars, 0)]))
    assert broker.cash() == broker.cash()
    broker.positions()


def assert_waits(seconds):
    assert 0.0 < seconds <= 1e6


def feeds(memory, rng):
    series = [hostile_bars(rng, "A"), hostile_bars(rng, rng.choice(["B", value(rng)]))]
    usual = [rng.choice([series, series[0]]), None, rng.choice([None, ManualClock(START)])]
    feed = ReplayFeed(*rng.choice([usual, [value(rng), *usual[1:]], usual[:1]]), wait=assert_waits)
    with_bad_arguments(rng, lambda speed: ReplayFeed(series[0], speed, wait=assert_waits), 1.0)
    for bar in feed.bars(rng.choice([None, START, value(rng)])):
        assert len(bar) == 1
    assert len(feed)


def traders(memory, rng):
    name = f"t{rng.randrange(9**9)}"
    feed = ReplayFeed(random_bars(2))
    usual = {"name": name, "settings": SMALL, "lookback": rng.choice([None, 40])}
    ledger = Ledger(memory)
    swarm = Swarm(memory, [MarkovAgent, SentimentAgent], ledger=ledger, holding=2)
    broker = SimulatedBroker(memory, name)
    if rng.random() < 0.4:
        usual[rng.choice(list(usual))] = value(rng)
        given = rng.choice([[memory, feed, broker, swarm], [memory, feed, value(rng), swarm]])
        PaperTrader(*given, **usual)
        return
    bars = hostile_bars(rng, rng.choice(["TEST", "TEST", value(rng)]))
    trader = PaperTrader(memory, feed, broker, swarm, **usual)
    for bar in range(min(len(bars), 4)):
        refusing(memory, trader.step, bars.window(bar, bar + 1))
    refusing(memory, trader.step, rng.choice([bars, value(rng)]))


MARKET_TARGETS = [
    *(regimes, snapshots, numbers_of_regimes, settings_of_backtests, windows, worlds, markets),
    *(backtests, bootstraps, brokers, feeds, traders),
]
