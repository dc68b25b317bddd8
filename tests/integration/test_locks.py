"""Locks among threads, tasks and restarts."""

import asyncio
import os
import signal
import threading
import time

import pytest

from lockers import contend
from nt_memory import (
    AsyncMemorySystem,
    LockTimeoutError,
    MemorySystem,
    StaleTokenError,
)
from processes import heard, python

THREADS = 8
TURNS = int(os.environ.get("NT_MEMORY_LOCK_TURNS", "300"))
KILLS = int(os.environ.get("NT_MEMORY_LOCK_KILLS", "20"))


@pytest.fixture
def memory():
    with MemorySystem(":memory:") as memory:
        yield memory


def test_no_stale_write_is_accepted(memory):
    count, accepted, refused = contend(memory, THREADS, TURNS, stalls=7)
    assert count == len(accepted)
    assert len(accepted) + refused == THREADS * TURNS
    assert refused > 0


def test_without_fences_stale_writes_are_found_out(memory):
    count, accepted, _ = contend(memory, THREADS, 40, stalls=3, checks=False)
    assert count < len(accepted)


def test_numbers_grow_over_restarts_and_kills(tmp_path):
    last = 0
    for _ in range(KILLS):
        with python("lockers", "grant_for_ever", tmp_path) as process:
            numbers = [int(process.stdout.readline()) for _ in range(20)]
            process.send_signal(signal.SIGKILL)
            rest = process.stdout.read().split(b"\n")[:-1]
        numbers += [int(line) for line in rest]
        assert numbers == sorted(set(numbers))
        assert numbers[0] > last
        last = numbers[-1]


def test_numbers_grow_over_more_than_one_block(tmp_path):
    def grant(memory, times):
        numbers = []
        for _ in range(times):
            token = memory.acquire_lock("a", 0)
            numbers.append(token.number)
            memory.release_lock(token)
        return numbers

    numbers = []
    for times in (2500, 1, 1200):
        with MemorySystem(tmp_path) as memory:
            numbers += grant(memory, times)
            assert memory.verify() == []
    assert numbers == sorted(set(numbers))


def test_a_lease_does_not_survive_a_restart(tmp_path):
    with MemorySystem(tmp_path) as memory:
        old = memory.acquire_lock("a", 0)
    with MemorySystem(tmp_path) as memory:
        assert not memory.is_locked("a")
        with pytest.raises(StaleTokenError):
            memory.release_lock(old)
        assert memory.acquire_lock("a", 0).number > old.number


def test_a_fenced_namespace_stays_so_after_a_restart(tmp_path):
    with MemorySystem(tmp_path) as memory:
        memory.configure_namespace("risk", fenced="a", history=True)
    with MemorySystem(tmp_path) as memory:
        with pytest.raises(StaleTokenError):
            memory.put("risk", "limit", b"5")
        memory.put("risk", "limit", b"5", fence=memory.acquire_lock("a", 0))


def test_the_next_has_a_lock_when_its_lease_ended(memory):
    memory.acquire_lock("a", 0, ttl=0.05, owner="hedge")
    assert memory.acquire_lock("a", 60, owner="wyckoff").number == 2


def test_waiters_are_served_in_their_order(memory):
    first = memory.acquire_lock("a", 0, owner="first")
    order = []

    def wait(number):
        with memory.lock("a", 30, owner=f"{number}"):
            order.append(number)

    threads = []
    for number in range(8):
        threads.append(threading.Thread(target=wait, args=[number]))
        threads[-1].start()
        time.sleep(0.02)
    memory.release_lock(first)
    for thread in threads:
        thread.join()
    assert order == list(range(8))


def test_tasks_take_turns_without_a_thread_each():
    async def main():
        async with await AsyncMemorySystem.open(":memory:", max_workers=2) as memory:
            inside, order = [], []

            async def turn(number):
                async with memory.lock("a", 30):
                    inside.append(number)
                    await asyncio.sleep(0)
                    assert inside == [number]
                    inside.clear()
                    order.append(number)

            await asyncio.gather(*(turn(number) for number in range(100)))
            return order

    assert sorted(asyncio.run(main())) == list(range(100))


def test_a_task_that_is_cancelled_leaves_the_line():
    async def main():
        async with await AsyncMemorySystem.open(":memory:") as memory:
            first = await memory.acquire_lock("a", 0, owner="first")
            waiting = asyncio.create_task(memory.acquire_lock("a", 30, owner="second"))
            await asyncio.sleep(0.05)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            await memory.release_lock(first)
            return (await memory.acquire_lock("a", 0, owner="third")).owner

    assert asyncio.run(main()) == "third"


def test_a_task_is_told_who_has_it():
    async def main():
        async with await AsyncMemorySystem.open(":memory:") as memory:
            await memory.acquire_lock("a", 0, owner="hedge")
            with pytest.raises(LockTimeoutError, match='"hedge" holds it'):
                await memory.acquire_lock("a", 0.02, owner="wyckoff")
            with pytest.raises(LockTimeoutError, match='"hedge" holds it'):
                await memory.acquire_lock("a", 0, owner="wyckoff")

    asyncio.run(main())


def test_tasks_are_owners_of_their_own():
    async def main():
        async with await AsyncMemorySystem.open(":memory:") as memory:
            own = asyncio.gather(*(memory.acquire_lock(name, 0) for name in "ab"))
            return {token.owner for token in await own}

    assert len(asyncio.run(main())) == 2


def test_a_task_that_is_cancelled_while_it_asks_holds_nothing():
    async def main():
        async with await AsyncMemorySystem.open(":memory:", max_workers=1) as memory:
            begin = threading.Event()
            memory._pool.submit(begin.wait)  # the asking waits for a thread
            asking = asyncio.create_task(memory.acquire_lock("a", 30, owner="first"))
            await asyncio.sleep(0.01)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            begin.set()
            return (await memory.acquire_lock("a", 10, owner="second")).owner

    assert asyncio.run(main()) == "second"


def test_an_interrupted_wait_holds_nothing(tmp_path):
    with python("lockers", "be_interrupted") as process:
        said = [heard(process) for _ in range(20)]
    assert said == ["free"] * 20


def test_tasks_get_numbers_over_more_than_one_block(tmp_path):
    async def main():
        async with await AsyncMemorySystem.open(tmp_path) as memory:
            numbers = []
            for _ in range(1100):
                async with memory.lock("a", 10) as token:
                    numbers.append(token.number)
            return numbers

    numbers = asyncio.run(main())
    assert numbers == sorted(set(numbers))
