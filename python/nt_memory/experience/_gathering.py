"""Questions of one event loop that are asked together."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from nt_memory.errors import ClosedError
from nt_memory.experience._asking import searched

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nt_memory.experience._asking import Ask
    from nt_memory.store import SearchResult, Store

R = TypeVar("R")

# Most questions that are asked together, and the longest that one waits for others, in seconds.
MOST = 10
LONGEST = 0.010
# Searches release the interpreter: one batch is searched for while another one is read.
_WORKERS = 2
# Fewer questions are not worth the work of two.
_LEAST_TO_SHARE = 4


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    ask: Ask[Any]
    answer: asyncio.Future[Any]


class Gathering:
    """Gathers questions and has them answered in a thread, several in one search.

    A question goes at once where a thread is free, with those that come in the same turn
    of the loop.  While both threads are busy, questions wait for each other: until one is
    done, until ten have come together, or for ten milliseconds, whichever is first.

    Parameters
    ----------
    store
        What is asked.
    most
        Most questions in one search; 1 asks each by itself.
    """

    def __init__(self, store: Store, most: int = MOST) -> None:
        self._store = store
        self._most = most
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="nt-memory-retrieval")
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: list[_Waiting] = []
        self._running = 0
        self._timer: asyncio.Handle | None = None

    async def ask(self, ask: Ask[R]) -> R:
        """Ask together with others; return the answer.

        Raises
        ------
        ClosedError
            It was closed.
        """
        if self._closed:
            msg = "the service was closed: make another one of the same memory"
            raise ClosedError(msg)
        loop = self._begin()
        waiting = _Waiting(ask, loop.create_future())
        self._waiting.append(waiting)
        if len(self._waiting) >= self._most:
            self._send(loop)
        elif self._timer is None:
            # Those that are ready in this turn of the loop come together without waiting.
            self._timer = (
                loop.call_later(LONGEST, self._send, loop)
                if self._running >= _WORKERS
                else loop.call_soon(self._send, loop)
            )
        answer: R = await waiting.answer
        return answer

    async def close(self) -> None:
        """Let what was asked be answered, and end the threads."""
        if not self._closed:
            self._send(self._begin())
            self._closed = True
        await asyncio.to_thread(self._pool.shutdown)

    def _begin(self) -> asyncio.AbstractEventLoop:
        """Return the loop that runs; what waited in one that has ended is gone with it."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            if self._loop is not None and self._loop.is_running():
                msg = "the service is used by another event loop: make one for each"
                raise RuntimeError(msg)
            self._loop, self._waiting, self._running, self._timer = loop, [], 0, None
        return loop

    def _send(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have what waits answered; whoever was cancelled has left."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch = [waiting for waiting in self._waiting if not waiting.answer.done()]
        self._waiting = []
        for part in self._shared_out(batch):
            self._running += 1
            self._pool.submit(self._answer, loop, part)

    def _shared_out(self, batch: list[_Waiting]) -> list[list[_Waiting]]:
        """Return a batch in two where both threads are free, else whole."""
        if self._running or len(batch) < _LEAST_TO_SHARE:
            return [batch] if batch else []
        half = len(batch) // 2
        return [batch[:half], batch[half:]]

    def _answer(self, loop: asyncio.AbstractEventLoop, batch: list[_Waiting]) -> None:
        answers = [_finished(waiting.ask, found) for waiting, found in self._found(batch)]
        with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
            loop.call_soon_threadsafe(self._deliver, loop, batch, answers)
        for waiting, (answer, error) in zip(batch, answers, strict=True):
            if error is None and waiting.ask.after is not None:
                waiting.ask.after(answer)

    def _found(
        self, batch: list[_Waiting]
    ) -> list[tuple[_Waiting, Sequence[SearchResult] | Exception]]:
        """Search for all at once; where that fails, for each by itself."""
        queries = [query for waiting in batch for query in waiting.ask.queries]
        try:
            results = iter(searched(self._store, queries))
            return [(waiting, [next(results) for _ in waiting.ask.queries]) for waiting in batch]
        except Exception:  # noqa: BLE001 (whose it is comes out below)
            return [(waiting, self._alone(waiting.ask)) for waiting in batch]

    def _alone(self, ask: Ask[Any]) -> Sequence[SearchResult] | Exception:
        try:
            return searched(self._store, ask.queries)
        except Exception as error:  # noqa: BLE001 (it is raised where it was asked)
            return error

    def _deliver(
        self,
        loop: asyncio.AbstractEventLoop,
        batch: list[_Waiting],
        answers: list[tuple[Any, BaseException | None]],
    ) -> None:
        self._running -= 1
        for waiting, (answer, error) in zip(batch, answers, strict=True):
            if waiting.answer.done():
                continue
            if error is None:
                waiting.answer.set_result(answer)
            else:
                waiting.answer.set_exception(error)
        if self._waiting:
            self._send(loop)


def _finished(
    ask: Ask[Any], found: Sequence[SearchResult] | Exception
) -> tuple[Any, BaseException | None]:
    if isinstance(found, Exception):
        return None, found
    try:
        return ask.finish(found), None
    except StopIteration as error:  # no future takes it
        return None, RuntimeError(f"a function given as where raised {error!r}")
    except BaseException as error:  # noqa: BLE001 (it is raised where it was asked)
        return None, error
