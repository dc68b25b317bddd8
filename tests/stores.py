"""Stores under test: every engine with a small hot tier, and variants of the oracle."""

import shutil
import tempfile
from pathlib import Path

from nt_memory import _native
from nt_memory.testing import ModelStore

SPACES = [("state", 4, "cosine", "f16", None), ("alt", 3, "cosine", "f32", None)]
SEED = 5
# Files that need not last are quicker there.
MEMORY = Path("/dev/shm")  # noqa: S108


def open_native(engine, path, clock, **options):
    """Open an engine with a hot tier so small that most reads miss it."""
    chosen = {
        "cache_max_entries": 4,
        "cache_ttl_us": 10**9,
        "cache_max_bytes": 1 << 20,
        "track_access": True,
        "spaces": SPACES,
        "compression": True,
        "max_memory_bytes": 1 << 28,
        "durability": "none",
        "seed": SEED,
    }
    place = None if engine == "memory" else str(path)
    return _native.Store.open(place, engine=engine, clock=clock, **{**chosen, **options})


class Native:
    """An engine in a directory of its own."""

    def __init__(self, engine, **options):
        self.engine = engine
        self.options = options
        self.keeps = engine != "memory"

    def open(self, clock):
        self.clock = clock
        self.path = tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None)
        self.store = open_native(self.engine, self.path, clock, **self.options)
        return self.store

    def reopen(self):
        self.store.close()
        self.store = open_native(self.engine, self.path, self.clock, **self.options)
        return self.store

    def restore(self):
        """Go on with a copy that was restored from a backup."""
        backup, copy = Path(self.path) / "backup", Path(self.path) / "copy"
        self.store.backup(backup)
        self.store.close()
        _native.Store.restore(backup, copy, self.engine)
        for path in Path(self.path).iterdir():
            if path != copy:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path in copy.iterdir():
            path.rename(Path(self.path) / path.name)
        copy.rmdir()
        self.store = open_native(self.engine, self.path, self.clock, **self.options)
        return self.store

    def close(self):
        self.store.close()
        shutil.rmtree(self.path)


class Model:
    """The oracle, or a broken variant of it."""

    keeps = True

    def __init__(self, kind=ModelStore):
        self.kind = kind

    def open(self, clock):
        self.store = self.kind(clock, spaces=SPACES, seed=SEED)
        return self.store

    def reopen(self):
        self.store.reopen()
        return self.store

    restore = reopen

    def close(self):
        self.store.close()
