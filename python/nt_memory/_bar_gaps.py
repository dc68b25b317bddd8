"""Where bars are missing, judged by the series' own week."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from nt_memory.clock import from_micros

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
    from zoneinfo import ZoneInfo

_DAY = 86_400_000_000
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Gap:
    """Bars that are missing between two closes.

    Parameters
    ----------
    after, before
        The closes on both sides.
    missing
        How many bars would lie between, as this weekday usually goes.
    """

    after: datetime
    before: datetime
    missing: int


@dataclass(frozen=True, slots=True)
class _Weekday:
    """How a weekday usually goes: its first and its last close, and its bars."""

    first: int
    last: int
    bars: int


def gaps_of(times: Sequence[int], step: int, zone: ZoneInfo) -> tuple[Gap, ...]:
    """Return where bars are missing, by closes in microseconds and their usual step.

    A weekday that is missing is a gap where the series usually has it; so is
    the part of a day before its usual first or after its usual last bar.
    Bars without a regular step have no gaps.
    """
    if len(times) < 3:
        return ()
    if step > 1.5 * _DAY:
        missing = [round((later - earlier) / step) - 1 for earlier, later in pairwise(times)]
    else:
        regular = sum(later - earlier == step for earlier, later in pairwise(times))
        if 2 * regular < len(times) - 1:
            return ()
        missing = _missing(times, step, zone)
    return tuple(
        Gap(from_micros(earlier), from_micros(later), count)
        for (earlier, later), count in zip(pairwise(times), missing, strict=True)
        if count > 0
    )


def _missing(times: Sequence[int], step: int, zone: ZoneInfo) -> list[int]:
    """Count the bars missing after each bar but the last."""
    # A close at midnight belongs to the day that it ends.
    local = [from_micros(at - 1).astimezone(zone) for at in times]
    daily = step > 0.8 * _DAY
    week = _week(local)
    counts = []
    for (earlier, later), (here, then) in zip(pairwise(times), pairwise(local), strict=True):
        if here.date() == then.date():
            counts.append(round((later - earlier) / step) - 1)
            continue
        count = _days_between(here.date(), then.date(), week)
        if not daily:
            tail = week[here.weekday()].last - _since_midnight(here)
            head = _since_midnight(then) - week[then.weekday()].first
            count += max(round(tail / step), 0) + max(round(head / step), 0)
        counts.append(count)
    return counts


def _week(local: Sequence[datetime]) -> dict[int, _Weekday]:
    """Learn how each weekday of the series usually goes."""
    days: dict[date, list[int]] = {}
    for at in local:
        days.setdefault(at.date(), []).append(_since_midnight(at))
    week = {}
    for weekday in {day.weekday() for day in days}:
        closes = [found for day, found in days.items() if day.weekday() == weekday]
        week[weekday] = _Weekday(
            first=_usual([found[0] for found in closes]),
            last=_usual([found[-1] for found in closes]),
            bars=_usual([len(found) for found in closes]),
        )
    often = Counter(day.weekday() for day in days)
    rare = max(often.values()) / 2
    # A Saturday that was traded once is no reason to miss all others.
    return {
        weekday: day if often[weekday] >= rare else _Weekday(day.first, day.last, 0)
        for weekday, day in week.items()
    }


def _usual(values: Sequence[int]) -> int:
    return Counter(values).most_common(1)[0][0]


def _since_midnight(at: datetime) -> int:
    since = timedelta(
        hours=at.hour, minutes=at.minute, seconds=at.second, microseconds=at.microsecond
    )
    return since // _MICROSECOND


def _days_between(first: date, last: date, week: dict[int, _Weekday]) -> int:
    """Count the bars that the days between two days usually have."""
    weeks, rest = divmod((last - first).days - 1, 7)
    count = weeks * sum(day.bars for day in week.values())
    for ahead in range(1, rest + 1):
        day = week.get((first.weekday() + ahead) % 7)
        count += day.bars if day else 0
    return count
