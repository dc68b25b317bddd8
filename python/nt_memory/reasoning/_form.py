"""The form of a trajectory in the store: a record whose outcomes are versions of it."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from nt_memory._values import pack, unpack
from nt_memory.clock import from_micros, to_micros
from nt_memory.errors import NtMemoryError
from nt_memory.reasoning.trajectory import (
    Observation,
    Trajectory,
    TrajectoryAction,
    TrajectoryOutcome,
)
from nt_memory.records import STATE
from nt_memory.store import Op, RawOutcome, RawRecord, Settle, Write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nt_memory.clock import Clock
    from nt_memory.store import Attribute, Vector

KIND = "trajectory"
ACTIVE, COMPLETED = "active", "completed"


def namespace_of(agent_id: str) -> str:
    """Return where an agent's trajectories lie."""
    return f"swarm/{agent_id}/trajectories"


def changes(trajectory: Trajectory) -> list[Op]:
    """Return what the store does not have yet; an outcome is a version that shows from its time."""
    known = sorted(trajectory.outcomes, key=lambda outcome: outcome.known_at)
    if trajectory.body_size == trajectory.tracked_size:
        return _settled(trajectory.id, known, trajectory.tracked_outcomes)
    last = trajectory.last_time
    # With the outcomes known at the last step; where there are none, with the first to come.
    told = sum(outcome.known_at <= last for outcome in known)
    first = max(told, min(len(known), 1))
    ops: list[Op] = [Write(_record(trajectory, known[:first]))]
    if trajectory.tracked_outcomes == 0:
        return ops + _settled(trajectory.id, known, first)
    # A later outcome that is there already knows an earlier body: it is told anew with this one.
    ops += [Write(_record(trajectory, known[:count])) for count in range(first + 1, len(known) + 1)]
    return ops


def _settled(id_: str, known: Sequence[TrajectoryOutcome], told: int) -> list[Op]:
    counts = range(told + 1, len(known) + 1)
    return [Settle(id_, _outcome(known[:count]), revise=True) for count in counts]


def sizes(trajectory: Trajectory) -> tuple[int, int]:
    """Return how much there is of it, to be noted as tracked when that much is kept."""
    return trajectory.body_size, len(trajectory.outcomes)


def tracked(trajectory: Trajectory, kept: tuple[int, int]) -> None:
    """Note that the store has so much of it."""
    trajectory.tracked_size, trajectory.tracked_outcomes = kept


def read(raw: RawRecord, clock: Clock | None = None) -> Trajectory:
    """Return the trajectory of a record, with the outcomes that its version has."""
    body = unpack(raw.payload or b"")
    outcomes = unpack(raw.outcome.payload) if raw.outcome and raw.outcome.payload else []
    return assemble(raw.id, {**body, "outcomes": outcomes}, _rows(body["vectors"]), clock)


def is_own(raw: RawRecord) -> bool:
    """Whether a record is a trajectory, and lies where its agent's do: nobody writes for others."""
    return raw.kind == KIND and raw.namespace == namespace_of(raw.agent_id or "")


def readable(raw: RawRecord, clock: Clock | None = None) -> Trajectory | None:
    """Return the trajectory of a record; None for a record that only says that it is one."""
    if not is_own(raw):
        return None
    try:
        made = read(raw, clock)
    except (NtMemoryError, KeyError, TypeError, ValueError):
        return None
    return made if made.agent_id == raw.agent_id else None


def assemble(
    id_: str, body: dict[str, Any], vectors: Sequence[Vector], clock: Clock | None = None
) -> Trajectory:
    """Return a trajectory from its plain parts and the vectors of its observations, in order."""
    made = Trajectory(
        body["agent_id"],
        id=id_,
        start_time=from_micros(body["start_time"]),
        symbol=body["symbol"],
        regime=body["regime"],
        metadata=body["metadata"],
        clock=clock,
    )
    waiting = iter(vectors)
    made.observations = [
        Observation(from_micros(at), data, next(waiting) if has_vector else None)
        for at, data, has_vector in body["observations"]
    ]
    made.actions = [TrajectoryAction(from_micros(at), *rest) for at, *rest in body["actions"]]
    made.outcomes = [
        TrajectoryOutcome(value, from_micros(at), action) for value, at, action in body["outcomes"]
    ]
    made.recalls = list(body["recalls"])
    if body["end_time"] is not None:
        made.end_time = from_micros(body["end_time"])
    tracked(made, sizes(made))
    return made


def body_of(trajectory: Trajectory) -> dict[str, Any]:
    """Return all but the outcomes and the vectors as plain parts."""
    return {
        "agent_id": trajectory.agent_id,
        "start_time": to_micros(trajectory.start_time),
        "end_time": None if trajectory.end_time is None else to_micros(trajectory.end_time),
        "symbol": trajectory.symbol,
        "regime": trajectory.regime,
        "metadata": trajectory.metadata,
        "recalls": trajectory.recalls,
        "observations": [
            [to_micros(seen.at), seen.data, seen.embedding is not None]
            for seen in trajectory.observations
        ],
        "actions": [
            [
                to_micros(action.at),
                action.type,
                action.parameters,
                action.predicted_outcome,
                action.confidence,
            ]
            for action in trajectory.actions
        ],
    }


def outcomes_of(outcomes: Sequence[TrajectoryOutcome]) -> list[list[Any]]:
    """Return outcomes as plain parts."""
    return [[outcome.value, to_micros(outcome.known_at), outcome.action] for outcome in outcomes]


def vectors_of(trajectory: Trajectory) -> list[Vector]:
    """Return the vectors of its observations, in order."""
    return [seen.embedding for seen in trajectory.observations if seen.embedding is not None]


def _record(trajectory: Trajectory, known: Sequence[TrajectoryOutcome]) -> RawRecord:
    """Return the version of a trajectory as of its last step."""
    last = to_micros(trajectory.last_time)
    vectors, embedding = vectors_of(trajectory), trajectory.embedding()
    outcome = _outcome(known) if known else None
    if outcome is not None:
        # Known before the last step, it shows with it; the payload says since when it was known.
        outcome = replace(outcome, known_at=max(outcome.known_at or last, last))
    attributes: dict[str, Attribute] = {"status": COMPLETED if trajectory.is_complete else ACTIVE}
    if trajectory.actions:
        attributes["action"] = trajectory.actions[-1].type
    return RawRecord(
        id=trajectory.id,
        namespace=namespace_of(trajectory.agent_id),
        kind=KIND,
        event_time=to_micros(trajectory.start_time),
        known_at=last,
        agent_id=trajectory.agent_id,
        symbol=trajectory.symbol,
        regime=trajectory.regime,
        embeddings={} if embedding is None else {STATE: embedding},
        attributes=attributes,
        payload=pack({**body_of(trajectory), "vectors": np.array(vectors, dtype=np.float32)}),
        outcome=outcome,
        writer=trajectory.agent_id,
        parents=tuple(trajectory.recalls),
    )


def _outcome(known: Sequence[TrajectoryOutcome]) -> RawOutcome:
    *_, total = accumulate(outcome.value for outcome in known)
    at = max(to_micros(outcome.known_at) for outcome in known)
    return RawOutcome(total / len(known), at, pack(outcomes_of(known)))


def _rows(vectors: Any) -> list[Vector]:
    return list(vectors) if len(vectors) else []
