"""fetch: which version of a record a question sees."""

import pytest

from conformance.builders import HOUR, at, forget, record, settle, write
from nt_memory.errors import ForgottenError
from nt_memory.store import Write


def text(store, *bounds):
    shown = store.fetch("r", *bounds)
    return None if shown is None else shown.text


def test_an_unknown_record_is_none(store):
    assert store.fetch("nobody") is None


def test_a_record_is_not_there_before_it_was_known(store):
    write(store, known_at=at(1))
    assert store.fetch("r", at(1) - 1) is None


def test_a_record_is_there_from_the_moment_it_was_known(store):
    write(store, known_at=at(1), text="t")
    assert text(store, at(1)) == "t"


def test_as_of_is_the_clocks_now_by_default(store, clock):
    write(store, known_at=at(1))
    before = store.fetch("r")
    clock.advance_us(HOUR)
    assert (before, store.fetch("r").id) == (None, "r")


def test_the_event_time_hides_nothing(store):
    write(store, event_time=at(9), known_at=at(0))
    assert store.fetch("r", at(0)).event_time == at(9)


def test_the_version_known_last_is_shown(store):
    write(store, known_at=at(1), text="1")
    write(store, known_at=at(3), text="3")
    assert [text(store, at(hour)) for hour in (1, 2, 3)] == ["1", "1", "3"]


def test_the_version_known_last_is_shown_whatever_was_written_last(store, clock):
    write(store, known_at=at(3), text="3")
    clock.advance_us(1)
    write(store, known_at=at(1), text="1")
    assert [text(store, at(hour)) for hour in (1, 3)] == ["1", "3"]


def test_of_versions_known_together_the_one_recorded_last_is_shown(store, clock):
    write(store, text="1")
    clock.advance_us(1)
    write(store, text="2")
    assert text(store, at(0)) == "2"


def test_of_versions_recorded_together_the_last_number_is_shown(store):
    store.commit([Write(record("r", text="1")), Write(record("r", text="2"))])
    assert text(store, at(0)) == "2"


def test_an_outcome_moves_the_time_of_its_version(store):
    write(store, known_at=at(0), text="1")
    settle(store, known_at=at(5))
    write(store, known_at=at(3), text="3")
    assert [text(store, at(hour)) for hour in (0, 3, 5)] == ["1", "3", "1"]


def test_a_record_is_there_until_it_expires(store):
    write(store, expires_at=at(2), text="t")
    assert [text(store, at(2) - 1), text(store, at(2))] == ["t", None]


def test_an_older_version_does_not_come_back_when_the_newer_expires(store):
    write(store, known_at=at(0), text="old")
    write(store, known_at=at(1), expires_at=at(2), text="new")
    assert [text(store, at(hour)) for hour in (0, 1, 2)] == ["old", "new", None]


def test_a_later_version_revives_an_expired_record(store):
    write(store, known_at=at(0), expires_at=at(1), text="old")
    write(store, known_at=at(2), text="new")
    assert [text(store, at(hour)) for hour in (1, 2)] == [None, "new"]


def test_a_record_may_have_expired_before_it_was_known(store):
    write(store, known_at=at(1), expires_at=at(0))
    assert store.fetch("r", at(1)) is None


def test_what_was_recorded_later_is_not_seen_by_time(store, clock):
    write(store, text="old")
    clock.advance_us(HOUR)
    write(store, text="new")
    seen = [text(store, at(9), time) for time in (at(0) - 1, at(0), at(1) - 1, at(1))]
    assert seen == [None, "old", "old", "new"]


def test_what_was_recorded_later_is_not_seen_by_commit(store):
    write(store, text="old")
    write(store, text="new")
    assert [text(store, None, None, commit) for commit in (0, 1, 2, 3)] == [
        None,
        "old",
        "new",
        "new",
    ]


def test_a_backfill_is_not_seen_from_before_it(store, clock):
    clock.advance_us(HOUR)
    write(store, known_at=at(0), text="late")
    assert [text(store, at(0)), text(store, at(0), at(1) - 1)] == ["late", None]


def test_a_settlement_is_not_seen_from_before_it(store):
    write(store)
    settle(store, known_at=at(0))
    assert store.fetch("r", at(0), None, 1).outcome is None


def test_time_and_commit_exclude_each_other(store):
    with pytest.raises(ValueError, match="not both"):
        store.fetch("r", None, at(0), 1)


def test_a_forgotten_record_is_an_error(store):
    write(store)
    forget(store, "r")
    with pytest.raises(ForgottenError, match="forgotten"):
        store.fetch("r")


def test_a_forgotten_record_is_an_error_before_it_was_forgotten_too(store):
    write(store)
    forget(store, "r")
    with pytest.raises(ForgottenError):
        store.fetch("r", at(0), None, 1)


def test_a_forgotten_record_is_none_where_it_was_not_visible(store):
    write(store, known_at=at(1), expires_at=at(2))
    forget(store, "r")
    assert [store.fetch("r", at(0)), store.fetch("r", at(2))] == [None, None]


@pytest.mark.parametrize("id_", ["", "a b", "ü", "i" * 129])
def test_an_ill_formed_id_is_refused(store, id_):
    with pytest.raises(ValueError, match="id"):
        store.fetch(id_)
