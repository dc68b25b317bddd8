"""select: the ids of all records that pass a filter, whenever they show."""

import pytest

from conformance.builders import HOUR, at, configure, forget, put, settle, write
from nt_memory.errors import NamespaceError

ONE = {"test": {"field": "agent_id", "op": "eq", "value": "one"}}
WON = {"test": {"field": "reward", "op": "gt", "value": 0}}


def test_ids_come_in_order(store):
    write(store, "s")
    write(store, "r")
    assert store.select() == ["r", "s"]


def test_only_what_passes_the_filter_is_there(store):
    write(store, "r", agent_id="one")
    write(store, "s", agent_id="two")
    assert store.select(None, ONE) == ["r"]


def test_a_namespace_holds_those_below_it(store):
    write(store, "r", namespace="a/b")
    write(store, "s", namespace="ab")
    assert store.select("a") == ["r"]


def test_an_expired_record_is_there(store, clock):
    write(store, "r", expires_at=at(1))
    clock.advance_us(2 * HOUR)
    assert store.select() == ["r"]


def test_a_record_that_is_not_known_yet_is_there(store):
    write(store, "r", known_at=at(9))
    assert store.select() == ["r"]


def test_the_last_version_counts(store):
    write(store, "r")
    settle(store, "r", reward=1.0, known_at=at(9))
    write(store, "s")
    assert store.select(None, WON) == ["r"]


def test_a_forgotten_record_is_not_there(store):
    write(store, "r")
    forget(store, "r")
    assert store.select() == []


def test_what_retention_has_passed_is_not_there(store, clock):
    configure(store, retention=HOUR)
    write(store, "r", expires_at=at(1))
    clock.advance_us(9 * HOUR)
    put(store, namespace="other")
    assert store.select() == []


@pytest.mark.parametrize("tree", [{"any": []}, {"test": {"field": "kind", "op": "is", "value": 1}}])
def test_a_filter_that_is_none_is_refused(store, tree):
    with pytest.raises(ValueError, match=r"filter|field|op"):
        store.select(None, tree)


def test_a_namespace_that_is_none_is_refused(store):
    with pytest.raises(NamespaceError):
        store.select("a//b")
