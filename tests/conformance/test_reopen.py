"""Reopening: everything that was committed is there again."""

import pytest

from conformance.builders import (
    HOUR,
    at,
    axis,
    configure,
    do,
    forget,
    found,
    put,
    search,
    settle,
    write,
)
from conformance.conftest import KEEPING
from conformance.test_new_id import expected
from nt_memory.errors import ForgottenError, HorizonError
from nt_memory.store import Delete, Increment

pytestmark = pytest.mark.parametrize("kind", KEEPING)


def test_values_are_kept(store, subject):
    put(store, key="small", value=b"v")
    put(store, key="large", value=b"v" * 300_000)
    again = subject.reopen()
    assert (again.get("a", "small"), again.get("a", "large")) == (b"v", b"v" * 300_000)


def test_deletions_are_kept(store, subject):
    put(store)
    do(store, Delete("a", "k"))
    assert subject.reopen().get("a", "k") is None


def test_expiries_are_kept(store, subject, clock):
    put(store, ttl=HOUR)
    again = subject.reopen()
    before = again.get("a", "k")
    clock.advance_us(HOUR)
    assert (before, again.get("a", "k")) == (b"v", None)


def test_counters_go_on(store, subject):
    do(store, Increment("a", "n", 5))
    assert do(subject.reopen(), Increment("a", "n", 1)) == 6


def test_history_is_kept(store, subject, clock):
    configure(store, "a", history=True)
    put(store, value=b"1")
    clock.advance_us(HOUR)
    put(store, value=b"2")
    assert subject.reopen().get("a", "k", at(0)) == b"1"


def test_records_are_kept_with_their_stamps(store, subject):
    write(store, text="t", attributes={"size": 1.5}, tags=("x",))
    kept = store.fetch("r")
    assert subject.reopen().fetch("r") == kept


def test_every_version_is_kept(store, subject):
    write(store, text="old")
    write(store, known_at=at(1), text="new")
    settle(store, known_at=at(2))
    again = subject.reopen()
    seen = [again.fetch("r", at(hour)) for hour in (0, 1, 2)]
    assert [(version.text, version.version) for version in seen] == [
        ("old", 0),
        ("new", 1),
        ("new", 2),
    ]


def test_embeddings_are_searched_again(store, subject):
    write(store, "a", embeddings={"state": axis(0)})
    write(store, "b", embeddings={"state": axis(1)})
    settle(store, "b", 1.0)
    again = subject.reopen()
    alone = (1.0, 0.0, 0.0, 0.0)
    assert found(again, vector=axis(1), weights=alone) == ["b", "a"]


def test_a_search_answers_to_the_bit_as_before(store, subject):
    write(store, "a", embeddings={"state": axis(0)}, importance=0.3)
    settle(store, "a", 1.0)
    query = {"vector": axis(0) + axis(1), "half_life": 1e9, "bodies": False}
    before = search(store, **query)
    assert search(subject.reopen(), **query) == before


def test_tombstones_are_kept(store, subject):
    write(store)
    forget(store, "r")
    again = subject.reopen()
    assert search(again).forgotten == 1
    with pytest.raises(ForgottenError):
        again.fetch("r")


def test_options_are_kept(store, subject, clock):
    configure(store, "a", ttl=HOUR)
    again = subject.reopen()
    put(again)
    clock.advance_us(HOUR)
    assert again.get("a", "k") is None


def test_a_horizon_is_kept_when_the_retention_is_gone(store, subject, clock):
    configure(store, "trades", retention=HOUR)
    clock.advance_us(5 * HOUR)
    configure(store, "trades")
    with pytest.raises(HorizonError):
        search(subject.reopen(), as_of=at(4) - 1)


def test_batches_are_numbered_on(store, subject):
    put(store)
    put(store)
    again = subject.reopen()
    put(again)
    assert search(again).commit == 3


def test_logged_recalls_are_kept(store, subject):
    store.log_recall("1", b"entry")
    assert subject.reopen().recall_log("1") == b"entry"


def test_ids_of_each_opening_are_its_own(store, subject):
    assert [store.new_id(), subject.reopen().new_id()] == [expected(0, 1), expected(0, 2)]


def test_nothing_is_wrong_afterwards(store, subject):
    write(store, embeddings={"state": axis(0)})
    put(store, value=b"v" * 300_000)
    assert subject.reopen().verify() == []
