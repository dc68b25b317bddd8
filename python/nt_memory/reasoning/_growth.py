"""How patterns take in trajectories: assign, cluster, merge."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from nt_memory.clock import from_micros
from nt_memory.clustering import NO_GROUP, cluster
from nt_memory.metrics import PerformanceMetrics
from nt_memory.reasoning.pattern import Conditions, DistilledPattern

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    import numpy.typing as npt

    from nt_memory.clustering import Method
    from nt_memory.reasoning.trajectory import Trajectory
    from nt_memory.store import Vector


@dataclass(frozen=True, slots=True)
class Member:
    """A trajectory that can be distilled: its direction, and since when its outcomes are known."""

    trajectory: Trajectory
    unit: Vector
    known: int

    @property
    def id(self) -> str:
        """Of the trajectory."""
        return self.trajectory.id


@dataclass
class Grown:
    """A pattern in the making.

    ``new`` are the members that the store does not have under this pattern, and
    ``into`` the pattern that took it in.
    """

    pattern: DistilledPattern
    new: list[str] = field(default_factory=list)
    into: str | None = None
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Growth:
    """The rules by which the patterns about one type of action grow at one time."""

    similarity: float
    least: int
    method: Method
    at: datetime
    empty: Callable[[], DistilledPattern]

    def grow(
        self, there: Sequence[DistilledPattern], members: Sequence[Member]
    ) -> tuple[list[Grown], list[Member]]:
        """Return the patterns that changed, and who is left in none."""
        grown = [Grown(pattern) for pattern in there]
        left = self._assign(grown, members)
        if left:
            units = np.array([member.unit for member in left])
            labels = cluster(
                units, similarity=self.similarity, least=self.least, method=self.method
            )
            for number in range(int(labels.max()) + 1):
                grown.append(Grown(self.empty(), is_new=True))
                self._add(grown[-1], _chosen(left, labels == number))
            left = _chosen(left, labels == NO_GROUP)
        self._merge(grown)
        # One that is new and was taken in at once was never there.
        changed = [each for each in grown if each.new or each.into]
        return [each for each in changed if not (each.is_new and each.into)], left

    def _assign(self, grown: Sequence[Grown], members: Sequence[Member]) -> list[Member]:
        """Give each member to the nearest pattern that is near enough; return the others."""
        if not grown or not members:
            return list(members)
        middles = np.array([each.pattern.centroid for each in grown])
        alike = np.array([member.unit for member in members]) @ middles.T
        best = alike.argmax(axis=1)
        near = alike[np.arange(len(members)), best] >= self.similarity
        for place, each in enumerate(grown):
            group = _chosen(members, near & (best == place))
            if group:
                self._add(each, group)
        return _chosen(members, ~near)

    def _add(self, grown: Grown, group: Sequence[Member]) -> None:
        ordered = sorted(group, key=lambda member: (member.known, member.id))
        scores = [member.trajectory.score() or 0.0 for member in ordered]
        times = [from_micros(member.known) for member in ordered]
        ids = [member.id for member in ordered]
        pattern = grown.pattern
        grown.pattern = replace(
            pattern,
            vector_sum=pattern.vector_sum
            + np.array([member.unit for member in ordered], dtype=np.float64).sum(axis=0),
            performance=pattern.performance.merge(PerformanceMetrics.of(scores, times)),
            conditions=pattern.conditions.merge(Conditions.of(m.trajectory for m in ordered)),
            trajectory_ids=(*pattern.trajectory_ids, *ids),
            known_at=self.at,
        )
        grown.new += ids

    def _merge(self, grown: Sequence[Grown]) -> None:
        """Let the largest take in those whose middle has come near its own, and so on."""
        waiting = sorted(grown, key=lambda each: (-each.pattern.n, each.is_new, each.pattern.id))
        while waiting:
            home, *waiting = waiting
            rest = []
            for each in waiting:
                alike = float(home.pattern.centroid @ each.pattern.centroid)
                if alike < self.similarity or not (home.new or each.new):
                    rest.append(each)
                    continue
                home.pattern = replace(home.pattern.merge(each.pattern), known_at=self.at)
                home.new += each.pattern.trajectory_ids
                each.pattern = replace(each.pattern, known_at=self.at)
                each.into = home.pattern.id
            waiting = rest


def _chosen(members: Sequence[Member], rows: npt.NDArray[np.bool_]) -> list[Member]:
    return [members[row] for row in np.flatnonzero(rows).tolist()]
