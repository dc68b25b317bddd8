"""The analogue agent: what it recalls, what it makes of it, what it writes down."""

import math
import statistics
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets import bars_of, random_bars
from nt_memory import (
    AnalogueAgent,
    AnalogueLimits,
    ManualClock,
    MemoryConfig,
    MemorySystem,
    Opinion,
    Swarm,
    VectorSpace,
)
from nt_memory.agents import Evidence, weigh
from nt_memory.agents.evidence import of_analogues
from nt_memory.agents.outcomes import Settlement
from trading import told

DIM = 8
COUNT = 40
BARS = random_bars(COUNT, seed=7)
STATES = np.random.default_rng(8).normal(size=(COUNT, DIM)).astype(np.float32)
REWARDS = st.lists(st.floats(-0.3, 0.3, allow_subnormal=False), min_size=2, max_size=12)


def open_memory():
    clock = ManualClock(BARS.closed_at(0))
    return MemorySystem(
        MemoryConfig(cold_engine="memory", spaces={"state": VectorSpace(DIM)}, clock=clock, seed=0)
    )


class Made(NamedTuple):
    """A decision: what was said, and the id of the state."""

    state: str
    opinion: Opinion

    @property
    def evidence(self):
        return of_analogues(self.opinion.precedents)


def walk(memory, bars=BARS, holding=5, **limits):
    agent = AnalogueAgent(memory, limits=AnalogueLimits(**limits))
    settlement = Settlement(memory, {agent.agent_id: agent.memory}, holding=holding)
    decisions = []
    for bar in range(len(bars)):
        at = bars.closed_at(bar)
        memory.clock.set(at)
        settlement.settle(bars.head(bar + 1))
        state_told = {"analogue": {"embedding": STATES[bar].tolist()}}
        opinion = agent.opinion(bars.symbol, at, state_told)
        (state,) = agent.notes(bars.symbol, at, state_told)
        decisions.append(Made(memory.remember(state), opinion))
        settlement.opened(state)
    return decisions


@pytest.fixture
def memory():
    with open_memory() as opened:
        yield opened


@given(REWARDS)
def test_with_equal_weights_t_is_that_of_a_textbook(rewards):
    spread = statistics.stdev(rewards) / math.sqrt(len(rewards))
    if spread < 1e-6:
        return
    evidence = weigh(rewards, [0.7] * len(rewards))
    assert evidence.mean == pytest.approx(statistics.fmean(rewards), abs=1e-12)
    assert evidence.t == pytest.approx(statistics.fmean(rewards) / spread, rel=1e-6, abs=1e-9)


def test_more_similar_outcomes_count_more():
    assert weigh([0.1, -0.1], [0.9, 0.3]).mean == pytest.approx(0.05)


def test_outcomes_that_are_all_the_same_leave_no_doubt():
    assert weigh([0.01, 0.01], [1.0, 1.0]) == Evidence(0.01, math.inf)
    assert weigh([-0.01, -0.01], [1.0, 1.0]) == Evidence(-0.01, -math.inf)


def test_outcomes_that_are_all_nothing_say_nothing():
    assert weigh([0.0, 0.0], [1.0, 1.0]).direction(threshold=1.0) == 0


@pytest.mark.parametrize(("t", "direction"), [(1.0, 1), (0.99, 0), (-0.99, 0), (-1.0, -1)])
def test_it_is_flat_below_the_threshold(t, direction):
    assert Evidence(math.copysign(0.01, t), t).direction(threshold=1.0) == direction


def test_it_is_flat_until_enough_outcomes_are_known(memory):
    decisions = walk(memory, top_k=10, holding=5)
    assert all(decision.evidence is None for decision in decisions[:14])
    assert all(decision.opinion.signal == "neutral" for decision in decisions[:14])
    assert decisions[13].opinion.why == "9 states and what they led to are known, of 10"
    assert all(decision.evidence is not None for decision in decisions[14:])


def test_it_recalls_the_most_similar_of_the_states_whose_outcome_is_known(memory):
    unit = STATES / np.linalg.norm(STATES, axis=1, keepdims=True)
    decisions = walk(memory, top_k=3, holding=5)
    for bar in range(7, COUNT):
        best = np.argsort(-(unit[: bar - 4] @ unit[bar]))[:3]
        seen = [analogue.id for analogue in decisions[bar].opinion.precedents]
        assert seen == [decisions[place].state for place in best]


def test_an_outcome_is_that_of_the_five_bars_after(memory):
    decisions = walk(memory, top_k=3, holding=5)
    bar_of = {decision.state: bar for bar, decision in enumerate(decisions)}
    for analogue in decisions[-1].opinion.precedents:
        assert analogue.reward == BARS.outcome(bar_of[analogue.id], 5)


def test_an_outcome_is_known_from_the_close_that_ends_it(memory):
    decisions = walk(memory, holding=5)
    before = memory.get_record(decisions[10].state, as_of=BARS.closed_at(14))
    after = memory.get_record(decisions[10].state, as_of=BARS.closed_at(15))
    assert before.outcome is None
    assert after.outcome.reward == BARS.outcome(10, 5)


def test_an_opinion_cites_a_recall_that_can_be_replayed(memory):
    opinion = walk(memory, top_k=3)[-1].opinion
    replayed = memory.replay(opinion.recall_id)
    assert [hit.id for hit in replayed] == [analogue.id for analogue in opinion.precedents]


def test_what_is_recalled_does_not_depend_on_what_outcomes_are():
    with open_memory() as one, open_memory() as other:
        first = [made.opinion for made in walk(one, BARS)]
        second = [made.opinion for made in walk(other, random_bars(COUNT, seed=99))]
    for left, right in zip(first, second, strict=True):
        assert [(a.id, a.similarity) for a in left.precedents] == [
            (a.id, a.similarity) for a in right.precedents
        ]
    assert [made.signal for made in first] != [made.signal for made in second]


def test_the_side_and_the_confidence_follow_the_evidence(memory):
    limits = AnalogueLimits(top_k=4)
    sided = 0
    for made in walk(memory, top_k=4):
        opinion, evidence = made.opinion, made.evidence
        direction = 0 if evidence is None else evidence.direction(limits.threshold)
        assert {"long": 1, "short": -1, "neutral": 0}[opinion.signal] == direction
        if direction:
            beyond = abs(evidence.t) - limits.threshold
            assert opinion.confidence == min(0.45 + 0.1 * beyond, 0.8)
            sided += 1
        else:
            assert opinion.confidence == 0.0
    assert sided > 5


def test_without_a_state_it_says_nothing_and_notes_none(memory):
    agent = AnalogueAgent(memory)
    assert agent.opinion("TEST", BARS.closed_at(0), {}).why == "there is no state yet"
    assert agent.notes("TEST", BARS.closed_at(0), {}) == []


def in_a_swarm(memory, bars, stops=(), **options):
    """Let it decide alone in a swarm, begun anew at some bars."""
    swarm, made = None, []
    for bar in range(len(bars)):
        if swarm is None or bar in stops:
            swarm = Swarm(memory, [AnalogueAgent(memory, **options)], holding=5)
        memory.clock.set(bars.closed_at(bar))
        state_told = {"analogue": {"embedding": STATES[bar].tolist()}}
        made.append(swarm.decide(bars.head(bar + 1), state_told))
    return swarm, made


def test_in_a_swarm_it_recalls_what_it_recalls_alone(memory):
    _, made = in_a_swarm(memory, BARS, limits=AnalogueLimits(top_k=3))
    with open_memory() as other:
        alone = walk(other, top_k=3)
    for decision, left in zip(made, alone, strict=True):
        base = decision.acts["analogue"].context["base"]
        assert base.precedents == left.opinion.precedents
        assert (base.signal, base.confidence) == (left.opinion.signal, left.opinion.confidence)


def test_what_a_swarm_decided_is_read_again_with_what_it_recalled(memory):
    swarm, made = in_a_swarm(memory, BARS, limits=AnalogueLimits(top_k=3))
    assert made[-1].acts["analogue"].context["base"].precedents
    assert swarm.decided("TEST", made[-1].at) == made[-1]
    record = memory.get_record(made[-1].acts["analogue"].context["trade_id"])
    assert made[-1].acts["analogue"].context["base"].recall_id in record.provenance.parents


@given(st.sets(st.integers(0, COUNT - 1)))
def test_begun_anew_at_any_bar_it_goes_on(stops):
    with open_memory() as one, open_memory() as other:
        _, unbroken = in_a_swarm(one, BARS, limits=AnalogueLimits(top_k=3))
        _, broken = in_a_swarm(other, BARS, stops, limits=AnalogueLimits(top_k=3))
        assert [told(made) for made in broken] == [told(made) for made in unbroken]


def test_each_state_is_settled_once_whatever_side_was_taken(memory):
    in_a_swarm(memory, BARS)
    states = list(memory.records(namespace="swarm/analogue/states"))
    settled = [state for state in states if state.outcome is not None]
    assert len(states) == COUNT
    assert len(settled) == COUNT - 5
    assert [state.outcome.reward for state in settled] == [
        BARS.outcome(bar, 5) for bar in range(COUNT - 5)
    ]


def test_a_memory_without_states_is_refused():
    config = MemoryConfig(cold_engine="memory", spaces={"text": VectorSpace()})
    with MemorySystem(config) as memory, pytest.raises(ValueError, match='called "state"'):
        AnalogueAgent(memory)


@pytest.mark.parametrize(
    ("name", "value"),
    [("top_k", 1), ("top_k", 2.5), ("threshold", -0.1), ("confidence", 1.1), ("most", math.nan)],
)
def test_limits_that_cannot_be_are_named(name, value):
    with pytest.raises(ValueError, match=f"{name}="):
        AnalogueLimits(**{name: value})


@pytest.mark.parametrize("bad", [[math.nan] * DIM, [], ["a"], [[0.5] * DIM], None])
def test_an_embedding_that_cannot_be_is_named(memory, bad):
    swarm = Swarm(memory, [AnalogueAgent(memory)])
    with pytest.raises(ValueError, match="embedding"):
        swarm.decide(BARS.head(1), {"analogue": {"embedding": bad}})
    assert list(memory.records()) == []


def rewritten(memory, swarm, bar, **changes):
    """Write the state of a bar again, as somebody with the right to may."""
    [state] = [
        record
        for record in memory.records(namespace="swarm/analogue/states")
        if record.event_time == BARS.closed_at(bar)
    ]
    memory.remember(replace(state, outcome=None, **changes))


@pytest.mark.parametrize("bar", [3, COUNT - 13], ids=["settled", "open"])
@pytest.mark.parametrize("is_begun_anew", [False, True])
def test_a_state_that_is_hidden_or_written_again_stops_nobody(memory, bar, is_begun_anew):
    swarm, _ = in_a_swarm(memory, BARS.head(COUNT - 12), limits=AnalogueLimits(top_k=3))
    memory.clock.set(BARS.closed_at(COUNT - 5))
    now = memory.clock.now()
    rewritten(memory, swarm, bar, known_at=now, expires_at=now)
    if is_begun_anew:
        swarm = Swarm(memory, [AnalogueAgent(memory, limits=AnalogueLimits(top_k=3))], holding=5)
    for last in range(COUNT - 5, COUNT):
        memory.clock.set(BARS.closed_at(last))
        told = {"analogue": {"embedding": STATES[last].tolist()}}
        made = swarm.decide(BARS.head(last + 1), told)
        assert made.acts["analogue"].context["base"].precedents
    states = memory.records(namespace="swarm/analogue/states")
    settled = [state for state in states if state.outcome is not None]
    assert len(settled) == COUNT - 12 - 1


def test_outcomes_without_a_doubt_are_worth_the_most(memory):
    flat = bars_of(np.full(COUNT, 100.0), np.full(COUNT, 101.0))
    agent_says = walk(memory, flat, top_k=3)[-1].opinion
    assert (agent_says.signal, agent_says.confidence) == ("long", 0.8)
    with open_memory() as other:
        assert walk(other, flat, top_k=3, rise=0.0)[-1].opinion.confidence == 0.45
