"""A disk that lost power: what shim.c noted, replayed as a disk might have kept it.

Certain is only what was synced. A write after that may be there, missing, or
torn at sectors; a new length may be there or not; and so may a new, renamed or
removed name, until the folder that holds it is synced. That is less than most
file systems keep, and all that POSIX promises.
"""

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

SECTOR = 512
HEAD = struct.Struct("=IIQQ")
KINDS = (
    "create folder write resize grow rename unlink link sync synced ack mapped".split()  # noqa: SIM905
)
MODES = ("nothing", "everything", "operations", "sectors")


class Event(NamedTuple):
    """One thing that the writer did; `at` is an offset, a length or a thread."""

    kind: str
    file: int
    at: int
    body: bytes

    @property
    def paths(self):
        """The names that it is about, below the root."""
        return self.body.decode().split("\0")


def events(log):
    """Return what was noted, in order."""
    data, at, found = memoryview(Path(log).read_bytes()), 0, []
    while at < len(data):
        kind, size, file, where = HEAD.unpack_from(data, at)
        at += HEAD.size + size
        found.append(Event(KINDS[kind - 1], file, where, bytes(data[at - size : at])))
    return found


class Choice:
    """Decides what of the unsynced is there."""

    def __init__(self, rng, mode):
        self.rng = rng
        self.mode = mode
        # A disk that kept most, one that kept little, and between.
        self.share = rng.choice((0.1, 0.5, 0.9))

    def keeps(self):
        """Whether an operation is there."""
        if self.mode in {"nothing", "everything"}:
            return self.mode == "everything"
        return self.rng.random() < self.share

    def parts(self, offset, data):
        """The parts of a write that are there, each with its offset."""
        if self.mode != "sectors":
            return [(offset, data)] if self.keeps() else []
        end = offset + len(data)
        starts = [offset, *range((offset // SECTOR + 1) * SECTOR, end, SECTOR)]
        sectors = zip(starts, [*starts[1:], end], strict=True)
        return [(a, data[a - offset : b - offset]) for a, b in sectors if self.keeps()]


class Keep(Choice):
    """Keeps all, for what is synced."""

    def __init__(self):
        self.mode = "everything"


@dataclass(eq=False)
class Node:
    """A file or a folder: what is certain, and what may be."""

    pending: list = field(default_factory=list)

    def sync(self, until):
        """Make certain what came before an event."""
        while self.pending and self.pending[0][0] < until:
            self.change(self.kept, self.pending.pop(0)[1], Keep())

    def image(self, choice):
        """What is there after a power cut."""
        image = self.kept.copy()
        for _, change in self.pending:
            self.change(image, change, choice)
        return image


@dataclass(eq=False)
class File(Node):
    """Its content."""

    kept: bytearray = field(default_factory=bytearray)

    @staticmethod
    def change(image, change, choice):
        kind, at, data = change
        if kind == "write":
            for offset, part in choice.parts(at, data):
                _grow(image, offset)
                image[offset : offset + len(part)] = part
            # A file system may keep the new length without the content.
            at, kind = at + len(data), "grow"
        if not choice.keeps():
            return
        _grow(image, at)
        if kind == "resize":
            del image[at:]


@dataclass(eq=False)
class Folder(Node):
    """Its names, each with what it leads to."""

    kept: dict = field(default_factory=dict)

    @staticmethod
    def change(image, change, choice):
        if choice.keeps():
            for name, node in change.items():
                image.pop(name, None)
                if node is not None:
                    image[name] = node


def _grow(image, size):
    if len(image) < size:
        image.extend(bytes(size - len(image)))


class Disk:
    """Follows a writer event by event; an image can be taken after each."""

    def __init__(self):
        self.root = Folder()
        self.live = {"": self.root}  # path: node, as the writer sees them
        self.nodes = {}  # inode: node
        self.syncing = {}
        self.time = 0

    def apply(self, event):
        """Take in what the writer did next."""
        self.time += 1
        getattr(self, f"_{event.kind}")(event)

    def image(self, choice):
        """Return folders, and files with their content, by path."""
        found, waiting = {}, [("", self.root)]
        for path, node in waiting:
            found[path] = node.image(choice)
            if isinstance(node, Folder):
                waiting += [(f"{path}/{name}", child) for name, child in found[path].items()]
        return found

    def _node(self, inode):
        return self.nodes.get(inode, self.root)

    def _name(self, path, node):
        """Return the folder of a path, after letting it lead to a node."""
        folder, _, name = path.rpartition("/")
        self.live.pop(path, None)
        if node is not None:
            self.live[path] = node
        return self.live[folder], name

    def _change(self, node, change):
        node.pending.append((self.time, change))

    def _entry(self, path, node):
        folder, name = self._name(path, node)
        self._change(folder, {name: node})

    def _create(self, event):
        self.nodes[event.file] = File()
        self._entry(event.paths[0], self.nodes[event.file])

    def _folder(self, event):
        self.nodes[event.file] = Folder()
        self._entry(event.paths[0], self.nodes[event.file])

    def _link(self, event):
        self._entry(event.paths[0], self.nodes[event.file])

    def _unlink(self, event):
        self._entry(event.paths[0], None)

    def _rename(self, event):
        old, new = event.paths
        moved = self.live[old]
        for path in [path for path in self.live if path.startswith(f"{old}/")]:
            self.live[new + path.removeprefix(old)] = self.live.pop(path)
        (source, before), (target, after) = self._name(old, None), self._name(new, moved)
        if source is target:
            self._change(source, {before: None, after: moved})
        else:
            self._change(target, {after: moved})
            self._change(source, {before: None})

    def _write(self, event):
        self._change(self.nodes[event.file], ("write", event.at, event.body))

    def _resize(self, event):
        self._change(self.nodes[event.file], ("resize", event.at, None))

    def _grow(self, event):
        self._change(self.nodes[event.file], ("grow", event.at, None))

    def _sync(self, event):
        self.syncing[event.file, event.at] = self.time

    def _synced(self, event):
        self._node(event.file).sync(self.syncing.pop((event.file, event.at)))

    def _ack(self, event):
        """Said, not written."""

    def _mapped(self, event):
        msg = "the writer changed a file in a way that is not noted (a mapping, a hole)"
        raise NotImplementedError(msg)


def lay(image, target):
    """Make a directory of an image."""
    for path, content in image.items():
        place = Path(target, path.lstrip("/"))
        if isinstance(content, dict):
            place.mkdir()
        else:
            place.write_bytes(content)
