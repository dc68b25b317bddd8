"""scan: live keys in byte order, page by page."""

import pytest

from conformance.builders import HOUR, do, put
from nt_memory.errors import NamespaceError
from nt_memory.store import Delete, Put


def scanned(store, prefix="", limit=100, cursor=None):
    return store.scan("a", prefix, limit, cursor)


def fill(store, *keys):
    store.commit([Put("a", key, b"v") for key in keys])


def test_an_empty_namespace_has_no_keys(store):
    assert scanned(store) == ([], None)


def test_keys_come_in_byte_order(store):
    fill(store, "ü", "b", "B", "aa", "a", "z")
    assert scanned(store) == (["B", "a", "aa", "b", "z", "ü"], None)


def test_keys_are_those_of_the_namespace_alone(store):
    fill(store, "k")
    put(store, namespace="a/b", key="below")
    put(store, namespace="a.", key="beside")
    assert scanned(store) == (["k"], None)


def test_a_prefix_chooses(store):
    fill(store, "k", "k1", "k2", "j", "l")
    assert scanned(store, "k") == (["k", "k1", "k2"], None)


def test_a_limit_leaves_a_cursor(store):
    fill(store, "1", "2", "3")
    assert scanned(store, limit=2) == (["1", "2"], "2")


def test_the_last_page_has_no_cursor(store):
    fill(store, "1", "2", "3")
    assert scanned(store, limit=3) == (["1", "2", "3"], None)


def test_a_cursor_goes_on_behind_its_key(store):
    fill(store, "1", "2", "3")
    assert scanned(store, limit=2, cursor="1") == (["2", "3"], None)


def test_a_cursor_need_not_be_a_key(store):
    fill(store, "1", "3")
    assert scanned(store, cursor="2") == (["3"], None)


def test_a_cursor_before_the_prefix_starts_at_the_prefix(store):
    fill(store, "a", "k", "k1")
    assert scanned(store, "k", cursor="a") == (["k", "k1"], None)


def test_a_cursor_behind_the_prefix_ends_the_scan(store):
    fill(store, "k", "z")
    assert scanned(store, "k", cursor="y") == ([], None)


def test_all_pages_together_are_all_keys(store):
    keys = [f"{n:03}" for n in range(23)]
    fill(store, *keys)
    pages, cursor = [], None
    while True:
        page, cursor = scanned(store, limit=5, cursor=cursor)
        pages += page
        if cursor is None:
            break
    assert pages == keys


def test_deleted_keys_are_left_out(store):
    fill(store, "1", "2", "3")
    do(store, Delete("a", "2"))
    assert scanned(store) == (["1", "3"], None)


def test_expired_keys_are_left_out(store, clock):
    fill(store, "1", "3")
    put(store, key="2", ttl=HOUR)
    clock.advance_us(HOUR)
    assert scanned(store) == (["1", "3"], None)


def test_expired_keys_do_not_count_as_a_next_page(store, clock):
    fill(store, "1")
    put(store, key="2", ttl=HOUR)
    clock.advance_us(HOUR)
    assert scanned(store, limit=1) == (["1"], None)


def test_a_limit_below_one_is_refused(store):
    with pytest.raises(ValueError, match="limit"):
        scanned(store, limit=0)


def test_an_ill_formed_namespace_is_refused(store):
    with pytest.raises(NamespaceError):
        store.scan("a b", "", 1, None)
