"""ExpectNew: a batch goes in only where no record has an id."""

import pytest

from conformance.builders import HOUR, at, configure, do, forget, record, write
from nt_memory.errors import ConflictError, ForgottenError
from nt_memory.store import ExpectNew, Write


def test_a_new_id_lets_a_batch_in(store):
    do(store, ExpectNew("r"), Write(record()))
    assert store.fetch("r").version == 0


def test_an_id_that_is_there_keeps_a_batch_out(store):
    write(store, text="first")
    with pytest.raises(ConflictError, match="record r already"):
        do(store, Write(record("s")), ExpectNew("r"), Write(record(text="second")))
    assert store.select() == ["r"]
    assert [raw.text for raw in store.versions("r")] == ["first"]


def test_an_id_of_the_same_batch_is_there(store):
    with pytest.raises(ConflictError):
        do(store, Write(record()), ExpectNew("r"))


def test_an_id_that_is_known_later_is_there(store):
    write(store, known_at=at(9))
    with pytest.raises(ConflictError):
        do(store, ExpectNew("r"))


def test_an_expired_id_is_there(store, clock):
    write(store, expires_at=at(1))
    clock.advance_us(5 * HOUR)
    with pytest.raises(ConflictError):
        do(store, ExpectNew("r"))


def test_a_forgotten_id_is_told_as_such(store):
    write(store)
    forget(store, "r")
    with pytest.raises(ForgottenError):
        do(store, ExpectNew("r"))


def test_an_id_that_is_erased_is_new(store, clock):
    configure(store, retention=2 * HOUR)
    write(store, expires_at=at(1))
    clock.advance_us(5 * HOUR)
    do(store, ExpectNew("r"), Write(record()))
    assert store.fetch("r").version == 0


def test_an_id_that_cannot_be_is_refused(store):
    with pytest.raises(ValueError, match="id"):
        do(store, ExpectNew("a b"))
