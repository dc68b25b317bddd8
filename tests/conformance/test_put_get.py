"""Put and get: a key holds what was put last, until its time is up."""

import os

import pytest

from conformance.builders import HOUR, configure, put
from nt_memory.errors import NamespaceError
from nt_memory.store import Put

LONGEST = "/".join(["s" * 128] * 8)


def test_a_value_is_read_back(store):
    put(store, value=b"\x00\xff")
    assert store.get("a", "k") == b"\x00\xff"


def test_a_key_without_a_value_is_none(store):
    assert store.get("a", "k") is None


def test_a_later_value_replaces_an_earlier_one(store):
    put(store, value=b"1")
    put(store, value=b"2")
    assert store.get("a", "k") == b"2"


def test_an_empty_value_is_a_value(store):
    put(store, value=b"")
    assert store.get("a", "k") == b""


@pytest.mark.parametrize("size", [1, 1023, 1025, 65_535, 65_536, 65_537, 1_000_003])
def test_a_value_of_any_size_is_read_back(store, size):
    value = os.urandom(size)
    put(store, value=value)
    assert store.get("a", "k") == value


def test_a_value_over_64_mib_is_refused(store):
    with pytest.raises(ValueError, match="64 MiB"):
        put(store, value=bytes((64 << 20) + 1))


def test_names_that_join_alike_are_different_keys(store):
    put(store, namespace="a/b", key="c", value=b"1")
    put(store, namespace="a", key="b/c", value=b"2")
    assert (store.get("a/b", "c"), store.get("a", "b/c")) == (b"1", b"2")


def test_many_keys_are_all_kept(store):
    store.commit([Put("a", f"k{n}", str(n).encode()) for n in range(300)])
    assert [store.get("a", f"k{n}") for n in range(300)] == [str(n).encode() for n in range(300)]


@pytest.mark.parametrize("namespace", ["a", "A.b_c-9", "...", "swarm/one/two", LONGEST])
def test_a_well_formed_namespace_is_taken(store, namespace):
    put(store, namespace=namespace)
    assert store.get(namespace, "k") == b"v"


@pytest.mark.parametrize(
    "namespace",
    ["", "/", "a/", "/a", "a//b", "a b", "ä", ".", "..", "a/../b", "s" * 129, LONGEST + "/s"],
)
def test_an_ill_formed_namespace_is_refused(store, namespace):
    with pytest.raises(NamespaceError):
        put(store, namespace=namespace)
    with pytest.raises(NamespaceError):
        store.get(namespace, "k")


@pytest.mark.parametrize("key", ["k", " ", "a/b", "ü\n\x00", "k" * 1024, "ü" * 512])
def test_a_well_formed_key_is_taken(store, key):
    put(store, key=key)
    assert store.get("a", key) == b"v"


@pytest.mark.parametrize("key", ["", "k" * 1025, "ü" * 513])
def test_an_ill_formed_key_is_refused(store, key):
    with pytest.raises(NamespaceError):
        put(store, key=key)
    with pytest.raises(NamespaceError):
        store.get("a", key)


def test_a_value_is_there_until_its_ttl_is_up(store, clock):
    put(store, ttl=HOUR)
    clock.advance_us(HOUR - 1)
    assert store.get("a", "k") == b"v"


def test_a_value_is_gone_when_its_ttl_is_up(store, clock):
    put(store, ttl=HOUR)
    clock.advance_us(HOUR)
    assert store.get("a", "k") is None


def test_reading_does_not_prolong_a_value(store, clock):
    put(store, ttl=HOUR)
    clock.advance_us(HOUR - 1)
    store.get("a", "k")
    clock.advance_us(1)
    assert store.get("a", "k") is None


def test_a_later_put_without_ttl_stays(store, clock):
    put(store, ttl=HOUR)
    put(store)
    clock.advance_us(2 * HOUR)
    assert store.get("a", "k") == b"v"


def test_a_value_takes_the_ttl_of_its_namespace(store, clock):
    configure(store, "a", ttl=HOUR)
    put(store)
    clock.advance_us(HOUR)
    assert store.get("a", "k") is None


def test_a_ttl_of_its_own_comes_before_that_of_the_namespace(store, clock):
    configure(store, "a", ttl=HOUR)
    put(store, ttl=2 * HOUR)
    clock.advance_us(HOUR)
    assert store.get("a", "k") == b"v"


def test_the_namespaces_ttl_is_not_that_of_those_below(store, clock):
    configure(store, "a", ttl=HOUR)
    put(store, namespace="a/b")
    clock.advance_us(2 * HOUR)
    assert store.get("a/b", "k") == b"v"


def test_a_value_that_was_written_before_keeps_its_expiry(store, clock):
    put(store)
    configure(store, "a", ttl=HOUR)
    clock.advance_us(2 * HOUR)
    assert store.get("a", "k") == b"v"


@pytest.mark.parametrize("ttl", [0, -1])
def test_a_ttl_that_is_not_positive_is_refused(store, ttl):
    with pytest.raises(ValueError, match="ttl"):
        put(store, ttl=ttl)
