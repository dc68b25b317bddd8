"""log_recall and recall_log: entries of a log that writers do not wait for."""

import pytest

from conformance.builders import HOUR, at, configure, put, write
from nt_memory import NamespaceError


def test_an_entry_is_read_back(store):
    store.log_recall("1", b"\x00\xff")
    assert store.recall_log("1") == b"\x00\xff"


def test_an_unknown_entry_is_none(store):
    assert store.recall_log("1") is None


def test_an_empty_entry_is_an_entry(store):
    store.log_recall("1", b"")
    assert store.recall_log("1") == b""


def test_the_last_entry_of_an_id_counts(store):
    store.log_recall("1", b"old")
    store.log_recall("1", b"new")
    assert store.recall_log("1") == b"new"


def test_logging_takes_no_commit_number(store):
    store.log_recall("1", b"entry")
    store.flush()
    write(store)
    assert store.fetch("r").commit == 1


def test_entries_are_counted(store):
    for name in "abc":
        store.log_recall(name, b"entry")
    store.flush()
    assert store.stats()["recalls"] == 3


@pytest.fixture
def behind(store, clock):
    """A store whose namespace "desk/one" is kept for two hours, in its fifth hour."""
    configure(store, "desk/one", retention=2 * HOUR)
    clock.advance_us(5 * HOUR)
    return store


def logged(store, clock, *asked):
    """Log what was asked, let an hour pass and the store sweep; return what is in the log."""
    store.log_recall("1", b"entry", *asked)
    put(store)
    clock.advance_us(HOUR)
    put(store)
    return store.recall_log("1")


@pytest.mark.parametrize("scope", [None, "desk", "desk/one"])
def test_what_asked_before_a_horizon_in_its_scope_is_erased(behind, clock, scope):
    assert logged(behind, clock, at(4) - 1, scope) is None
    assert behind.stats()["recalls"] == 0
    assert behind.verify() == []


@pytest.mark.parametrize("scope", [None, "desk", "desk/one"])
def test_what_asked_at_the_horizon_is_kept(behind, clock, scope):
    assert logged(behind, clock, at(4), scope) == b"entry"


@pytest.mark.parametrize("scope", ["des", "desk/two", "desk/one/more", "other"])
def test_what_asked_elsewhere_is_kept(behind, clock, scope):
    assert logged(behind, clock, at(0), scope) == b"entry"


def test_what_does_not_say_what_it_asked_is_kept(behind, clock):
    assert logged(behind, clock) == b"entry"


def test_an_erased_entry_is_gone_before_anything_is_swept(behind):
    behind.log_recall("1", b"entry", at(0), "desk")
    assert behind.recall_log("1") is None


def test_an_erased_entry_stays_gone_with_a_longer_retention(behind):
    behind.log_recall("1", b"entry", at(0), "desk")
    configure(behind, "desk/one", retention=100 * HOUR)
    assert behind.recall_log("1") is None


def test_a_namespace_that_is_not_well_formed_is_refused(store):
    with pytest.raises(NamespaceError):
        store.log_recall("1", b"entry", 0, "a//b")


@pytest.mark.parametrize("id", ["", "a b", "x" * 129])
def test_an_id_that_cannot_be_is_refused(store, id):
    with pytest.raises(ValueError, match="id"):
        store.log_recall(id, b"entry")
