"""What the times in a file of bars mean."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from nt_memory._shown import shown
from nt_memory.clock import EPOCH, LAST

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Label: TypeAlias = Literal["close", "open"]
UTC: tzinfo = timezone.utc
_MIDNIGHT = time()
_DAY = timedelta(days=1)
_CLOCK = (
    r"(?:[T ]\s*(?P<hour>\d{1,2}):(?P<minute>\d{2})"
    r"(?::(?P<second>\d{2})(?:[.,](?P<part>\d{1,9}))?)?"
    r"\s*(?P<half>[AaPp][Mm])?)?\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}:?(?:\d{2})?)?$"
)
_YEAR_FIRST = re.compile(r"(?P<year>\d{4})([-/.]?)(?P<month>\d{1,2})\2(?P<day>\d{1,2})" + _CLOCK)
_YEAR_LAST = re.compile(r"(?P<a>\d{1,2})[-/.](?P<b>\d{1,2})[-/.](?P<year>\d{4})" + _CLOCK)
# Digits of a number of seconds, milliseconds, microseconds, nanoseconds since 1970, from 1973 on.
_UNITS = {9: 1, 10: 1, 12: 10**3, 13: 10**3, 15: 10**6, 16: 10**6, 18: 10**9, 19: 10**9}
# 2024123116 and 202412311600: a year, a month, a day and an hour.
_DAY_AND_HOUR = re.compile(
    r"(19[7-9]\d|20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])([01]\d|2[0-3])([0-5]\d)?"
)
_TELLS_CLOCK = re.compile(r"\d[T ]\s*\d|\d:\d")


class Stamp(NamedTuple):
    """A time as it is written: on which clock, and how far that is from UTC, if it is told."""

    at: datetime
    offset: timedelta | None
    epoch: bool = False


@dataclass(frozen=True, slots=True)
class Zone:
    """How times are to be read.

    Parameters
    ----------
    timezone
        Of the times that tell none.
    close_time
        When a bar that tells only its date has closed.
    label
        What the time of a bar is: when it closed, or when it opened; None where
        it is not told, which is taken as its close.
    """

    timezone: tzinfo
    close_time: time | None
    label: Label | None


def as_zone(name: object, close_time: object, label: object) -> Zone:
    """Check how times are to be read.

    Raises
    ------
    ValueError
        A time zone or a time of day that there is not, or another label.
    """
    try:
        # UTC needs no data base of time zones, which some machines lack.
        zone = UTC if name == "UTC" else ZoneInfo(name)  # type: ignore[arg-type]
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError) as error:
        msg = (
            f"timezone={shown(name)}: give a name such as 'UTC' or 'America/New_York'; where "
            "none is known, install them with: pip install tzdata"
        )
        raise ValueError(msg) from error
    labels: dict[object, Label] = {"close": "close", "open": "open"}
    if label is not None and not (isinstance(label, str) and label in labels):
        msg = f"label={shown(label)}: give 'close' or 'open'"
        raise ValueError(msg)
    return Zone(zone, _time_of_day(close_time), None if label is None else labels[label])


def _time_of_day(value: object) -> time | None:
    if value is None or (isinstance(value, time) and value.tzinfo is None):
        return value
    found = re.fullmatch(r"(\d{1,2}):(\d{2})", value) if isinstance(value, str) else None
    try:
        if found:
            return time(int(found[1]), int(found[2]))
    except ValueError:
        pass
    msg = f"close_time={shown(value)}: give a time of day such as '16:00', in the time zone"
    raise ValueError(msg)


def month_first(texts: Sequence[str]) -> bool:
    """Tell 12/31/2024 from 31/12/2024 by the dates that can be only one of them.

    Raises
    ------
    ValueError
        There is none, or there are both.
    """
    found = [match for text in texts if (match := _YEAR_LAST.match(text))]
    month = next((m for m in found if int(m["b"]) > 12), None)
    day = next((m for m in found if int(m["a"]) > 12), None)
    if found and (month is None) == (day is None):
        what = (
            f"{shown(month[0])} and {shown(day[0])} have day and month in another order"
            if month and day
            else f"{shown(found[0][0])} may have the day or the month first"
        )
        msg = f"{what}; write dates as 2024-12-31"
        raise ValueError(msg)
    return day is None


def reader(texts: Sequence[str]) -> Callable[[str], Stamp]:
    """Return what reads the times of a file, which are all written alike.

    Raises
    ------
    ValueError
        Whether day or month come first cannot be told.
    """
    first = month_first(texts)
    return lambda text: _stamp(text, first=first)


def _stamp(text: str, *, first: bool) -> Stamp:
    """Read a time; another text is a ValueError."""
    usual = _iso(text)
    if usual is not None:
        return usual
    digits, _, fraction = text.partition(".")
    if digits.isdecimal() and len(digits) != 8 and (fraction.isdecimal() or not fraction):
        return _since_epoch(digits, fraction)
    match = _YEAR_FIRST.match(text)
    if match:
        month, day = match["month"], match["day"]
    else:
        match = _YEAR_LAST.match(text)
        if not match:
            msg = "is no time; write it as 2024-12-31, 2024-12-31T16:00:00Z or seconds since 1970"
            raise ValueError(msg)
        month, day = (match["a"], match["b"]) if first else (match["b"], match["a"])
    at = datetime(int(match["year"]), int(month), int(day))  # noqa: DTZ001 (its zone comes later)
    return Stamp(at + _since_midnight(match), _offset(match["zone"]))


def _iso(text: str) -> Stamp | None:
    """Read a time in the form that the standard library reads, which is far quicker."""
    if text[4:5] != "-" or text[7:8] != "-" or text[10:11] not in {"", "T", " "}:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return Stamp(at.replace(tzinfo=None), at.utcoffset())


def _since_epoch(digits: str, fraction: str) -> Stamp:
    if _DAY_AND_HOUR.fullmatch(digits):
        msg = "may be a date and a time of day or a time since 1970; write it as 2024-12-31T16:00Z"
        raise ValueError(msg)
    unit = _UNITS.get(len(digits))
    if unit is None:
        msg = "is no time since 1970 in s, ms, us or ns; write it as 2024-12-31T16:00:00Z"
        raise ValueError(msg)
    micros = int(digits) * 10**6 // unit
    if unit == 1 and fraction:
        micros += int(fraction[:6].ljust(6, "0"))
    since = EPOCH.replace(tzinfo=None) + timedelta(microseconds=micros)
    return Stamp(since, timedelta(0), epoch=True)


def _since_midnight(match: re.Match[str]) -> timedelta:
    hour = int(match["hour"] or 0)
    if match["half"]:
        if not 1 <= hour <= 12:
            msg = "has an hour that is not from 1 to 12"
            raise ValueError(msg)
        hour = hour % 12 + (12 if match["half"].lower() == "pm" else 0)
    minute, second = int(match["minute"] or 0), int(match["second"] or 0)
    if hour > 23 or minute > 59 or second > 59:
        msg = "is no time of day"
        raise ValueError(msg)
    part = int((match["part"] or "")[:6].ljust(6, "0"))
    return timedelta(hours=hour, minutes=minute, seconds=second, microseconds=part)


def _offset(zone: str | None) -> timedelta | None:
    if zone is None:
        return None
    if zone in {"Z", "UTC", "GMT"}:
        return timedelta(0)
    digits = zone[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    if offset >= _DAY:
        msg = "is farther from UTC than a day"
        raise ValueError(msg)
    return -offset if zone[0] == "-" else offset


def are_dates(stamps: Sequence[Stamp]) -> bool:
    """Whether all are at midnight on their own clock: the time of day is not told."""
    return all(stamp.at.time() == _MIDNIGHT for stamp in stamps)


def tells_clock(text: str) -> bool:
    """Whether a time that is not counted from 1970 has a time of day, be it midnight."""
    return _TELLS_CLOCK.search(text) is not None


def period(stamps: Sequence[Stamp]) -> int:
    """Return how many days bars that tell their date last, if more than one; else 0."""
    days = sorted({stamp.at for stamp in stamps})
    steps = sorted((later - earlier).days for earlier, later in pairwise(days))
    # Weekends stretch few steps of daily bars: where most are longer, so are the bars.
    usual = steps[(len(steps) - 1) // 2] if len(steps) > 1 else 0
    return usual if usual >= 2 else 0


def unfinished(stamps: Sequence[Stamp], days: int) -> int | None:
    """Return the first row that is too close to the one before to be a bar of so many days.

    Sources add the week or month that is not over by the day of its latest trade.
    Holidays shorten a week by two days, and months differ by as much or more.
    """
    rows = sorted(range(len(stamps)), key=lambda row: stamps[row].at)
    shortest = days - max(2, days // 6)
    for earlier, later in pairwise(rows):
        if 0 < (stamps[later].at - stamps[earlier].at).days < shortest:
            return later
    return None


def last_days(stamps: Sequence[Stamp]) -> list[Stamp]:
    """Turn the first day of each bar into its last, the one before the next bar.

    The last bar lasts as long as the longest, so that it is not known early.
    """
    days = sorted({stamp.at for stamp in stamps})
    longest = max(later - earlier for earlier, later in pairwise(days))
    longest = min(longest, LAST.replace(tzinfo=None) - days[-1])
    ends = dict(zip(days, [*days[1:], days[-1] + longest], strict=True))
    return [stamp._replace(at=ends[stamp.at] - _DAY) for stamp in stamps]


def closed(stamp: Stamp, zone: Zone, *, dated: bool, after: datetime | None) -> datetime:
    """Return when a bar closed, before its label is looked at.

    A date without a close time is over at its end, which is never before the
    close.  A midnight in UTC names a day as midnights since 1970 do, be it one of
    UTC or of the zone: without a close time it is over when both are.  A time that
    a zone has twice is the second one where the first is not behind the bar
    before, ``after``.

    Raises
    ------
    ValueError
        The zone's clock never shows this time.
    """
    named = dated and stamp.offset == timedelta(0)
    offset = None if named else stamp.offset
    at = _close_of(stamp.at.date(), zone.close_time) if dated else stamp.at
    if offset is not None:
        return at.replace(tzinfo=UTC) - offset
    if zone.timezone is UTC:
        return at.replace(tzinfo=UTC)
    local = at.replace(tzinfo=zone.timezone)
    found = local.astimezone(UTC)
    if named and zone.close_time is None:
        found = max(found, at.replace(tzinfo=UTC))
    if found.astimezone(zone.timezone).replace(tzinfo=None) != at and not dated:
        msg = f"is a time that clocks in {zone.timezone} never show; give it an offset"
        raise ValueError(msg)
    if after is not None and found <= after:
        again = local.replace(fold=1).astimezone(UTC)
        return again if again > after else found
    return found


def shown_twice(stamp: Stamp, zone: Zone) -> bool:
    """Whether the zone's clock shows this time twice, as when summer time ends."""
    local = stamp.at.replace(tzinfo=zone.timezone)
    return stamp.offset is None and local.utcoffset() != local.replace(fold=1).utcoffset()


def _close_of(day: date, close_time: time | None) -> datetime:
    if close_time is None:
        return datetime.combine(day, _MIDNIGHT) + _DAY
    return datetime.combine(day, close_time)


def interval(times: Sequence[int]) -> int:
    """Return the most frequent step between times, the shortest of equals; 0 of fewer than two."""
    steps = Counter(later - earlier for earlier, later in pairwise(times))
    most = max(steps.values(), default=0)
    return min((step for step, count in steps.items() if count == most), default=0)
