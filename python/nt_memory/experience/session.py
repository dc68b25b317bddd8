"""Sessions: what an agent is in the middle of, kept over a restart."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from nt_memory._shown import shown
from nt_memory._values import pack, unpack
from nt_memory.errors import ConflictError, ForgottenError
from nt_memory.experience._places import agent_namespace
from nt_memory.experience.working import WorkingMemory
from nt_memory.reasoning import _form
from nt_memory.reasoning.tracker import TrajectoryTracker
from nt_memory.store import Expect, Op, Put

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nt_memory.reasoning.trajectory import Trajectory
    from nt_memory.system import MemorySystem

SESSIONS = "sessions"


class Session:
    """The work of an agent that goes on by its id after a restart.

    Made by `MemorySystem.session`.  What it holds is in process until `checkpoint`,
    which writes all of it at once; whoever asks for the session later has it as it was
    at the last checkpoint.  A checkpoint waits for the disk: in an event loop, let
    `asyncio.to_thread` make it.

    Parameters
    ----------
    memory
        Where it is kept: a `MemorySystem`, its owner's or the agent's.
    agent_id
        Whose; one segment of a namespace.
    session_id
        Tells the agent's sessions apart; a key of up to 1 KiB.

    Attributes
    ----------
    working
        The `WorkingMemory` of the episode.
    trajectories
        Open trajectories by their ids.
    cursors
        How far something was read, by name: JSON types.

    Examples
    --------
    >>> from nt_memory import MemorySystem
    >>> with MemorySystem(":memory:") as memory:
    ...     session = memory.session("hedge", "monday")
    ...     session.working.set_regime("QUIET", 0.9)
    ...     session.cursors["ticks"] = 1042
    ...     session.checkpoint()
    ...     again = memory.session("hedge", "monday")
    ...     again.working.current_regime, again.cursors
    ('QUIET', {'ticks': 1042})
    """

    def __init__(self, memory: MemorySystem, agent_id: str, session_id: str) -> None:
        if not isinstance(session_id, str) or not session_id:
            msg = f"session_id={shown(session_id)}: give a string that tells sessions apart"
            raise ValueError(msg)
        self.agent_id = agent_id
        self.id = session_id
        self._store = memory.store
        self._namespace = agent_namespace(agent_id, SESSIONS)
        self._tracker = TrajectoryTracker(memory)
        self.working = WorkingMemory(memory, agent_id)
        self.trajectories: dict[str, Trajectory] = {}
        self.cursors: dict[str, Any] = {}
        self._row = self._store.get(self._namespace, session_id)
        if self._row is not None:
            self._resume(unpack(self._row))

    @property
    def is_new(self) -> bool:
        """Whether it has no checkpoint."""
        return self._row is None

    def start_trajectory(
        self,
        *,
        symbol: str | None = None,
        regime: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Trajectory:
        """Begin a trajectory that the session holds until it is complete."""
        made = self._tracker.start(self.agent_id, symbol=symbol, regime=regime, metadata=metadata)
        self.trajectories[made.id] = made
        return made

    def checkpoint(self) -> None:
        """Write all of it, trajectories included, in one batch; it is on the disk on return.

        Trajectories that are complete are let go of.

        Raises
        ------
        ConflictError
            The session was written since by somebody else who resumed it; nothing was
            written.  Ask the memory for the session again to go on from there.
        SerializationError
            A cursor is not made of JSON types; nothing was written.
        """
        self._write([])

    def complete_episode(self) -> str:
        """Write the working memory as a record and begin an episode; return the record's id.

        It is a checkpoint as well, in the same batch.

        Raises
        ------
        ConflictError
            As of `checkpoint`.
        """
        episode_id, ending = self.working.episode_id, self.working.ending()
        before = self.working.to_json()
        self.working.begin()
        try:
            self._write(ending)
        except BaseException:
            self.working.restore(before)
            raise
        return episode_id

    def _write(self, ops: list[Op]) -> None:
        kept = []
        for trajectory in self.trajectories.values():
            kept.append((trajectory, _form.sizes(trajectory)))
            ops += _form.changes(trajectory)
        still = {
            id_: trajectory
            for id_, trajectory in self.trajectories.items()
            if not trajectory.is_complete
        }
        row = pack(
            {
                "working": self.working.to_json(),
                "trajectories": list(still),
                "cursors": self.cursors,
            }
        )
        self._commit([Expect(self._namespace, self.id, self._row), *ops], row)
        for trajectory, sizes in kept:
            _form.tracked(trajectory, sizes)
        self.trajectories = still
        self._row = row

    def _commit(self, ops: list[Op], row: bytes) -> None:
        try:
            self._store.commit([*ops, Put(self._namespace, self.id, row)])
        except ConflictError as error:
            msg = (
                f"session {shown(self.id)} of {shown(self.agent_id)} was written by somebody else "
                "since: resume it by memory.session(agent_id, session_id)"
            )
            raise ConflictError(msg) from error

    def _resume(self, told: Mapping[str, Any]) -> None:
        self.working.restore(told["working"])
        self.cursors = dict(told["cursors"])
        for id_ in told["trajectories"]:
            with suppress(ForgottenError):  # what was forgotten does not go on
                found = self._tracker.get(id_)
                if found is not None:
                    self.trajectories[id_] = found
