"""A small store with something of everything, and the questions that read all of it."""

import hashlib
import os
import random
import sys
import time
from dataclasses import replace

import numpy as np

from crash.workload import DIM, NOW, SPACE, open_store
from nt_memory import ForgottenError
from nt_memory.store import (
    Configure,
    Delete,
    Forget,
    NamespaceOptions,
    Put,
    Query,
    RawOutcome,
    RawRecord,
    Settle,
    Write,
)

VALUES = 150
VERSIONS = 4
RECORDS = 40
SETTLED = range(0, RECORDS, 3)
FORGOTTEN = range(1, RECORDS, 7)
RECALLS = 6
# As long as values that expire live, in microseconds: longer than any test.
TTL = 3_600_000_000
# One longer than the engines' cache lines, two of several rows, one of many.
LARGE = (5_000, 70_000, 200_000)


def fill(store, seed):
    """Write something of everything."""
    rng = random.Random(seed)
    store.commit([Configure("past", NamespaceOptions(history=True))])
    store.commit([Configure("short", NamespaceOptions(ttl=TTL))])
    store.commit([Put("many", f"{i:04}", _bytes(rng, 300)) for i in range(VALUES)])
    for size in LARGE:
        store.commit([Put("large", str(size), rng.randbytes(size))])
    for version in range(VERSIONS):
        store.commit([Put("past", "price", str(version).encode())])
        store.commit([Put("short", str(version), _bytes(rng, 50))])
    store.commit([Delete("many", f"{i:04}") for i in range(0, VALUES, 10)])
    for i in range(RECORDS):
        store.commit([Write(_record(rng, i))])
    for i in SETTLED:
        outcome = RawOutcome(reward=rng.gauss(0, 1), known_at=NOW, payload=_bytes(rng, 90))
        store.commit([Settle(f"record-{i}", outcome)])
    store.commit([Forget([f"record-{i}" for i in FORGOTTEN])])
    for i in range(RECALLS):
        store.log_recall(f"recall-{i}", rng.randbytes(100))
    store.flush()
    store.commit([Put("last", "key", b"the last commit")])


def _bytes(rng, most):
    return rng.randbytes(rng.randint(1, most))


def _record(rng, i):
    return RawRecord(
        id=f"record-{i}",
        namespace=f"records/{i % 3}",
        kind="trade",
        event_time=NOW,
        known_at=NOW,
        text=f"text {i}",
        embeddings={SPACE: np.array([rng.gauss(0, 1) for _ in range(DIM)], dtype=np.float32)},
        attributes={"size": float(i)},
        payload=rng.randbytes(80_000 if i == 5 else 200),
    )


def questions():
    """Yield a name and a function of the store for each thing that can be asked of it."""
    yield from ((f"get {name}", _get(*name)) for name in _keys())
    for namespace in ("many", "large", "past", "short", "last", "empty"):
        yield f"scan {namespace}", lambda store, name=namespace: store.scan(name, "", 1000, None)
    yield "past price", lambda store: store.get("past", "price", NOW)
    yield "namespaces", lambda store: sorted(store.configured().items())
    for i in range(RECORDS):
        yield f"fetch {i}", lambda store, i=i: _plain(store.fetch(f"record-{i}"))
    for i in range(RECALLS + 1):
        yield f"recall {i}", lambda store, i=i: store.recall_log(f"recall-{i}")
    for bodies in (False, True):
        yield f"search, bodies {bodies}", lambda store, bodies=bodies: _search(store, bodies)


def _keys():
    yield from (("many", f"{i:04}") for i in range(VALUES + 1))
    yield from (("large", str(size)) for size in LARGE)
    yield from (("short", str(version)) for version in range(VERSIONS))
    yield from (("past", "price"), ("last", "key"), ("last", "absent"))


def _get(namespace, key):
    return lambda store: store.get(namespace, key)


def _search(store, bodies):
    query = Query(space=SPACE, vector=np.ones(DIM, dtype=np.float32), top_k=1000, as_of=NOW)
    found = store.vector_search(replace(query, bodies=bodies))
    matches = [replace(match, record=_plain(match.record)) for match in found.matches]
    return replace(found, matches=matches, commit=0)


def _plain(record):
    """Make a record's vectors comparable."""
    if record is None:
        return None
    vectors = {name: vector.tobytes() for name, vector in record.embeddings.items()}
    return replace(record, embeddings=vectors)


def answer(ask, store):
    """Return an answer as a short string; a forgotten record is one too."""
    try:
        said = repr(ask(store))
    except ForgottenError:
        said = "forgotten"
    return hashlib.blake2b(said.encode(), digest_size=8).hexdigest()


def answers(store):
    """Ask everything."""
    return {name: answer(ask, store) for name, ask in questions()}


def build(path, engine, seed):
    """Write a store, close it; return the answers that it gave."""
    store = open_store(path, engine)
    fill(store, seed)
    told = answers(store)
    store.close()
    return told


def main():
    """Write a store and wait to be killed."""
    path, engine, seed = sys.argv[1:]
    fill(open_store(path, engine), int(seed))
    os.write(1, b'"filled"\n')
    time.sleep(3600)


if __name__ == "__main__":
    main()
