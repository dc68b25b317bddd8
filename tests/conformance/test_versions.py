"""versions: all that is kept of a record."""

import pytest

from conformance.builders import at, forget, settle, write
from nt_memory.errors import ForgottenError, RecordNotFoundError


def test_versions_come_as_they_were_written(store):
    write(store, known_at=at(5))
    settle(store, reward=1.0, known_at=at(9))
    write(store, known_at=at(1), importance=2.0)
    found = store.versions("r")
    assert [raw.version for raw in found] == [0, 1, 2]
    assert [raw.known_at for raw in found] == [at(5), at(5), at(1)]
    assert [raw.outcome and raw.outcome.reward for raw in found] == [None, 1.0, None]


def test_versions_that_do_not_show_are_there(store):
    write(store, known_at=at(99))
    assert len(store.versions("r")) == 1


def test_versions_carry_their_content(store):
    write(store, payload=b"first")
    write(store, payload=b"second")
    assert [raw.payload for raw in store.versions("r")] == [b"first", b"second"]


def test_an_unknown_record_is_an_error(store):
    with pytest.raises(RecordNotFoundError, match="nobody"):
        store.versions("nobody")


def test_a_forgotten_record_is_an_error(store):
    write(store)
    forget(store, "r")
    with pytest.raises(ForgottenError):
        store.versions("r")
