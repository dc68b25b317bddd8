"""The analogue agent: what it recalls, what it makes of it, what it writes down."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets import random_bars
from nt_memory import ManualClock, MemoryConfig, MemorySystem, VectorSpace
from nt_memory.agents import AnalogueAgent, Evidence, weigh

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


def walk(memory, bars=BARS, **options):
    agent = AnalogueAgent(memory, **options)
    decisions = []
    for bar in range(len(bars)):
        memory.clock.set(bars.closed_at(bar))
        decisions.append(agent.decide(bars.head(bar + 1), STATES[bar]))
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
    assert all(decision.direction == 0 for decision in decisions[:14])
    assert all(decision.evidence is not None for decision in decisions[14:])


def test_it_recalls_the_most_similar_of_the_states_whose_outcome_is_known(memory):
    unit = STATES / np.linalg.norm(STATES, axis=1, keepdims=True)
    decisions = walk(memory, top_k=3, holding=5)
    for bar in range(7, COUNT):
        best = np.argsort(-(unit[: bar - 4] @ unit[bar]))[:3]
        assert [a.id for a in decisions[bar].analogues] == [decisions[place].id for place in best]


def test_an_outcome_is_that_of_the_five_bars_after(memory):
    decisions = walk(memory, top_k=3, holding=5)
    bar_of = {decision.id: bar for bar, decision in enumerate(decisions)}
    for analogue in decisions[-1].analogues:
        assert analogue.reward == BARS.outcome(bar_of[analogue.id], 5)


def test_an_outcome_is_known_from_the_close_that_ends_it(memory):
    decisions = walk(memory, holding=5)
    before = memory.get_record(decisions[10].id, as_of=BARS.closed_at(14))
    after = memory.get_record(decisions[10].id, as_of=BARS.closed_at(15))
    assert before.outcome is None
    assert after.outcome.reward == BARS.outcome(10, 5)


def test_a_decision_cites_a_recall_that_can_be_replayed(memory):
    decision = walk(memory, top_k=3)[-1]
    record = memory.get_record(decision.id)
    assert record.provenance.parents == (decision.recall_id,)
    replayed = memory.replay(decision.recall_id)
    assert [hit.id for hit in replayed] == [analogue.id for analogue in decision.analogues]


def test_what_is_recalled_does_not_depend_on_what_outcomes_are():
    with open_memory() as one, open_memory() as other:
        first = walk(one, BARS)
        second = walk(other, random_bars(COUNT, seed=99))
    for left, right in zip(first, second, strict=True):
        assert [(a.id, a.similarity) for a in left.analogues] == [
            (a.id, a.similarity) for a in right.analogues
        ]
    assert [d.direction for d in first] != [d.direction for d in second]
