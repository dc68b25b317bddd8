"""The three arms around the analogue agent, asked as a backtest asks them."""

from dataclasses import replace

import numpy as np
import pytest

from markets import bars_of, random_bars, thinned
from nt_memory import Filter, ManualClock, MemoryConfig, MemorySystem, VectorSpace
from nt_memory.agents import AnalogueAgent
from nt_memory.agents.evidence import of_analogues
from nt_memory.agents.opinion import DIRECTIONS
from nt_memory.agents.outcomes import Settlement
from nt_memory.backtest import Analogues, Market, Settings, Window
from nt_memory.backtest.run import walk
from nt_memory.policy import StateEncoder

FIRST = StateEncoder.warm_up
SETTINGS = Settings(seed=3, train=FIRST)
BARS = random_bars(FIRST + 60)


def walked(series, settings=SETTINGS, folder=None):
    market = Market(series)
    window = Window(range(FIRST), range(FIRST, len(market)))
    return walk(market, Analogues(), settings, window, folder)


@pytest.fixture(scope="module")
def arms():
    return walked([BARS])


def bare_decisions():
    """Ask the agent itself, bar by bar."""
    encoder, clock = StateEncoder(), ManualClock(BARS.closed_at(0))
    states = encoder.encode_all(BARS)
    config = MemoryConfig(
        cold_engine="memory",
        spaces={"state": VectorSpace(encoder.dim, encoder=encoder.id)},
        clock=clock,
        seed=SETTINGS.seed,
    )
    with MemorySystem(config) as memory:
        agent = AnalogueAgent(memory)
        settlement = Settlement(memory, {"analogue": agent.memory}, holding=SETTINGS.holding)
        for bar in range(FIRST, len(BARS)):
            at = BARS.closed_at(bar)
            clock.set(at)
            settlement.settle(BARS.head(bar + 1))
            told = {"analogue": {"embedding": states[bar].tolist()}}
            yield bar, agent.opinion("TEST", at, told)
            agent.perceive("TEST", at, told)
            settlement = Settlement(memory, {"analogue": agent.memory}, holding=SETTINGS.holding)


def test_the_arm_with_memory_is_the_agent(arms):
    for bar, opinion in bare_decisions():
        stance = arms["memory"][bar]
        assert stance.weights == {"TEST": DIRECTIONS[opinion.signal]}
        (seen,) = stance.remembered
        assert (seen.recall_id, seen.analogues) == (opinion.recall_id, opinion.precedents)
        assert seen.evidence == of_analogues(opinion.precedents)


def test_before_there_is_a_state_nothing_is_decided(arms):
    assert all(not arms["memory"][bar].weights for bar in range(FIRST))
    assert all(not arms["shuffled memory"][bar].weights for bar in range(FIRST))


def test_what_was_recalled_was_known(arms):
    recalled = [
        (bar, analogue)
        for bar, stance in arms["memory"].items()
        for seen in stance.remembered
        for analogue in seen.analogues
    ]
    assert recalled
    places = {BARS.closed_at(bar): bar for bar in range(len(BARS))}
    for bar, analogue in recalled:
        assert places[analogue.at] + SETTINGS.holding <= bar
        assert analogue.reward == BARS.outcome(places[analogue.at], SETTINGS.holding)


def test_the_placebo_sides_only_where_memory_had_enough(arms):
    for bar, stance in arms["shuffled memory"].items():
        enough = [seen.evidence is not None for seen in arms["memory"][bar].remembered]
        assert bool(stance.weights) == any(enough)


def test_the_placebo_is_another_arm_and_follows_its_seed(arms):
    other = walked([BARS], replace(SETTINGS, seed=4))
    told = [arms["memory"], arms["shuffled memory"], other["shuffled memory"]]
    weights = [[stance.weights for stance in arm.values()] for arm in told]
    assert weights[0] != weights[1] != weights[2]
    assert [s.weights for s in other["memory"].values()] == weights[0]


def test_where_all_outcomes_are_alike_the_placebo_decides_as_memory_does():
    close = 100.0 * 1.001 ** np.arange(FIRST + 40)
    arms = walked([bars_of(close, close)])
    memory, shuffled = (
        [arms[name][bar].weights.get("TEST", 0.0) for bar in range(FIRST, FIRST + 40)]
        for name in ("memory", "shuffled memory")
    )
    assert memory == shuffled
    assert memory[-1] == 1.0


def test_symbols_share_the_capital_and_recall_their_own_past(tmp_path):
    keep = [bar for bar in range(FIRST + 60) if bar % 9]
    other = thinned(random_bars(FIRST + 60, 1), "OTHER", keep)
    arms = walked([BARS, other], folder=tmp_path)
    weights = {weight for stance in arms["memory"].values() for weight in stance.weights.values()}
    assert weights <= {-0.5, 0.0, 0.5}
    for bar, stance in arms["memory"].items():
        symbols = {seen.symbol for seen in stance.remembered}
        assert ("OTHER" in symbols) == (bar in keep and keep.index(bar) >= FIRST)
    with MemorySystem(tmp_path / "store") as memory:
        for series in (BARS, other):
            found = memory.recall(
                filter=Filter(symbol=series.symbol), order_by="event_time", top_k=1000
            )
            assert len(found) == len(series) - FIRST
            times = {hit.record.event_time for hit in found}
            seen = {
                analogue.at
                for stance in arms["memory"].values()
                for told in stance.remembered
                if told.symbol == series.symbol
                for analogue in told.analogues
            }
            assert seen <= times
