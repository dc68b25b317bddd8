"""A store among processes, forks, threads, signals and event loops."""

import asyncio
import gc
import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import hosts
from nt_memory import (
    AsyncMemorySystem,
    ClosedError,
    InternalError,
    MemorySystem,
    StoreLockedError,
    _native,
)
from processes import answer, heard, python


def test_a_second_process_is_told_who_owns_the_directory(tmp_path):
    with MemorySystem(tmp_path):
        found = answer("hosts", "owner_of", tmp_path)
    assert found["pid"] == os.getpid()
    assert str(os.getpid()) in found["message"]


def test_a_second_open_in_one_process_is_refused_too(tmp_path):
    with MemorySystem(tmp_path), pytest.raises(StoreLockedError) as refused:
        MemorySystem(tmp_path)
    assert refused.value.pid == os.getpid()


def test_a_refused_open_leaves_the_owner_unharmed(tmp_path):
    with MemorySystem(tmp_path) as memory:
        answer("hosts", "owner_of", tmp_path)
        memory.put("risk", "limit", b"5")
        assert memory.verify() == []


def test_a_closed_directory_is_free(tmp_path):
    MemorySystem(tmp_path).close()
    assert answer("hosts", "owner_of", tmp_path)["pid"] is None


def test_a_killed_owner_leaves_the_directory_free(tmp_path):
    with python("hosts", "hold", tmp_path) as owner:
        assert heard(owner) == "open"
    with MemorySystem(tmp_path) as memory:
        assert memory.get("risk", "limit") == b"5"
        assert memory.verify() == []


def test_a_store_that_nobody_refers_to_lets_go_of_its_directory(tmp_path):
    memory = MemorySystem(tmp_path)
    memory.put("risk", "limit", b"5")
    del memory
    gc.collect()
    with MemorySystem(tmp_path) as memory:
        assert memory.get("risk", "limit") == b"5"


def test_every_call_in_a_forked_child_is_a_fork_error(tmp_path):
    found = answer("hosts", "fork_and_call", tmp_path)
    assert found["raised"] == dict.fromkeys(found["raised"], "ForkError")


def test_a_forked_child_ends_well(tmp_path):
    assert answer("hosts", "fork_and_call", tmp_path)["code"] == 0


def test_a_parent_goes_on_unharmed_after_its_child_ended(tmp_path):
    found = answer("hosts", "fork_and_go_on", tmp_path)
    assert found == {"before": "5", "after": "parent", "problems": []}


def test_forked_children_open_stores_of_their_own(tmp_path):
    said = answer("hosts", "fork_and_open_others", tmp_path / "parent", tmp_path / "child")
    assert said == [["own", 0]] * 10


def test_a_forked_child_shares_work_among_threads_of_its_own():
    said = answer("hosts", "fork_and_share_work")
    assert said["child"] == [said["parent"], 0]
    assert said["parent"] == [[f"r{number}" for number in range(100)], [[]]]


def test_sled_is_refused_in_a_child_of_a_process_that_used_it(tmp_path):
    assert answer("hosts", "fork_sled", tmp_path / "store") == ["ForkError", 0]


def test_a_forked_child_finds_its_parents_directory_locked(tmp_path):
    found = answer("hosts", "fork_and_open_the_same", tmp_path)
    assert found["found"] == found["parent"]


def test_a_living_child_does_not_keep_a_closed_directory(tmp_path):
    assert answer("hosts", "fork_and_outlive", tmp_path) is None


def test_children_forked_while_threads_write_are_told_and_end(tmp_path):
    assert (
        answer("hosts", "fork_under_load", tmp_path) == [[["ForkError"] * len(hosts.CALLS), 0]] * 5
    )


@pytest.mark.parametrize("call", ["interrupted_search", "interrupted_verify"])
def test_ctrl_c_ends_a_long_call(call):
    with python("hosts", call) as process:
        full = heard(process)["full"]
        sent, found = interrupt(process)
    assert found["ended"] is False
    assert found["at"] - sent < full


def test_ctrl_c_ends_an_opening(tmp_path):
    with python("hosts", "interrupted_open", tmp_path) as process:
        full = heard(process)["full"]
        sent, found = interrupt(process)
    assert found["ended"] is False
    assert found["at"] - sent < full


def test_ctrl_c_ends_the_wait_for_a_commit_which_goes_on(tmp_path):
    with python("hosts", "interrupted_commit", tmp_path) as process:
        full = heard(process)["full"]
        sent, found = interrupt(process)
        left = heard(process)
    assert found["ended"] is False
    assert found["at"] - sent < full
    assert all(left["whole"])


def interrupt(process):
    """Send Ctrl-C to a process in a call; return when, and what it says then."""
    assert heard(process) == "under way"
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    return sent, heard(process)


def test_a_panic_is_an_internal_error():
    with pytest.raises(InternalError, match="a deliberate panic"):
        _native._panic()


def test_a_process_goes_on_after_a_panic(tmp_path):
    with MemorySystem(tmp_path) as memory:
        with pytest.raises(InternalError):
            _native._panic()
        memory.put("risk", "limit", b"5")
        assert memory.verify() == []


@pytest.mark.parametrize("way", ["leave_open", "leave_while_writing"])
def test_an_interpreter_that_ends_with_an_open_store_ends_well(tmp_path, way):
    assert answer("hosts", way, tmp_path) == "ends"
    with MemorySystem(tmp_path) as memory:
        assert memory.get("risk", "limit") == b"5"
        assert memory.verify() == []


def test_no_increment_of_many_threads_is_lost(tmp_path):
    with MemorySystem(tmp_path) as memory, ThreadPoolExecutor(8) as pool:
        returned = list(pool.map(lambda _: memory.increment("risk", "count"), range(400)))
        assert memory.get("risk", "count") == b"400"
    assert sorted(returned) == list(range(1, 401))


def test_of_many_threads_that_compare_and_set_one_wins_each_round(tmp_path):
    with MemorySystem(tmp_path) as memory, ThreadPoolExecutor(8) as pool:
        for turn in range(20):
            before = None if turn == 0 else f"{turn - 1}".encode()
            tries = [
                pool.submit(memory.compare_and_set, "risk", "turn", before, f"{turn}".encode())
                for _ in range(8)
            ]
            assert sum(each.result() for each in tries) == 1


def test_no_reader_sees_an_older_value_than_it_has_seen(tmp_path):
    with MemorySystem(tmp_path) as memory, ThreadPoolExecutor(2) as pool:
        stop = threading.Event()

        def read():
            seen = [0]
            while not stop.is_set():
                seen.append(int(memory.get("risk", "count") or 0))
            return seen

        readers = [pool.submit(read) for _ in range(2)]
        for count in range(1, 51):
            memory.put("risk", "count", f"{count}".encode())
        stop.set()
        for reader in readers:
            seen = reader.result()
            assert seen == sorted(seen)


def test_a_thread_reads_what_it_wrote(tmp_path):
    def work(number):
        for turn in range(50):
            memory.put("risk", f"key-{number}", f"{turn}".encode())
            assert memory.get("risk", f"key-{number}") == f"{turn}".encode()

    with MemorySystem(tmp_path) as memory, ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))


def test_what_threads_wrote_before_a_close_stays(tmp_path):
    memory = MemorySystem(tmp_path)
    written = [0] * 4
    first = threading.Barrier(5)

    def write_for_ever(number):
        while True:
            memory.put("risk", f"key-{number}", f"{written[number] + 1}".encode())
            written[number] += 1

    def work(number):
        memory.put("risk", f"key-{number}", b"0")
        first.wait()
        with pytest.raises(ClosedError):
            write_for_ever(number)

    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(work, number) for number in range(4)]
        first.wait()
        memory.close()
        for each in done:
            each.result()
    with MemorySystem(tmp_path) as memory:
        assert [int(memory.get("risk", f"key-{number}")) for number in range(4)] == written


def test_coroutines_lose_no_increment(tmp_path):
    async def work():
        async with await AsyncMemorySystem.open(tmp_path) as memory:
            await asyncio.gather(*(memory.increment("risk", "count") for _ in range(200)))
            return await memory.get("risk", "count")

    assert asyncio.run(work()) == b"200"


def test_the_event_loop_runs_on_while_calls_wait_for_the_disk(tmp_path):
    async def work():
        async with await AsyncMemorySystem.open(tmp_path) as memory:
            writes = asyncio.gather(*(memory.put("risk", f"{n}", b"5") for n in range(200)))
            turns = 0
            while not writes.done():
                await asyncio.sleep(0)
                turns += 1
            return turns

    assert asyncio.run(work()) > 0


def test_a_cancelled_coroutine_leaves_the_memory_in_use(tmp_path):
    async def work():
        async with await AsyncMemorySystem.open(tmp_path) as memory:
            writes = [asyncio.create_task(memory.increment("risk", "count")) for _ in range(50)]
            await asyncio.sleep(0)
            for write in writes[::2]:
                write.cancel()
            await asyncio.gather(*writes, return_exceptions=True)
            kept = sum(not write.cancelled() for write in writes)
            return kept, int(await memory.get("risk", "count")), await memory.verify()

    kept, count, problems = asyncio.run(work())
    assert kept <= count
    assert problems == []


def test_spawned_processes_have_stores_of_their_own(tmp_path):
    paths = [str(tmp_path / f"{number}") for number in range(2)]
    with MemorySystem(tmp_path / "parent"), multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.map(hosts.fill, paths)
    for path in paths:
        with MemorySystem(path) as memory:
            assert memory.get("risk", "limit") == b"5"


@pytest.mark.parametrize("name", hosts.CALLS)
def test_a_call_after_close_is_a_closed_error(name):
    memory = MemorySystem(":memory:")
    memory.put("risk", "limit", b"5")
    memory.close()
    with pytest.raises(ClosedError):
        hosts.CALLS[name](memory)


def test_a_second_close_does_nothing(tmp_path):
    memory = MemorySystem(tmp_path)
    memory.close()
    memory.close()
