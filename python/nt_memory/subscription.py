"""A subscription for threads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from nt_memory._shown import shown
from nt_memory.clock import micros
from nt_memory.errors import ClosedError, RecvTimeoutError
from nt_memory.messages import Message

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from nt_memory.clock import Duration
    from nt_memory.shared_store import RawSubscription


@dataclass(frozen=True, slots=True)
class SubscriptionCounts:
    """What became of the messages of a subscription: ``matched`` is the sum of the others.

    ``missed`` counts what `LaggedError` has told; what is lost and not told
    yet is among ``waiting``.
    """

    matched: int
    delivered: int
    missed: int
    waiting: int


class Subscription:
    """Messages of some topics, in the order of their sequences.

    An iteration goes on until the subscription or its memory is closed; what
    a slow reader missed is raised out of it as a `LaggedError`, and the next
    ``next()`` goes on.  One with a name (``durable``) is for one thread.  Left
    as a context manager by an error, it does not count its last message as
    handled.

    Examples
    --------
    >>> from nt_memory import MemorySystem
    >>> with MemorySystem(":memory:") as memory:
    ...     with memory.subscribe("*/updates") as updates:
    ...         _ = memory.publish("agent_1/updates", b"regime changed")
    ...         updates.recv(timeout=1.0).payload
    b'regime changed'
    """

    def __init__(self, native: RawSubscription) -> None:
        self._native = native

    @property
    def topic(self) -> str:
        """The topics that it listens to."""
        return self._native.pattern

    @property
    def closed(self) -> bool:
        """Whether it was closed, or its memory."""
        return self._native.closed

    @property
    def counts(self) -> SubscriptionCounts:
        """What became of the messages that matched."""
        return SubscriptionCounts(*self._native.counts())

    def recv(self, timeout: Duration | None = None) -> Message:
        """Wait for the next message.

        Parameters
        ----------
        timeout
            How long at most, by the machine's time; None waits until there is
            one.  Ctrl-C ends the wait.

        Raises
        ------
        RecvTimeoutError
            None came.
        LaggedError
            The reader was too slow and missed some; the next call goes on.
        ClosedError
            The subscription or its memory was closed.
        """
        found = self._native.recv(None if timeout is None else micros(timeout, "timeout"))
        if found is None:
            raise too_late(self.topic, timeout)
        return Message(*found)

    def try_recv(self) -> Message | None:
        """Return the next message, or None where there is none."""
        found = self._native.try_recv()
        return None if found is None else Message(*found)

    def acknowledge(self) -> None:
        """Count all that a named subscription got as handled; it is on the disk on return."""
        self._native.acknowledge()

    def close(self) -> None:
        """End it; a named one counts its last message as handled.  A second close does nothing."""
        self._native.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Message:
        try:
            return self.recv()
        except ClosedError as error:
            raise StopIteration from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._native.close(kind is None)

    def __reduce__(self) -> NoReturn:
        msg = "a subscription cannot be copied or pickled: subscribe where it is needed"
        raise TypeError(msg)


def too_late(topic: str, timeout: Any) -> RecvTimeoutError:
    """Return the error of a wait that was in vain."""
    return RecvTimeoutError(f"no message on {shown(topic)} within timeout={shown(timeout)}")
