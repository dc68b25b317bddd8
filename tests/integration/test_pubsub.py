"""Messages among kills, forks, signals, threads and event loops."""

import asyncio
import json
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from listeners import numbers
from nt_memory import (
    AsyncMemorySystem,
    ClosedError,
    LaggedError,
    MemorySystem,
    RecvTimeoutError,
    SubscriptionCounts,
)
from processes import answer, heard, python


def killed_after(path, lines):
    """Let a publisher be killed after so many lines; return all that it said."""
    with python("listeners", "publish_until_killed", path) as process:
        said = [heard(process) for _ in range(lines)]
        process.kill()
        rest = process.stdout.read().splitlines(keepends=True)
    return said + [json.loads(line) for line in rest if line.endswith(b"\n")]


def test_what_was_published_durably_survives_a_kill_in_its_order(tmp_path):
    said = []
    for lines in [40, 300, 100]:
        said += killed_after(tmp_path, lines)
    published = [line["published"] for line in said if "published" in line]
    sequences = [line["sequence"] for line in said if "sequence" in line]
    with MemorySystem(tmp_path) as memory:
        kept = list(iter(memory.subscribe("orders/*", from_seq=0).try_recv, None))
        assert memory.verify() == []
    assert set(published) <= {int(message.payload) for message in kept}
    assert [int(message.payload) for message in kept] == list(range(len(kept)))
    assert set(sequences) <= {message.sequence for message in kept}
    in_order = [message.sequence for message in kept]
    assert in_order == sorted(set(in_order))
    assert sequences == sorted(set(sequences))


def test_a_named_subscriber_resumes_after_a_kill_and_loses_nothing(tmp_path):
    delivered = []
    for lines in [400, 30, 200]:
        said = killed_after(tmp_path, lines)
        now = [line["delivered"] for line in said if "delivered" in line]
        assert now == list(range(now[0], now[0] + len(now)))
        # Again where the cursor was behind; never further on than what came before it.
        assert now[0] <= (delivered[-1] + 1 if delivered else 0)
        assert not delivered or now[0] > delivered[-1] - 130
        delivered += now
    with MemorySystem(tmp_path) as memory:
        kept = numbers(memory.subscribe("orders/*", from_seq=0))
        rest = numbers(memory.subscribe("orders/*", durable="audit"))
    assert rest == kept[rest[0] :]
    assert rest[0] <= delivered[-1] + 1


def test_a_memory_that_is_opened_again_goes_on_with_its_topics(tmp_path):
    with MemorySystem(tmp_path) as memory:
        memory.configure_topic("orders/**")
        first = memory.publish("orders/a", b"0")
    with MemorySystem(tmp_path) as memory:
        second = memory.publish("orders/a", b"1")
        assert numbers(memory.subscribe("**", from_seq=first)) == [0, 1]
        assert second > first


def test_a_backup_has_topics_messages_and_cursors(tmp_path):
    with MemorySystem(tmp_path / "memory") as memory:
        memory.configure_topic("orders/**", retention=3600.0)
        given = [memory.publish("orders/a", b"%d" % number) for number in range(5)]
        with memory.subscribe("orders/*", durable="audit") as audit:
            assert [int(audit.recv(0).payload) for _ in range(3)] == [0, 1, 2]
        memory.backup(tmp_path / "backup")
    with MemorySystem.restore(tmp_path / "backup", tmp_path / "again") as again:
        assert numbers(again.subscribe("**", from_seq=given[1])) == [1, 2, 3, 4]
        assert again.publish("orders/a", b"5") > given[-1]
        assert numbers(again.subscribe("orders/*", durable="audit")) == [3, 4, 5]
        assert again.verify() == []


@pytest.mark.parametrize("kind", ["live", "named"])
def test_ctrl_c_ends_a_wait_at_once(kind):
    def waited():
        with python("listeners", "interrupted_recv", kind) as process:
            assert heard(process) == "under way"
            sent = time.monotonic()
            process.send_signal(signal.SIGINT)
            return heard(process)["at"] - sent

    # How long a busy machine takes says nothing of the code; the best of some does.
    assert min(waited() for _ in range(3)) < 0.1


def test_a_forked_child_is_told_and_ends(tmp_path):
    for told, code in answer("listeners", "fork_and_listen", tmp_path):
        assert told == dict.fromkeys(told, "ForkError")
        assert code == 0


def test_many_threads_that_wait_are_all_told_of_a_close():
    ends = []
    with MemorySystem(":memory:") as memory:
        listening = [memory.subscribe("**", durable=name) for name in [None, "audit", None]]

        def wait(subscription):
            try:
                subscription.recv()
            except ClosedError:
                ends.append(subscription)

        threads = [threading.Thread(target=wait, args=[one]) for one in listening for _ in range(4)]
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join(10)
    assert len(ends) == 12


def read_until(done, reader):
    """Return the sequences that a reader got until the end, and how many it was told it missed."""
    sequences, missed = [], 0
    while True:
        ended = done.is_set()
        try:
            sequences.append(reader.recv(timeout=0.01).sequence)
        except LaggedError as error:
            missed += error.missed
        except RecvTimeoutError:
            if ended:
                return sequences, missed


def test_slow_readers_account_for_every_message_of_many_publishers():
    def publish():
        for _ in range(500):
            memory.publish("a/b", b"x")

    with MemorySystem(":memory:") as memory, ThreadPoolExecutor(20) as pool:
        done = threading.Event()
        readers = [memory.subscribe("**", capacity=1 << number % 5) for number in range(16)]
        found = [pool.submit(read_until, done, reader) for reader in readers]
        for publishing in [pool.submit(publish) for _ in range(4)]:
            publishing.result()
        done.set()
        for reader, read in zip(readers, found, strict=True):
            sequences, missed = read.result()
            assert sequences == sorted(set(sequences))
            assert len(sequences) + missed == 2000
            assert reader.counts == SubscriptionCounts(2000, len(sequences), missed, 0)


def test_a_cancelled_await_loses_no_message(tmp_path):
    async def use():
        async with await AsyncMemorySystem.open(tmp_path) as memory:
            await memory.configure_topic("kept/*")
            live = await memory.subscribe("kept/*", capacity=4096)
            named = await memory.subscribe("kept/*", durable="audit")
            found = {live: [], named: []}

            async def take(subscription):
                message = await subscription.recv()
                # Nothing is awaited here: what was taken is counted.
                found[subscription].append(int(message.payload))

            for number in range(200):
                tasks = [asyncio.create_task(take(one)) for one in (live, named)]
                for _ in range(number % 4):
                    await asyncio.sleep(0)
                await memory.publish("kept/a", b"%d" % number)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            for one in (live, named):
                while len(found[one]) < 200:
                    await asyncio.wait_for(take(one), 10)
                assert await one.try_recv() is None
            return list(found.values())

    assert asyncio.run(use()) == [list(range(200))] * 2


def test_a_hundred_tasks_get_every_message():
    async def use():
        async with await AsyncMemorySystem.open(":memory:") as memory:
            listening = [await memory.subscribe("a/*") for _ in range(100)]

            async def read(subscription):
                return [int((await subscription.recv(30)).payload) for _ in range(50)]

            tasks = [asyncio.create_task(read(one)) for one in listening]
            for number in range(50):
                await memory.publish("a/b", b"%d" % number)
            return await asyncio.gather(*tasks)

    assert asyncio.run(use()) == [list(range(50))] * 100


def test_loops_one_after_the_other_share_a_subscription():
    with MemorySystem(":memory:") as memory:
        opened = AsyncMemorySystem(memory)
        listening = asyncio.run(opened.subscribe("a"))

        async def use(number):
            waiting = asyncio.create_task(listening.recv(10))
            await asyncio.sleep(0.01)
            await opened.publish("a", b"%d" % number)
            return int((await waiting).payload)

        assert [asyncio.run(use(number)) for number in range(3)] == [0, 1, 2]
        asyncio.run(opened.close())


def test_a_waiting_coroutine_leaves_the_loop_to_others():
    async def use():
        async with await AsyncMemorySystem.open(":memory:") as memory:
            listening = await memory.subscribe("a")
            waiting = asyncio.create_task(listening.recv())
            turns = 0
            for _ in range(100):
                await asyncio.sleep(0)
                turns += 1
            assert not waiting.done()
            # From another thread: the byte wakes a loop that sleeps.
            threading.Timer(0.05, memory.sync.publish, ["a", b"1"]).start()
            return turns, (await asyncio.wait_for(waiting, 10)).payload

    assert asyncio.run(use()) == (100, b"1")
