"""What the shim notes is what the writer did."""

import random
import shutil
from pathlib import Path

import pytest

from crash import preload
from crash.disk import Choice, Disk, events, lay
from crash.power import STORIES, record_in
from crash.preload import preloaded
from processes import python


def contents(root):
    """Every file of a directory with its content, and every folder."""
    found = {path.relative_to(root): path for path in Path(root).rglob("*")}
    return {path: None if full.is_dir() else full.read_bytes() for path, full in found.items()}


def replayed(log, place):
    """Lay what a log tells, all of it kept."""
    disk = Disk()
    for event in events(log):
        disk.apply(event)
    lay(disk.image(Choice(random.Random(0), "everything")), place)
    return contents(place)


@pytest.mark.parametrize("engine", ["redb", "sled"])
def test_a_replay_ends_with_the_files_of_the_writer(tmp_path, engine):
    record_in(tmp_path, STORIES[-1], engine, seed=0)
    files = contents(tmp_path / "root")
    assert replayed(tmp_path / "log", tmp_path / "again") == files
    assert len(files) > 3


@pytest.mark.parametrize("seed", range(5))
def test_every_way_of_writing_is_noted(tmp_path, seed):
    (tmp_path / "root").mkdir()
    watched = preloaded(tmp_path / "root", tmp_path / "log")
    with python("crash.scribble", tmp_path / "root", seed, environment=watched) as writer:
        _, errors = writer.communicate()
    assert writer.returncode == 0, errors.decode()
    assert replayed(tmp_path / "log", tmp_path / "again") == contents(tmp_path / "root")


def test_a_missing_compiler_is_named(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(FileNotFoundError, match="install gcc or clang"):
        preload.shim.__wrapped__()
