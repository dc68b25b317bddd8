"""Time: one clock, aware datetimes outside, integer microseconds inside."""

from datetime import datetime, timedelta, timezone

import pytest

from builders import START, day
from nt_memory import Bars, ManualClock, SystemClock
from nt_memory.clock import from_micros, micros, to_micros

EAST = timezone(timedelta(hours=5, minutes=30))


def test_a_time_survives_the_way_to_microseconds_and_back():
    at = datetime(2019, 6, 30, 23, 59, 59, 999_999, tzinfo=timezone.utc)
    assert from_micros(to_micros(at)) == at


def test_a_time_before_the_epoch_is_negative():
    assert to_micros(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=timezone.utc)) == -1


def test_another_time_zone_means_the_same_moment():
    assert to_micros(START.astimezone(EAST)) == to_micros(START)


def test_a_naive_time_is_refused_by_name():
    with pytest.raises(ValueError, match=r"as_of=.*naive.*timezone\.utc"):
        to_micros(datetime(2024, 1, 2), "as_of")  # noqa: DTZ001 (the point of the test)


def test_what_is_no_datetime_is_refused_by_name():
    with pytest.raises(TypeError, match="as_of='2024-01-02'"):
        to_micros("2024-01-02", "as_of")


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        (timedelta(days=1), 86_400_000_000),
        (1.5, 1_500_000),
        (2, 2_000_000),
        (Bars(3, interval=timedelta(hours=1)), 10_800_000_000),
        (0, 0),
    ],
)
def test_a_duration_is_a_timedelta_seconds_or_bars(duration, expected):
    assert micros(duration) == expected


@pytest.mark.parametrize("duration", [-1, timedelta(seconds=-1), float("nan"), float("inf")])
def test_a_negative_or_endless_duration_is_refused_by_name(duration):
    with pytest.raises(ValueError, match="ttl="):
        micros(duration, "ttl")


@pytest.mark.parametrize("duration", ["1h", None, True])
def test_what_is_no_duration_is_refused_by_name(duration):
    with pytest.raises(TypeError, match="ttl="):
        micros(duration, "ttl")


def test_bars_without_an_interval_say_what_to_give():
    with pytest.raises(ValueError, match=r"interval=timedelta"):
        micros(Bars(60))


def test_a_view_fills_in_the_interval_of_bars():
    assert Bars(60).at(timedelta(days=1)).duration == timedelta(days=60)


def test_an_interval_that_is_set_is_kept():
    assert Bars(2, interval=timedelta(hours=1)).at(timedelta(days=1)).duration == timedelta(hours=2)


@pytest.mark.parametrize("n", [-1, float("nan"), float("inf")])
def test_a_number_of_bars_is_finite_and_not_negative(n):
    with pytest.raises(ValueError, match="n="):
        Bars(n)


def test_a_bar_lasts_longer_than_zero():
    with pytest.raises(ValueError, match="interval="):
        Bars(1, interval=timedelta(0))


def test_a_manual_clock_stands_still():
    clock = ManualClock(START)
    assert clock.now() == clock.now() == START


def test_a_manual_clock_advances():
    clock = ManualClock(START)
    clock.advance(timedelta(days=2))
    assert clock.now() == day(2)


def test_a_manual_clock_moves_its_monotonic_time_too():
    clock = ManualClock(START)
    before = clock.monotonic()
    clock.advance(timedelta(seconds=3))
    assert clock.monotonic() - before == pytest.approx(3.0)


def test_a_manual_clock_is_set_to_a_later_time():
    clock = ManualClock(START)
    clock.set(day(1))
    assert clock.now() == day(1)


def test_a_manual_clock_never_goes_back():
    clock = ManualClock(day(1))
    with pytest.raises(ValueError, match="never goes back"):
        clock.set(day(0))


def test_a_manual_clock_does_not_advance_backwards():
    with pytest.raises(ValueError, match="from 0 to"):
        ManualClock(START).advance(timedelta(seconds=-1))


def test_a_manual_clock_needs_an_aware_start():
    with pytest.raises(ValueError, match=r"start=.*naive"):
        ManualClock(datetime(2024, 1, 2))  # noqa: DTZ001 (the point of the test)


def test_the_system_clock_tells_utc():
    assert SystemClock().now().utcoffset() == timedelta(0)
