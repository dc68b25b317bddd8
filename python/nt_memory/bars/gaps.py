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
    from datetime import date, datetime, tzinfo

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
        How many bars would lie between, as the series' week usually goes; of a gap
        with days in it, those of the whole days.
    """

    after: datetime
    before: datetime
    missing: int


def gaps_of(times: Sequence[int], step: int, zone: tzinfo) -> tuple[Gap, ...]:
    """Return where bars are missing, by closes in microseconds and their usual step.

    A weekday that is missing is a gap where the series usually has it; so is a
    longer break than usual from one weekday to the next.  Bars without a regular
    step have no gaps.
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


def _missing(times: Sequence[int], step: int, zone: tzinfo) -> list[int]:
    """Count the bars missing after each bar but the last."""
    # A close at midnight belongs to the day that it ends.
    local = [from_micros(at - 1).astimezone(zone).replace(tzinfo=None) for at in times]
    days = [at.date() for at in local]
    week = _bars_a_weekday(days)
    between = [_bars_between(here, then, week) for here, then in pairwise(days)]
    # By the clocks on the wall: a night is no longer when summer time ends.
    nights = [(then - here) // _MICROSECOND for here, then in pairwise(local)]
    usual = _usual_nights(days, nights, between)
    counts = []
    for at, (here, then) in enumerate(pairwise(days)):
        if here == then:
            counts.append(round((times[at + 1] - times[at]) / step) - 1)
        elif between[at]:
            counts.append(between[at])
        else:
            counts.append(round((nights[at] - usual[here.weekday(), then.weekday()]) / step))
    return counts


def _bars_a_weekday(days: Sequence[date]) -> dict[int, int]:
    """Learn how many bars each weekday usually has: none where it is seldom traded."""
    weekdays = {day: (day.weekday(), bars) for day, bars in Counter(days).items()}
    often = Counter(weekday for weekday, _ in weekdays.values())
    # A Saturday that was traded once is no reason to miss all others.
    rare = max(often.values()) / 2
    return {
        weekday: Counter(bars for at, bars in weekdays.values() if at == weekday).most_common(1)[0][
            0
        ]
        for weekday, count in often.items()
        if count >= rare
    }


def _bars_between(here: date, then: date, week: dict[int, int]) -> int:
    """Count the bars that the days between two days usually have."""
    weeks, rest = divmod((then - here).days - 1, 7)
    if here == then:
        return 0
    whole = weeks * sum(week.values())
    return whole + sum(week.get((here.weekday() + day) % 7, 0) for day in range(1, rest + 1))


def _usual_nights(
    days: Sequence[date], nights: Sequence[int], between: Sequence[int]
) -> dict[tuple[int, int], int]:
    """Learn how long it usually is from a weekday's last bar to the first of the next one."""
    found: dict[tuple[int, int], list[int]] = {}
    for (here, then), night, missing in zip(pairwise(days), nights, between, strict=True):
        if here != then and not missing:
            found.setdefault((here.weekday(), then.weekday()), []).append(night)
    return {pair: _most(lengths) for pair, lengths in found.items()}


def _most(values: Sequence[int]) -> int:
    return Counter(values).most_common(1)[0][0]
