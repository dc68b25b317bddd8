"""What a store that agents share can do beside the operations of `nt_memory.store.Store`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nt_memory import _native
    from nt_memory.store import Store

RawMessage: TypeAlias = "tuple[str, int, bytes, str | None, tuple[str, ...] | None]"


@runtime_checkable
class Coordinating(Protocol):
    """What a store that agents share can do as well."""

    def locks(self) -> Locks:
        """Return its locks."""
        ...

    def agent(self, agent_id: str, /) -> Store:
        """Return the store in the hands of an agent, which allows or denies each call."""
        ...

    def rights(self, agent_id: str, /) -> tuple[list[str], list[str]]:
        """Return the paths that an agent reads and writes beside its own."""
        ...

    def derived(self, ids: Sequence[str], /) -> list[str]:
        """Return the ids of the records that these were parents of, and so on."""
        ...

    def readable(self) -> list[str] | None:
        """Return the paths that this handle reads; None where all are."""
        ...


class Locks(Protocol):
    """Leases of a store; a lease is its number (the fence) and how long it still lives.

    Durations are microseconds; ``timeout`` counts the machine's time.
    """

    @property
    def identity(self) -> int:
        """What tells this store's tokens from another's."""
        ...

    def acquire(
        self, resource: str, owner: str, ttl: int, timeout: int, /, *, reentrant: bool
    ) -> tuple[int, int]:
        """Wait for a lock."""
        ...

    def request(
        self,
        resource: str,
        owner: str,
        ttl: int,
        waker: Callable[[], object],
        /,
        *,
        reentrant: bool,
    ) -> tuple[int, int] | LockWait:
        """Return a lease, or a place in the line; ``waker`` is called when there is one to take."""
        ...

    def release(self, resource: str, number: int, /) -> None:
        """Give a lock back."""
        ...

    def extend(self, resource: str, number: int, ttl: int, /) -> int:
        """Have a lock live so long from now, if that is longer; return how long it lives."""
        ...

    def holder(self, resource: str, /) -> tuple[str, int, int] | None:
        """Return the owner, the number and how long it still lives, of a resource that is held."""
        ...


class LockWait(Protocol):
    """A place in the line for a lock."""

    def take(self) -> tuple[int, int] | None:
        """Return the lease, where it is granted."""
        ...

    def is_starved(self) -> bool:
        """Whether the lock is free, and there was no number to grant it with."""
        ...

    def reserve(self) -> None:
        """Have numbers to grant locks with; it may wait for the disk."""
        ...

    def leave(self) -> None:
        """Leave the line."""
        ...

    def time_out(self) -> None:
        """Leave the line with a LockTimeoutError that says who is in the way."""
        ...


class RawSubscription(Protocol):
    """The reader's side of a topic; a message is (topic, sequence, payload, sender, recipients)."""

    @property
    def pattern(self) -> str:
        """The topics that it listens to."""
        ...

    @property
    def closed(self) -> bool:
        """Whether it was closed, or its store."""
        ...

    def recv(self, timeout_us: int | None = None, /) -> RawMessage | None:
        """Wait for the next message; None where the microseconds are over."""
        ...

    def try_recv(self) -> RawMessage | None:
        """Return the next message, or None where there is none."""
        ...

    def pop(self) -> RawMessage | None:
        """Return the next message that is in memory; asks the disk nothing."""
        ...

    def fill(self) -> bool:
        """Read the next durable messages from the disk; return whether there were rows to read."""
        ...

    def needs_fill(self) -> bool:
        """Whether `fill` has something to read before `pop` can go on."""
        ...

    def is_ready(self) -> bool:
        """Whether there is a message, or something else to be told."""
        ...

    def arm(self, wake: _native.Wake, /) -> None:
        """Have the next message wake an event loop, once."""
        ...

    def acknowledge(self) -> None:
        """Count what was delivered as handled."""
        ...

    def counts(self) -> tuple[int, int, int, int]:
        """Return how many were matched, delivered, told as missed, and are waiting."""
        ...

    def close(self, handled: bool = True, /) -> None:
        """End it; the last message counts as handled, or not."""
        ...


@runtime_checkable
class Messenger(Protocol):
    """What a store that carries messages can do as well."""

    def publish(
        self,
        topic: str,
        payload: bytes,
        sender: str | None = None,
        recipients: Sequence[str] | None = None,
        agent: str | None = None,
        /,
    ) -> int:
        """Give a message to all who listen; return its sequence.

        ``agent`` is the one through whose handle it comes, and may only be its sender.
        """
        ...

    def subscribe(
        self,
        pattern: str,
        *,
        capacity: int | None = None,
        from_seq: int | None = None,
        durable: str | None = None,
        agent: str | None = None,
    ) -> RawSubscription:
        """Listen to topics."""
        ...

    def configure_topic(self, pattern: str, durable: bool, retention: int | None = None, /) -> None:
        """Keep messages of topics on the disk, so many microseconds or for ever; or no more."""
        ...
