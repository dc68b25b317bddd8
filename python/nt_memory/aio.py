"""`AsyncMemorySystem`: the same calls as coroutines.

Every method is made from the one of `MemorySystem`: same name, arguments,
result and errors.  What the hot tier holds is answered at once; everything
else runs on a bounded pool of threads, so the event loop never waits for a
disk.
"""

from __future__ import annotations

import asyncio
import functools
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, Concatenate, NoReturn, ParamSpec, TypeVar

from nt_memory._handle import refuse_to_copy
from nt_memory._listening import AsyncSubscription
from nt_memory._locking import TTL, give_back, owner_of, timeout_micros, token_of
from nt_memory.clock import micros
from nt_memory.errors import ClosedError, StaleTokenError
from nt_memory.system import MemorySystem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

    from nt_memory.clock import Clock, Duration
    from nt_memory.config import MemoryConfig
    from nt_memory.embedding import EmbeddingProvider
    from nt_memory.locks import LockToken
    from nt_memory.records import Record
    from nt_memory.shared_store import Locks, LockWait
    from nt_memory.store import Store

P = ParamSpec("P")
R = TypeVar("R")

MAX_WORKERS = 8
_PAGE = 1000
# A lease may run out, and a manual clock be moved, without a word.
_LOOK = 0.05


def _in_pool(
    method: Callable[Concatenate[MemorySystem, P], R],
) -> Callable[Concatenate[AsyncMemorySystem, P], Coroutine[Any, Any, R]]:
    """Make a coroutine of a method that runs on the pool."""

    @functools.wraps(method)
    async def call(self: AsyncMemorySystem, /, *args: P.args, **kwargs: P.kwargs) -> R:
        self._ensure_open()
        bound = functools.partial(method, self.sync, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._pool, bound)

    return call


def _at_once(
    method: Callable[Concatenate[MemorySystem, P], R],
) -> Callable[Concatenate[AsyncMemorySystem, P], Coroutine[Any, Any, R]]:
    """Make a coroutine of a read by namespace and key that needs no thread for a hot key."""
    pooled = _in_pool(method)

    @functools.wraps(method)
    async def call(self: AsyncMemorySystem, /, *args: P.args, **kwargs: P.kwargs) -> R:
        if self._is_hot(*args, **kwargs):
            return method(self.sync, *args, **kwargs)
        return await pooled(self, *args, **kwargs)

    return call


def _give_up(locks: Locks, resource: str, asked: asyncio.Future[Any]) -> None:
    """Let go of what was granted to a task that is gone."""
    if asked.cancelled() or asked.exception() is not None:
        return
    answer = asked.result()
    if isinstance(answer, tuple):
        with suppress(StaleTokenError):
            locks.release(resource, answer[0])
    else:
        answer.leave()


_SUBSCRIBE = _in_pool(MemorySystem.subscribe)


class AsyncMemorySystem:
    """A `MemorySystem` for asyncio.

    Parameters
    ----------
    memory
        What it stands on (``sync``); it is closed with this one.
    max_workers
        Most calls that wait for the disk or search at the same time; others queue.

    Examples
    --------
    >>> import asyncio
    >>> from nt_memory import AsyncMemorySystem
    >>> async def main():
    ...     async with await AsyncMemorySystem.open(":memory:") as memory:
    ...         await memory.put("risk", "limit", b"5")
    ...         return await memory.get("risk", "limit")
    >>> asyncio.run(main())
    b'5'
    """

    def __init__(self, memory: MemorySystem, *, max_workers: int = MAX_WORKERS) -> None:
        self.sync = memory
        self._pool = ThreadPoolExecutor(max_workers, thread_name_prefix="nt-memory")
        self._closed = False
        self._peek = getattr(memory.store, "peek", None)

    @classmethod
    async def open(
        cls,
        target: str | Path | MemoryConfig,
        *,
        clock: Clock | None = None,
        store: Store | None = None,
        embedder: EmbeddingProvider | None = None,
        max_workers: int = MAX_WORKERS,
    ) -> AsyncMemorySystem:
        """Open a `MemorySystem` in a thread; the arguments are the same."""
        made = functools.partial(MemorySystem, target, clock=clock, store=store, embedder=embedder)
        return cls(await asyncio.to_thread(made), max_workers=max_workers)

    @classmethod
    async def restore(
        cls,
        src: str | Path,
        target: str | Path | MemoryConfig,
        *,
        clock: Clock | None = None,
        embedder: EmbeddingProvider | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> AsyncMemorySystem:
        """Restore a backup in a thread; the arguments are those of `MemorySystem.restore`."""
        made = functools.partial(
            MemorySystem.restore, src, target, clock=clock, embedder=embedder, progress=progress
        )
        return cls(await asyncio.to_thread(made))

    def _is_hot(self, namespace: Any, key: Any, as_of: object = None) -> bool:
        return as_of is None and self._peek is not None and bool(self._peek(namespace, key)[0])

    get = _at_once(MemorySystem.get)
    exists = _at_once(MemorySystem.exists)
    get_json = _at_once(MemorySystem.get_json)
    get_array = _at_once(MemorySystem.get_array)
    put = _in_pool(MemorySystem.put)
    put_many = _in_pool(MemorySystem.put_many)
    get_many = _in_pool(MemorySystem.get_many)
    delete = _in_pool(MemorySystem.delete)
    keys = _in_pool(MemorySystem.keys)
    compare_and_set = _in_pool(MemorySystem.compare_and_set)
    increment = _in_pool(MemorySystem.increment)
    put_json = _in_pool(MemorySystem.put_json)
    put_array = _in_pool(MemorySystem.put_array)
    release_lock = _in_pool(MemorySystem.release_lock)
    extend_lock = _in_pool(MemorySystem.extend_lock)
    is_locked = _in_pool(MemorySystem.is_locked)
    configure_namespace = _in_pool(MemorySystem.configure_namespace)
    remember = _in_pool(MemorySystem.remember)
    remember_many = _in_pool(MemorySystem.remember_many)
    settle = _in_pool(MemorySystem.settle)
    forget = _in_pool(MemorySystem.forget)
    get_record = _in_pool(MemorySystem.get_record)
    recall = _in_pool(MemorySystem.recall)

    @functools.wraps(MemorySystem.records)
    async def records(self, /, *args: Any, **kwargs: Any) -> AsyncIterator[Record]:
        """Go through records, page by page."""
        self._ensure_open()
        found = self.sync.records(*args, **kwargs)
        while page := await self._run(lambda: list(islice(found, _PAGE))):
            for record in page:
                yield record

    search_similar = _in_pool(MemorySystem.search_similar)
    search_batch = _in_pool(MemorySystem.search_batch)
    replay = _in_pool(MemorySystem.replay)
    embed_text = _in_pool(MemorySystem.embed_text)
    publish = _in_pool(MemorySystem.publish)
    configure_topic = _in_pool(MemorySystem.configure_topic)
    export = _in_pool(MemorySystem.export)
    import_ = _in_pool(MemorySystem.import_)
    track_trajectory = _in_pool(MemorySystem.track_trajectory)
    stats = _in_pool(MemorySystem.stats)
    flush = _in_pool(MemorySystem.flush)
    verify = _in_pool(MemorySystem.verify)
    backup = _in_pool(MemorySystem.backup)
    compact = _in_pool(MemorySystem.compact)

    def agent(self, agent_id: str) -> AsyncMemorySystem:
        """Return the memory in the hands of an agent, as `MemorySystem.agent` does."""
        return AsyncMemorySystem(self.sync.agent(agent_id))

    session = _in_pool(MemorySystem.session)
    grant = _in_pool(MemorySystem.grant)
    revoke = _in_pool(MemorySystem.revoke)
    rights = _in_pool(MemorySystem.rights)

    async def acquire_lock(
        self,
        resource: str,
        timeout: Duration,
        *,
        ttl: Duration = TTL,
        owner: str | None = None,
        reentrant: bool = False,
    ) -> LockToken:
        """Wait for a lock without a thread; the rest is as in `MemorySystem.acquire_lock`.

        A task that is cancelled leaves the line.
        """
        self._ensure_open()
        owner = owner_of(self.sync, owner)
        end = time.monotonic() + timeout_micros(timeout) / 1e6
        loop, free = asyncio.get_running_loop(), asyncio.Event()
        request = functools.partial(
            self.sync.locks.request,
            resource,
            owner,
            micros(ttl, "ttl"),
            functools.partial(loop.call_soon_threadsafe, free.set),
            reentrant=reentrant,
        )
        asking = asyncio.ensure_future(loop.run_in_executor(self._pool, request))
        try:
            answer = await asyncio.shield(asking)
        except asyncio.CancelledError:
            asking.add_done_callback(functools.partial(_give_up, self.sync.locks, resource))
            raise
        lease = answer if isinstance(answer, tuple) else await self._lease(answer, free, end)
        return token_of(self.sync, resource, owner, lease)

    async def _lease(self, wait: LockWait, free: asyncio.Event, end: float) -> tuple[int, int]:
        """Wait in a line until the lock is granted."""
        try:
            while True:
                free.clear()
                lease = wait.take()
                if lease is not None:
                    return lease
                if wait.is_starved():
                    await self._run(wait.reserve)
                    continue
                left = end - time.monotonic()
                if left <= 0:
                    wait.time_out()
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(free.wait(), min(left, _LOOK))
        finally:
            wait.leave()

    @asynccontextmanager
    async def lock(
        self,
        resource: str,
        timeout: Duration,
        *,
        ttl: Duration = TTL,
        owner: str | None = None,
        reentrant: bool = False,
    ) -> AsyncIterator[LockToken]:
        """Hold a lock for a block; the rest is as in `MemorySystem.lock`.

        Examples
        --------
        >>> import asyncio
        >>> from nt_memory import AsyncMemorySystem
        >>> async def main():
        ...     async with await AsyncMemorySystem.open(":memory:") as memory:
        ...         async with memory.lock("market_sync", timeout=1.0) as token:
        ...             await memory.put("risk", "limit", b"5", fence=token)
        ...         return await memory.is_locked("market_sync")
        >>> asyncio.run(main())
        False
        """
        token = await self.acquire_lock(
            resource, timeout, ttl=ttl, owner=owner, reentrant=reentrant
        )
        try:
            yield token
        except BaseException:
            give_back(self.sync, token)
            raise
        self.sync.release_lock(token)

    async def subscribe(
        self,
        topic: str,
        *,
        from_seq: int | None = None,
        durable: str | None = None,
        capacity: int = 1024,
        agent_id: str | None = None,
    ) -> AsyncSubscription:
        """Listen to topics; see `MemorySystem.subscribe`."""
        made = await _SUBSCRIBE(
            self, topic, from_seq=from_seq, durable=durable, capacity=capacity, agent_id=agent_id
        )
        return AsyncSubscription(made, self._run)

    async def _run(self, work: Callable[[], Any]) -> Any:
        self._ensure_open()
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def __reduce__(self) -> NoReturn:
        refuse_to_copy(self)

    def _ensure_open(self) -> None:
        if self._closed:
            msg = "the memory was closed: open it again"
            raise ClosedError(msg)

    async def close(self) -> None:
        """Let what is running end, flush, and let go of the directory."""
        self._closed = True
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._pool.shutdown()
        self.sync.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
