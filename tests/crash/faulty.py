"""The process whose disk fails when told: one fault a line in, what went wrong out."""

import ctypes
import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from crash import cold
from crash.harness import Order
from crash.judge import judge
from crash.workload import Lane, open_store
from nt_memory.errors import StorageError, StorageFullError
from nt_memory.store import Put

SHIM = ctypes.CDLL(None)
WRITES, SYNCS, NAMES, READS = 1, 2, 4, 8
BEFORE, AFTER = 4, 6
CACHED = ("cached", "key", b"value")


@dataclass(frozen=True)
class Fault:
    """Which call fails, and how."""

    engine: str
    nth: int
    error: int
    groups: int = WRITES | SYNCS | NAMES
    forever: bool = False
    torn: bool = False
    # What the fault falls into: commits, reads, the first opening of a directory, or a later one.
    into: str = "commits"
    # A writer that takes an error for a success, or a reader that takes one for nothing, which the
    # sweep must notice.
    deaf: bool = False

    def arm(self):
        """Fail this call from now on."""
        SHIM.shim_arm(*map(ctypes.c_long, self._numbers()))

    def _numbers(self):
        return self.groups, self.nth, self.error, self.forever, self.torn


@dataclass
class Trial:
    """A store that meets a fault, and what is wrong with how it takes it."""

    fault: Fault
    path: str
    lane: Lane = field(default_factory=lambda: Lane(0, 0))
    acknowledged: int = 0
    wrong: list = field(default_factory=list)

    def run(self):
        """Return how often the fault struck, and what went wrong."""
        steps = {"commits": self._commits, "reads": self._reads}
        struck = steps.get(self.fault.into, self._opens)()
        order = Order(self.path, self.fault.engine, self.lane.seed)
        verdict, lines = judge(order, [self.acknowledged])
        if verdict != "whole":
            self.wrong.append(f"afterwards the store is {verdict}: {lines[:3]}")
        return struck, self.wrong

    def _commits(self):
        store = open_store(self.path, self.fault.engine)
        store.commit([Put(*CACHED)])
        self._write(store, BEFORE)
        self.fault.arm()
        failed = self._write(store, AFTER)
        if failed:
            if not self.fault.forever:
                SHIM.shim_disarm()
            self._check_error(failed)
            self._check_stopped(store)
        store.close()
        SHIM.shim_disarm()
        return SHIM.shim_struck()

    def _reads(self):
        store = open_store(self.path, self.fault.engine)
        cold.fill(store)
        store.close()
        store = open_store(self.path, self.fault.engine)
        self.fault.arm()
        self._ask(store)
        SHIM.shim_disarm()
        store.close()
        store = open_store(self.path, self.fault.engine)
        self.wrong += [
            f"afterwards {name} is wrong" for name, ask in cold.questions(store) if not ask()
        ]
        store.close()
        return SHIM.shim_struck()

    def _ask(self, store):
        for name, is_right in cold.questions(store):
            if not self._answered(is_right):
                self.wrong.append(f"{name} is answered wrongly")

    def _answered(self, is_right):
        """Whether an answer is right, or an error of the disk; a record that is missing is none."""
        try:
            return is_right()
        except StorageError as error:
            return not (self.fault.deaf or isinstance(error, LookupError))

    def _opens(self):
        if self.fault.into == "a later opening":
            store = open_store(self.path, self.fault.engine)
            self._write(store, BEFORE)
            store.close()
        self.fault.arm()
        try:
            store = open_store(self.path, self.fault.engine)
        except StorageError as error:
            if str(self.path) not in str(error):
                self.wrong.append(f"the error does not name the directory: {error}")
        else:
            store.close()
        SHIM.shim_disarm()
        return SHIM.shim_struck()

    def _write(self, store, steps):
        """Write steps until one fails; return its error."""
        for _ in range(steps):
            batch = self.lane.step()
            try:
                store.commit(batch)
            except StorageError as error:
                if not self.fault.deaf:
                    return error
            self.acknowledged = self.lane.done
        return None

    def _check_error(self, error):
        if self.fault.error == ERRORS["ENOSPC"] and not isinstance(error, StorageFullError):
            self.wrong.append(f"a full disk is told as {error!r}")

    def _check_stopped(self, store):
        """What is in memory is answered; the disk is not asked again."""
        if store.get(*CACHED[:2]) != CACHED[2]:
            self.wrong.append("a cached value is not answered")
        if not store.stats()["l3_size_bytes"]:
            self.wrong.append("the size of the files is not told any more")
        for name, call in ASKS_THE_DISK.items():
            try:
                call(store)
            except StorageError:
                continue
            self.wrong.append(f"{name} is answered after a failed write")


ERRORS = {"ENOSPC": 28, "EIO": 5}
ASKS_THE_DISK = {
    "a write": lambda store: store.commit([Put("more", "key", b"")]),
    "a read": lambda store: store.get("more", "key"),
    "a scan": lambda store: store.scan("more", "", 9, None),
    "a flush": lambda store: store.flush(),
    "verify": lambda store: store.verify(),
}


def main():
    """Try each fault in a directory of its own."""
    for number, line in enumerate(sys.stdin):
        path = Path(os.environ["NT_SHIM_ROOT"], str(number), "memory")
        path.parent.mkdir()
        struck, wrong = Trial(Fault(**json.loads(line)), str(path)).run()
        sys.stdout.write(f"{json.dumps([struck, wrong])}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
