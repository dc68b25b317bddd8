"""get with as_of: what a key held at a time, in a namespace that keeps history."""

import pytest

from conformance.builders import HOUR, at, configure, do, put
from nt_memory.clock import from_micros
from nt_memory.errors import HorizonError
from nt_memory.store import Configure, Delete, Increment, NamespaceOptions, Put


@pytest.fixture(autouse=True)
def keeping(store):
    """The namespace "a" keeps history."""
    configure(store, "a", history=True)


def test_the_value_of_a_time_is_read(store, clock):
    put(store, value=b"1")
    clock.advance_us(HOUR)
    put(store, value=b"2")
    assert store.get("a", "k", at(0.5)) == b"1"


def test_a_value_is_there_from_its_commit_on(store, clock):
    clock.advance_us(HOUR)
    put(store)
    assert [store.get("a", "k", at(1) - 1), store.get("a", "k", at(1))] == [None, b"v"]


def test_the_last_of_several_commits_at_one_time_counts(store):
    put(store, value=b"1")
    put(store, value=b"2")
    assert store.get("a", "k", at(0)) == b"2"


def test_the_last_put_of_a_batch_counts(store):
    do(store, Put("a", "k", b"1"), Put("a", "k", b"2"))
    assert store.get("a", "k", at(0)) == b"2"


def test_a_later_time_sees_the_last_value(store):
    put(store)
    assert store.get("a", "k", at(100)) == b"v"


def test_a_deletion_is_part_of_history(store, clock):
    put(store)
    clock.advance_us(HOUR)
    do(store, Delete("a", "k"))
    assert [store.get("a", "k", at(0)), store.get("a", "k", at(1))] == [b"v", None]


def test_a_counter_has_a_history(store, clock):
    do(store, Increment("a", "n", 1))
    clock.advance_us(HOUR)
    do(store, Increment("a", "n", 1))
    assert [store.get("a", "n", at(0)), store.get("a", "n", at(1))] == [b"1", b"2"]


def test_an_expired_value_is_none_and_no_earlier_one_comes_back(store, clock):
    put(store, value=b"1")
    clock.advance_us(HOUR)
    put(store, value=b"2", ttl=HOUR)
    assert [store.get("a", "k", at(2) - 1), store.get("a", "k", at(2))] == [b"2", None]


def test_an_expired_value_is_still_there_before_its_end(store, clock):
    put(store, ttl=HOUR)
    clock.advance_us(5 * HOUR)
    put(store, key="other")
    assert store.get("a", "k", at(0.5)) == b"v"


def test_history_begins_with_what_the_namespace_holds(store, clock):
    put(store, namespace="b", value=b"1")
    configure(store, "b", history=True)
    clock.advance_us(HOUR)
    put(store, namespace="b", value=b"2")
    assert [store.get("b", "k", at(0)), store.get("b", "k", at(1))] == [b"1", b"2"]


def test_a_time_before_history_was_switched_on_is_refused(store, clock):
    put(store, namespace="b", value=b"1")
    clock.advance_us(HOUR)
    configure(store, "b", history=True)
    with pytest.raises(HorizonError) as refused:
        store.get("b", "k", at(1) - 1)
    assert refused.value.horizon == from_micros(at(1))


def test_a_value_with_an_end_keeps_it_when_history_begins(store, clock):
    put(store, namespace="b", ttl=2 * HOUR)
    configure(store, "b", history=True)
    clock.advance_us(5 * HOUR)
    put(store, namespace="b", key="other")
    assert [store.get("b", "k", at(2) - 1), store.get("b", "k", at(2))] == [b"v", None]


def test_history_begins_with_the_puts_before_it_in_its_batch(store):
    on = Configure("b", NamespaceOptions(history=True))
    do(store, Put("b", "k", b"1"), on, Put("b", "other", b"2"))
    assert [store.get("b", "k", at(0)), store.get("b", "other", at(0))] == [b"1", b"2"]


def test_a_second_history_knows_nothing_of_the_first(store, clock):
    put(store, value=b"1")
    configure(store, "a", history=False)
    do(store, Delete("a", "k"))
    configure(store, "a", history=True)
    clock.advance_us(HOUR)
    assert store.get("a", "k", at(0)) is None


def test_a_gap_between_two_histories_is_refused(store, clock):
    put(store, value=b"1")
    clock.advance_us(HOUR)
    configure(store, "a", history=False)
    put(store, value=b"2")
    clock.advance_us(HOUR)
    configure(store, "a", history=True)
    assert store.get("a", "k", at(2)) == b"2"
    with pytest.raises(HorizonError):
        store.get("a", "k", at(1))


def test_other_options_leave_history_as_it_is(store, clock):
    put(store, value=b"1")
    clock.advance_us(HOUR)
    configure(store, "a", history=True, ttl=HOUR)
    assert store.get("a", "k", at(0)) == b"1"


def test_a_namespace_without_history_says_so(store):
    put(store, namespace="b")
    with pytest.raises(ValueError, match="history"):
        store.get("b", "k", at(0))


def test_history_is_not_that_of_the_namespaces_below(store):
    with pytest.raises(ValueError, match="history"):
        store.get("a/b", "k", at(0))


def test_a_time_before_the_horizon_is_refused(store, clock):
    configure(store, "a", history=True, retention=HOUR)
    put(store)
    clock.advance_us(2 * HOUR)
    with pytest.raises(HorizonError):
        store.get("a", "k", at(1) - 1)


def test_the_value_of_the_horizon_is_kept(store, clock):
    configure(store, "a", history=True, retention=HOUR)
    put(store)
    clock.advance_us(20 * HOUR)
    put(store, key="other")
    assert store.get("a", "k", at(19)) == b"v"


def test_the_current_value_is_kept_however_old(store, clock):
    configure(store, "a", history=True, retention=HOUR)
    put(store)
    clock.advance_us(20 * HOUR)
    put(store, key="other")
    assert store.get("a", "k") == b"v"
