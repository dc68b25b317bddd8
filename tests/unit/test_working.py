"""Working memory: what an agent has in mind while an episode lasts."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import axis, day
from experiences import AGENT, HOUR
from nt_memory import (
    Action,
    AgentSnapshot,
    DimensionMismatchError,
    InvalidEmbeddingError,
    ManualClock,
    MemorySystem,
    NamespaceError,
    WorkingMemory,
)


@pytest.fixture
def working(memory):
    return WorkingMemory(memory, AGENT)


def steps(working, rewards):
    for reward in rewards:
        working.step(axis(0), Action("BUY"), reward)


@given(st.lists(st.integers(-5, 5)))
def test_rewards_add_up_and_falls_are_from_the_peak(rewards):
    with MemorySystem(":memory:", clock=ManualClock(day(0))) as memory:
        working = WorkingMemory(memory, AGENT)
        steps(working, rewards)
        curve = np.cumsum([0, *rewards])
        falls = curve - np.maximum.accumulate(curve)
        assert working.cumulative_reward == curve[-1]
        assert working.episode_max_drawdown == falls.min()
        assert working.episode_length == len(rewards)


def test_the_last_hundred_steps_are_in_mind(working):
    steps(working, range(150))
    assert list(working.recent_rewards) == list(range(50, 150))
    assert len(working.recent_states) == len(working.recent_actions) == 100
    assert working.episode_length == 150


def test_a_regime_that_goes_on_keeps_its_beginning(working, clock):
    working.set_regime("QUIET", 0.5)
    clock.advance(HOUR)
    working.set_regime("QUIET", 0.9)
    assert (working.regime_start_time, working.regime_confidence) == (day(10), 0.9)
    working.set_regime("CRISIS", 0.4)
    assert working.regime_start_time == day(10) + HOUR


def test_patterns_match_until_they_do_no_more(working):
    working.set_pattern("p", 0.5)
    working.set_pattern("q", 0.6)
    working.set_pattern("p", None)
    working.set_pattern("never", None)
    assert (working.active_patterns, working.pattern_confidences) == (["q"], {"q": 0.6})


def test_an_episode_is_written_when_it_is_complete(memory, working, clock):
    steps(working, [1.0, -3.0, 0.5])
    working.set_regime("QUIET", 0.5)
    working.see_agent("wyckoff", AgentSnapshot(day(9), "CRISIS"))
    told = working.to_json()
    assert memory.recall().matched == 0
    clock.advance(HOUR)
    id_ = working.complete()
    record = memory.get_record(id_)
    assert (record.namespace, record.kind, record.id) == (
        "swarm/hedge/working",
        "working",
        told["episode_id"],
    )
    assert (record.event_time, record.known_at) == (day(10), day(10) + HOUR)
    assert (record.outcome.reward, record.regime) == (-1.5, "QUIET")
    assert record.attributes == {"episode_length": 3.0, "episode_max_drawdown": -3.0}
    assert memory.get_record(id_, as_of=day(10)) is None
    again = WorkingMemory(memory, AGENT)
    again.restore(record.payload)
    assert repr(again.to_json()) == repr(told)


def test_the_next_episode_begins_with_nothing_in_mind(memory, working, clock):
    steps(working, [1.0, -3.0])
    working.set_regime("QUIET", 0.5)
    working.set_pattern("p", 0.5)
    working.see_agent("wyckoff", AgentSnapshot(day(9)))
    clock.advance(HOUR)
    first = working.complete()
    fresh = WorkingMemory(memory, AGENT)
    assert working.episode_id != first
    assert {**working.to_json(), "episode_id": ""}.keys() == fresh.to_json().keys()
    told, new = working.to_json(), fresh.to_json()
    assert all(np.array_equal(told[name], new[name]) for name in told if name != "episode_id")
    assert working.episode_start == day(10) + timedelta(hours=1)


def test_an_episode_without_a_step_can_end(memory, working):
    assert memory.get_record(working.complete()).outcome.reward == 0.0


def test_a_last_state_of_zeros_has_no_likeness(memory, working):
    working.step([0.0] * 4, Action("HOLD"), 0.0)
    assert memory.get_record(working.complete()).embedding is None


@pytest.mark.parametrize(
    ("use", "error", "told"),
    [
        (lambda w: w.step([1.0], Action("BUY"), 1.0), DimensionMismatchError, "1 numbers"),
        (lambda w: w.step([np.nan] * 4, Action("BUY"), 1), InvalidEmbeddingError, "finite"),
        (lambda w: w.step(axis(0), "BUY", 1.0), TypeError, "action='BUY'"),
        (lambda w: w.step(axis(0), Action("BUY"), None), ValueError, "reward=None"),
        (lambda w: w.set_regime("", 0.5), ValueError, "regime=''"),
        (lambda w: w.set_regime("QUIET", 1.5), ValueError, "confidence=1.5"),
        (lambda w: w.set_pattern(3, 0.5), ValueError, "pattern_id=3"),
        (lambda w: w.set_pattern("p", 2), ValueError, "confidence=2"),
        (lambda w: w.see_agent("a", {}), TypeError, "AgentSnapshot"),
        (lambda w: w.see_agent(3, AgentSnapshot(day(0))), TypeError, "AgentSnapshot"),
        (lambda w: w.restore(3), TypeError, "told=3"),
    ],
)
def test_bad_input_changes_nothing(working, use, error, told):
    steps(working, [1.0])
    before = repr(working.to_json())
    with pytest.raises(error, match=told):
        use(working)
    assert repr(working.to_json()) == before


def test_an_agent_has_an_id_of_one_segment(memory):
    with pytest.raises(NamespaceError, match="agent_id="):
        WorkingMemory(memory, "a/b")
