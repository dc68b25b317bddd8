"""The one clock of a store, and the conversion between datetimes and microseconds.

Inside the engine a time is an int64 of microseconds since the epoch (UTC);
outside it is an aware `datetime.datetime`.  Nothing but a `Clock` reads the
time of the machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, TypeAlias

from nt_memory._shown import shown

if TYPE_CHECKING:
    from nt_memory import _native

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
LAST = datetime.max.replace(tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
_DAY_US = 86_400_000_000
_MAX_DURATION_US = 2**62
_FIRST_US = -62_135_596_800_000_000  # year 1, as a datetime cannot lie before
_LAST_US = 253_402_300_799_999_999  # the end of year 9999


@dataclass(frozen=True, slots=True)
class Bars:
    """A duration counted in bars, for example a half-life of sixty daily bars.

    A bar lasts ``interval``.  A view that knows its bar interval fills it in;
    elsewhere it has to be given.

    Examples
    --------
    >>> from datetime import timedelta
    >>> Bars(60, interval=timedelta(days=1)).duration
    datetime.timedelta(days=60)
    """

    n: float
    interval: timedelta | None = None

    def __post_init__(self) -> None:
        if not (isinstance(self.n, (int, float)) and _is_finite(self.n) and self.n >= 0):
            msg = f"n={shown(self.n)}: give a number of bars that is finite and not negative"
            raise ValueError(msg)
        if self.interval is not None and not (
            isinstance(self.interval, timedelta) and self.interval > timedelta(0)
        ):
            msg = f"interval={shown(self.interval)}: a bar lasts longer than zero"
            raise ValueError(msg)

    def at(self, interval: timedelta) -> Bars:
        """Return these bars with their interval, keeping one that is set."""
        return self if self.interval is not None else Bars(self.n, interval)

    @property
    def duration(self) -> timedelta:
        """How long the bars last.

        Raises
        ------
        ValueError
            No interval is known.
        """
        if self.interval is None:
            n = shown(self.n)
            msg = f"{shown(self)}: how long is a bar? Give Bars({n}, interval=timedelta(...))"
            raise ValueError(msg)
        try:
            return self.interval * self.n
        except OverflowError as error:
            msg = f"{shown(self)}: give a duration of less than 2.7 million years"
            raise ValueError(msg) from error


Duration: TypeAlias = "timedelta | Bars | float"


def to_micros(at: datetime, field: str = "datetime") -> int:
    """Return the microseconds since the epoch of an aware datetime.

    Raises
    ------
    ValueError
        ``at`` has no time zone, or lies in another year than 1 to 9999 in
        UTC; ``field`` names it in the message.

    Examples
    --------
    >>> from datetime import datetime, timezone
    >>> to_micros(datetime(1970, 1, 2, tzinfo=timezone.utc))
    86400000000
    """
    if not isinstance(at, datetime):
        msg = f"{field}={shown(at)}: a time is an aware datetime, not {type(at).__name__}"
        raise TypeError(msg)
    if at.utcoffset() is None:
        msg = f"{field}={shown(at)} is naive: give it a time zone, such as tzinfo=timezone.utc"
        raise ValueError(msg)
    since = at - EPOCH
    count = since.days * _DAY_US + since.seconds * 1_000_000 + since.microseconds
    if not _FIRST_US <= count <= _LAST_US:
        msg = f"{field}={shown(at)}: give a time in the years 1 to 9999 of UTC"
        raise ValueError(msg)
    return count


def from_micros(at: int) -> datetime:
    """Return the aware datetime (UTC) of a number of microseconds since the epoch.

    Examples
    --------
    >>> from_micros(86_400_000_000)
    datetime.datetime(1970, 1, 2, 0, 0, tzinfo=datetime.timezone.utc)
    """
    try:
        return EPOCH + timedelta(microseconds=at)
    except OverflowError as error:
        msg = f"{shown(at)} us since 1970 is no time in the years 1 to 9999"
        raise ValueError(msg) from error


def micros(duration: Duration, field: str = "duration") -> int:
    """Return a duration, given as timedelta, `Bars` or seconds, in microseconds.

    Raises
    ------
    ValueError
        The duration is negative, not finite or longer than 146,000 years.

    Examples
    --------
    >>> micros(1.5)
    1500000
    """
    if isinstance(duration, Bars):
        duration = duration.duration
    if isinstance(duration, timedelta):
        count = duration // _MICROSECOND
    elif isinstance(duration, (int, float)) and not isinstance(duration, bool):
        count = (
            round(duration * 1e6) if _is_finite(duration) and duration < _MAX_DURATION_US else -1
        )
    else:
        msg = (
            f"{field}={shown(duration)}: a duration is a timedelta, Bars(n) or a number of seconds"
        )
        raise TypeError(msg)
    if not 0 <= count <= _MAX_DURATION_US:
        msg = f"{field}={shown(duration)}: give a duration from 0 to 146,000 years"
        raise ValueError(msg)
    return count


def _is_finite(number: object) -> bool:
    try:
        return math.isfinite(number)  # type: ignore[arg-type]
    except OverflowError:  # an integer beyond the floats
        return False


class Clock:
    """What tells a store the time: `SystemClock` or `ManualClock`.

    The engine and Python read the same clock, ``native``.
    """

    __slots__ = ("native",)

    def __init__(self, native: _native.Clock) -> None:
        self.native = native

    def now(self) -> datetime:
        """Return the time (UTC); it never goes back."""
        return from_micros(self.native.now_us())

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start, for leases and latencies."""
        return self.native.monotonic_us() / 1e6


class SystemClock(Clock):
    """The clock of the machine, held back where it would go back.

    Examples
    --------
    >>> clock = SystemClock()
    >>> clock.now() <= clock.now()
    True
    """

    __slots__ = ()

    def __init__(self) -> None:
        from nt_memory import _native  # the extension is loaded when it is first used

        super().__init__(_native.Clock())


class ManualClock(Clock):
    """A clock that moves when it is told to, for tests and backtests.

    Parameters
    ----------
    start
        The time it shows until it is moved; aware.

    Examples
    --------
    >>> from datetime import datetime, timedelta, timezone
    >>> clock = ManualClock(datetime(2024, 1, 2, tzinfo=timezone.utc))
    >>> clock.advance(timedelta(hours=1))
    >>> clock.now().hour
    1
    """

    __slots__ = ()

    def __init__(self, start: datetime) -> None:
        from nt_memory import _native  # the extension is loaded when it is first used

        super().__init__(_native.Clock(manual=True, start_us=to_micros(start, "start")))

    def advance(self, duration: Duration) -> None:
        """Move on by a duration; a negative one is a ValueError."""
        self.native.advance_us(micros(duration))

    def set(self, at: datetime) -> None:
        """Move on to a time; one that has passed is a ValueError."""
        target = to_micros(at, "at")
        if target < self.native.now_us():
            msg = f"at={shown(at)} is before {shown(self.now())}: a clock never goes back"
            raise ValueError(msg)
        self.native.set_us(target)
