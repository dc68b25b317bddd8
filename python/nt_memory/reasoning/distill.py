"""Distillation: from many trajectories to a few patterns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from nt_memory._intake import KEY, visible_at
from nt_memory._shown import shown
from nt_memory._values import finite
from nt_memory._walking import walk
from nt_memory.clock import from_micros, micros
from nt_memory.filters import Filter
from nt_memory.metrics import PerformanceMetrics
from nt_memory.reasoning import pattern
from nt_memory.reasoning._compressing import Compressing
from nt_memory.reasoning._final import final_since
from nt_memory.reasoning._growth import Growth, Member
from nt_memory.reasoning.pattern import Conditions, DistilledPattern
from nt_memory.store import Expect, Query, Write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from nt_memory._handle import Handle
    from nt_memory._intake import Turn
    from nt_memory.clock import Duration
    from nt_memory.clustering import Method
    from nt_memory.reasoning._growth import Grown
    from nt_memory.reasoning.blocks import WindowEncoder
    from nt_memory.store import Op, RawRecord

OBSERVATION = "observation"
SHARED = "shared/patterns"
_DAY = 86_400.0
_STEP = 1000


@dataclass(frozen=True, slots=True)
class Distillation:
    """What a turn of distillation did.

    Parameters
    ----------
    as_of
        The time of the turn.
    patterns
        Those that are new or have grown.
    members
        How many trajectories they took in.
    waiting
        How many are like no others so far, and wait for them.
    ignored
        How many have no vector, or none came that were like them.
    """

    as_of: datetime
    patterns: tuple[DistilledPattern, ...]
    members: int
    waiting: int
    ignored: int


class MemoryDistiller(Compressing):
    """Distil trajectories into patterns, and keep them.

    A turn takes the trajectories that are final (ended, and the outcome of each
    prediction known) since the turn before.  Each goes to the pattern that it is
    most like, of those about the same type of action; the rest is clustered, and
    groups of at least `min_trajectories` become patterns; patterns that have
    come near each other are merged.  A pattern is known from the turn's time on
    and never before, and changes by new versions: a recall as of an earlier time
    finds what was distilled by then.

    Parameters
    ----------
    memory
        Where the trajectories are, and the patterns go.
    agent_id
        Distil the trajectories of this agent into ``swarm/<agent_id>/patterns``;
        None those of all into ``shared/patterns``.
    min_trajectories
        Fewest members of a new pattern, 2 or more.
    similarity
        Least cosine to a pattern of its members, and between patterns that are
        merged.
    method
        ``"leader"`` or ``"hdbscan"``; see `nt_memory.clustering.cluster`.
    patience
        How long a trajectory that is like no others waits for them, from when
        its outcomes were known.
    encoder
        Vectors that it rebuilds to the bit are dropped in a compression.

    Examples
    --------
    >>> from nt_memory import MemoryConfig, MemorySystem, VectorSpace
    >>> from nt_memory.reasoning import TrajectoryTracker
    >>> config = MemoryConfig(cold_engine="memory", spaces={"state": VectorSpace(dim=2)})
    >>> with MemorySystem(config) as memory:
    ...     tracker = TrajectoryTracker(memory)
    ...     for reward in (0.01, 0.03, 0.02):
    ...         made = tracker.start("hedge", regime="TRENDING")
    ...         made.add_observation({"trend": reward}, [1.0, reward])
    ...         _ = made.add_action("buy", predicted_outcome=0.02)
    ...         made.add_outcome(reward)
    ...         _ = tracker.complete(made)
    ...     (found,) = MemoryDistiller(memory, agent_id="hedge").distill().patterns
    ...     found.n, found.regime, round(found.expected_outcome, 3)
    (3, 'TRENDING', 0.02)
    """

    def __init__(
        self,
        memory: Handle,
        *,
        agent_id: str | None = None,
        min_trajectories: int = 3,
        similarity: float = 0.8,
        method: Method = "leader",
        patience: Duration = 90.0 * _DAY,
        encoder: WindowEncoder | None = None,
    ) -> None:
        if not isinstance(min_trajectories, int) or min_trajectories < 2:
            msg = f"min_trajectories={shown(min_trajectories)}: give an integer of at least 2"
            raise ValueError(msg)
        namespace = SHARED if agent_id is None else f"swarm/{agent_id}/patterns"
        super().__init__(memory, agent_id, namespace, encoder)
        self.min_trajectories = min_trajectories
        self.similarity = finite("similarity", similarity, 0.0, 1.0)
        self.method = method
        self._patience = micros(patience, "patience")
        self._writer = agent_id or memory.agent_id or "root"

    def distill(
        self,
        as_of: datetime | None = None,
        *,
        progress: Callable[[int], object] | None = None,
    ) -> Distillation:
        """Take in what became final since the last turn; return what has changed.

        A turn is one batch: it is there whole or not at all, and one without
        news changes no pattern.

        Parameters
        ----------
        as_of
            The time of the turn; the clock's now by default.
        progress
            Called with the number of trajectories read now and then; what it
            raises ends the turn, and nothing is changed.

        Raises
        ------
        ValueError
            ``as_of`` is yet to come, or lies before the last turn or a later weight of
            a pattern that would change.
        ConflictError
            Another turn ended meanwhile, of this or of feedback; nothing was changed,
            and it can be tried again.
        """
        unchanged = self._unchanged()
        turn = self._intake.begin(as_of)
        members, ignored = self._members(turn, progress)
        grown: list[Grown] = []
        alone: list[Member] = []
        for kind in sorted(members):
            changed, left = self._growth(turn, kind).grow(self._there(turn, kind), members[kind])
            grown += changed
            alone += left
        waiting = [member for member in alone if self._is_patient(member, turn)]
        ops: list[Op] = [*unchanged, *(self._write(each) for each in grown)]
        self._memory.store.commit([*ops, *turn.end([member.id for member in waiting])])
        return Distillation(
            from_micros(turn.now.as_of),
            tuple(each.pattern for each in grown if each.into is None),
            sum(map(len, members.values())) - len(alone),
            len(waiting),
            ignored + len(alone) - len(waiting),
        )

    def patterns(
        self, as_of: datetime | None = None, *, pattern_type: str | None = None
    ) -> Iterator[DistilledPattern]:
        """Go through the patterns that were known at a time, the oldest first.

        Parameters
        ----------
        as_of
            The time asked for; the clock's now by default.
        pattern_type
            Only those about this type of action.
        """
        at = self._micros(as_of)
        raws = walk(self._memory.store, replace(self._patterns(pattern_type), as_of=at))
        return (self._read(raw, at) for raw in raws)

    def get(self, id: str, as_of: datetime | None = None) -> DistilledPattern | None:
        """Return a pattern as it was known at a time; None where there was none."""
        at = self._micros(as_of)
        raw = self._memory.store.fetch(id, at)
        return None if raw is None or raw.kind != pattern.KIND else self._read(raw, at)

    def _members(
        self, turn: Turn, progress: Callable[[int], object] | None
    ) -> tuple[dict[str, list[Member]], int]:
        """Return what can be distilled by type of action, and how many have no vector."""
        members: dict[str, list[Member]] = {}
        ignored = 0
        final = final_since(turn, self.agent_id, (self.namespace, pattern.KIND))
        for count, (raw, trajectory) in enumerate(final, start=1):
            if progress is not None and count % _STEP == 0:
                progress(count)
            judged = trajectory.judged
            # What was seen after the decision is no reason for it.
            vector = trajectory.embedding(judged)
            if vector is None:
                ignored += 1
                continue
            kind = OBSERVATION if judged is None else trajectory.actions[judged].type
            wide = vector.astype(np.float64)
            unit = (wide / np.linalg.norm(wide)).astype(np.float32)
            members.setdefault(kind, []).append(Member(trajectory, unit, visible_at(raw)))
        return members, ignored

    def _is_patient(self, member: Member, turn: Turn) -> bool:
        return turn.now.as_of - member.known <= self._patience

    def _growth(self, turn: Turn, kind: str) -> Growth:
        at = from_micros(turn.now.as_of)

        def empty() -> DistilledPattern:
            return DistilledPattern(
                id=self._memory.store.new_id(),
                agent_id=self.agent_id,
                pattern_type=kind,
                vector_sum=np.zeros(1),
                performance=PerformanceMetrics(),
                conditions=Conditions(),
                trajectory_ids=(),
                first_known=at,
                known_at=at,
            )

        return Growth(self.similarity, self.min_trajectories, self.method, at, empty)

    def _there(self, turn: Turn, kind: str) -> list[DistilledPattern]:
        at, commit = turn.now.as_of, turn.now.commit
        query = replace(self._patterns(kind), as_of=at, recorded_by_commit=commit)
        return [self._read(raw, at) for raw in walk(self._memory.store, query)]

    def _unchanged(self) -> list[Op]:
        """Return the preconditions that no pattern is weighed meanwhile."""
        homes = ["shared/feedback"]
        homes += [] if self.agent_id is None else [f"swarm/{self.agent_id}/feedback"]
        store = self._memory.store
        return [Expect(home, KEY, store.get(home, KEY)) for home in homes]

    def _write(self, grown: Grown) -> Write:
        """Return the version of a pattern; one that was taken in is hidden from then on."""
        if not grown.is_new:
            last = from_micros(self._memory.store.versions(grown.pattern.id)[-1].known_at)
            if last > grown.pattern.known_at:
                msg = (
                    f"as_of={shown(grown.pattern.known_at)} is before pattern {grown.pattern.id} "
                    f"was weighed, as of {shown(last)}: give that time or a later one"
                )
                raise ValueError(msg)
        gone = grown.pattern.known_at if grown.into else None
        new = () if grown.into else grown.new
        return Write(pattern.record_of(grown.pattern, self.namespace, new, self._writer, gone))

    def _read(self, raw: RawRecord, at: int) -> DistilledPattern:
        """Return a pattern with all its members: each version names those that it added."""
        versions = self._memory.store.versions(raw.id)
        members = {
            parent: None
            for version in versions
            if version.known_at <= at and version.version <= raw.version
            for parent in version.parents
        }
        return pattern.read(raw, tuple(members))

    def _patterns(self, kind: str | None) -> Query:
        about = {} if kind is None else {"attributes": {"pattern_type": kind}}
        wanted = Filter(kind=pattern.KIND, **about)
        return Query(namespace=self.namespace, filter=wanted.tree(), order_by="event_time")
