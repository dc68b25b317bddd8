"""Compaction: the same answers from a smaller file, whatever goes on meanwhile."""

import threading

import pytest

from nt_memory import MemoryConfig, MemorySystem


@pytest.fixture
def memory(tmp_path):
    """A memory whose file once held much more than it holds."""
    with MemorySystem(tmp_path) as memory:
        memory.put_many("models", {f"{number}": bytes([number]) * 50_000 for number in range(200)})
        for number in range(190):
            memory.delete("models", f"{number}")
        yield memory


def test_the_file_becomes_smaller(memory):
    before, after = memory.compact()
    assert after * 3 < before
    assert memory.stats()["l3_size_bytes"] == after


def test_every_answer_stays(memory, tmp_path):
    memory.compact()
    keys, _ = memory.keys("models")
    assert len(keys) == 10
    assert memory.verify() == []
    memory.close()
    with MemorySystem(tmp_path) as again:
        assert again.get("models", "199") == bytes([199]) * 50_000
        assert again.verify() == []


def test_writes_go_on_and_none_is_lost(memory):
    stop = threading.Event()
    written = []

    def write():
        while not stop.is_set():
            written.append(str(len(written)))
            memory.put("risk", written[-1], written[-1].encode())

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            memory.compact()
    finally:
        stop.set()
        writer.join()
    assert memory.get_many("risk", written) == [key.encode() for key in written]
    assert memory.verify() == []


def test_what_progress_raises_ends_it_and_the_memory_goes_on(memory, tmp_path):
    def stop(rows):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        memory.compact(progress=stop)
    memory.put("risk", "limit", b"5")
    assert not list(tmp_path.glob("*compact*"))


@pytest.mark.parametrize("engine", ["sled", "memory"])
def test_other_engines_say_that_they_need_none(tmp_path, engine):
    config = MemoryConfig(storage_path=tmp_path, cold_engine=engine)
    with MemorySystem(config) as memory, pytest.raises(ValueError, match="by itself"):
        memory.compact()
