"""The locks of `MemorySystem`."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from nt_memory._handle import Handle
from nt_memory._shown import shown
from nt_memory.clock import from_micros, micros, to_micros
from nt_memory.errors import StaleTokenError
from nt_memory.locks import LockToken, checked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nt_memory.clock import Duration

TTL = timedelta(seconds=30)
_MAX_TIMEOUT = 86_400_000_000


class Locking(Handle):
    """Leases on names, for who may act on what they stand for."""

    def acquire_lock(
        self,
        resource: str,
        timeout: Duration,
        *,
        ttl: Duration = TTL,
        owner: str | None = None,
        reentrant: bool = False,
    ) -> LockToken:
        """Wait for a lock; who waits longest is next.

        The lease ends ``ttl`` after it was granted, unless it is extended, and
        the next in the line has the lock then.  Pass the token as ``fence`` to
        what you write: a write whose lease is over is refused, whatever its
        writer believes.

        Parameters
        ----------
        resource
            Any name, up to 512 bytes.
        timeout
            How long to wait, up to a day of the machine's time; 0 tries once.
        ttl
            1 ms to a day of the memory's clock.
        owner
            Who holds it: by default this task, else this thread.  Through an
            agent's handle it is the agent.
        reentrant
            Whether an owner that holds it gets it once more, with the same
            number; it is given back as often.

        Raises
        ------
        LockTimeoutError
            Somebody else has it; the message says who and for how long.
        DeadlockError
            The owner holds it already, or its holder waits for this owner.
        ValueError
            A name or a duration cannot be.

        Examples
        --------
        >>> from nt_memory import MemorySystem
        >>> with MemorySystem(":memory:") as memory:
        ...     token = memory.acquire_lock("market_sync", timeout=1.0, owner="hedge")
        ...     memory.put("risk", "limit", b"5", fence=token)
        ...     memory.release_lock(token)
        ...     memory.is_locked("market_sync")
        False
        """
        owner = owner_of(self, owner)
        lease = self.locks.acquire(
            resource, owner, micros(ttl, "ttl"), timeout_micros(timeout), reentrant=reentrant
        )
        return token_of(self, resource, owner, lease)

    def release_lock(self, token: LockToken) -> None:
        """Give a lock back.

        Raises
        ------
        StaleTokenError
            It is not held with this token any more.
        """
        fence = checked(token).fence(self.locks)
        self.locks.release(fence.resource, fence.number)

    def extend_lock(self, token: LockToken, ttl: Duration = TTL) -> LockToken:
        """Have a lock live ``ttl`` from now, if that is longer; return the token with its new end.

        Raises
        ------
        StaleTokenError
            It is not held with this token any more.
        """
        fence = checked(token).fence(self.locks)
        left = self.locks.extend(fence.resource, fence.number, micros(ttl, "ttl"))
        return token_of(self, token.resource, token.owner, (token.number, left))

    def is_locked(self, resource: str) -> bool:
        """Return whether somebody holds a lock."""
        return self.locks.holder(resource) is not None

    @contextmanager
    def lock(
        self,
        resource: str,
        timeout: Duration,
        *,
        ttl: Duration = TTL,
        owner: str | None = None,
        reentrant: bool = False,
    ) -> Iterator[LockToken]:
        """Hold a lock for a block; the arguments and errors are those of `acquire_lock`.

        Raises
        ------
        StaleTokenError
            At the end of the block, where the lease was over before it.

        Examples
        --------
        >>> from nt_memory import MemorySystem
        >>> with MemorySystem(":memory:") as memory:
        ...     with memory.lock("market_sync", timeout=1.0) as token:
        ...         memory.is_locked("market_sync"), token.number
        (True, 1)
        """
        token = self.acquire_lock(resource, timeout, ttl=ttl, owner=owner, reentrant=reentrant)
        try:
            yield token
        except BaseException:
            # What went wrong in the block is told, and not what its lease became.
            give_back(self, token)
            raise
        self.release_lock(token)


def give_back(memory: Locking, token: LockToken) -> None:
    """Release a lock if it is still held."""
    try:
        memory.release_lock(token)
    except StaleTokenError:
        return


def timeout_micros(timeout: Duration) -> int:
    """Return a timeout in microseconds.

    Raises
    ------
    ValueError
        It is longer than a day.
    """
    count = micros(timeout, "timeout")
    if count > _MAX_TIMEOUT:
        msg = f"timeout={shown(timeout)}: wait for a day at most, and ask again"
        raise ValueError(msg)
    return count


def current_owner() -> str:
    """Return the name of the running task, or else of the thread."""
    asyncio = sys.modules.get("asyncio")  # who has not loaded it runs no task
    try:
        task = asyncio.current_task() if asyncio is not None else None
    except RuntimeError:
        task = None
    if task is not None:
        return f"task {task.get_name()} {id(task):x}"
    thread = threading.current_thread()
    return f"thread {thread.name} {threading.get_ident()}"


def owner_of(memory: Locking, owner: str | None) -> str:
    """Return who asks for a lock: the agent, else who was named, else this task or thread."""
    if memory.agent_id is not None:
        return memory.agent_id
    return current_owner() if owner is None else owner


def token_of(memory: Locking, resource: str, owner: str, lease: tuple[int, int]) -> LockToken:
    """Return the token of a lease that the store granted."""
    number, left = lease
    expires_at = from_micros(to_micros(memory.clock.now()) + left)
    return LockToken(resource, owner, number, expires_at, memory.locks.identity)
