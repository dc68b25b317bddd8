"""Builders of small experiments for the tests, without a store."""

import numpy as np

from markets import random_bars
from nt_memory.agents import Analogue, Decision, weigh
from nt_memory.backtest.experiment import Settings, evaluate
from nt_memory.policy import StateEncoder

SMALL = Settings(burn_in=40, resamples=200)


def made_up_experiment(bars=None, settings=SMALL, seed=0):
    """Evaluate decisions whose analogues were drawn by lot."""
    bars = random_bars(StateEncoder.warm_up + 120, seed) if bars is None else bars
    rng = np.random.default_rng(seed)
    decisions = []
    for bar in range(StateEncoder.warm_up, len(bars)):
        known = bar - settings.holding - StateEncoder.warm_up + 1
        at = bars.closed_at(bar)
        if known < settings.top_k:
            decisions.append(Decision(f"S{bar}", at, 0, None, f"R{bar}", ()))
            continue
        picks = StateEncoder.warm_up + rng.choice(known, settings.top_k, replace=False)
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
        direction = evidence.direction(settings.threshold)
        decisions.append(Decision(f"S{bar}", at, direction, evidence, f"R{bar}", analogues))
    return evaluate(bars, decisions, settings)
