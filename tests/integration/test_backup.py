"""Backup and restore: everything of one moment, or nothing."""

import asyncio
import threading

import numpy as np
import pytest

from builders import day, record
from nt_memory import (
    AsyncMemorySystem,
    CorruptionError,
    ManualClock,
    MemoryConfig,
    MemorySystem,
    StorageError,
)

ENGINES = ["redb", "sled"]


def config(path, engine="redb"):
    return MemoryConfig(storage_path=path, cold_engine=engine, clock=ManualClock(day(10)))


@pytest.fixture(params=ENGINES)
def memory(request, tmp_path):
    """A memory on a disk, with values, a settled record and a logged recall."""
    with MemorySystem(config(tmp_path / "memory", request.param)) as memory:
        memory.put("risk", "limit", b"5")
        memory.put("models", "weights", bytes(200_000))
        memory.remember(record(id="one", embeddings={"state": np.ones(256, dtype=np.float32)}))
        memory.settle("one", {"reward": 1.5, "known_at": day(5)})
        yield memory


@pytest.mark.parametrize("engine", ENGINES)
def test_a_restored_memory_answers_as_the_one_that_was_backed_up(memory, tmp_path, engine):
    recall = memory.recall(as_of=day(4))
    memory.backup(tmp_path / "backup")
    with MemorySystem.restore(tmp_path / "backup", config(tmp_path / "again", engine)) as again:
        assert again.get("risk", "limit") == b"5"
        assert again.get("models", "weights") == bytes(200_000)
        assert again.get_record("one") == memory.get_record("one")
        assert again.replay(recall.id).hits == recall.hits
        assert again.verify() == []


def test_a_backup_taken_while_others_write_is_of_one_moment(memory, tmp_path):
    stop = threading.Event()

    def write():
        number = 0
        while not stop.is_set():
            number += 1
            memory.put_many(
                "pairs", {"a": str(number).encode(), "b": bytes(100_000) + b"%d" % number}
            )

    memory.put_many("pairs", {"a": b"0", "b": bytes(100_000) + b"0"})
    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            memory.backup(tmp_path / f"{number}")
    finally:
        stop.set()
        writer.join()
    for number in range(5):
        with MemorySystem.restore(tmp_path / f"{number}", tmp_path / f"{number}.d") as again:
            assert again.get("pairs", "b")[100_000:] == again.get("pairs", "a")
            assert again.verify() == []


def test_a_backup_takes_no_name_that_is_taken(memory, tmp_path):
    (tmp_path / "backup").write_bytes(b"mine")
    with pytest.raises(ValueError, match="backup exists"):
        memory.backup(tmp_path / "backup")
    assert (tmp_path / "backup").read_bytes() == b"mine"


def test_a_backup_is_for_its_owner_alone(memory, tmp_path):
    memory.backup(tmp_path / "backup")
    assert (tmp_path / "backup").stat().st_mode & 0o777 == 0o600


def test_a_directory_that_holds_something_is_not_restored_into(memory, tmp_path):
    memory.backup(tmp_path / "backup")
    with pytest.raises(ValueError, match="memory holds something"):
        MemorySystem.restore(tmp_path / "backup", tmp_path / "memory")
    assert memory.get("risk", "limit") == b"5"


def test_an_empty_directory_is_restored_into(memory, tmp_path):
    memory.backup(tmp_path / "backup")
    (tmp_path / "again").mkdir()
    MemorySystem.restore(tmp_path / "backup", tmp_path / "again").close()


@pytest.mark.parametrize("content", [b"", b"no backup", b"ntmemory"])
def test_what_is_no_backup_is_refused_and_nothing_made(tmp_path, content):
    (tmp_path / "backup").write_bytes(content)
    with pytest.raises(CorruptionError, match="backup"):
        MemorySystem.restore(tmp_path / "backup", tmp_path / "again")
    assert [path.name for path in tmp_path.iterdir()] == ["backup"]


def test_a_backup_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(StorageError, match="nothing-here"):
        MemorySystem.restore(tmp_path / "nothing-here", tmp_path / "again")


def test_what_keeps_nothing_takes_no_backup(tmp_path):
    with pytest.raises(ValueError, match="directory"):
        MemorySystem.restore(tmp_path / "backup", ":memory:")


def test_progress_counts_rows(memory, tmp_path):
    told = []
    rows = memory.backup(tmp_path / "backup", progress=told.append)
    assert told[-1] == rows


def test_what_progress_raises_ends_the_backup_and_leaves_nothing(memory, tmp_path):
    def stop(rows):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        memory.backup(tmp_path / "backup", progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["memory"]


def test_the_same_for_coroutines(tmp_path):
    async def run():
        async with await AsyncMemorySystem.open(tmp_path / "memory") as memory:
            await memory.put("risk", "limit", b"5")
            await memory.backup(tmp_path / "backup")
        restored = await AsyncMemorySystem.restore(tmp_path / "backup", tmp_path / "again")
        async with restored as again:
            return await again.get("risk", "limit")

    assert asyncio.run(run()) == b"5"
