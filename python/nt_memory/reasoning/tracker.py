"""The trajectories of all agents, in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nt_memory._recalling import bounds
from nt_memory._remembering import held_by
from nt_memory._shown import shown
from nt_memory._walking import walk
from nt_memory.clock import to_micros
from nt_memory.errors import ForgottenError
from nt_memory.filters import Filter, between, ge, le
from nt_memory.reasoning import _form
from nt_memory.reasoning.blocks import Blocks
from nt_memory.reasoning.trajectory import Trajectory
from nt_memory.store import Forget, Op, Query

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from nt_memory._handle import Handle
    from nt_memory.reasoning.blocks import WindowEncoder
    from nt_memory.store import RawRecord


class TrajectoryTracker:
    """Keep trajectories, durably, and give them back as they were known at a time.

    A trajectory is tracked as often as one likes: each call writes what is new.
    It lies in ``swarm/<agent_id>/trajectories`` as a record of kind
    ``"trajectory"``; what is asked of it as of a time shows the steps that had
    been tracked by then, and the outcomes that were known.

    Parameters
    ----------
    memory
        Where they are kept.
    encoder
        Rebuilds vectors that a compression has dropped.

    Examples
    --------
    >>> from nt_memory import MemorySystem
    >>> with MemorySystem(":memory:") as memory:
    ...     tracker = TrajectoryTracker(memory)
    ...     trajectory = tracker.start("hedge", symbol="SPY")
    ...     _ = trajectory.add_action("buy", predicted_outcome=0.02)
    ...     _ = tracker.track(trajectory)
    ...     tracker.get(trajectory.id).actions[0].type
    'buy'
    """

    def __init__(self, memory: Handle, *, encoder: WindowEncoder | None = None) -> None:
        self._memory = memory
        self._blocks = Blocks(memory.store, encoder)

    def start(
        self,
        agent_id: str,
        *,
        symbol: str | None = None,
        regime: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Trajectory:
        """Begin a trajectory, at the time of the memory's clock, and keep it."""
        trajectory = Trajectory(
            agent_id, symbol=symbol, regime=regime, metadata=metadata, clock=self._memory.clock
        )
        self.track(trajectory)
        return trajectory

    def track(self, trajectory: Trajectory) -> str:
        """Keep what is new of a trajectory; return its id.

        Raises
        ------
        NamespaceError
            ``agent_id`` is no single segment of ``[A-Za-z0-9._-]``.
        DimensionMismatchError
            Its vectors do not fit the space "state"; nothing was kept.
        """
        return self.track_many([trajectory])[0]

    def track_many(self, trajectories: Iterable[Trajectory]) -> list[str]:
        """Keep what is new of several in one batch, all or none; return their ids."""
        given = list(trajectories)
        for trajectory in given:
            if not isinstance(trajectory, Trajectory):
                msg = f"trajectory={shown(trajectory)}: give a Trajectory"
                raise TypeError(msg)
        ops: list[Op] = []
        kept = []
        for trajectory in given:
            # One that is not kept in the end has its id already: it takes it next time.
            trajectory.id = trajectory.id or self._memory.store.new_id()
            # Noted before: what is added while the batch is written comes with the next.
            kept.append(_form.sizes(trajectory))
            ops += _form.changes(trajectory)
        if ops:
            self._memory.store.commit(ops)
        for trajectory, sizes in zip(given, kept, strict=True):
            _form.tracked(trajectory, sizes)
        return [trajectory.id for trajectory in given]

    def complete(self, trajectory: Trajectory, at: datetime | None = None) -> str:
        """End a trajectory and keep it; return its id."""
        trajectory.complete(at)
        return self.track(trajectory)

    def get(
        self,
        id: str,
        as_of: datetime | None = None,
        recorded_by: datetime | int | None = None,
    ) -> Trajectory | None:
        """Return a trajectory as it was known; None where none was.

        One that was compressed is read from its block: as of its end or later, and
        not by what was recorded when.

        Raises
        ------
        ForgottenError
            It was forgotten, or what is asked of it was lost in the compression.
        ValueError
            Its vectors were dropped, and no encoder that rebuilds them was given.
        """
        at = None if as_of is None else to_micros(as_of, "as_of")
        try:
            raw = self._memory.store.fetch(id, at, *held_by(recorded_by))
        except ForgottenError:
            if recorded_by is not None:
                raise
            return self._blocks.get(id, at)
        return None if raw is None else self._read(raw)

    def forget(self, ids: Iterable[str]) -> int:
        """Erase trajectories, those in blocks as well; return how many.

        `MemorySystem.forget` erases records, and one that was compressed is none
        any more.

        Raises
        ------
        RecordNotFoundError
            An id is not known; nothing was forgotten.
        """
        given = list(dict.fromkeys(ids))
        erased = int(self._memory.store.commit([Forget(given)]).results[0]) if given else 0
        return erased + self._blocks.forget(given)

    def active(
        self, agent_id: str | None = None, *, as_of: datetime | None = None
    ) -> Iterator[Trajectory]:
        """Go through those that had not ended, by their start."""
        return self._walk(agent_id, as_of, Filter(attributes={"status": _form.ACTIVE}))

    def completed(
        self,
        agent_id: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        least_score: float | None = None,
        as_of: datetime | None = None,
    ) -> Iterator[Trajectory]:
        """Go through those that had ended, by their start; not those that were compressed.

        Parameters
        ----------
        agent_id
            Of this agent only.
        since, until
            Bounds of the start, both included.
        least_score
            Only those whose score was known to be at least this.
        as_of
            The time asked for; the clock's now by default.
        """
        wanted = Filter(attributes={"status": _form.COMPLETED})
        if since is not None and until is not None:
            wanted &= Filter(event_time=between(since, until))
        elif since is not None or until is not None:
            wanted &= Filter(event_time=ge(since) if until is None else le(until))
        if least_score is not None:
            wanted &= Filter(reward=ge(least_score))
        return self._walk(agent_id, as_of, wanted)

    def count(self, agent_id: str | None = None) -> int:
        """Return how many there are, those in blocks among them."""
        there = self._memory.store.vector_search(self._query(agent_id, None, Filter())).matched
        return there + self._blocks.count(agent_id)

    def _walk(
        self, agent_id: str | None, as_of: datetime | None, wanted: Filter
    ) -> Iterator[Trajectory]:
        raws = walk(self._memory.store, self._query(agent_id, as_of, wanted))
        return filter(None, map(self._read, raws))

    def _read(self, raw: RawRecord) -> Trajectory | None:
        """Return a trajectory that goes on by the memory's clock; None for what is none."""
        return _form.readable(raw, self._memory.clock)

    def _query(self, agent_id: str | None, as_of: datetime | None, wanted: Filter) -> Query:
        return Query(
            namespace=None if agent_id is None else _form.namespace_of(agent_id),
            filter=(Filter(kind=_form.KIND) & wanted).tree(),
            as_of=None if as_of is None else to_micros(as_of, "as_of"),
            **bounds(None),
            order_by="event_time",
            top_k=1,
            bodies=False,
        )
