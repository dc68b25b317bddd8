"""A subscription for asyncio: an event loop is woken by a byte, which costs a publisher no GIL."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakKeyDictionary

from nt_memory.clock import micros
from nt_memory.errors import ClosedError
from nt_memory.messages import Message
from nt_memory.subscription import Subscription, too_late

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType
    from typing import Any

    from typing_extensions import Self

    from nt_memory.clock import Duration
    from nt_memory.shared_store import RawSubscription
    from nt_memory.subscription import SubscriptionCounts

    Run = Callable[[Callable[[], Any]], Coroutine[Any, Any, Any]]

T = TypeVar("T")
# How often a loop that cannot watch files looks for messages.
_POLL = 0.005


class _Hub:
    """What waits in one event loop, and the one file that wakes it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        from nt_memory import _native

        self._wake = _native.Wake()
        self._waiting: dict[asyncio.Future[None], RawSubscription] = {}
        self._watches = True
        try:
            loop.add_reader(self._wake.fileno(), self._woken)
        except NotImplementedError:
            self._watches = False

    def _woken(self) -> None:
        self._wake.drain()
        for future, native in self._waiting.items():
            if not future.done() and native.is_ready():
                future.set_result(None)

    async def wait(self, native: RawSubscription, timeout: float | None) -> None:
        """Wait until there is something, or the time is over."""
        if not self._watches:
            await asyncio.sleep(_POLL if timeout is None else min(_POLL, timeout))
            return
        future = asyncio.get_running_loop().create_future()
        self._waiting[future] = native
        try:
            native.arm(self._wake)
            if not native.is_ready():
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(future, timeout)
        finally:
            del self._waiting[future]


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, _Hub] = WeakKeyDictionary()


def _hub() -> _Hub:
    loop = asyncio.get_running_loop()
    hub = _hubs.get(loop)
    if hub is None:
        hub = _hubs[loop] = _Hub(loop)
    return hub


class AsyncSubscription:
    """A `Subscription` for asyncio: the same, with ``await`` and ``async for``.

    An await that is cancelled loses no message.

    Examples
    --------
    >>> import asyncio
    >>> from nt_memory import AsyncMemorySystem
    >>> async def main():
    ...     async with await AsyncMemorySystem.open(":memory:") as memory:
    ...         async with await memory.subscribe("*/updates") as updates:
    ...             await memory.publish("agent_1/updates", b"regime changed")
    ...             async for message in updates:
    ...                 return message.payload
    >>> asyncio.run(main())
    b'regime changed'
    """

    def __init__(self, sync: Subscription, run: Run) -> None:
        self.sync = sync
        self._native = sync._native  # noqa: SLF001 (two faces of one thing)
        self._run = run

    @property
    def topic(self) -> str:
        """The topics that it listens to."""
        return self.sync.topic

    @property
    def closed(self) -> bool:
        """Whether it was closed, or its memory."""
        return self.sync.closed

    @property
    def counts(self) -> SubscriptionCounts:
        """What became of the messages that matched."""
        return self.sync.counts

    async def recv(self, timeout: Duration | None = None) -> Message:
        """Wait for the next message; see `Subscription.recv`."""
        loop = asyncio.get_running_loop()
        end = None if timeout is None else loop.time() + micros(timeout, "timeout") / 1e6
        while True:
            found = await self._next()
            if found is not None:
                return found
            left = None if end is None else end - loop.time()
            if left is not None and left <= 0:
                raise too_late(self.topic, timeout)
            await _hub().wait(self._native, left)

    async def try_recv(self) -> Message | None:
        """Return the next message, or None where there is none."""
        return await self._next()

    async def _next(self) -> Message | None:
        # Nothing is awaited between taking a message and returning it.
        found = self._native.pop()
        while found is None and self._native.needs_fill():
            await self._run(self._native.fill)
            found = self._native.pop()
        return None if found is None else Message(*found)

    async def acknowledge(self) -> None:
        """Count all that a named subscription got as handled; it is on the disk on return."""
        await self._run(self._native.acknowledge)

    async def close(self) -> None:
        """End it; a named one counts its last message as handled."""
        if not self.closed:
            await self._run(self._native.close)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        try:
            return await self.recv()
        except ClosedError as error:
            raise StopAsyncIteration from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self.closed:
            await self._run(functools.partial(self._native.close, kind is None))
