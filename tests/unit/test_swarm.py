"""The swarm: one decision a bar and symbol, made once, whatever happens."""

import logging
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from builders import day
from conftest import open_memory
from nt_memory import (
    Composer,
    Filter,
    Ledger,
    ManualClock,
    MemoryAwareAgent,
    MemorySystem,
    Opinion,
    RiskGuard,
    RiskLimits,
    SentimentAgent,
    ShuffledLedger,
    Swarm,
    Thresholds,
    TradingMemoryItem,
    TradingMemoryStore,
    WyckoffAgent,
)
from nt_memory.agents.outcomes import decision_id
from trading import CREW, everything, market, sentiment, swarm, told, wyckoff

BARS = market(30, 5, "SPY")


class Failing(MemoryAwareAgent):
    """Raises at some bars; long else."""

    name = "failing"
    at = frozenset({2})

    def opinion(self, symbol, bar_time, features):
        if (bar_time - day(0)).days in self.at and symbol == "SPY":
            msg = "no data"
            raise OSError(msg)
        return Opinion("long", 0.5, "always")


def run(trading, clock, bars=BARS, until=10, features=None):
    """Decide bar by bar; return the decisions."""
    made = []
    for bar in range(until):
        clock.set(max(day(10), day(bar)))
        known = everything(1, bar) if features is None else features
        made.append(trading.decide(bars.head(bar + 1), known, "CALM"))
    return made


@pytest.fixture
def quiet(caplog):
    caplog.set_level(logging.CRITICAL, "nt_memory.agents")
    return caplog


# A bar


def test_a_bar_is_one_decision_with_its_votes_in_one_batch(memory):
    trading = Swarm(memory, [SentimentAgent, WyckoffAgent])
    before = memory.stats()["commits"]
    made = trading.decide(BARS.head(1), {**sentiment(1.5), **wyckoff(0.2)}, "CALM")
    assert memory.stats()["commits"] == before + 1
    assert {name: act.signal for name, act in made.acts.items()} == {
        "sentiment": "long",
        "wyckoff": "long",
    }
    assert made.weight == pytest.approx((0.6 + 0.55) / 2)
    assert made.contributions == {
        "sentiment": pytest.approx(0.3),
        "wyckoff": pytest.approx(0.275),
    }
    kept = memory.get_record(made.id)
    assert kept.namespace == "swarm/composer/trading"
    assert kept.attributes["weight"] == made.weight
    assert set(kept.provenance.parents) == {act.context["trade_id"] for act in made.acts.values()}


def test_each_agent_is_shown_the_group_of_its_name(memory):
    trading = Swarm(memory, [SentimentAgent, WyckoffAgent])
    trading.decide(BARS.head(1), {**sentiment(2.0), **wyckoff(0.2)})
    kinds = [(record.agent_id, record.kind) for record in memory.records(namespace="swarm")]
    assert ("sentiment", "sentiment_extreme") in kinds
    assert ("wyckoff", "sentiment_extreme") not in kinds


def test_nobody_says_anything(memory):
    made = Swarm(memory).decide(BARS.head(1), {})
    assert (made.decision.signal, made.weight) == ("neutral", 0.0)
    assert math.fsum(made.contributions.values()) == 0.0
    assert len(made.acts) == 5


def test_what_was_decided_can_be_asked_for(memory, clock, quiet):
    trading = swarm(memory)
    decisions = run(trading, clock, until=12)
    for bar, made in enumerate(decisions):
        assert swarm(memory).decided("SPY", day(bar)) == made
    assert trading.decided("SPY", day(20)) is None
    assert trading.decided("QQQ", day(3)) is None


def test_a_bar_is_decided_once(memory, clock, quiet):
    trading = swarm(memory)
    decisions = run(trading, clock, until=12)
    before = memory.stats()["commits"]
    # Other features, another guard: what was decided stands.
    again = swarm(memory, guard=RiskGuard(memory, name="another"))
    again.settle(BARS.head(12))
    before = memory.stats()["commits"]
    for bar, made in enumerate(decisions):
        assert again.decide(BARS.head(bar + 1), everything(9, bar), "WILD") == made
    assert memory.stats()["commits"] == before


def test_several_symbols_do_not_mix(memory, clock, quiet):
    other = market(30, 6, "QQQ")
    alone = [told(made) for made in run(swarm(memory, CREW, guard=None), clock, until=8)]
    with_other = swarm(memory, CREW, guard=None)
    assert [told(made) for made in run(with_other, clock, other, until=8)] != alone
    again = [with_other.decided("SPY", day(bar)) for bar in range(8)]
    assert [told(made) for made in again] == alone


def test_symbols_in_turn_decide_as_each_alone(open_on, quiet):
    """Without a guard, which sees all, what one symbol does is nothing to another."""
    series = [market(12, seed, symbol) for seed, symbol in ((5, "SPY"), (6, "B.B"))]
    alone = {}
    for bars in series:
        clock = ManualClock(day(0))
        with open_on(clock) as memory:
            made = run(swarm(memory, guard=None), clock, bars, 12)
            alone[bars.symbol] = [told(each) for each in made]
    clock = ManualClock(day(0))
    with open_on(clock) as memory:
        trading = swarm(memory, guard=None)
        for bar in range(12):
            for bars in series:
                made = trading.decide(bars.head(bar + 1), everything(1, bar), "CALM")
                assert told(made) == alone[bars.symbol][bar]


@pytest.mark.parametrize("store_kind", ["native"])
def test_threads_take_turns(memory, quiet):
    series = [market(12, seed, f"S{seed}") for seed in range(4)]
    trading = swarm(memory, guard=None)

    def go(bars):
        return [
            told(trading.decide(bars.head(bar + 1), everything(1, bar), "CALM"))
            for bar in range(12)
        ]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(go, series))
    with open_memory("native", ManualClock(day(10))) as other:
        trading = swarm(other, guard=None)
        assert found == [go(bars) for bars in series]


def test_a_directory_that_is_opened_again_goes_on(tmp_path, quiet):
    def days(memory, clock, first, last):
        trading, made = swarm(memory), []
        for bar in range(first, last):
            clock.set(day(bar))
            made.append(told(trading.decide(BARS.head(bar + 1), everything(1, bar), "CALM")))
        return made

    clock = ManualClock(day(0))
    with MemorySystem(tmp_path / "unbroken", clock=clock) as memory:
        unbroken = days(memory, clock, 0, 12)
    broken = []
    clock = ManualClock(day(0))
    for first in range(0, 12, 3):
        with MemorySystem(tmp_path / "broken", clock=clock) as memory:
            broken += days(memory, clock, first, first + 3)
            assert memory.verify() == []
    assert broken == unbroken


# Agents that raise


def test_an_agent_that_raises_is_logged_and_benched_and_the_others_go_on(memory, clock, caplog):
    trading = Swarm(memory, [Failing, WyckoffAgent], bench=3, holding=2)
    decisions = run(trading, clock, until=8, features=wyckoff(0.2))
    assert [sorted(made.acts) for made in decisions] == [
        ["failing", "wyckoff"],
        ["failing", "wyckoff"],
        ["wyckoff"],
        ["wyckoff"],
        ["wyckoff"],
        ["wyckoff"],
        ["failing", "wyckoff"],
        ["failing", "wyckoff"],
    ]
    assert [made.benched for made in decisions] == [(), (), (), *[("failing",)] * 3, (), ()]
    assert all(made.decision.signal == "long" for made in decisions)
    [warning] = caplog.records
    assert "failing raised" in warning.getMessage()
    [noted] = TradingMemoryStore(memory, agent_id="failing").get_recent("agent_error")
    assert noted.content == "failing raised OSError: no data"
    assert noted.score == 2.0


def test_a_bench_outlasts_a_restart(memory, clock, quiet):
    decisions = []
    for bar in range(8):
        trading = Swarm(memory, [Failing, WyckoffAgent], bench=3, holding=2)
        decisions.append(trading.decide(BARS.head(bar + 1), wyckoff(0.2)))
    assert [made.benched for made in decisions] == [(), (), (), *[("failing",)] * 3, (), ()]


def test_a_bench_is_of_one_symbol(memory, clock, quiet):
    trading = Swarm(memory, [Failing, WyckoffAgent], bench=3, holding=2)
    other = market(30, 6, "QQQ")
    for bar in range(5):
        trading.decide(BARS.head(bar + 1), wyckoff(0.2))
        assert "failing" in trading.decide(other.head(bar + 1), wyckoff(0.2)).acts


def test_without_a_bench_it_is_asked_again_at_the_next_bar(memory, clock, quiet):
    trading = Swarm(memory, [Failing], bench=0)
    decisions = run(trading, clock, until=4, features={})
    assert [sorted(made.acts) for made in decisions] == [["failing"], ["failing"], [], ["failing"]]
    assert decisions[2].decision.why == "no votes"


class Liar(MemoryAwareAgent):
    """Thinks what cannot be voted."""

    name = "liar"

    def opinion(self, symbol, bar_time, features):
        return Opinion("neutral", 0.1, "as it is")

    def think(self, symbol, bar_time, features, regime=None):
        thought = super().think(symbol, bar_time, features, regime)
        return thought._replace(act=thought.act._replace(confidence=7.0))


class Silent(MemoryAwareAgent):
    """Says nothing at all."""

    name = "silent"

    def opinion(self, symbol, bar_time, features):
        return None


class Scribe(MemoryAwareAgent):
    """Notes what cannot be kept."""

    name = "scribe"

    def opinion(self, symbol, bar_time, features):
        return Opinion("neutral", 0.1, "as it is")

    def notable(self, symbol, bar_time, features):
        return [TradingMemoryItem("pattern", "a set", metadata={"seen": {1, 2}})]


@pytest.mark.parametrize("kind", [Liar, Silent, Scribe])
def test_an_agent_that_says_what_cannot_be_is_benched(memory, quiet, kind):
    made = Swarm(memory, [kind, WyckoffAgent]).decide(BARS.head(1), wyckoff(0.2))
    assert list(made.acts) == ["wyckoff"]
    assert made.weight == 0.55
    assert memory.get_record(decision_id(kind.name, "SPY", day(0))) is None


@pytest.mark.parametrize("name", ["ledger", "composer", "guard"])
def test_what_a_swarm_is_made_of_is_checked_when_it_is_made(memory, name):
    with pytest.raises(TypeError, match=f"{name}='it'"):
        Swarm(memory, **{name: "it"})


# The loop


def test_decisions_of_agents_and_of_the_swarm_are_settled(memory, clock):
    trading = Swarm(memory, [SentimentAgent, WyckoffAgent], holding=2)
    features = {**sentiment(1.5), **wyckoff(-0.2)}
    run(trading, clock, until=5, features=features)
    move = 100.0 * BARS.outcome(0, 2)
    ledger = Ledger(memory)
    assert ledger.pnl(day(2), agent="sentiment") == pytest.approx([move])
    assert ledger.pnl(day(2), agent="wyckoff") == pytest.approx([-move])
    assert ledger.pnl(day(2), agent="composer") == []  # 0.025 lies below the threshold
    assert trading.settle(BARS.head(5)) == 0


def test_what_was_forgotten_stops_nobody(memory, clock, quiet):
    trading = swarm(memory)
    made = run(trading, clock, until=6)
    memory.forget([made[4].id, *(act.context["trade_id"] for act in made[4].acts.values())])
    memory.forget(decision_id("composer", "SPY", day(2)))
    again = swarm(memory)
    for either in (trading, again):
        either.settle(BARS.head(8))
    assert again.decide(BARS.head(8), everything(1, 7)).at == day(7)


def test_a_placebo_holds_for_agents_and_weights(memory):
    trading = Swarm(memory, ledger=ShuffledLedger(memory))
    assert all(agent.ledger is trading.ledger for agent in trading.agents.values())


# The guard


class Always(MemoryAwareAgent):
    """Long at every bar."""

    name = "always"

    def opinion(self, symbol, bar_time, features):
        return Opinion("long", 1.0, "always")


FALLING = replace(
    market(30, 5, "SPY"),
    **{
        name: 100.0 * 0.99 ** (2.0 * np.arange(30) + shift)
        for name, shift in (("open", 0), ("high", 0), ("low", 1), ("close", 1))
    },
)


def falling(memory, clock, limits, until, guard=None):
    guard = guard or RiskGuard(memory, limits=limits)
    trading = Swarm(memory, [Always], holding=2, guard=guard, composer=Composer())
    made = []
    for bar in range(until):
        clock.set(max(day(10), day(bar)))
        made.append(trading.decide(FALLING.head(bar + 1), {}))
    return [each.weight for each in made], guard.state


def test_a_guard_pauses_a_losing_swarm_and_counts_what_was_held_alone(memory, clock):
    limits = RiskLimits(losses=3, pause=4 * 86_400.0, drawdown=0.9, deepest=1.0)
    weights, state = falling(memory, clock, limits, 14)
    # Decided on days 0 to 4 and known two days later: the third loss is that of day 2, on day 4.
    held = [weight > 0.0 for weight in weights]
    assert held == [True] * 4 + [False] * 4 + [True] * 4 + [False] * 2
    # Those of day 3 ended within the pause, those of days 4 to 7 were not held,
    # those of days 8 to 11 are four more.
    assert state.outcomes == 4 + 4


def test_a_guard_holds_less_after_a_fall(memory, clock):
    limits = RiskLimits(losses=99, drawdown=0.01, deepest=0.10, least=0.5)
    weights, state = falling(memory, clock, limits, 10)
    assert weights[0] == 1.0
    assert weights[-1] < 1.0
    assert weights == sorted(weights, reverse=True)
    # Each of two sleeves has half of the equity.
    first = 1.0 + 0.5 * FALLING.outcome(0, 2)
    second = RiskGuard(memory, name="by hand", limits=limits)
    second.outcome(-1.0, day(2), equity=first)
    assert weights[2] == pytest.approx(second.exposure(day(2)))
    assert state.equity < first


def test_a_guard_without_a_memory_is_told_all_again_after_a_restart(memory, clock):
    limits = RiskLimits(losses=99, drawdown=0.01, deepest=0.10)
    _, state = falling(memory, clock, limits, 10)
    bare = RiskGuard(limits=limits)
    Swarm(memory, [Always], holding=2, guard=bare).settle(FALLING.head(10))
    assert bare.state == state


def test_a_guard_that_comes_later_is_told_what_was_written_before(memory, clock):
    trading = Swarm(memory, [Always], holding=2)
    for bar in range(6):
        trading.decide(FALLING.head(bar + 1), {})
    guard = RiskGuard(memory)
    Swarm(memory, [Always], holding=2, guard=guard).settle(FALLING.head(6))
    assert guard.state.outcomes == 4


def test_outcomes_of_one_moment_are_told_once_in_whatever_order_they_come(memory, clock):
    """A count of what was told would miss the first of two symbols that came second."""
    guard = RiskGuard(memory, limits=RiskLimits(losses=99))
    trading = Swarm(memory, [Always], holding=2, guard=guard)
    series = [replace(FALLING, symbol=symbol) for symbol in ("B", "A")]
    for bar in range(6):
        for bars in series:
            trading.decide(bars.head(bar + 1), {})
    assert guard.state.outcomes == guard.state.streak == 8


# What cannot be


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"past": BARS.head(0)}, "has no bars yet"),
        ({"past": replace(BARS.head(1), symbol="")}, "symbol=''"),
        ({"features": sentiment(float("nan"))}, r"features\['sentiment'\]\['momentum'\]=nan"),
        ({"features": {"mood": {}}}, r"features\['mood'\]"),
        ({"regime": ""}, "regime=''"),
        ({"regime": 5}, "regime=5"),
    ],
)
def test_a_bad_bar_is_named_and_benches_nobody(memory, change, named):
    trading = swarm(memory)
    good = {"past": BARS.head(1), "features": everything(1, 0), "regime": "CALM"}
    before = memory.stats()["commits"]
    with pytest.raises(ValueError, match=named):
        trading.decide(**{**good, **change})
    assert memory.stats()["commits"] == before
    assert not trading.decide(**good).benched


def test_bars_are_a_series(memory):
    for call in (swarm(memory).decide, lambda past, _: swarm(memory).settle(past)):
        with pytest.raises(TypeError, match=r"past=.*give a BarSeries"):
            call([1.0, 2.0], {})


def test_a_commit_that_fails_changes_nothing(memory, clock, quiet, monkeypatch):
    trading = Swarm(memory, [Failing, WyckoffAgent], bench=3, holding=2)
    run(trading, clock, until=2, features=wyckoff(0.2))

    def full(records):
        raise OSError

    with monkeypatch.context() as patch:
        patch.setattr(memory, "remember_many", full)
        with pytest.raises(OSError):  # noqa: PT011 (that of the disk)
            trading.decide(BARS.head(3), wyckoff(0.2))
    made = trading.decide(BARS.head(3), wyckoff(0.2))
    assert (made.benched, list(made.acts)) == ((), ["wyckoff"])


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        ({"agents": []}, r"agents=\[\]: give at least one"),
        ({"agents": [WyckoffAgent, WyckoffAgent]}, "each with a name of its own"),
        ({"holding": 0}, "holding=0"),
        ({"bench": -1}, "bench=-1"),
        ({"bench": True}, "bench=True"),
    ],
)
def test_a_bad_setting_is_named(memory, bad, named):
    with pytest.raises(ValueError, match=named):
        Swarm(memory, **bad)


def test_the_composers_name_is_taken(memory):
    with pytest.raises(ValueError, match="composer"):
        Swarm(memory, [WyckoffAgent(memory, agent_id="composer")])


@pytest.mark.parametrize("agents", [["wyckoff"], [Swarm], [5]])
def test_agents_are_agents(memory, agents):
    with pytest.raises(TypeError, match="MemoryAwareAgent"):
        Swarm(memory, agents)


def test_what_is_large_is_for_each_agent_to_say(memory, clock):
    modest = SentimentAgent(memory, thresholds=Thresholds(large_pnl=1e-6))
    trading = Swarm(memory, [modest, WyckoffAgent(memory)], holding=1)
    run(trading, clock, until=3, features={**sentiment(1.5), **wyckoff(0.2)})
    scores = {
        record.agent_id: record.importance
        for record in memory.records(filter=Filter(kind="outcome"))
        if record.agent_id != "composer"
    }
    assert scores == {"sentiment": 2.0, "wyckoff": 1.0}
