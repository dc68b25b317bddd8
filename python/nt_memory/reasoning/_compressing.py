"""Compression of what a distiller has taken in, and the way back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nt_memory._intake import Intake, visible_at
from nt_memory._walking import walk
from nt_memory.clock import from_micros, micros, to_micros
from nt_memory.errors import AccessDeniedError, ForgottenError, HorizonError
from nt_memory.filters import Filter, le
from nt_memory.reasoning import _form
from nt_memory.reasoning._final import trajectories_of
from nt_memory.reasoning.blocks import Blocks, Compression

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from nt_memory._handle import Handle
    from nt_memory._intake import Mark
    from nt_memory.clock import Duration
    from nt_memory.reasoning.blocks import WindowEncoder
    from nt_memory.reasoning.pattern import DistilledPattern
    from nt_memory.reasoning.trajectory import Trajectory
    from nt_memory.store import RawRecord

# Trajectories of a block.
_BLOCK = 1000
# Views that learn from trajectories, by where their marks lie.
_VIEWS = ("patterns", "items", "feedback")


@dataclass(frozen=True, slots=True)
class Inflated:
    """The members of a pattern that are there, in its order, and the ids of those forgotten."""

    trajectories: tuple[Trajectory, ...]
    forgotten: tuple[str, ...]


class Compressing:
    """The half of `MemoryDistiller` that puts trajectories away."""

    def __init__(
        self,
        memory: Handle,
        agent_id: str | None,
        namespace: str,
        encoder: WindowEncoder | None,
    ) -> None:
        self._memory = memory
        self.agent_id = agent_id
        self.namespace = namespace
        self._intake = Intake(memory.store, memory.clock, namespace)
        self._blocks = Blocks(memory.store, encoder)

    def compress(
        self,
        older_than: Duration,
        as_of: datetime | None = None,
        *,
        progress: Callable[[int], object] | None = None,
    ) -> Compression:
        """Put old trajectories that a turn has taken in into blocks; say what that saved.

        Their records are forgotten, block by block, each in one batch: a recall that
        could have met them says ``complete=False`` from then on.  Patterns keep them
        as members, `inflate` and `TrajectoryTracker.get` give them back.  What each
        forgotten record leaves (its id, times and indexed fields) stays, in memory
        and on the disk.

        Parameters
        ----------
        older_than
            Those whose last outcome has been known for longer.
        as_of
            Counts as now; the clock's now by default.
        progress
            Called with the number of trajectories now and then.

        Examples
        --------
        >>> from nt_memory import MemoryDistiller, MemorySystem
        >>> with MemorySystem(":memory:") as memory:
        ...     MemoryDistiller(memory).compress(older_than=86_400.0).trajectories
        0
        """
        at = self._micros(as_of)
        saved = Compression()
        waiting: dict[str, list[str]] = {}
        for raw in self._old(at - micros(older_than, "older_than")):
            group = waiting.setdefault(raw.agent_id or "", [])
            group.append(raw.id)
            if len(group) == _BLOCK:
                saved += self._blocks.replace(waiting.pop(raw.agent_id or ""), at)
                if progress is not None:
                    progress(saved.trajectories)
        for group in waiting.values():
            saved += self._blocks.replace(group, at)
        return saved

    def inflate(self, pattern: DistilledPattern) -> Inflated:
        """Return the trajectories that a pattern was made of, compressed or not.

        Their outcomes are those that were known when the pattern was.
        """
        at = to_micros(pattern.known_at)
        found = {}
        for id_ in pattern.trajectory_ids:
            try:
                raw = self._memory.store.fetch(id_, at)
            except (ForgottenError, HorizonError):
                continue
            made = None if raw is None else _form.readable(raw)
            if made is not None:
                found[id_] = made
        away = [id_ for id_ in pattern.trajectory_ids if id_ not in found]
        agents = self._blocks.agents() if away else []
        found |= {each.id: each for each in self._blocks.find(away, agents, at)}
        return Inflated(
            tuple(found[id_] for id_ in pattern.trajectory_ids if id_ in found),
            tuple(id_ for id_ in pattern.trajectory_ids if id_ not in found),
        )

    def _old(self, until: int) -> Iterator[RawRecord]:
        """Go through the trajectories that became final until then and were taken in.

        Whatever else learns from them, and has begun to, has to have taken them in, too.
        """
        own = self._intake.last()
        if own is None:
            return
        wanted = Filter(
            kind=_form.KIND,
            visible_at=le(from_micros(min(until, own.as_of))),
            attributes={"status": _form.COMPLETED},
        )
        query = replace(trajectories_of(self.agent_id), filter=wanted.tree(), order_by="event_time")
        marks: dict[str, list[Mark]] = {}
        for raw in walk(self._memory.store, query):
            trajectory = _form.readable(raw)
            if trajectory is None or not trajectory.is_final:
                continue
            agent = trajectory.agent_id
            if agent not in marks:
                marks[agent] = list(filter(None, map(self._mark, _learners(agent))))
            if all(mark.covers(visible_at(raw), raw) for mark in (own, *marks[agent])):
                yield raw

    def _mark(self, namespace: str) -> Mark | None:
        try:
            return Intake(self._memory.store, self._memory.clock, namespace).last()
        except AccessDeniedError:  # whose mark an agent may not read, that does not wait for it
            return None

    def _micros(self, as_of: datetime | None) -> int:
        return to_micros(self._memory.clock.now() if as_of is None else as_of, "as_of")


def _learners(agent_id: str) -> list[str]:
    """Return where the marks of all lie that may learn from an agent's trajectories."""
    return [f"{home}/{name}" for home in ("shared", f"swarm/{agent_id}") for name in _VIEWS]
