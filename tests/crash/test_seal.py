"""What a directory's seal tells of its files, and the ways out that the errors name."""

import shutil

import pytest

from crash.reseal import release
from crash.specimen import answers, build
from crash.workload import open_store
from nt_memory import CorruptionError
from nt_memory.store import Put

engines = pytest.mark.parametrize("engine", ["redb", "sled"])


def data(path, engine):
    """Where an engine keeps its rows."""
    return path / f"store.{engine}"


def largest(path, engine):
    """The file that has most of them."""
    file = data(path, engine)
    return file / "db" if file.is_dir() else file


def remove(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.fixture
def written(tmp_path):
    """Build a closed store; return its directory and the answers that it gave."""

    def write(engine, name="store", seed=1):
        path = tmp_path / name
        return path, build(path, engine, seed)

    return write


def refused(path, engine, match):
    """Check that a store is not opened, again and again, and that the error tells where it is."""
    for _ in range(2):
        with pytest.raises(CorruptionError, match=match) as told:
            open_store(path, engine)
        assert str(path) in str(told.value)
    return str(told.value)


@engines
def test_a_changed_byte_anywhere_is_told(written, engine):
    path, _ = written(engine)
    file = largest(path, engine)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    refused(path, engine, "is not what the store left there")


@engines
def test_missing_data_is_no_empty_store(written, engine):
    path, _ = written(engine)
    remove(data(path, engine))
    assert "restore a backup" in refused(path, engine, f"store.{engine} is missing")
    assert not data(path, engine).exists()


@engines
def test_a_store_of_another_engine_is_no_empty_store(written, engine):
    path, told = written(engine)
    other = {"redb": "sled", "sled": "redb"}[engine]
    refused(path, other, "open it with the engine that made it")
    store = open_store(path, engine)
    assert answers(store) == told
    store.close()


@engines
@pytest.mark.parametrize("content", [None, b"short", bytes(64), bytes(65)])
def test_a_missing_or_damaged_seal_is_told(written, engine, content):
    path, _ = written(engine)
    seal = path / "SEAL"
    seal.unlink() if content is None else seal.write_bytes(content)
    refused(path, engine, r"SEAL is (missing|damaged)")


@engines
def test_the_files_of_two_closed_stores_are_not_exchanged(written, engine):
    path, _ = written(engine)
    other, _ = written(engine, "other", 2)
    remove(data(path, engine))
    shutil.move(data(other, engine), data(path, engine))
    refused(path, engine, "is not what the store left there")


@engines
def test_the_files_of_another_store_do_not_take_the_place_of_those_that_a_crash_left(
    written, engine
):
    path, _ = written(engine)
    other, _ = written(engine, "other", 2)
    crashed = path.with_name("crashed")
    store = open_store(path, engine)
    shutil.copytree(path, crashed)
    store.close()
    remove(data(crashed, engine))
    shutil.move(data(other, engine), data(crashed, engine))
    refused(crashed, engine, "belongs to another store")


@engines
def test_an_earlier_file_beside_a_later_seal_is_told(written, engine):
    path, _ = written(engine)
    earlier = path.with_name("earlier")
    shutil.copytree(path, earlier)
    store = open_store(path, engine)
    store.commit([Put("last", "key", b"later")])
    store.close()
    remove(data(path, engine))
    shutil.move(data(earlier, engine), data(path, engine))
    refused(path, engine, "is not what the store left there")


@engines
def test_a_restored_copy_of_the_whole_directory_is_a_store(written, engine):
    path, told = written(engine)
    backup = path.with_name("backup")
    shutil.copytree(path, backup)
    store = open_store(path, engine)
    store.commit([Put("last", "key", b"later")])
    store.close()
    store = open_store(backup, engine)
    assert answers(store) == told
    store.close()


@engines
def test_an_empty_seal_has_sound_files_taken(written, engine):
    path, told = written(engine)
    release(path)
    for _ in range(2):
        store = open_store(path, engine)
        assert answers(store) == told
        assert store.verify() == []
        store.close()


def test_an_empty_seal_does_not_make_damaged_files_sound(written):
    path, _ = written("redb")
    file = largest(path, "redb")
    with file.open("r+b") as opened:
        opened.seek(4096)
        opened.write(bytes(file.stat().st_size - 4096))
    release(path)
    refused(path, "redb", "restore a backup")


@engines
def test_an_empty_seal_does_not_make_a_store_of_nothing(written, engine):
    path, _ = written(engine)
    largest(path, engine).write_bytes(b"")
    release(path)
    refused(path, engine, "restore a backup")


@engines
def test_what_lies_in_the_lock_file_is_of_no_account(written, engine):
    path, told = written(engine)
    (path / "LOCK").write_bytes(b"\xff" * 5000)
    store = open_store(path, engine)
    assert answers(store) == told
    store.close()
