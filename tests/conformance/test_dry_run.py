"""commit with dry_run: what a batch would do, and nothing done."""

import pytest

from conformance.builders import record, write
from nt_memory.errors import ConflictError, RecordNotFoundError
from nt_memory.store import Expect, Forget, Increment, Put, Write


def test_the_answers_are_those_of_the_batch(store):
    write(store, "r")
    ops = [Increment("a", "n", 2), Forget(["r"]), Write(record("s"))]
    assert store.commit(ops, dry_run=True).results == [2, 1, "s"]


def test_nothing_is_changed(store):
    write(store, "r")
    before = store.commit([Put("a", "k", b"v")])
    store.commit([Put("a", "k", b"w"), Forget(["r"])], dry_run=True)
    assert [store.get("a", "k"), store.fetch("r").id] == [b"v", "r"]
    assert store.commit([Put("a", "other", b"v")]).number == before.number + 1


def test_the_number_is_the_one_that_comes_next(store):
    trial = store.commit([Put("a", "k", b"v")], dry_run=True)
    assert store.commit([Put("a", "k", b"v")]) == trial


@pytest.mark.parametrize(
    ("op", "refused"),
    [(Expect("a", "k", b"v"), ConflictError), (Forget(["nobody"]), RecordNotFoundError)],
)
def test_what_would_be_refused_is_refused(store, op, refused):
    with pytest.raises(refused):
        store.commit([op], dry_run=True)
