"""Patterns: what similar decisions have come to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nt_memory._values import pack, unpack
from nt_memory.clock import from_micros, to_micros
from nt_memory.metrics import PerformanceMetrics
from nt_memory.reasoning.usage import Usage
from nt_memory.records import STATE
from nt_memory.store import RawOutcome, RawRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    import numpy.typing as npt

    from nt_memory.reasoning.trajectory import Trajectory
    from nt_memory.store import Vector

KIND = "pattern"
# An observation with more numbers than this is described by its vector, not by ranges.
_MOST_NUMBERS = 32


@dataclass(frozen=True, slots=True)
class Conditions:
    """Under which circumstances the members of a pattern were decided.

    Parameters
    ----------
    counts
        How often each symbol, regime and agent was there, by field and value.
    ranges
        Least, greatest and mean of each number that was observed last, and how often it was.
    """

    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float, float, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, trajectories: Iterable[Trajectory]) -> Conditions:
        """Return those of some trajectories."""
        counts: dict[str, Counter[str]] = {}
        numbers: dict[str, list[float]] = {}
        for trajectory in trajectories:
            for name in ("symbol", "regime", "agent_id"):
                value = getattr(trajectory, name)
                if value is not None:
                    counts.setdefault(name, Counter())[value] += 1
            for name, number in _numbers(trajectory):
                numbers.setdefault(name, []).append(number)
        ranges = {
            name: (min(seen), max(seen), float(np.mean(seen)), len(seen))
            for name, seen in numbers.items()
        }
        return cls({name: dict(counter) for name, counter in counts.items()}, ranges)

    def merge(self, other: Conditions) -> Conditions:
        """Return those of both."""
        counts = {
            name: dict(Counter(self.counts.get(name, {})) + Counter(other.counts.get(name, {})))
            for name in {**self.counts, **other.counts}
        }
        ranges = {
            name: _joined(self.ranges.get(name), other.ranges.get(name))
            for name in {**self.ranges, **other.ranges}
        }
        return Conditions(counts, ranges)

    def usual(self, name: str) -> str | None:
        """Return the value that at least half had; None where there is none."""
        counts = self.counts.get(name)
        if not counts:
            return None
        value = max(counts, key=lambda each: (counts[each], each))
        return value if 2 * counts[value] >= sum(counts.values()) else None

    def to_json(self) -> dict[str, Any]:
        """Return them as JSON types."""
        ranges = {name: list(told) for name, told in self.ranges.items()}
        return {
            "counts": {name: dict(told) for name, told in self.counts.items()},
            "ranges": ranges,
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Conditions:
        """Return what `to_json` gave."""
        ranges = {
            name: (low, high, mean, n) for name, (low, high, mean, n) in told["ranges"].items()
        }
        return cls(told["counts"], ranges)


@dataclass(frozen=True, slots=True, eq=False)
class DistilledPattern:
    """Similar decisions and what they came to, as known at a time.

    Parameters
    ----------
    id
        Of its record.
    agent_id
        Whose trajectories it was made of; None where of all.
    pattern_type
        What was done, the type of the last action; ``"observation"`` where nothing was.
    vector_sum
        Sum of its members' unit vectors, float64.
    performance
        Of the members' scores, in the order in which they became known.
    conditions
        Under which circumstances.
    trajectory_ids
        Its members.
    good, bad
        Verdicts on decisions that had recalled it.
    first_known, known_at
        When it was first distilled, and this version.
    metadata
        Anything more.
    """

    id: str
    agent_id: str | None
    pattern_type: str
    vector_sum: npt.NDArray[np.float64]
    performance: PerformanceMetrics
    conditions: Conditions
    trajectory_ids: tuple[str, ...]
    first_known: datetime
    known_at: datetime
    good: int = 0
    bad: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """Number of members."""
        return self.performance.n

    @property
    def centroid(self) -> Vector:
        """The mean direction, float32 of length 1."""
        centroid: Vector = (self.vector_sum / np.linalg.norm(self.vector_sum)).astype(np.float32)
        return centroid

    @property
    def strength(self) -> float:
        """Mean cosine of the members to the centroid: 1 where all are alike."""
        return min(float(np.linalg.norm(self.vector_sum)) / self.n, 1.0)

    @property
    def expected_outcome(self) -> float:
        """Mean score of the members."""
        return self.performance.mean_return

    @property
    def standard_error(self) -> float | None:
        """Of the expected outcome; None of fewer than two members."""
        return self.performance.standard_error

    @property
    def confidence(self) -> float:
        """How far it could be relied on so far; see `nt_memory.reasoning.usage`."""
        return Usage(self.good, self.bad).confidence

    @property
    def regime(self) -> str | None:
        """The regime of at least half of the members."""
        return self.conditions.usual("regime")

    @property
    def symbol(self) -> str | None:
        """The symbol of at least half of the members."""
        return self.conditions.usual("symbol")

    def describe(self) -> str:
        """Say it in words."""
        error = self.standard_error
        spread = "" if error is None else f" (standard error {error:.3g})"
        where = f" in {self.regime}" if self.regime else ""
        whose = f" on {self.symbol}" if self.symbol else ""
        rate = self.performance.win_rate or 0.0
        return (
            f"{self.pattern_type}{whose}{where}: {self.n} times, "
            f"expected {self.expected_outcome:+.4g}{spread}, {rate:.0%} above zero, "
            f"alike {self.strength:.2f}, confidence {self.confidence:.2f}"
        )

    def merge(self, other: DistilledPattern) -> DistilledPattern:
        """Return this pattern with the members of another."""
        earlier, later = sorted(
            (self.performance, other.performance), key=lambda told: told.first or self.known_at
        )
        return replace(
            self,
            vector_sum=self.vector_sum + other.vector_sum,
            performance=earlier.merge(later),
            conditions=self.conditions.merge(other.conditions),
            trajectory_ids=self.trajectory_ids + other.trajectory_ids,
            good=self.good + other.good,
            bad=self.bad + other.bad,
        )


def record_of(
    pattern: DistilledPattern,
    namespace: str,
    new_ids: Iterable[str],
    writer: str,
    expires_at: datetime | None = None,
) -> RawRecord:
    """Return a version of a pattern; its parents are the members that it adds."""
    known = to_micros(pattern.known_at)
    usage = Usage(pattern.good, pattern.bad)
    body = {
        "agent_id": pattern.agent_id,
        "vector_sum": pattern.vector_sum,
        "performance": pattern.performance.to_json(),
        "conditions": pattern.conditions.to_json(),
        "metadata": dict(pattern.metadata),
    }
    return RawRecord(
        id=pattern.id,
        namespace=namespace,
        kind=KIND,
        event_time=to_micros(pattern.first_known),
        known_at=known,
        agent_id=pattern.agent_id,
        symbol=pattern.symbol,
        regime=pattern.regime,
        expires_at=None if expires_at is None else to_micros(expires_at),
        importance=usage.importance,
        confidence=usage.confidence,
        embeddings={STATE: pattern.centroid},
        attributes={
            "pattern_type": pattern.pattern_type,
            "n": float(pattern.n),
            "strength": pattern.strength,
            "expected_outcome": pattern.expected_outcome,
            **usage.attributes(),
        },
        payload=pack(body),
        outcome=RawOutcome(pattern.expected_outcome, known),
        writer=writer,
        parents=tuple(new_ids),
    )


def read(raw: RawRecord, trajectory_ids: tuple[str, ...]) -> DistilledPattern:
    """Return the pattern of a record."""
    body, usage = unpack(raw.payload or b""), Usage.of(raw)
    return DistilledPattern(
        id=raw.id,
        agent_id=body["agent_id"],
        pattern_type=str(raw.attributes["pattern_type"]),
        vector_sum=body["vector_sum"],
        performance=PerformanceMetrics.from_json(body["performance"]),
        conditions=Conditions.from_json(body["conditions"]),
        trajectory_ids=trajectory_ids,
        first_known=from_micros(raw.event_time),
        known_at=from_micros(raw.known_at),
        good=usage.good,
        bad=usage.bad,
        metadata=body["metadata"],
    )


def _numbers(trajectory: Trajectory) -> Iterable[tuple[str, float]]:
    observed = trajectory.seen_before(trajectory.judged)
    data = observed[-1].data if observed else None
    if not isinstance(data, dict):
        return []
    found = [
        (name, float(value))
        for name, value in data.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and np.isfinite(value)
    ]
    return found[:_MOST_NUMBERS]


def _joined(
    one: tuple[float, float, float, int] | None, other: tuple[float, float, float, int] | None
) -> tuple[float, float, float, int]:
    if one is None or other is None:
        return one or other or (0.0, 0.0, 0.0, 0)
    n = one[3] + other[3]
    mean = one[2] + (other[2] - one[2]) * other[3] / n
    return min(one[0], other[0]), max(one[1], other[1]), mean, n
