"""flush, verify, close."""

import pytest

from conformance.builders import (
    axis,
    configure,
    do,
    forget,
    put,
    record,
    search,
    settle,
    write,
)
from nt_memory.errors import ClosedError
from nt_memory.store import Delete, Put, Write


def test_an_empty_store_has_no_problem(store):
    assert store.verify() == []


def test_a_store_that_was_used_has_no_problem(store):
    write(store, "r", embeddings={"state": axis(0)}, payload=b"p" * 200_000)
    settle(store, "r", payload=b"o")
    write(store, "s", text="t", embeddings={"alt": axis(0, 3)})
    forget(store, "s")
    do(store, Put("a", "k", b"v" * 200_000), Put("a", "l", b"v"), Delete("a", "l"))
    configure(store, "a", history=True)
    put(store)
    store.log_recall("1", b"entry")
    assert store.verify() == []


def test_flush_waits_for_what_is_queued(store):
    store.log_recall("1", b"entry")
    store.flush()
    assert store.stats()["recalls"] == 1


def test_a_store_can_be_closed_twice(store):
    store.close()
    store.close()


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.commit([Put("a", "k", b"v")]),
        lambda store: store.commit([Write(record())]),
        lambda store: store.get("a", "k"),
        lambda store: store.scan("a", "", 1, None),
        lambda store: store.fetch("r"),
        search,
        lambda store: store.log_recall("1", b""),
        lambda store: store.recall_log("1"),
        lambda store: store.new_id(),
        lambda store: store.stats(),
        lambda store: store.flush(),
        lambda store: store.verify(),
    ],
    ids=[
        "put",
        "write",
        "get",
        "scan",
        "fetch",
        "vector_search",
        "log_recall",
        "recall_log",
        "new_id",
        "stats",
        "flush",
        "verify",
    ],
)
def test_a_closed_store_says_so(store, call):
    put(store)
    store.close()
    with pytest.raises(ClosedError, match="closed"):
        call(store)
