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


def reachable(folder):
    """Return the files below a folder that others can read or write, whatever is above it."""
    if not folder.stat().st_mode & 0o011:
        return []
    found = []
    for path in folder.iterdir():
        if path.is_dir():
            found += reachable(path)
        elif path.stat().st_mode & 0o066:
            found.append(path)
    return found


def reachable_while_open(path, engine, folder):
    """Open a store, write to it, and return what others can reach meanwhile."""
    with MemorySystem(MemoryConfig(storage_path=path, cold_engine=engine)) as memory:
        for number in range(30):
            memory.put("models", f"{number % 3}", os.urandom(1 << 20))
        return reachable(folder)


@pytest.mark.parametrize("engine", ENGINES)
def test_nobody_else_reaches_the_files_of_an_open_store(tmp_path, umask, engine):
    shared = tmp_path / "shared"
    shared.mkdir()
    for path in (shared, shared / "deep" / "store"):
        assert reachable_while_open(path, engine, shared) == []
        assert reachable_while_open(path, engine, shared) == []


def test_a_folder_of_sled_that_was_opened_to_others_is_closed_again(tmp_path, umask):
    shared = tmp_path / "shared"
    fill(shared / "store", "sled")
    for path in [shared, *shared.rglob("*")]:
        if path.is_dir():
            path.chmod(0o777)
    assert reachable_while_open(shared / "store", "sled", shared) == []
    assert (shared / "store" / "store.sled").stat().st_mode & 0o777 == 0o700


def test_a_file_that_others_can_reach_is_found(tmp_path, umask):
    (tmp_path / "closed").mkdir(0o700)
    (tmp_path / "open").mkdir(0o711)
    for folder in ("closed", "open"):
        (tmp_path / folder / "file").write_bytes(b"")
    tmp_path.chmod(0o755)
    assert reachable(tmp_path) == [tmp_path / "open" / "file"]
