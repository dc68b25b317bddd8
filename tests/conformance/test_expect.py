"""Expect: a batch goes in only where a key holds what is expected."""

import pytest

from conformance.builders import HOUR, do, put
from nt_memory.errors import ConflictError
from nt_memory.store import Expect, Put


def test_the_expected_value_lets_a_batch_in(store):
    put(store, value=b"1")
    do(store, Expect("a", "k", b"1"), Put("a", "k", b"2"))
    assert store.get("a", "k") == b"2"


def test_another_value_keeps_a_batch_out(store):
    put(store, value=b"1")
    with pytest.raises(ConflictError, match="read it again"):
        do(store, Expect("a", "k", b"2"), Put("a", "k", b"3"))
    assert store.get("a", "k") == b"1"


def test_a_value_is_not_expected_of_an_absent_key(store):
    with pytest.raises(ConflictError):
        do(store, Expect("a", "k", b""))


def test_none_expects_an_absent_key(store):
    do(store, Expect("a", "k", None), Put("a", "k", b"v"))
    assert store.get("a", "k") == b"v"


def test_none_does_not_expect_an_empty_value(store):
    put(store, value=b"")
    with pytest.raises(ConflictError):
        do(store, Expect("a", "k", None))


def test_an_expired_key_counts_as_absent(store, clock):
    put(store, ttl=HOUR)
    clock.advance_us(HOUR)
    assert do(store, Expect("a", "k", None)) is None
