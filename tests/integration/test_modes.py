"""Files are their owner's alone, whatever the umask of the process."""

import os
from pathlib import Path

import numpy as np
import pytest

from builders import START
from nt_memory import MemoryConfig, MemorySystem, Record

ENGINES = ["redb", "sled"]


@pytest.fixture
def umask():
    """Let everybody read and write what is made."""
    before = os.umask(0)
    yield
    os.umask(before)


def fill(path, engine):
    with MemorySystem(MemoryConfig(storage_path=path, cold_engine=engine)) as memory:
        memory.put("models", "weights", os.urandom(3 << 20))
        state = np.ones(256, dtype=np.float32)
        memory.remember(Record(namespace="a", kind="k", event_time=START, embedding=state))
        memory.backup(path / "friday.backup")


def open_to_others(folder):
    """Return what is below a folder, and can be read or written by others than its owner."""
    allowed = {path: 0o700 if path.is_dir() else 0o600 for path in [folder, *folder.rglob("*")]}
    return [path for path, mode in allowed.items() if path.stat().st_mode & 0o777 & ~mode]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_store_and_its_backup_are_their_owners_alone(tmp_path, umask, engine):
    fill(tmp_path / "deep" / "store", engine)
    assert open_to_others(tmp_path / "deep") == []


@pytest.mark.parametrize("engine", ENGINES)
def test_a_restored_store_is_its_owners_alone(tmp_path, umask, engine):
    fill(tmp_path / "store", engine)
    config = MemoryConfig(storage_path=tmp_path / "again" / "store", cold_engine=engine)
    MemorySystem.restore(tmp_path / "store" / "friday.backup", config).close()
    assert open_to_others(tmp_path / "again") == []


@pytest.mark.parametrize("engine", ENGINES)
def test_a_store_in_a_folder_of_everybody_is_its_owners_alone(tmp_path, umask, engine):
    shared = tmp_path / "shared"
    shared.mkdir()
    fill(shared, engine)
    assert open_to_others(shared) == [shared]


def test_a_file_that_others_can_read_is_found(tmp_path, umask):
    Path(tmp_path, "file").write_bytes(b"")
    assert Path(tmp_path, "file") in open_to_others(tmp_path)
