"""States of agents: versions, checkpoints and the way back."""

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from builders import day
from nt_memory import (
    AgentState,
    AgentStates,
    ConflictError,
    CoordinationError,
    MemorySystem,
    NamespaceError,
    SerializationError,
    SourceMetrics,
)

LEARNED = AgentState(
    current_cycle=142,
    source_metrics={"whaleMovements": SourceMetrics(0.85, 0.78, 1523, 0)},
    context_performance={"high_volatility": {"whaleMovements": 0.92, "derivatives": 0.87}},
    configuration={"learning_rate": 0.05, "symbols": ["BTC"]},
)


@pytest.fixture
def states(memory):
    """No states."""
    return AgentStates(memory)


def kept(states):
    return [(stored.kind, stored.state.version) for stored in states.history("hedge")]


def test_a_state_is_read_back(states):
    saved = states.save("hedge", LEARNED)
    assert states.load("hedge") == saved == replace(LEARNED, version=1)


def test_an_agent_without_a_state_has_none(states):
    assert states.load("hedge") is None
    assert states.history("hedge") == ()


def test_the_configuration_has_its_defaults():
    rates = {"learning_rate": 0.1, "exploration_rate": 0.2, "technical_weight": 0.7}
    assert AgentState().configuration == rates
    assert LEARNED.configuration == {**rates, "learning_rate": 0.05, "symbols": ["BTC"]}


def test_what_was_given_is_copied():
    given = {"high": {"feed": 0.5}}
    state = AgentState(context_performance=given)
    given["high"]["feed"] = 0.9
    assert state.context_performance == {"high": {"feed": 0.5}}


def test_each_save_is_a_version(states):
    first = states.save("hedge", LEARNED)
    assert states.save("hedge", first).version == 2


def test_a_stale_version_is_a_conflict_that_names_both(states):
    first = states.save("hedge", LEARNED)
    second = states.save("hedge", first)
    with pytest.raises(ConflictError, match=r"version=1 of 'hedge' is stale.*has version 2"):
        states.save("hedge", first)
    assert states.load("hedge") == second


def test_a_save_in_between_is_a_conflict_that_names_both(states, memory, monkeypatch):
    first = states.save("hedge", LEARNED)
    other, packed = AgentStates(memory), AgentState.packed

    def overtaken(state, at):
        monkeypatch.setattr(AgentState, "packed", packed)
        other.save("hedge", first)
        return packed(state, at)

    monkeypatch.setattr(AgentState, "packed", overtaken)
    with pytest.raises(ConflictError, match=r"version=1 of 'hedge' is stale.*has version 2"):
        states.save("hedge", first)


def test_a_first_state_has_version_0(states):
    with pytest.raises(ConflictError, match=r"version=3 .* has version 0"):
        states.save("hedge", replace(LEARNED, version=3))
    assert states.load("hedge") is None


def test_agents_do_not_share_states(states):
    states.save("hedge", LEARNED)
    assert states.load("trend") is None


def test_a_checkpoint_keeps_the_current_state(states, clock):
    saved = states.save("hedge", LEARNED)
    clock.advance(timedelta(hours=1))
    assert states.checkpoint("hedge") == states.checkpoint("hedge") == 1
    (checkpoint, current) = states.history("hedge")
    assert (checkpoint.kind, current.kind) == ("CHECKPOINT", "CURRENT")
    assert checkpoint.state == current.state == saved
    assert checkpoint.saved_at == day(10)


def test_a_rollback_is_a_new_version_of_an_old_state(states):
    good = states.save("hedge", LEARNED)
    states.checkpoint("hedge")
    bad = states.save("hedge", replace(good, current_cycle=143))
    back = states.rollback("hedge", to=1)
    assert back == states.load("hedge") == replace(good, version=3)
    assert kept(states) == [("CHECKPOINT", 1), ("BACKUP", 2), ("CURRENT", 3)]
    assert states.rollback("hedge", to=2) == replace(bad, version=4)


def test_a_rollback_to_what_is_current_is_a_version_too(states):
    states.save("hedge", LEARNED)
    states.checkpoint("hedge")
    assert states.rollback("hedge", to=1).version == 2
    assert kept(states) == [("BACKUP", 1), ("CHECKPOINT", 1), ("CURRENT", 2)]


def test_a_version_that_was_not_kept_is_no_way_back(states):
    state = states.save("hedge", LEARNED)
    states.checkpoint("hedge")
    states.save("hedge", state)
    with pytest.raises(CoordinationError, match=r"to=2: 'hedge' has no .*kept are \[1\]"):
        states.rollback("hedge", to=2)
    assert kept(states) == [("CHECKPOINT", 1), ("CURRENT", 2)]


@pytest.mark.parametrize("call", [AgentStates.checkpoint, lambda s, a: s.rollback(a, to=1)])
def test_without_a_state_there_is_nothing_to_keep(states, call):
    with pytest.raises(CoordinationError, match="no state of 'hedge' was saved"):
        call(states, "hedge")


def test_states_survive_a_restart(tmp_path):
    with MemorySystem(tmp_path) as memory:
        states = AgentStates(memory)
        states.save("hedge", LEARNED)
        states.checkpoint("hedge")
        history = states.history("hedge")
    with MemorySystem(tmp_path) as memory:
        assert AgentStates(memory).history("hedge") == history


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("current_cycle", -1),
        ("current_cycle", 1.5),
        ("current_cycle", True),
        ("version", -1),
        ("version", 2**62),
        ("configuration", {"learning_rate": 1.5}),
        ("configuration", {"exploration_rate": math.nan}),
        ("configuration", {"technical_weight": None}),
        ("context_performance", {"high": {"feed": math.inf}}),
        ("context_performance", {"high": {"feed": "good"}}),
    ],
)
def test_a_value_out_of_range_is_named(field, value):
    with pytest.raises(ValueError, match=field):
        AgentState(**{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("configuration", [1]),
        ("context_performance", [1]),
        ("context_performance", {"high": 1}),
        ("source_metrics", 1),
        ("source_metrics", {"feed": {"success_rate": 1}}),
    ],
)
def test_a_value_of_another_type_is_named(field, value):
    with pytest.raises(TypeError, match=field):
        AgentState(**{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("success_rate", 1.1),
        ("quality_score", math.nan),
        ("total_calls", -1),
        ("last_used_cycles", 0.5),
    ],
)
def test_metrics_out_of_range_are_named(field, value):
    with pytest.raises(ValueError, match=field):
        SourceMetrics(**{field: value})


@pytest.mark.parametrize("agent_id", ["", "a/b", "..", "a" * 129, None])
@pytest.mark.parametrize(
    "call",
    [
        AgentStates.load,
        lambda s, a: s.save(a, LEARNED),
        AgentStates.checkpoint,
        lambda s, a: s.rollback(a, 1),
        AgentStates.history,
    ],
)
def test_an_id_that_is_no_level_of_a_namespace_is_refused(states, call, agent_id):
    with pytest.raises(NamespaceError, match="agent_id="):
        call(states, agent_id)


@pytest.mark.parametrize("to", [-1, 1.0, "1", None])
def test_a_rollback_needs_a_version(states, to):
    with pytest.raises(ValueError, match="to="):
        states.rollback("hedge", to)


def test_a_configuration_that_cannot_be_stored_changes_nothing(states):
    saved = states.save("hedge", LEARNED)
    with pytest.raises(SerializationError):
        states.save("hedge", replace(saved, configuration={"at": object()}))
    assert states.load("hedge") == saved


def test_what_is_no_state_is_refused(states):
    with pytest.raises(TypeError, match="state=None: give AgentState"):
        states.save("hedge", None)
