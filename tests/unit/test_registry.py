"""Agents that are registered, and whether they live."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from builders import day
from nt_memory import (
    AgentNotFoundError,
    AgentRegistry,
    ConsensusEngine,
    NamespaceError,
    SerializationError,
)

NO_IDS = ["", "a/b", "a b", ".", "..", "ü", "\ud800", "a" * 129, None, 7, b"hedge"]
NO_WEIGHTS = [
    0,
    -1,
    0.0,
    -0.5,
    float("nan"),
    float("inf"),
    -float("inf"),
    Fraction(-1, 3),
    Decimal("NaN"),
    Decimal("sNaN"),
    Decimal("Infinity"),
    Decimal("1e999999"),
    Decimal("1e-999999"),
    10**1000,
    Fraction(1, 10**1000),
    True,
    "1",
    None,
    1j,
    [1],
    np.float64("nan"),
    np.float32("inf"),
]


@pytest.fixture
def registry(memory):
    """An empty registry."""
    return AgentRegistry(memory)


def test_what_was_registered_is_read_back(registry):
    made = registry.register("hedge", "1.0.0", "risk", ["sizing"], {"limit": 5}, weight=2)
    assert registry.get("hedge") == made
    assert (made.version, made.kind, made.capabilities) == ("1.0.0", "risk", ("sizing",))
    assert (made.config, made.weight, made.registered_at) == ({"limit": 5}, 2, day(10))


def test_an_unknown_agent_is_none(registry):
    assert registry.get("hedge") is None


def test_agents_are_listed_by_id(registry):
    registry.register("trend")
    registry.register("hedge")
    assert [agent.agent_id for agent in registry.list()] == ["hedge", "trend"]


def test_registering_again_replaces(registry):
    registry.register("hedge", "1.0.0", weight=3)
    registry.register("hedge", "1.1.0")
    (agent,) = registry.list()
    assert (agent.version, agent.weight) == ("1.1.0", 1)


def test_setting_a_weight_leaves_the_rest(registry, clock):
    registry.register("hedge", "1.0.0", "risk", ["sizing"], {"limit": 5})
    before = registry.get("hedge")
    clock.advance(1)
    after = registry.set_weight("hedge", 0.1)
    assert after.weight == Fraction(1, 10)
    assert after == registry.get("hedge")
    assert (after.config, after.last_heartbeat) == (before.config, before.last_heartbeat)


def test_setting_a_weight_registers_who_is_new(registry):
    assert registry.set_weight("hedge", 2) == registry.get("hedge")


def test_the_weights_of_the_consensus_are_those_of_the_registry(memory, registry):
    consensus = ConsensusEngine(memory)
    registry.register("hedge", "1.0.0")
    consensus.register_agent("hedge", 3)
    assert (registry.get("hedge").weight, registry.get("hedge").version) == (3, "1.0.0")
    assert consensus.unregister("hedge")
    assert registry.list() == ()


def test_deregistering_tells_whether_there_was_an_agent(registry):
    registry.register("hedge")
    assert (registry.deregister("hedge"), registry.deregister("hedge")) == (True, False)
    assert registry.get("hedge") is None


def test_an_agent_is_alive_for_so_long_after_its_heartbeat(registry, clock):
    registry.register("hedge")
    clock.advance(60)
    registry.heartbeat("hedge")
    clock.advance(60)
    assert registry.is_alive("hedge", within=timedelta(seconds=60))
    assert not registry.is_alive("hedge", within=59.999999)


def test_the_living_are_listed(registry, clock):
    registry.register("hedge")
    clock.advance(60)
    registry.register("trend")
    assert [agent.agent_id for agent in registry.list(alive_within=59)] == ["trend"]


@pytest.mark.parametrize("ask", ["heartbeat", "is_alive"])
def test_an_agent_that_is_not_there_has_no_heartbeat(registry, ask):
    arguments = {"within": 1} if ask == "is_alive" else {}
    with pytest.raises(AgentNotFoundError, match="'hedge' is registered: register it first"):
        getattr(registry, ask)("hedge", **arguments)


def test_agents_survive_a_restart(open_on, clock, tmp_path):
    from nt_memory import MemorySystem

    with MemorySystem(tmp_path / "store", clock=clock) as memory:
        made = AgentRegistry(memory).register("hedge", weight=Fraction(1, 3))
    with MemorySystem(tmp_path / "store", clock=clock) as memory:
        assert AgentRegistry(memory).get("hedge") == made


@pytest.mark.parametrize("agent_id", NO_IDS)
@pytest.mark.parametrize("call", ["register", "heartbeat", "get", "deregister", "set_weight"])
def test_an_id_that_is_no_level_of_a_namespace_is_refused(registry, call, agent_id):
    arguments = (1,) if call == "set_weight" else ()
    with pytest.raises(NamespaceError, match=r"agent_id=.*: give 1 to 128 characters"):
        getattr(registry, call)(agent_id, *arguments)
    assert registry.list() == ()


@pytest.mark.parametrize("weight", NO_WEIGHTS)
@pytest.mark.parametrize("call", ["register", "set_weight"])
def test_a_weight_that_is_no_positive_number_is_refused(registry, call, weight):
    registry.register("hedge", weight=3)
    with pytest.raises(ValueError, match="weight="):
        getattr(registry, call)("hedge", weight=weight)
    assert registry.get("hedge").weight == 3


@pytest.mark.parametrize(
    ("weight", "kept"),
    [
        (0.1, Fraction(1, 10)),
        (1e-300, Fraction(1, 10**300)),
        (np.float32(0.1), Fraction(1, 10)),
        (np.float64(0.1), Fraction(1, 10)),
        (np.int64(2), Fraction(2)),
        (Decimal("0.3"), Fraction(3, 10)),
        (Fraction(1, 3), Fraction(1, 3)),
    ],
)
def test_a_weight_is_taken_at_its_decimal_text(registry, weight, kept):
    assert registry.register("hedge", weight=weight).weight == kept


@pytest.mark.parametrize(
    ("field", "value"),
    [("version", 1), ("kind", None), ("capabilities", "sizing"), ("config", [1])],
)
def test_a_field_of_another_type_is_named(registry, field, value):
    with pytest.raises(TypeError, match=f"{field}="):
        registry.register("hedge", **{field: value})
    assert registry.list() == ()


def test_a_config_that_cannot_be_stored_registers_nobody(registry):
    with pytest.raises(SerializationError):
        registry.register("hedge", config={"at": object()})
    assert registry.list() == ()


@pytest.mark.parametrize("within", [-1, float("nan")])
def test_a_duration_out_of_range_is_refused(registry, within):
    registry.register("hedge")
    with pytest.raises(ValueError, match="within="):
        registry.is_alive("hedge", within)
