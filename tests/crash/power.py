"""Record writers, cut their power at any moment, and look what their directory holds then."""

import json
import random
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from crash.disk import MODES, Choice, Disk, events, lay
from crash.harness import Order
from crash.preload import preloaded
from processes import python, told
from stores import MEMORY

# Below the watched root, so that the folders above the store are made under watch too.
PLACE = "traders/memory"
# How much likelier a cut falls just after an acknowledgement, or into a sync.
WEIGHT = 20


@dataclass(frozen=True)
class Story:
    """What is written between two power cuts: runs of one directory, each with its steps.

    A run ends with a close, or as if it was killed.
    """

    name: str
    runs: tuple = ((12, True),)
    lane: str = "Lane"
    lanes: int = 2
    durability: str = "group"
    early: bool = False
    compacts: int = 0


STORIES = (
    Story("fresh", ((6, False),)),
    Story("reopened", ((6, True), (6, True))),
    Story("killed and reopened", ((6, False), (6, False))),
    Story("compacted", ((12, False),), compacts=3),
    Story("expiring", ((25, False),), lane="Fading", lanes=1),
    Story("reopened and expiring", ((15, True), (15, False)), lane="Fading", lanes=1),
)


@dataclass(frozen=True)
class Cut:
    """A moment, and what was acknowledged before it on each lane."""

    at: int
    mode: str
    acknowledged: tuple


@dataclass(frozen=True)
class Recording:
    """What a story's writers did."""

    story: Story
    order: Order
    events: list


def record(story, engine, seed):
    """Let the writers of a story run under watch, in a place of their own."""
    with workplace() as place:
        return record_in(place, story, engine, seed)


def record_in(place, story, engine, seed):
    """Let the writers of a story run under watch."""
    root = Path(place, "root")
    root.mkdir()
    order = Order(str(root / PLACE), engine, seed, story.durability, story.early)
    done = 0
    for steps, closes in story.runs:
        shape = {"lane": story.lane, "compacts": story.compacts}
        run = replace(order, steps=steps, closes=closes, **shape)
        _write(run, [done] * story.lanes, preloaded(root, place / "log"))
        done += steps
    return Recording(story, run, events(place / "log"))


def _write(order, done, environment):
    with python("crash.writer", environment=environment) as writer:
        told(writer, json.dumps({**vars(order), "done": done}))
        _, errors = writer.communicate(timeout=60)
    assert (writer.returncode, errors) == (0, b""), errors.decode()


@contextmanager
def workplace():
    """A directory where nothing need last."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as place:
        yield Path(place).resolve()


def images(recording, count, seed):
    """Cut the power so many times; yield each cut with the image that the disk may have."""
    rng = random.Random(seed)
    noted = recording.events
    disk, done, acknowledged = Disk(), 0, [0] * recording.story.lanes
    for at in sorted(rng.choices(range(1, len(noted) + 1), _weights(noted), k=count)):
        for event in noted[done:at]:
            disk.apply(event)
            _acknowledge(event, acknowledged)
        done = at
        mode = rng.choice(MODES)
        yield Cut(at, mode, tuple(acknowledged)), disk.image(Choice(rng, mode))


def _acknowledge(event, acknowledged):
    if event.kind == "ack":
        for line in event.body.decode().splitlines():
            lane, step = map(int, line.split())
            acknowledged[lane] = step


def _weights(noted):
    syncing, weights = 0, []
    for event in noted:
        syncing += (event.kind == "sync") - (event.kind == "synced")
        weights.append(WEIGHT if syncing or event.kind == "ack" else 1)
    return weights


@contextmanager
def laid(image):
    """An image as a directory; yields the store's place in it."""
    with workplace() as place:
        root = place / "root"
        lay(image, root)
        yield root / PLACE
