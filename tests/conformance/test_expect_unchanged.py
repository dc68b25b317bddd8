"""ExpectUnchanged: a batch goes in only where nobody wrote to records since they were read."""

import pytest

from conformance.builders import HOUR, at, configure, do, forget, record, write
from nt_memory.errors import ConflictError, ForgottenError, RecordNotFoundError
from nt_memory.store import ExpectUnchanged, RawOutcome, Settle, Write


def test_what_is_as_it_was_lets_a_batch_in(store):
    seen = store.commit([Write(record("r")), Write(record("s"))]).number
    do(store, Write(record("another")))
    do(store, ExpectUnchanged(["r", "s"], seen), Write(record(text="second")))
    assert store.fetch("r").text == "second"


@pytest.mark.parametrize("change", [Write(record()), Settle("r", RawOutcome(1.0))])
def test_what_was_changed_since_keeps_a_batch_out(store, change):
    seen = store.commit([Write(record("r")), Write(record("s"))]).number
    do(store, change)
    with pytest.raises(ConflictError, match=f"record r was written to after commit {seen}"):
        do(store, Write(record("t")), ExpectUnchanged(["s", "r"], seen))
    assert store.select() == ["r", "s"]


def test_a_version_that_shows_later_counts(store):
    seen = store.commit([Write(record())]).number
    write(store, known_at=at(9))
    with pytest.raises(ConflictError):
        do(store, ExpectUnchanged(["r"], seen))


def test_a_version_that_shows_earlier_counts(store):
    write(store, known_at=at(9))
    seen = store.fetch("r", at(10)).commit
    write(store, known_at=at(1))
    with pytest.raises(ConflictError):
        do(store, ExpectUnchanged(["r"], seen))


def test_what_the_batch_writes_first_counts(store):
    seen = store.commit([Write(record())]).number
    with pytest.raises(ConflictError):
        do(store, Write(record()), ExpectUnchanged(["r"], seen))
    do(store, ExpectUnchanged(["r"], seen), Write(record()))


def test_a_record_that_is_not_there_keeps_a_batch_out(store):
    with pytest.raises(RecordNotFoundError):
        do(store, ExpectUnchanged(["r"], 10))


def test_a_forgotten_record_is_told_as_such(store):
    seen = store.commit([Write(record())]).number
    forget(store, "r")
    with pytest.raises(ForgottenError):
        do(store, ExpectUnchanged(["r"], seen))


def test_a_record_that_is_erased_is_not_there(store, clock):
    configure(store, retention=2 * HOUR)
    seen = store.commit([Write(record(expires_at=at(1)))]).number
    clock.advance_us(5 * HOUR)
    with pytest.raises(RecordNotFoundError):
        do(store, ExpectUnchanged(["r"], seen))


def test_a_dry_run_is_refused_as_well(store):
    seen = store.commit([Write(record())]).number
    write(store)
    with pytest.raises(ConflictError):
        store.commit([ExpectUnchanged(["r"], seen)], dry_run=True)


def test_an_id_that_cannot_be_is_refused(store):
    with pytest.raises(ValueError, match="id"):
        do(store, ExpectUnchanged(["a b"], 1))
