"""Who earned what: the parts add up."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets import gappy_market
from nt_memory.backtest import Costs, Settings, Sizing, Stance
from nt_memory.backtest.attribution import REST, attribution, profits
from nt_memory.backtest.engine import simulate
from nt_memory.backtest.experiment import Experiment, evaluate

TRAIN = 20
SETTINGS = Settings(train=TRAIN, resamples=100)
AGENTS = ("hedge", "trend")


def split_experiment(seed, settings=SETTINGS, regimes=(), whole=True):
    """Run an arm whose weights are the sum of what two agents drew by lot."""
    market = gappy_market(80, seed)
    rng = np.random.default_rng(seed)
    stances = {}
    for step in range(TRAIN, len(market)):
        parts = {
            agent: dict(zip(market.symbols, rng.uniform(-0.2, 0.2, 3).tolist(), strict=True))
            for agent in AGENTS
        }
        sums = {name: sum(part[name] for part in parts.values()) for name in market.symbols}
        told = parts if whole else {"hedge": parts["hedge"]}
        stances[step] = Stance(sums, contributions=told)
    weights = np.array([[s.weights[name] for name in market.symbols] for s in stances.values()])
    arms, intervals = evaluate(
        market, {"memory": weights, "no memory": np.zeros_like(weights)}, settings
    )
    return Experiment(
        market=market,
        settings=settings,
        windows=settings.windows(len(market)),
        arms=arms,
        intervals=intervals,
        stances={"memory": stances},
        regimes=regimes,
    )


@pytest.mark.parametrize(
    "sizing", [Sizing(), Sizing(sleeves=False), Sizing(volatility=0.3, window=10, most=0.4)]
)
@given(seed=st.integers(0, 10_000))
def test_the_parts_add_up_to_what_the_arm_made(sizing, seed):
    experiment = split_experiment(seed, replace(SETTINGS, sizing=sizing))
    parts = attribution(experiment, "memory")
    assert set(parts) == set(AGENTS)
    total = sum(value for part in parts.values() for value in part.values())
    assert total == pytest.approx(experiment.arms["memory"].metrics.total_return, abs=1e-10)


def test_regimes_split_the_steps_and_nothing_is_lost():
    labels = ["QUIET", "CRISIS", None, "QUIET"] * 20
    experiment = split_experiment(1, regimes=labels)
    parts = attribution(experiment, "memory")
    assert set(parts["trend"]) == {"QUIET", "CRISIS", "none"}
    every = attribution(split_experiment(1), "memory")
    for agent in AGENTS:
        assert sum(parts[agent].values()) == pytest.approx(every[agent]["all"], abs=1e-12)


def test_what_no_agent_claims_is_nobodys():
    parts = attribution(split_experiment(2, whole=False), "memory")
    assert set(parts) == {"hedge", REST}


def test_agents_that_cancel_out_earn_opposite_sums():
    market = gappy_market(60, 3, symbols=1)
    rng = np.random.default_rng(0)
    target = rng.uniform(-1, 1, (60, 1))
    run = simulate(market, 0, np.zeros((60, 1)), Costs())
    earned = profits(market, 0, run, np.stack([target, -target]), Costs())
    assert earned[0] == pytest.approx(-earned[1])
    assert np.abs(earned[0]).max() > 0.0


def test_without_contributions_there_is_nothing_to_split():
    experiment = split_experiment(1)
    assert attribution(replace(experiment, stances={}), "memory") == {}


def test_a_contribution_to_a_symbol_that_is_not_there_is_refused():
    experiment = split_experiment(1)
    odd = {TRAIN: Stance({}, contributions={"hedge": {"XXX": 1.0}})}
    with pytest.raises(ValueError, match="XXX"):
        attribution(replace(experiment, stances={"memory": odd}), "memory")
