"""Forget: content goes for good, a tombstone stays and is counted."""

import pytest

from conformance.builders import HOUR, at, axis, forget, found, put, search, settle, write
from nt_memory.errors import ForgottenError, RecordNotFoundError

AGENT = {"test": {"field": "agent_id", "op": "eq", "value": "one"}}


def forgotten(store, **query):
    return search(store, **query).forgotten


def test_the_result_counts_what_was_forgotten(store):
    write(store, "r")
    write(store, "s")
    assert forget(store, "r", "s") == 2


def test_what_is_forgotten_already_is_not_counted(store):
    write(store, "r")
    write(store, "s")
    forget(store, "r")
    assert forget(store, "r", "s") == 1


def test_an_id_named_twice_counts_once(store):
    write(store)
    assert forget(store, "r", "r") == 1


def test_nothing_is_forgotten_without_ids(store):
    assert forget(store) == 0


def test_an_unknown_id_keeps_all_from_being_forgotten(store):
    write(store)
    with pytest.raises(RecordNotFoundError, match="nobody"):
        forget(store, "r", "nobody")
    assert store.fetch("r").id == "r"


def test_a_forgotten_record_is_not_found(store):
    write(store, "r")
    write(store, "s")
    forget(store, "r")
    assert found(store) == ["s"]


def test_a_search_counts_what_it_could_have_found(store):
    write(store, "r")
    write(store, "s")
    forget(store, "r")
    result = search(store)
    assert (result.matched, result.forgotten) == (1, 1)


def test_all_versions_are_forgotten(store):
    write(store, known_at=at(0))
    settle(store, known_at=at(1))
    forget(store, "r")
    for hour in (0, 1):
        with pytest.raises(ForgottenError):
            store.fetch("r", at(hour))


def test_a_search_as_of_before_the_forget_counts_it_too(store, clock):
    write(store)
    clock.advance_us(HOUR)
    forget(store, "r")
    assert forgotten(store, as_of=at(0), recorded_by_commit=1) == 1


@pytest.mark.parametrize(
    ("fields", "query"),
    [
        ({"known_at": at(1)}, {"as_of": at(0)}),
        ({"expires_at": at(1)}, {"as_of": at(1)}),
        ({"namespace": "other"}, {"namespace": "trades"}),
        ({"agent_id": "two"}, {"filter": AGENT}),
        ({"trust": 0.4}, {"min_trust": 0.5}),
        ({}, {"vector": axis(0)}),
        ({"embeddings": {"alt": axis(0, 3)}}, {"vector": axis(0)}),
        ({}, {"recorded_by_commit": 0}),
        ({}, {"recorded_by_time": at(0) - 1}),
    ],
)
def test_a_search_does_not_count_what_it_could_not_have_found(store, fields, query):
    write(store, **fields)
    forget(store, "r")
    assert forgotten(store, **query) == 0


@pytest.mark.parametrize(
    ("fields", "query"),
    [
        ({"known_at": at(1)}, {"as_of": at(1)}),
        ({"expires_at": at(1)}, {"as_of": at(1) - 1}),
        ({}, {"namespace": "trades"}),
        ({"agent_id": "one"}, {"filter": AGENT}),
        ({"trust": 0.5}, {"min_trust": 0.5}),
        ({"embeddings": {"state": axis(1)}}, {"vector": axis(0)}),
        ({}, {"recorded_by_commit": 1}),
    ],
)
def test_the_tombstone_knows_what_a_search_asks_for(store, fields, query):
    write(store, **fields)
    forget(store, "r")
    assert forgotten(store, **query) == 1


def test_a_forgotten_reward_gives_no_scale(store):
    write(store, "r")
    settle(store, "r", reward=100.0)
    write(store, "s")
    settle(store, "s", reward=1.0)
    before = search(store).matches[1].outcome
    forget(store, "r")
    (match,) = search(store).matches
    assert match.outcome > before


def test_nothing_else_is_touched(store):
    put(store, namespace="trades", key="r")
    write(store, "r")
    forget(store, "r")
    assert store.get("trades", "r") == b"v"
