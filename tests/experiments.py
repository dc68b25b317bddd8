"""Builders of small experiments for the tests, without a store."""

import numpy as np

from markets import random_bars
from nt_memory.agents import Analogue, weigh
from nt_memory.backtest import About, Market, Remembered, Settings, Stance
from nt_memory.backtest.experiment import Experiment, evaluate
from nt_memory.backtest.settings import MEMORY, PLAIN, SHUFFLED
from nt_memory.policy import StateEncoder

TRAIN = StateEncoder.warm_up + 40
TOP_K = 10
SMALL = Settings(train=TRAIN, resamples=200)


def made_up_stances(bars, settings=SMALL, seed=0):
    """Draw the analogues of every traded bar by lot."""
    rng = np.random.default_rng(seed)
    stances = {}
    for bar in range(settings.train, len(bars)):
        known = bar - settings.holding - StateEncoder.warm_up + 1
        picks = StateEncoder.warm_up + rng.choice(known, TOP_K, replace=False)
        analogues = tuple(
            Analogue(
                f"S{pick}",
                bars.closed_at(pick),
                float(rng.uniform(0.5, 1)),
                bars.outcome(pick, settings.holding),
            )
            for pick in picks.tolist()
        )
        evidence = weigh([a.reward for a in analogues], [a.similarity for a in analogues])
        remembered = Remembered(bars.symbol, f"R{bar}", analogues, evidence)
        weights = {bars.symbol: float(evidence.direction(1.0))}
        stances[bar] = Stance(weights, "made up", (remembered,))
    return stances


def made_up_experiment(bars=None, settings=SMALL, seed=0, **extras):
    """Evaluate decisions whose analogues were drawn by lot, beside two arms drawn by lot."""
    bars = random_bars(StateEncoder.warm_up + 120, seed) if bars is None else bars
    market, stances = Market([bars]), made_up_stances(bars, settings, seed)
    rng = np.random.default_rng([seed, 1])
    own = np.array([[stance.weights[bars.symbol]] for stance in stances.values()])
    weights = {
        MEMORY: own,
        PLAIN: rng.integers(-1, 2, own.shape).astype(float),
        SHUFFLED: rng.permutation(own),
    }
    arms, intervals = evaluate(market, weights, settings)
    return Experiment(
        market=market,
        settings=settings,
        windows=settings.windows(len(bars)),
        arms=arms,
        intervals=intervals,
        about=About(encoder=StateEncoder()),
        stances={MEMORY: stances},
        **extras,
    )
