"""What a store that was just opened has to read from the disk, and whether it answers rightly."""

import random

import numpy as np

from crash.workload import DIM, NOW, SPACE, same
from nt_memory.store import Put, Query, RawRecord, Write

PLACE = "cold"
# Each takes a page of its own.
VALUES = {f"{number:02}": random.Random(number).randbytes(3000) for number in range(20)}
LARGE = {"large": random.Random(0).randbytes(150_000)}
RECORDS = {
    f"cold-{number}": RawRecord(
        id=f"cold-{number}",
        namespace=PLACE,
        kind="trade",
        event_time=NOW,
        known_at=NOW,
        embeddings={SPACE: np.full(DIM, 1.0 + number, dtype=np.float32)},
        payload=random.Random(-number).randbytes(3000),
    )
    for number in range(1, 10)
}


def fill(store):
    """Write all of it."""
    for item in (VALUES | LARGE).items():
        store.commit([Put(PLACE, *item)])
    for record in RECORDS.values():
        store.commit([Write(record)])


def questions(store):
    """Yield what can be asked by name, and what asks it and says whether the answer is right."""
    for key, value in (VALUES | LARGE).items():
        yield f"get {key}", lambda k=key, v=value: store.get(PLACE, k) == v
    yield "a scan", lambda: store.scan(PLACE, "", 99, None) == ([*VALUES, *LARGE], None)
    for id, record in RECORDS.items():
        yield f"fetch {id}", lambda i=id, r=record: same(store.fetch(i), r)
    yield "a recall", lambda: _recalls(store)


def _recalls(store):
    query = Query(space=SPACE, vector=np.ones(DIM, dtype=np.float32), namespace=PLACE)
    found = {match.id: match.record for match in store.vector_search(query).matches}
    return set(found) == set(RECORDS) and all(same(raw, RECORDS[id]) for id, raw in found.items())
