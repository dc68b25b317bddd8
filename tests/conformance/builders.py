"""Builders of operations and questions, so that a test names only what it is about."""

import numpy as np

from nt_memory.store import (
    Configure,
    Forget,
    NamespaceOptions,
    Put,
    Query,
    RawOutcome,
    RawRecord,
    Settle,
    Write,
)

START = 1_700_000_000_000_000
HOUR = 3_600_000_000


def at(hours):
    """Return a time so many hours after the start."""
    return START + round(hours * HOUR)


def vector(*numbers):
    return np.array(numbers, dtype=np.float32)


def axis(place, dim=4):
    """Return a unit vector."""
    return vector(*(float(place == other) for other in range(dim)))


def record(id="r", **fields):
    """Return a trade that happens and is known at the start, changed as told."""
    plain = {"namespace": "trades", "kind": "trade", "event_time": START, "known_at": START}
    return RawRecord(id=id, **{**plain, **fields})


def do(store, *ops):
    """Commit one batch; return the result of its last operation."""
    return store.commit(ops).results[-1]


def put(store, key="k", value=b"v", namespace="a", ttl=None):
    return do(store, Put(namespace, key, value, ttl))


def write(store, id="r", **fields):
    return do(store, Write(record(id, **fields)))


def settle(store, id="r", reward=1.0, known_at=None, *, payload=None, revise=False):
    return do(store, Settle(id, RawOutcome(reward, known_at, payload), revise))


def forget(store, *ids):
    return do(store, Forget(ids))


def configure(store, namespace="trades", **options):
    return do(store, Configure(namespace, NamespaceOptions(**options)))


def search(store, **query):
    return store.vector_search(Query(**query))


def found(store, **query):
    """Return the ids that a search finds, best first."""
    return [match.id for match in search(store, **query).matches]


def only(store, **query):
    """Return the one match of a search."""
    (match,) = search(store, **query).matches
    return match
