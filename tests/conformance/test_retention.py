"""Retention: a namespace's horizon moves with the clock, and nothing before it is answered."""

import pytest

from conformance.builders import (
    HOUR,
    at,
    axis,
    configure,
    forget,
    found,
    put,
    search,
    settle,
    write,
)
from nt_memory.clock import from_micros
from nt_memory.errors import HorizonError, RecordNotFoundError


@pytest.fixture(autouse=True)
def retained(store):
    """The namespace "trades" is kept for two hours."""
    configure(store, retention=2 * HOUR)


def asks(store, **bounds):
    """Return what a fetch and a search say."""
    store.fetch(
        "r", *(bounds.get(name) for name in ("as_of", "recorded_by_time", "recorded_by_commit"))
    )
    return search(store, **bounds)


def test_a_time_at_the_horizon_is_answered(store, clock):
    write(store)
    clock.advance_us(5 * HOUR)
    assert found(store, as_of=at(3)) == ["r"]


def test_a_fetch_before_the_horizon_is_refused(store, clock):
    write(store)
    clock.advance_us(5 * HOUR)
    with pytest.raises(HorizonError):
        store.fetch("r", at(3) - 1)


def test_a_search_before_the_horizon_is_refused(store, clock):
    clock.advance_us(5 * HOUR)
    with pytest.raises(HorizonError):
        search(store, as_of=at(3) - 1)


def test_the_error_names_the_horizon(store, clock):
    clock.advance_us(5 * HOUR)
    with pytest.raises(HorizonError) as caught:
        search(store, as_of=at(0))
    assert caught.value.horizon == from_micros(at(3))


def test_the_error_names_the_latest_horizon_in_scope(store, clock):
    configure(store, "zoo", retention=HOUR)
    configure(store, "zoo/late", retention=3 * HOUR)
    clock.advance_us(5 * HOUR)
    with pytest.raises(HorizonError) as caught:
        search(store, as_of=at(0))
    assert caught.value.horizon == from_micros(at(4))


def test_a_horizon_out_of_scope_does_not_matter(store, clock):
    write(store, namespace="other")
    clock.advance_us(5 * HOUR)
    assert found(store, namespace="other", as_of=at(0)) == ["r"]


def test_a_horizon_below_the_namespace_of_a_search_matters(store, clock):
    configure(store, "desk/one", retention=HOUR)
    clock.advance_us(5 * HOUR)
    with pytest.raises(HorizonError):
        search(store, namespace="desk", as_of=at(0))


def test_a_horizon_above_the_namespace_of_a_search_does_not_matter(store, clock):
    write(store, namespace="trades/one")
    clock.advance_us(5 * HOUR)
    assert found(store, namespace="trades/one", as_of=at(0)) == ["r"]


def test_a_record_has_the_horizon_of_its_own_namespace(store, clock):
    write(store, namespace="trades/one")
    clock.advance_us(5 * HOUR)
    assert store.fetch("r", at(0)).id == "r"


def test_an_unknown_record_may_have_been_in_any_namespace(store, clock):
    clock.advance_us(5 * HOUR)
    with pytest.raises(HorizonError):
        store.fetch("nobody", at(0))


def test_now_is_always_answered(store, clock):
    write(store)
    clock.advance_us(50 * HOUR)
    assert found(store) == ["r"]


def test_a_bound_by_time_before_the_horizon_is_refused(store, clock):
    write(store)
    clock.advance_us(5 * HOUR)
    with pytest.raises(HorizonError):
        asks(store, recorded_by_time=at(3) - 1)


def test_a_bound_by_time_at_the_horizon_is_answered(store, clock):
    write(store)
    clock.advance_us(5 * HOUR)
    assert asks(store, recorded_by_time=at(3)).matched == 1


def test_a_bound_by_commit_before_what_lies_behind_the_horizon_is_refused(store, clock):
    write(store, "r")
    write(store, "s")
    clock.advance_us(5 * HOUR)
    with pytest.raises(HorizonError):
        asks(store, recorded_by_commit=2)


def test_a_bound_by_commit_that_reaches_all_behind_the_horizon_is_answered(store, clock):
    write(store, "r")
    write(store, "s")
    clock.advance_us(5 * HOUR)
    write(store, "t")
    assert asks(store, recorded_by_commit=3).matched == 2


def test_records_of_other_namespaces_do_not_move_the_first_commit(store, clock):
    write(store, "r")
    write(store, "s", namespace="other")
    clock.advance_us(5 * HOUR)
    assert asks(store, recorded_by_commit=2).matched == 1


def test_a_horizon_never_goes_back_with_a_longer_retention(store, clock):
    clock.advance_us(5 * HOUR)
    configure(store, retention=100 * HOUR)
    with pytest.raises(HorizonError):
        search(store, as_of=at(3) - 1)


def test_a_horizon_stays_where_retention_is_taken_away(store, clock):
    clock.advance_us(5 * HOUR)
    configure(store)
    clock.advance_us(5 * HOUR)
    write(store)
    assert found(store, as_of=at(3)) == ["r"]
    with pytest.raises(HorizonError):
        search(store, as_of=at(3) - 1)


def test_a_shorter_retention_moves_the_horizon_at_once(store, clock):
    clock.advance_us(5 * HOUR)
    configure(store, retention=HOUR)
    with pytest.raises(HorizonError):
        search(store, as_of=at(4) - 1)


@pytest.mark.parametrize("option", ["retention", "ttl"])
@pytest.mark.parametrize("duration", [0, -1])
def test_a_duration_that_is_not_positive_is_refused(store, option, duration):
    with pytest.raises(ValueError, match=option):
        configure(store, **{option: duration})


def later(store, clock):
    """Let five hours pass, and the store sweep."""
    for _ in range(5):
        clock.advance_us(HOUR)
        put(store, namespace="trades")


def test_a_record_that_never_expires_is_kept_however_old(store, clock):
    write(store, text="kept", embeddings={"state": axis(0)})
    later(store, clock)
    assert store.fetch("r").text == "kept"
    assert found(store, vector=axis(0)) == ["r"]


def test_a_version_that_the_horizon_shows_is_kept(store, clock):
    write(store, text="old")
    later(store, clock)
    write(store, text="new")
    assert store.fetch("r", at(3), at(3)).text == "old"


def test_a_record_that_expired_behind_the_horizon_is_as_if_never_written(store, clock):
    write(store, expires_at=at(1))
    later(store, clock)
    with pytest.raises(RecordNotFoundError):
        settle(store)


def test_such_a_record_cannot_be_forgotten(store, clock):
    write(store, expires_at=at(1))
    later(store, clock)
    with pytest.raises(RecordNotFoundError):
        forget(store, "r")


def test_such_a_record_may_be_written_anew_elsewhere(store, clock):
    write(store, expires_at=at(1))
    later(store, clock)
    write(store, namespace="other", kind="other", known_at=at(5))
    kept = store.fetch("r")
    assert (kept.namespace, kept.version) == ("other", 0)


def test_a_record_that_expired_before_the_horizon_and_not_behind_it_is_still_known(store, clock):
    write(store, expires_at=at(4))
    later(store, clock)
    assert settle(store) == 1


def test_a_forgotten_record_behind_the_horizon_is_still_counted(store, clock):
    write(store)
    forget(store, "r")
    later(store, clock)
    assert search(store).forgotten == 1
