"""The swarm in a backtest: three arms that differ in what they remember alone."""

import numpy as np
import pytest

from markets import gappy_market, random_bars
from nt_memory import (
    AnalogueAgent,
    AnalogueLimits,
    ManualClock,
    MemoryConfig,
    MemorySystem,
    Swarm,
    VectorSpace,
)
from nt_memory.agents.markov import MarkovAgent
from nt_memory.agents.wyckoff import WyckoffAgent
from nt_memory.backtest import Market, Settings, Swarms, check_lookahead, run_backtest
from nt_memory.backtest.arms import shuffled
from nt_memory.backtest.attribution import attribution
from nt_memory.backtest.settings import MEMORY, PLAIN, SHUFFLED

TWO = Swarms((MarkovAgent, WyckoffAgent))
SETTINGS = Settings(train=330, resamples=100)
MARKET = Market([random_bars(460)])


def run(folder, strategies=TWO, market=MARKET, settings=SETTINGS):
    return run_backtest(market, strategies, settings, folder, about=strategies.about)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return run(tmp_path_factory.mktemp("swarm") / "run")


def test_the_arms_take_the_same_sides_and_differ_in_how_much(made):
    experiment = made.experiment
    of = {arm: experiment.arms[arm].weights[:, 0] for arm in (MEMORY, PLAIN, SHUFFLED)}
    assert np.abs(of[PLAIN]).max() > 0.0
    for arm in (MEMORY, SHUFFLED):
        both = (of[arm] != 0.0) & (of[PLAIN] != 0.0)
        assert (np.sign(of[arm][both]) == np.sign(of[PLAIN][both])).mean() > 0.9
        assert (of[arm] != of[PLAIN]).any()
        ratio = of[arm][both] / of[PLAIN][both]
        # Two votes of one side differ by what memory may do to one; against each other, by more.
        assert np.median(np.abs(ratio - 1.0)) < 0.3


def test_what_the_agents_contributed_adds_up_to_what_the_arm_made(made):
    for arm in (MEMORY, PLAIN, SHUFFLED):
        parts = attribution(made.experiment, arm)
        assert {"markov", "wyckoff"} <= set(parts)
        total = sum(sum(of.values()) for of in parts.values())
        assert total == pytest.approx(made.experiment.arms[arm].metrics.total_return, abs=1e-12)


def test_the_same_run_gives_the_same_bytes(made, tmp_path):
    again = run(tmp_path / "run")
    for name in ("run_card.json", "returns.csv", "report.html"):
        assert (again.folder / name).read_bytes() == (made.folder / name).read_bytes()


def test_no_arm_reads_the_future():
    market = Market([random_bars(400)])
    assert not check_lookahead(market, TWO, Settings(train=330, resamples=100), cuts=2)


def test_several_symbols_share_the_capital(tmp_path):
    market = gappy_market(620, seed=3, symbols=2)
    settings = Settings(train=560, resamples=100)
    weights = (
        run(tmp_path / "run", market=market, settings=settings).experiment.arms[MEMORY].weights
    )
    assert (np.abs(weights) <= 0.5).all()
    assert (np.abs(weights).max(axis=0) > 0.0).all()


def test_the_report_tells_which_precedents_a_decision_had(made):
    stances = made.experiment.stances[MEMORY].values()
    told = [each for stance in stances for each in stance.remembered if each.evidence]
    assert told
    for remembered in told:
        days = [analogue.at for analogue in remembered.analogues]
        assert days == sorted(days)
        assert len(days) <= 10
    page = (made.folder / "report.html").read_text(encoding="utf-8")
    assert "Cites recall" in page


WITH_ANALOGUES = Swarms((MarkovAgent, AnalogueAgent))


@pytest.fixture(scope="module")
def recalling(tmp_path_factory):
    return run(tmp_path_factory.mktemp("recalling") / "run", WITH_ANALOGUES).experiment


def test_an_agent_that_votes_with_memory_is_silent_without(recalling):
    assert "analogue" in attribution(recalling, MEMORY)
    plain = recalling.stances[PLAIN].values()
    assert not any(any(stance.contributions["analogue"].values()) for stance in plain)
    told = [each for s in recalling.stances[MEMORY].values() for each in s.remembered]
    assert any(each.evidence is not None for each in told)
    assert all(analogue.similarity < 1.0 for each in told for analogue in each.analogues)


def test_its_placebo_recalls_the_same_states_and_is_told_other_outcomes():
    bars = random_bars(20)
    states = np.random.default_rng(1).normal(size=(20, 8))
    recalled = {}
    for kind in (AnalogueAgent, shuffled(AnalogueAgent, 1)):
        clock = ManualClock(bars.closed_at(0))
        spaces = {"state": VectorSpace(8)}
        config = MemoryConfig(cold_engine="memory", spaces=spaces, clock=clock, seed=0)
        with MemorySystem(config) as memory:
            swarm = Swarm(memory, [kind(memory, limits=AnalogueLimits(top_k=5))])
            for bar in range(20):
                clock.set(bars.closed_at(bar))
                features = {"analogue": {"embedding": states[bar].tolist()}}
                made = swarm.decide(bars.head(bar + 1), features)
            found = made.acts["analogue"].context["base"].precedents
            known = {
                state.id: state.outcome.reward
                for state in memory.records(namespace="swarm/analogue/states")
                if state.outcome is not None
            }
            recalled[kind] = [(each.id, each.similarity) for each in found]
            own = [known[each.id] == each.reward for each in found]
            assert all(own) == (kind is AnalogueAgent)
            assert {each.reward for each in found} <= set(known.values())
    first, second = recalled.values()
    assert first == second
    assert len(first) == 5


def test_no_arm_with_analogues_reads_the_future():
    market = Market([random_bars(430)])
    assert not check_lookahead(market, WITH_ANALOGUES, Settings(train=390, resamples=100), cuts=2)


class Own(AnalogueAgent):
    """One with limits and a name of its own."""

    name = "own"
    limits = AnalogueLimits(top_k=4, threshold=0.0)


def test_the_placebo_of_an_agent_of_ones_own_has_its_limits_and_its_name():
    kind = shuffled(Own, 3)
    assert (kind.name, kind.limits, kind.seed) == ("own", Own.limits, 3)
    assert shuffled(MarkovAgent, 3) is MarkovAgent
    about = Swarms((Own,)).about
    assert about.encoder is not None
    assert any("the 4 most similar earlier states" in told for _, told in about.how)


def test_days_on_which_nothing_was_held_are_told_with_what_was_recalled(recalling):
    stances = recalling.stances[MEMORY].values()
    flat = [s for s in stances if s.remembered and not any(s.weights.values())]
    assert any(each.evidence is not None for stance in flat for each in stance.remembered)
