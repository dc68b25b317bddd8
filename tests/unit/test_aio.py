"""The same calls as coroutines."""

import asyncio
import inspect
import threading

import pytest

from builders import axis, day, record
from nt_memory import (
    AsyncMemorySystem,
    ClosedError,
    Filter,
    HashingEmbedding,
    MemorySystem,
    Outcome,
)

NO_CALLS = {"agent_id", "clock", "consensus", "config", "locks", "store"}
# They give a handle at once, and what is asked of it is awaited.
HANDLES = {"agent", "lock", "records"}


def run(memory, use):
    """Run ``use`` with an asynchronous memory on top of a memory."""

    async def main():
        async with AsyncMemorySystem(memory) as opened:
            return await use(opened)

    return asyncio.run(main())


def public(kind):
    return {name for name in dir(kind) if not name.startswith("_")} - NO_CALLS


def test_every_call_of_the_memory_is_there():
    assert public(MemorySystem) <= public(AsyncMemorySystem)


@pytest.mark.parametrize("name", sorted(public(MemorySystem)))
def test_a_call_is_a_coroutine_with_the_same_arguments(name):
    call = getattr(AsyncMemorySystem, name)
    assert inspect.iscoroutinefunction(call) == (name not in HANDLES)
    assert inspect.signature(call).parameters.keys() == (
        inspect.signature(getattr(MemorySystem, name)).parameters.keys()
    )


def test_a_value_is_read_back(memory):
    async def use(opened):
        await opened.put("risk", "limit", b"5")
        return await opened.get("risk", "limit"), await opened.get("risk", "other")

    assert run(memory, use) == (b"5", None)


def test_a_former_value_is_read_as_of_its_time(memory):
    async def use(opened):
        await opened.configure_namespace("risk", history=True)
        await opened.put("risk", "limit", b"5")
        return await opened.get("risk", "limit", as_of=day(10))

    assert run(memory, use) == b"5"


def test_json_is_read_back(memory):
    async def use(opened):
        await opened.put_json("risk", "config", {"a": 1})
        return await opened.get_json("risk", "config")

    assert run(memory, use) == {"a": 1}


def test_a_record_is_remembered_settled_and_recalled(memory):
    async def use(opened):
        id_ = await opened.remember(record(embedding=axis(0)))
        await opened.settle(id_, Outcome(1.0))
        found = await opened.recall(embedding=axis(0), filter=Filter(kind="trade"))
        return found.hits[0].id == id_, found.hits[0].version

    assert run(memory, use) == (True, 1)


def test_errors_come_through(memory):
    async def use(opened):
        with pytest.raises(ValueError, match="top_k=0"):
            await opened.recall(top_k=0)

    run(memory, use)


def test_calls_run_at_the_same_time(memory):
    async def use(opened):
        await asyncio.gather(*(opened.increment("risk", "trades") for _ in range(50)))
        return await opened.increment("risk", "trades", by=0)

    assert run(memory, use) == 50


class Waiting(HashingEmbedding):
    """An embedder that waits until it is released."""

    def __init__(self):
        super().__init__()
        self.released = threading.Event()

    def embed(self, texts, /):
        self.released.wait(10)
        return super().embed(texts)


def test_a_slow_call_leaves_the_loop_free(open_on, clock):
    embedder = Waiting()

    async def use(opened):
        waiting = asyncio.create_task(opened.remember(record(text="gold")))
        await opened.put("risk", "limit", b"5")
        free = not waiting.done()
        embedder.released.set()
        await waiting
        return free

    assert run(open_on(clock, embedder=embedder), use)


@pytest.mark.parametrize("store_kind", ["native"])
def test_a_hot_key_is_answered_without_a_thread(memory):
    memory.put("risk", "limit", b"5")
    memory.get("risk", "limit")
    asked = []
    opened = AsyncMemorySystem(memory)
    opened._pool.submit = asked.append
    assert (asyncio.run(opened.get("risk", "limit")), asked) == (b"5", [])


def test_closing_closes_the_memory(memory):
    async def use(opened):
        await opened.close()
        with pytest.raises(ClosedError):
            await opened.put("risk", "limit", b"5")

    run(memory, use)


def test_opening_takes_what_the_memory_takes(clock):
    async def main():
        async with await AsyncMemorySystem.open(":memory:", clock=clock) as memory:
            return memory.sync.clock

    assert asyncio.run(main()) is clock
