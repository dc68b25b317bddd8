"""What a writer does, told by a seed: each step is one batch, and the state after it is known."""

import random
from dataclasses import dataclass, field, replace

import numpy as np

from nt_memory import ForgottenError, _native
from nt_memory.store import (
    Delete,
    Forget,
    Increment,
    Put,
    Query,
    RawOutcome,
    RawRecord,
    Settle,
    Write,
)

NOW = 1_700_000_000_000_000
DIM = 16
SPACE = "state"
PROGRESS = "progress"
SMALL_KEYS = 24
LARGE_KEYS = 4
# Larger than what any engine keeps in one row, and incompressible.
LARGE = (65_537, 300_000)
FORGOTTEN = "a tombstone"
# One of them has a graph, and so a file of it.
VECTOR = {"redb": ("compact", 4, 8, 64, False), "sled": ("exact", 4, 8, 64, False)}


def open_store(path, engine, durability="group", clock=None):
    """Open the store that writers and checks share, at a time that stands still unless moved."""
    return _native.Store.open(
        str(path),
        engine=engine,
        cache_max_entries=64,
        cache_ttl_us=3_600_000_000,
        cache_max_bytes=1 << 20,
        track_access=True,
        spaces=[(SPACE, DIM, "cosine", "f16", None)],
        compression=True,
        max_memory_bytes=1 << 28,
        durability=durability,
        clock=clock or _native.Clock(manual=True, start_us=NOW),
        vector=VECTOR[engine],
        seed=0,
    )


@dataclass
class Lane:
    """One thread's part of the work, in a namespace of its own.

    `step` returns the next batch and moves the expected state past it, so a
    lane with the same seed and number that made as many steps expects the same.
    Every batch also notes how many were done: it says which ones the disk holds.
    """

    seed: int
    number: int
    done: int = 0
    values: dict = field(default_factory=dict)
    counters: dict = field(default_factory=dict)
    records: dict = field(default_factory=dict)
    forgotten: set = field(default_factory=set)

    @property
    def namespace(self):
        """Where this lane writes."""
        return f"lane-{self.number}"

    @property
    def time(self):
        """When the step that was made last is committed."""
        return NOW

    def step(self):
        """Return the next batch, as if it had been applied."""
        rng = random.Random(f"{self.seed}/{self.number}/{self.done}")
        self.done += 1
        return [*self._operations(rng), Put(self.namespace, PROGRESS, str(self.done).encode())]

    def _operations(self, rng):
        kinds = (self._put, self._put_large, self._batch, self._delete)
        kinds += (self._count, self._write, self._write, self._settle, self._forget)
        return rng.choice(kinds)(rng)

    def advance(self, done):
        """Make steps until so many are done."""
        while self.done < done:
            self.step()

    def _put(self, rng):
        key, value = f"small-{rng.randrange(SMALL_KEYS):02}", some_bytes(rng, 0, 2000)
        self.values[key] = value
        return [Put(self.namespace, key, value)]

    def _put_large(self, rng):
        key, value = f"large-{rng.randrange(LARGE_KEYS)}", rng.randbytes(rng.randint(*LARGE))
        self.values[key] = value
        return [Put(self.namespace, key, value)]

    def _batch(self, rng):
        return [op for _ in range(rng.randint(2, 10)) for op in self._put(rng)]

    def _delete(self, rng):
        keys = sorted(self.values)[:: rng.randint(2, 5)]
        for key in keys:
            del self.values[key]
        return [Delete(self.namespace, key) for key in keys]

    def _count(self, rng):
        key, by = f"counter-{rng.randrange(4)}", rng.randint(-1000, 1000)
        self.counters[key] = self.counters.get(key, 0) + by
        return [Increment(self.namespace, key, by)]

    def _write(self, rng):
        record = RawRecord(
            id=f"{self.number}-{self.done}",
            namespace=self.namespace,
            kind="trade",
            event_time=NOW - rng.randrange(1_000_000),
            known_at=NOW,
            text=f"step {self.done}",
            embeddings={SPACE: np.array([rng.gauss(0, 1) for _ in range(DIM)], dtype=np.float32)},
            attributes={"size": float(rng.randint(1, 9))},
            payload=some_bytes(rng, 1, 100_000) if rng.random() < 0.1 else some_bytes(rng, 1, 500),
        )
        self.records[record.id] = record
        return [Write(record)]

    def _settle(self, rng):
        if not self.records:
            return []
        id = rng.choice(sorted(self.records))
        outcome = RawOutcome(reward=rng.gauss(0, 1), known_at=NOW, payload=some_bytes(rng, 1, 200))
        before = self.records[id]
        self.records[id] = replace(before, outcome=outcome, version=before.version + 1)
        return [Settle(id, outcome, revise=before.outcome is not None)]

    def _forget(self, rng):
        if not self.records:
            return []
        ids = rng.sample(sorted(self.records), min(len(self.records), rng.randint(1, 3)))
        for id in ids:
            del self.records[id]
        self.forgotten.update(ids)
        return [Forget(ids)]


def some_bytes(rng, low, high):
    """Return bytes that compress, or do not."""
    size = rng.randint(low, high)
    return rng.randbytes(size) if rng.random() < 0.5 else bytes([rng.randrange(256)]) * size


def held(lane, store):
    """Return how many steps of a lane the store holds."""
    return int(store.get(lane.namespace, PROGRESS) or 0)


def problems(lane, store):
    """Compare what the store holds with what the lane expects; return one line a difference."""
    wrong = [*_wrong_values(lane, store), *_wrong_records(lane, store)]
    return [f"{lane.namespace} after step {lane.done}: {line}" for line in wrong]


def _wrong_values(lane, store):
    counters = {key: str(count).encode() for key, count in lane.counters.items()}
    expected = {**lane.values, **counters}
    keys, _ = store.scan(lane.namespace, "", 10_000, None)
    if set(keys) - {PROGRESS} != set(expected):
        yield f"keys are {keys}, expected {sorted(expected)}"
    for key, value in expected.items():
        if store.get(lane.namespace, key) != value:
            yield f"{key} is not the value of {len(value)} bytes that was written"


def _wrong_records(lane, store):
    for id, expected in lane.records.items():
        found = fetched(store, id)
        if found is None or found is FORGOTTEN or not same(found, expected):
            yield f"record {id} is {found}, expected {expected}"
    for id in lane.forgotten:
        found = fetched(store, id)
        if found is not FORGOTTEN:
            yield f"record {id} was forgotten and is {found}"
    query = Query(space=SPACE, vector=np.ones(DIM, dtype=np.float32), namespace=lane.namespace)
    found = store.vector_search(replace(query, top_k=10_000, bodies=False))
    if {match.id for match in found.matches} != set(lane.records):
        yield f"a search finds {len(found.matches)} records of {len(lane.records)}"
    if found.forgotten != len(lane.forgotten):
        yield f"a search counts {found.forgotten} forgotten records of {len(lane.forgotten)}"


def fetched(store, id):
    """Return a record, ``None``, or that it was forgotten."""
    try:
        return store.fetch(id)
    except ForgottenError:
        return FORGOTTEN


def same(found, expected):
    """Whether two records differ in nothing but what the store decides."""
    plain = {"embeddings": {}, "recorded_at": 0, "commit": 0}
    return replace(found, **plain) == replace(expected, **plain) and np.array_equal(
        found.embeddings[SPACE], expected.embeddings[SPACE]
    )
