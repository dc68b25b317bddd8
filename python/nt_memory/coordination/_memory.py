"""What the coordination of agents needs of a memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from nt_memory.clock import Clock
    from nt_memory.store import Store


class Memory(Protocol):
    """A `MemorySystem`: its clock, its store, and who listens."""

    @property
    def clock(self) -> Clock:
        """The only source of time."""
        ...

    @property
    def agent_id(self) -> str | None:
        """The agent in whose hands it is; None for its owner."""
        ...

    @property
    def store(self) -> Store:
        """Where everything is kept."""
        ...

    def publish(self, topic: str, message: bytes, /) -> int:
        """Send a message to whoever listens to a topic."""
        ...
