"""Delete: a key is gone, and the result says whether it was there."""

import pytest

from conformance.builders import HOUR, do, put
from nt_memory.errors import NamespaceError
from nt_memory.store import Delete, Put


def test_a_deleted_key_is_gone(store):
    put(store)
    do(store, Delete("a", "k"))
    assert store.get("a", "k") is None


def test_a_key_that_was_there_is_told(store):
    put(store)
    assert do(store, Delete("a", "k")) is True


def test_a_key_that_was_not_there_is_no_error(store):
    assert do(store, Delete("a", "k")) is False


def test_an_expired_key_was_not_there(store, clock):
    put(store, ttl=HOUR)
    clock.advance_us(HOUR)
    assert do(store, Delete("a", "k")) is False


def test_a_deleted_key_can_be_put_again(store):
    do(store, Put("a", "k", b"1"), Delete("a", "k"), Put("a", "k", b"2"))
    assert store.get("a", "k") == b"2"


def test_only_that_key_is_deleted(store):
    put(store, key="k")
    put(store, key="k1")
    do(store, Delete("a", "k"))
    assert store.get("a", "k1") == b"v"


def test_an_ill_formed_name_is_refused(store):
    with pytest.raises(NamespaceError):
        do(store, Delete("a", ""))
