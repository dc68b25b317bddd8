"""Builders of what agents are told, and of markets that they trade."""

from dataclasses import fields, replace

import numpy as np

from builders import START
from markets import random_bars
from nt_memory import (
    HedgeAgent,
    LiquidityAgent,
    MarkovAgent,
    MemoryAwareAgent,
    Opinion,
    RiskGuard,
    RiskLimits,
    SentimentAgent,
    Swarm,
    WyckoffAgent,
)
from nt_memory.agents.outcomes import outcome_id
from nt_memory.agents.trading_item import TradingMemoryItem
from nt_memory.agents.trading_memory import TradingMemoryStore
from nt_memory.clock import to_micros
from nt_memory.market import BarSeries

DAY_US = 86_400_000_000


def hedge(gamma=0.0, flow=0.0, move=0.0):
    told = {"net_gamma_exposure": gamma, "smart_flow_signal": flow, "move": move}
    return {"hedge": told}


def liquidity(amihud=0.0, kyle_lambda=0.0, position=0.5):
    profile = {
        "point_of_control": 100.0,
        "value_area_low": 99.0,
        "value_area_high": 101.0,
        "position": position,
    }
    told = {"amihud": amihud, "kyle_lambda": kyle_lambda, "volume_profile": profile}
    return {"liquidity": told}


def sentiment(momentum=0.0, trend_strength=0.5, volatility=0.0):
    told = {"momentum": momentum, "volatility": volatility, "trend_strength": trend_strength}
    return {"sentiment": told}


def wyckoff(accumulation=0.0, *, spring=False, upthrust=False):
    told = {
        "ad_line": 10.0,
        "accumulation": accumulation,
        "range_low": 95.0,
        "range_high": 105.0,
        "spring": spring,
        "upthrust": upthrust,
    }
    return {"wyckoff": told}


def markov(up=0.33, down=0.33, samples=100, state="flat"):
    told = {"state": state, "probability_up": up, "probability_down": down, "samples": samples}
    return {"markov": told}


def everything(seed, bar):
    """Tell all groups of a bar, so that agents take sides and take note often."""
    rng = np.random.default_rng([seed, bar])
    z = rng.normal(0.0, 1.5, 6)
    up = rng.uniform(0.1, 0.6)
    return {
        **hedge(rng.uniform(-1.0, 0.2), rng.uniform(0.0, 1.0), 2.0 * z[0]),
        **liquidity(z[1], z[2], 0.5 + z[3]),
        **sentiment(z[4], z[4] + 0.3 * z[5], z[5]),
        **wyckoff(rng.uniform(-0.4, 0.4), spring=z[0] > 2.0, upthrust=z[0] < -2.0),
        **markov(up, 0.8 - up),
    }


def market(count, seed, symbol):
    """Build daily bars from the first day of the tests' calendar on."""
    made = random_bars(count, seed)
    times = to_micros(START) + DAY_US * np.arange(count)
    columns = {field.name: getattr(made, field.name) for field in fields(made)}
    return BarSeries(**{**columns, "symbol": symbol, "times": times})


class Fickle(MemoryAwareAgent):
    """Goes with the drift, and raises at some bars."""

    name = "fickle"

    def opinion(self, symbol, bar_time, features):
        momentum = features["sentiment"]["momentum"]
        if momentum > 2.0:
            msg = "beyond my table"
            raise LookupError(msg)
        return Opinion("long" if momentum > 0.0 else "short", 0.5, "drift", "drift")


CREW = (HedgeAgent, LiquidityAgent, SentimentAgent, WyckoffAgent, MarkovAgent, Fickle)
# So that a guard steps in within a few bars.
TIGHT = RiskLimits(losses=3, pause=3 * 86_400.0, drawdown=0.001, deepest=0.05)


def swarm(memory, crew=CREW, kind=Swarm, **options):
    """Build a swarm that holds two bars and whose agents sit out three."""
    guard = RiskGuard(memory, limits=TIGHT)
    return kind(memory, crew, **{"holding": 2, "bench": 3, "guard": guard, **options})


def outcome(memory, agent, at, pnl=1.0, symbol="SPY", trade_id="t", regime=None, **more):
    """Write an outcome as the agents write it, with whatever times."""
    store = TradingMemoryStore(memory, agent_id=agent)
    told = {"trade_id": trade_id, "pnl": pnl, **more}
    item = TradingMemoryItem("outcome", "it ended", 1.0, symbol, told, at, outcome_id(trade_id))
    return memory.remember(store.record(item, regime=regime))


def told(made):
    """Return a decision without what is made by counting: the ids of recalls."""
    acts = {
        name: act._replace(context={**act.context, "recall_id": ""})
        for name, act in made.acts.items()
    }
    return replace(made, acts=acts)
