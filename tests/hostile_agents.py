"""Targets of hostile input: the coordination of agents."""

from fractions import Fraction

from hostile import START, value, with_bad_arguments, with_bad_fields
from nt_memory import (
    AgentRegistry,
    AgentState,
    AgentStates,
    ConsensusEngine,
    MultiAgentCoordinator,
    Proposal,
    Signal,
    SourceMetrics,
    Vote,
)

SIGNAL = {
    "signal_id": "kept",
    "signal_type": "WHALE_ACTIVITY",
    "source_agent": "hunter",
    "target_agents": ["kept"],
    "severity": "high",
    "confidence": 0.5,
}


def prepare(memory):
    """Have an agent, a proposal, a signal and a state, each "kept"."""
    AgentRegistry(memory).register("kept")
    ConsensusEngine(memory).submit_proposal(Proposal(id="kept", proposer="kept", data=None))
    MultiAgentCoordinator(memory).publish_signal(Signal(**SIGNAL))
    AgentStates(memory).save("kept", AgentState())


def registries(memory, rng):
    name, *usual = rng.choice(
        [
            ("register", "a", "1", "k", ["c"], {"x": 1}, 1),
            ("set_weight", "a", 1),
            ("heartbeat", "kept"),
            ("get", "kept"),
            ("is_alive", "kept", 60),
            ("deregister", "a"),
            ("weights",),
        ]
    )
    registry = AgentRegistry(memory)
    with_bad_arguments(rng, getattr(registry, name), *usual)
    registry.list()


def proposals(memory, rng):
    usual = {"proposer": "a", "data": value(rng), "quorum": Fraction(1, 2), "expires_in": 60}
    made = with_bad_fields(rng, Proposal, **usual)
    engine = ConsensusEngine(memory)
    id_ = engine.submit_proposal(rng.choice([made] * 9 + [value(rng)]))
    engine.result(id_)
    engine.get(id_)


def ballots(memory, rng):
    engine = ConsensusEngine(memory)
    vote = with_bad_fields(rng, Vote, proposal_id="kept", voter="kept", approve=True, weight=1)
    engine.result(rng.choice(["kept", value(rng)]))
    engine.vote(rng.choice([vote] * 9 + [value(rng)]))


def signals(memory, rng):
    coordinator = MultiAgentCoordinator(memory)
    usual = {**SIGNAL, "signal_id": "", "data": {}, "context": {}, "timestamp": START, "ttl": 60}
    made = with_bad_fields(rng, Signal, **usual)
    id_ = coordinator.publish_signal(rng.choice([made] * 9 + [value(rng)]))
    assert coordinator.get(id_).signal_id == id_


def queues(memory, rng):
    name, *usual = rng.choice(
        [
            ("get", "kept"),
            ("get_signals_for_agent", "kept", "PENDING", START, 10),
            ("mark_processed", "kept", "kept", None),
            ("pending_counts",),
        ]
    )
    with_bad_arguments(rng, getattr(MultiAgentCoordinator(memory), name), *usual)


def states(memory, rng):
    store = AgentStates(memory)
    metrics = with_bad_fields(rng, SourceMetrics)
    usual = {"source_metrics": {rng.choice(["feed", value(rng)]): metrics}}
    state = with_bad_fields(rng, AgentState, **rng.choice([usual, {"configuration": value(rng)}]))
    name, *usual = rng.choice(
        [
            ("load", "kept"),
            ("save", "kept", state),
            ("checkpoint", "kept"),
            ("rollback", "kept", 1),
            ("history", "kept"),
        ]
    )
    with_bad_arguments(rng, getattr(store, name), *usual)
    store.history("kept")


AGENT_TARGETS = [registries, proposals, ballots, signals, queues, states]
