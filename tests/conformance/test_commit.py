"""commit: a batch happens whole or not at all, and batches have one order."""

import pytest

from conformance.builders import at, do, put, record
from nt_memory.errors import ConflictError, NamespaceError
from nt_memory.store import Delete, Expect, Increment, Put, Write


def test_batches_are_numbered_from_one(store):
    assert [store.commit([Put("a", "k", b"v")]).number for _ in range(3)] == [1, 2, 3]


def test_a_batch_without_operations_is_refused(store):
    with pytest.raises(ValueError, match="no operations"):
        store.commit([])


def test_a_batch_is_recorded_at_the_clocks_now(store, clock):
    clock.advance_us(7)
    assert store.commit([Put("a", "k", b"v")]).recorded_at == at(0) + 7


def test_every_operation_has_a_result(store):
    ops = [
        Put("a", "k", b"v"),
        Expect("a", "k", b"v"),
        Increment("a", "n", 2),
        Delete("a", "k"),
        Write(record("r")),
    ]
    assert store.commit(ops).results == [None, None, 2, True, "r"]


def test_an_operation_sees_its_predecessors(store):
    assert do(store, Put("a", "n", b"1"), Increment("a", "n", 1), Increment("a", "n", 1)) == 3


def test_the_last_of_several_puts_counts(store):
    do(store, Put("a", "k", b"1"), Put("a", "k", b"2"))
    assert store.get("a", "k") == b"2"


def test_a_failing_operation_undoes_its_predecessors(store):
    with pytest.raises(ConflictError):
        store.commit([Put("a", "k", b"v"), Expect("a", "k", None)])
    assert store.get("a", "k") is None


def test_a_failing_operation_keeps_its_successors_out(store):
    with pytest.raises(NamespaceError):
        store.commit([Put("a b", "k", b"v"), Write(record("r"))])
    assert store.fetch("r") is None


def test_a_refused_batch_takes_no_number(store):
    put(store)
    with pytest.raises(ConflictError):
        store.commit([Expect("a", "k", None)])
    assert store.commit([Put("a", "k", b"v")]).number == 2


def test_the_first_failure_is_told(store):
    with pytest.raises(ConflictError):
        store.commit([Expect("a", "k", b"v"), Put("a b", "k", b"v")])
