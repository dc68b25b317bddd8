"""Agents of a `MemorySystem`: handles, and what they may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nt_memory._handle import Handle
from nt_memory._shown import shown
from nt_memory.store import SetRights

if TYPE_CHECKING:
    from collections.abc import Iterable


class Agents(Handle):
    """What each agent reads and writes; nothing that was not given to it."""

    def grant(self, agent_id: str, *, read: Iterable[str] = (), write: Iterable[str] = ()) -> None:
        """Let an agent read and write more than its own.

        An agent reads and writes ``swarm/<agent_id>`` and all below it, and
        reads ``shared``, the pool that all agents read.  It votes for itself.
        Everything else is an `AccessDeniedError`, until it is granted here.

        Parameters
        ----------
        agent_id
            Whom; it need not have a handle yet.
        read, write
            Namespaces and topics, each with all below it, and for ``write``
            names of locks.  What is written may be read, too.  They are added to
            what was granted before.

        Examples
        --------
        >>> from nt_memory import AccessDeniedError, MemorySystem
        >>> with MemorySystem(":memory:") as memory:
        ...     hedge = memory.agent("hedge")
        ...     hedge.put("swarm/hedge/notes", "limit", b"5")
        ...     try:
        ...         hedge.put("shared", "limit", b"5")
        ...     except AccessDeniedError:
        ...         memory.grant("hedge", write=["shared"])
        ...     hedge.put("shared", "limit", b"5")
        ...     memory.rights("hedge")
        ([], ['shared'])
        """
        had_read, had_write = self.rights(agent_id)
        self._set(
            agent_id, {*had_read, *_paths("read", read)}, {*had_write, *_paths("write", write)}
        )

    def revoke(
        self,
        agent_id: str,
        *,
        read: Iterable[str] | None = None,
        write: Iterable[str] | None = None,
    ) -> None:
        """Take back what was granted: the paths named, or all where none is.

        It counts from the agent's next call on.
        """
        had_read, had_write = self.rights(agent_id)
        if read is None and write is None:
            read, write = had_read, had_write
        self._set(
            agent_id,
            {*had_read} - {*_paths("read", read or ())},
            {*had_write} - {*_paths("write", write or ())},
        )

    def rights(self, agent_id: str) -> tuple[list[str], list[str]]:
        """Return the paths that an agent was granted to read, and to write."""
        return self._coordinating().rights(agent_id)

    def _set(self, agent_id: str, read: set[str], write: set[str]) -> None:
        self._commit([SetRights(agent_id, sorted(read), sorted(write))])


def _paths(field: str, paths: Iterable[str]) -> Iterable[str]:
    if isinstance(paths, str):
        msg = f"{field}={shown(paths)}: give a list of paths"
        raise TypeError(msg)
    return paths
