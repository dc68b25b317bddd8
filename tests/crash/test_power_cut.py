"""What was acknowledged is on the disk and whole, whenever the power is cut."""

import os
import random
from dataclasses import replace

import pytest

from crash.cuts import cut_power
from crash.disk import Choice, Disk, Event
from crash.power import STORIES

CUTS = int(os.environ.get("NT_MEMORY_POWER_CUTS", "200"))
# Images after which a faulty writer is found out.
ENOUGH = 40

stories = pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)


@stories
def test_redb_keeps_every_acknowledged_batch(story):
    tally = cut_power(story, "redb", CUTS // len(STORIES), STORIES.index(story))
    assert tally.counts == {"whole": CUTS // len(STORIES)}, tally.examples


@stories
def test_sled_may_lose_and_never_lies_hangs_or_ends_the_process(story):
    tally = cut_power(story, "sled", CUTS // len(STORIES), STORIES.index(story))
    tally.never("wrong", "hung", "died")


@pytest.mark.parametrize("engine", ["redb", "sled"])
@pytest.mark.parametrize("fault", [{"early": True}, {"durability": "none"}], ids=str)
def test_a_writer_that_does_not_wait_for_the_disk_is_found_out(engine, fault):
    tally = cut_power(replace(STORIES[0], **fault), engine, ENOUGH)
    assert tally.counts["lost"] > ENOUGH // 10


@pytest.mark.parametrize("kind", ["create", "folder"])
def test_a_writer_that_does_not_sync_its_files_or_its_folders_is_found_out(kind):
    def unsynced(recording):
        nodes = {event.file for event in recording.events if event.kind == kind}
        syncs = {"sync", "synced"}
        kept = [e for e in recording.events if e.kind not in syncs or e.file not in nodes]
        return replace(recording, events=kept)

    tally = cut_power(STORIES[0], "redb", ENOUGH, change=unsynced)
    assert tally.counts["whole"] < ENOUGH * 9 // 10


# One file that is written, synced, and written again.
SMALL = [
    Event("folder", 2, 0, b"a"),
    Event("sync", 1, 7, b""),
    Event("synced", 1, 7, b""),
    Event("create", 3, 0, b"a/b"),
    Event("write", 3, 0, bytes(1024)),
    Event("sync", 3, 7, b""),
    Event("write", 3, 0, b"\1" * 1024),
    Event("synced", 3, 7, b""),
    Event("sync", 2, 7, b""),
    Event("synced", 2, 7, b""),
]


class Recorded:
    """A disk after some events, and what it shows after a power cut."""

    def __init__(self, events):
        self.disk = Disk()
        for event in events:
            self.disk.apply(event)

    def image(self, mode, seed=0):
        image = self.disk.image(Choice(random.Random(seed), mode))
        return {path: content for path, content in image.items() if path}

    def file(self, mode, seed=0):
        return bytes(self.image(mode, seed)["/a/b"])


def test_what_was_synced_is_there():
    assert Recorded(SMALL).file("nothing") == bytes(1024)


def test_what_was_written_while_the_sync_ran_may_be_missing_or_there():
    assert Recorded(SMALL).file("everything") == b"\1" * 1024
    assert len({Recorded(SMALL).file("operations", seed) for seed in range(20)}) == 2


def test_a_write_may_be_torn_at_a_sector():
    halves = {(0, 0), (0, 1), (1, 0), (1, 1)}
    files = [Recorded(SMALL).file("sectors", seed) for seed in range(40)]
    assert {(file[0], file[512]) for file in files} == halves
    assert all(len(set(file[:512])) == len(set(file[512:])) == 1 for file in files)


@pytest.mark.parametrize("last", [5, 8])
def test_a_name_that_was_not_synced_may_be_missing(last):
    assert set(Recorded(SMALL[:last]).image("nothing")) == {"/a"}
    assert set(Recorded(SMALL[:last]).image("everything")) == {"/a", "/a/b"}


@pytest.mark.parametrize(("kind", "paths"), [("rename", b"a/b\0a/c"), ("unlink", b"a/b")])
def test_a_name_that_was_removed_may_still_be_there(kind, paths):
    event = Event(kind, 3, 0, paths)
    assert "/a/b" in Recorded([*SMALL, event]).image("nothing")
    assert "/a/b" not in Recorded([*SMALL, event]).image("everything")


@pytest.mark.parametrize("kind", ["resize", "grow"])
def test_a_length_that_was_not_synced_may_be_missing(kind):
    changed = Recorded([*SMALL, Event(kind, 3, 4096, b"")])
    assert {len(changed.file(mode)) for mode in ("nothing", "everything")} == {1024, 4096}


def test_a_way_of_writing_that_is_not_noted_is_refused():
    with pytest.raises(NotImplementedError):
        Recorded([*SMALL, Event("mapped", 3, 0, b"")])
