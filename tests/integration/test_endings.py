"""Memories that are copied, passed on, cancelled, closed in use, or that end with their process."""

import asyncio
import copy
import gc
import multiprocessing
import os
import pickle
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

import endings
import hosts
from nt_memory import AsyncMemorySystem, ClosedError, MemorySystem, StoreLockedError
from processes import answer, heard, python


@pytest.fixture
def memory(tmp_path):
    """A memory on a disk with a value and a record in it."""
    with hosts.opened(tmp_path) as memory:
        yield memory


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
@pytest.mark.parametrize("part", [lambda memory: memory, lambda memory: memory.store])
def test_an_open_memory_is_not_copied(memory, copied, part):
    with pytest.raises(TypeError, match=r"pass the path.*open it there"):
        copied(part(memory))
    assert memory.get("risk", "limit") == b"5"


def test_a_memory_for_coroutines_is_not_copied(memory):
    with pytest.raises(TypeError, match=r"pass the path.*open it there"):
        pickle.dumps(AsyncMemorySystem(memory))


def test_a_memory_passed_to_a_spawned_process_says_what_to_pass(memory):
    process = multiprocessing.get_context("spawn").Process(
        target=endings.open_passed, args=[memory]
    )
    with pytest.raises(TypeError, match=r"pass the path.*open it there"):
        process.start()
    assert memory.get("risk", "limit") == b"5"


def test_a_spawned_process_is_told_who_owns_the_directory(memory, tmp_path):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(endings.owner_found, [str(tmp_path)]) == os.getpid()


def test_a_configuration_is_copied_and_pickled(memory):
    config = memory.config
    assert pickle.loads(pickle.dumps(config)) == copy.deepcopy(config) == config  # noqa: S301


def in_a_cycle(path):
    holder = {"memory": hosts.opened(path)}
    holder["self"] = holder
    return holder


def test_a_store_in_a_cycle_of_garbage_lets_go_of_its_directory(tmp_path):
    holder = in_a_cycle(tmp_path)
    del holder
    gc.collect()
    with MemorySystem(tmp_path) as memory:
        assert memory.get("risk", "limit") == b"5"


def test_a_store_in_a_cycle_in_use_keeps_its_directory(tmp_path):
    holder = in_a_cycle(tmp_path)
    gc.collect()
    with pytest.raises(StoreLockedError):
        MemorySystem(tmp_path)
    holder["memory"].close()


@pytest.mark.parametrize("way", ["leave_while_recalling", "leave_in_a_cycle"])
def test_an_interpreter_that_ends_with_a_store_in_use_ends_well(tmp_path, way):
    assert answer("endings", way, tmp_path) == "ends"
    with MemorySystem(tmp_path) as memory:
        assert memory.get("risk", "limit") == b"5"
        assert memory.verify() == []


def test_a_call_at_the_end_of_the_interpreter_is_a_closed_error(tmp_path):
    assert answer("endings", "use_after_exit", tmp_path) == "ClosedError"


def terminated(way, path):
    """Let a process count, end it by SIGTERM; return what it said last, and what is there."""
    with python("endings", way, path) as process:
        for _ in range(20):
            heard(process)
        process.send_signal(signal.SIGTERM)
        said = [int(line) for line in process.stdout.read().split()]
        assert process.wait(60) == -signal.SIGTERM
    with MemorySystem(path) as memory:
        assert memory.verify() == []
        return [20, *said][-1], int(memory.get("risk", "count"))


def test_what_was_acknowledged_before_a_sigterm_is_there(tmp_path):
    said, found = terminated("count", tmp_path)
    assert said <= found <= said + 1


def test_a_writer_that_acknowledges_too_early_is_found(tmp_path):
    ends = [terminated("count_carelessly", tmp_path / f"{turn}") for turn in range(10)]
    assert any(found < said for said, found in ends)


def test_a_cancelled_write_is_whole_or_absent(tmp_path):
    batch = {f"key-{number}": bytes(100_000) for number in range(10)}

    async def work():
        async with await AsyncMemorySystem.open(tmp_path) as memory:
            writes = [asyncio.create_task(memory.put_many(f"n{n}", batch)) for n in range(20)]
            recalls = [
                asyncio.create_task(memory.recall(embedding=hosts.VECTOR)) for _ in range(20)
            ]
            await asyncio.sleep(0)
            for task in (*writes[::2], *recalls[::2]):
                task.cancel()
            done = await asyncio.gather(*writes, *recalls, return_exceptions=True)
            kinds = {type(each) for each in done if isinstance(each, BaseException)}
            return kinds, [await memory.keys(f"n{n}") for n in range(20)]

    kinds, found = asyncio.run(work())
    assert kinds <= {asyncio.CancelledError}
    assert {len(keys) for keys, _ in found} <= {0, len(batch)}
    assert all(len(keys) == len(batch) for keys, _ in found[1::2])


def test_a_cancelled_wait_for_all_leaves_the_memory_in_use(tmp_path):
    async def work():
        async with await AsyncMemorySystem.open(tmp_path) as memory:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(memory.put("risk", "limit", bytes(32 << 20)), 0)
            await memory.put("risk", "pause", b"3")
            return await memory.get("risk", "pause"), await memory.verify()

    assert asyncio.run(work()) == (b"3", [])


def test_calls_during_a_close_get_an_answer_or_a_closed_error(tmp_path):
    def call_for_ever(call):
        while True:
            call(memory)

    def work(call):
        begun.wait()
        with pytest.raises(ClosedError):
            call_for_ever(call)

    for turn in range(5):
        memory, begun = hosts.opened(tmp_path / f"{turn}"), threading.Barrier(len(hosts.CALLS) + 1)
        with ThreadPoolExecutor(len(hosts.CALLS)) as pool:
            done = [pool.submit(work, call) for call in hosts.CALLS.values()]
            begun.wait()
            memory.close()
            for each in done:
                each.result(60)
        with MemorySystem(tmp_path / f"{turn}") as memory:
            assert memory.verify() == []


def test_whoever_closes_second_finds_the_directory_free(tmp_path):
    def close_and_look():
        begun.wait()
        memory.close()
        return endings.owner_found(tmp_path)

    for _ in range(50):
        memory, begun = hosts.opened(tmp_path), threading.Barrier(2)
        with ThreadPoolExecutor(1) as pool:
            found = pool.submit(close_and_look)
            begun.wait()
            memory.close()
            assert found.result(60) is None


def test_of_many_threads_that_open_a_directory_one_at_a_time_has_it(tmp_path):
    held = threading.Semaphore(1)

    def count_once():
        with MemorySystem(tmp_path) as memory:
            assert held.acquire(blocking=False)
            memory.increment("risk", "count")
            held.release()

    def work(_):
        refused = 0
        for _ in range(30):
            with suppress(StoreLockedError):
                count_once()
                continue
            refused += 1
        return 30 - refused

    with ThreadPoolExecutor(8) as pool:
        opened = sum(pool.map(work, range(8)))
    with MemorySystem(tmp_path) as memory:
        assert int(memory.get("risk", "count")) == opened > 0
        assert memory.verify() == []
