"""Trajectories: what an agent saw, did, expected and got, step by step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from nt_memory._shown import shown
from nt_memory._values import as_vector, finite, mapping, pack, same, segment, unpack
from nt_memory.clock import SystemClock, from_micros, to_micros
from nt_memory.errors import DimensionMismatchError, InvalidEmbeddingError
from nt_memory.metrics import LARGEST

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import numpy.typing as npt

    from nt_memory.clock import Clock
    from nt_memory.store import Vector


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """What an agent saw at a time: JSON types in ``data``, a vector where there is one."""

    at: datetime
    data: Any
    embedding: Vector | None = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Observation):
            return NotImplemented
        return all(same(getattr(self, name), getattr(other, name)) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class TrajectoryAction:
    """What an agent did at a time, what it expected of it, and how sure it was."""

    at: datetime
    type: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    predicted_outcome: float | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class TrajectoryOutcome:
    """What an action (by its place) came to, and from when that could be known."""

    value: float
    known_at: datetime
    action: int


class Trajectory:
    """The path of one decision: observations, actions, and what came of them.

    Steps are added in the order of their times.  An outcome belongs to one
    action and is known from its own time on: whoever asks for the trajectory
    as of an earlier time sees it without.

    Parameters
    ----------
    agent_id
        Whose it is; one segment of a namespace.
    id
        Empty takes a fresh one when it is tracked.
    start_time
        The clock's now by default.
    symbol, regime
        What it was about, where one can say; indexed.
    metadata
        Anything more: JSON types.
    clock
        Tells the time where a step says none; the machine's by default.
        `TrajectoryTracker.start` gives that of the memory.

    Examples
    --------
    >>> from datetime import datetime, timezone
    >>> monday, friday = (datetime(2024, 1, day, tzinfo=timezone.utc) for day in (8, 12))
    >>> trajectory = Trajectory("agent_1", start_time=monday)
    >>> trajectory.add_observation({"price": 100.0}, at=monday)
    >>> trajectory.add_action("buy", {"quantity": 10}, predicted_outcome=110.0, at=monday)
    0
    >>> trajectory.add_outcome(105.0, known_at=friday)
    >>> trajectory.score()
    105.0
    """

    def __init__(
        self,
        agent_id: str,
        *,
        id: str = "",
        start_time: datetime | None = None,
        symbol: str | None = None,
        regime: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock
        if not isinstance(id, str):
            msg = f"id={shown(id)}: give a string"
            raise TypeError(msg)
        self.id = id
        self.agent_id = segment("agent_id", agent_id)
        self.symbol = symbol
        self.regime = regime
        self.start_time = self._time(start_time, "start_time")
        self.end_time: datetime | None = None
        self.observations: list[Observation] = []
        self.actions: list[TrajectoryAction] = []
        self.outcomes: list[TrajectoryOutcome] = []
        self.metadata = dict(mapping("metadata", {} if metadata is None else metadata))
        self.recalls: list[str] = []
        # What the store has of it: steps and whether it ended, and outcomes.
        self.tracked_size = -1
        self.tracked_outcomes = 0

    @property
    def last_time(self) -> datetime:
        """When its last step was taken; outcomes are none."""
        times = [self.start_time, *(step[-1].at for step in self._steps() if step)]
        return max(times if self.end_time is None else [*times, self.end_time])

    @property
    def steps(self) -> int:
        """How many steps were taken, its end among them."""
        return len(self.observations) + len(self.actions) + (self.end_time is not None)

    @property
    def body_size(self) -> int:
        """How much there is of it but for its outcomes; it only grows."""
        return self.steps + len(self.recalls)

    def add_observation(
        self, data: Any, embedding: npt.ArrayLike | None = None, at: datetime | None = None
    ) -> None:
        """Add what the agent saw.

        Parameters
        ----------
        data
            JSON types, bytes and NumPy arrays.
        embedding
            Of shape ``(dim,)``, as long as those before it.
        at
            When; the clock's now by default.

        Raises
        ------
        DimensionMismatchError, InvalidEmbeddingError
            The vector has another length than one before, is all zero or not finite.
        ValueError
            The trajectory is complete, or the time lies before its last step.
        """
        vector = None if embedding is None else self._vector(embedding)
        # A copy: what cannot be stored is refused here, and nobody changes it afterwards.
        kept = unpack(pack(data))
        self.observations.append(Observation(self._next(at), kept, vector))

    def add_action(
        self,
        type: str,  # noqa: A002 (the name in the interface)
        parameters: Mapping[str, Any] | None = None,
        predicted_outcome: float | None = None,
        *,
        confidence: float | None = None,
        at: datetime | None = None,
    ) -> int:
        """Add what the agent did; return its place among the actions.

        Parameters
        ----------
        type
            For example ``"buy"``.
        parameters
            JSON types by name.
        predicted_outcome
            What the agent expects, in the unit of the outcome.
        confidence
            How sure it is of the direction, 0 to 1.
        at
            When; the clock's now by default.
        """
        if not isinstance(type, str) or not type:
            msg = f"type={shown(type)}: say what was done, as in 'buy'"
            raise ValueError(msg)
        given = unpack(pack(dict(mapping("parameters", {} if parameters is None else parameters))))
        action = TrajectoryAction(
            self._next(at),
            type,
            given,
            None if predicted_outcome is None else _number("predicted_outcome", predicted_outcome),
            None if confidence is None else finite("confidence", confidence, 0.0, 1.0),
        )
        self.actions.append(action)
        return len(self.actions) - 1

    def add_outcome(
        self, value: float, known_at: datetime | None = None, *, action: int | None = None
    ) -> None:
        """Add what an action came to; a trajectory that is complete still learns it.

        Parameters
        ----------
        value
            In the unit of the prediction; finite.
        known_at
            From when it can be known; the clock's now by default.
        action
            Its place; by default the first that predicted and has no outcome, and
            where none has, the first without an outcome.

        Raises
        ------
        ValueError
            There is no such action, it has its outcome, or was taken later than
            ``known_at``.
        """
        number = _number("value", value)
        place = self._open_action() if action is None else self._checked(action)
        at = self._time(known_at, "known_at")
        if at < self.actions[place].at:
            msg = (
                f"known_at={shown(at)} is before its action, at {shown(self.actions[place].at)}: "
                "what is not done has no outcome"
            )
            raise ValueError(msg)
        self.outcomes.append(TrajectoryOutcome(number, at, place))

    def cite(self, recall_id: str) -> None:
        """Say which recall a decision stood on, so that the memories in it learn what it led to."""
        if not isinstance(recall_id, str) or not recall_id:
            msg = f"recall_id={shown(recall_id)}: give the id of a logged recall"
            raise ValueError(msg)
        if recall_id not in self.recalls:
            self.recalls.append(recall_id)

    def complete(self, at: datetime | None = None) -> None:
        """End it: no observation and no action comes any more."""
        self.end_time = self._next(at)

    @property
    def is_complete(self) -> bool:
        """Whether it has ended."""
        return self.end_time is not None

    @property
    def is_final(self) -> bool:
        """Whether it has ended, and every action that predicted has its outcome, and one has."""
        settled = {outcome.action for outcome in self.outcomes}
        waiting = any(
            action.predicted_outcome is not None and place not in settled
            for place, action in enumerate(self.actions)
        )
        return self.is_complete and bool(settled) and not waiting

    def score(self) -> float | None:
        """Return the mean of its outcomes; None without any."""
        if not self.outcomes:
            return None
        return sum(outcome.value for outcome in self.outcomes) / len(self.outcomes)

    def outcome_of(self, action: int, as_of: datetime | None = None) -> TrajectoryOutcome | None:
        """Return what an action came to, as far as it was known at a time."""
        for outcome in self.outcomes:
            if outcome.action == action and (as_of is None or outcome.known_at <= as_of):
                return outcome
        return None

    @property
    def judged(self) -> int | None:
        """The place of the action that is judged and learnt from; None without any action.

        The last that predicted and has its outcome, else the last that has one, else
        the last.
        """
        settled = {outcome.action for outcome in self.outcomes}
        predicted = {p for p in settled if self.actions[p].predicted_outcome is not None}
        places = predicted or settled or range(len(self.actions))
        return max(places, default=None)

    def seen_before(self, action: int | None) -> list[Observation]:
        """Return what had been observed when an action was taken; everything for none."""
        if action is None:
            return self.observations
        return [seen for seen in self.observations if seen.at <= self.actions[action].at]

    def embedding(self, action: int | None = None) -> Vector | None:
        """Return the mean direction of what was observed, until an action; None without one."""
        observed = self.seen_before(action)
        vectors = [seen.embedding for seen in observed if seen.embedding is not None]
        if not vectors:
            return None
        if len(vectors) == 1:
            return vectors[0]
        rows = np.stack(vectors).astype(np.float64)
        mean: Vector = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).mean(axis=0)
        # Vectors that cancel out have no direction; the last one says where it stood.
        return mean.astype(np.float32) if np.linalg.norm(mean) > 1e-6 else vectors[-1]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Trajectory):
            return NotImplemented
        names = ("id", "agent_id", "symbol", "regime", "start_time", "end_time", "recalls")
        lists = ("observations", "actions", "outcomes")
        return all(
            getattr(self, name) == getattr(other, name) for name in (*names, *lists)
        ) and same(self.metadata, other.metadata)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return (
            f"<Trajectory {self.id or 'untracked'} of {self.agent_id}: {len(self.observations)} "
            f"observations, {len(self.actions)} actions, {len(self.outcomes)} outcomes>"
        )

    def _steps(self) -> tuple[list[Observation], list[TrajectoryAction]]:
        return self.observations, self.actions

    def _next(self, at: datetime | None) -> datetime:
        """Return the time of a further step."""
        if self.end_time is not None:
            msg = f"the trajectory was completed at {shown(self.end_time)}: start another one"
            raise ValueError(msg)
        time, last = self._time(at, "at"), self.last_time
        if time < last:
            msg = f"at={shown(time)} is before the last step, at {shown(last)}: add steps in order"
            raise ValueError(msg)
        return time

    def _time(self, at: datetime | None, name: str) -> datetime:
        if at is not None:
            return from_micros(to_micros(at, name))
        self._clock = self._clock or SystemClock()
        return self._clock.now()

    def _vector(self, embedding: npt.ArrayLike) -> Vector:
        vector = as_vector(embedding)
        if not np.isfinite(vector).all() or not vector.any():
            msg = "embedding is all zero or not finite: leave it out where there is none"
            raise InvalidEmbeddingError(msg)
        for seen in self.observations:
            if seen.embedding is not None and len(seen.embedding) != len(vector):
                msg = (
                    f"embedding has {len(vector)} numbers, those before it have "
                    f"{len(seen.embedding)}: encode all observations with one encoder"
                )
                raise DimensionMismatchError(msg)
        return vector

    def _open_action(self) -> int:
        if not self.actions:
            msg = "there is no action that could have an outcome: call add_action first"
            raise ValueError(msg)
        settled = {outcome.action for outcome in self.outcomes}
        waiting = [place for place in range(len(self.actions)) if place not in settled]
        if not waiting:
            msg = f"all {len(self.actions)} actions have their outcome: add the action first"
            raise ValueError(msg)
        predicted = (p for p in waiting if self.actions[p].predicted_outcome is not None)
        return next(predicted, waiting[0])

    def _checked(self, action: int) -> int:
        if isinstance(action, bool) or not isinstance(action, int):
            msg = f"action={shown(action)}: give the place of an action, as add_action returned it"
            raise TypeError(msg)
        if not 0 <= action < len(self.actions):
            msg = f"action={action}: there are {len(self.actions)} actions, counted from 0"
            raise ValueError(msg)
        if self.outcome_of(action) is not None:
            msg = f"action {action} has its outcome already"
            raise ValueError(msg)
        return action


def _number(name: str, value: object) -> float:
    """Return a number whose square, and that of many of it, is one as well."""
    return finite(name, value, -LARGEST, LARGEST)
