"""Bars from files: read, checked, and told what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nt_memory.bars.gaps import Gap, gaps_of
from nt_memory.bars.table import BarTable
from nt_memory.bars.times import as_zone, interval
from nt_memory.clock import from_micros
from nt_memory.market import BarSeries

if TYPE_CHECKING:
    import os
    from datetime import datetime, time, timedelta

    from nt_memory.bars.times import Label


@dataclass(frozen=True, slots=True)
class BarReport:
    """What a file of bars holds, and what is wrong with it.

    Parameters
    ----------
    symbol
        Of the bars.
    bars
        How many there are.
    first, last
        When the first and the last one closed; None where a time cannot be read.
    interval
        The most frequent time from one bar to the next; None of fewer than two.
    columns
        The file's column of each field.
    ignored
        Columns that are not read, such as an adjusted close.
    without_volume
        Bars whose volume is not told; it is taken as 0.
    rounded
        Bars whose high or low enclosed the open and close but for rounding.
    gaps
        Where bars are missing.  They are no problem: no calendar is known,
        and a holiday is a gap like others.
    problems
        What `read_bars` refuses, in the order of the rows.
    """

    symbol: str
    bars: int
    first: datetime | None
    last: datetime | None
    interval: timedelta | None
    columns: dict[str, str]
    ignored: tuple[str, ...]
    without_volume: int
    rounded: int
    gaps: tuple[Gap, ...]
    problems: tuple[str, ...]


def read_bars(
    path: str | os.PathLike[str],
    symbol: str | None = None,
    timezone: str = "UTC",
    close_time: time | str | None = None,
    *,
    label: Label | None = None,
    sort: bool = False,
) -> BarSeries:
    r"""Read the bars of one symbol from a CSV file (plain or gzip) or a Parquet file.

    Columns go by their usual names, whatever their case and order: a time
    (``date``, ``time``, ``timestamp``, ``datetime``, or a date and a time of day),
    ``open``, ``high``, ``low``, ``close`` (``Close/Last``), and ``volume`` where
    there is one.  An adjusted close is not read: prices stay as they were traded.

    Parameters
    ----------
    path
        The file.
    symbol
        Name of the instrument; of a file with a column of symbols, the rows to
        read.  By default the only one in that column, else the file's name.
    timezone
        Of times that tell none, and of days, for example ``"America/New_York"``.
    close_time
        When a bar that tells only its date has closed, for example ``"16:00"`` in
        that time zone.  By default the end of the day: never before the close.
    label
        ``"open"`` where a bar's time is when it opened, as many exchanges write it:
        it closes one interval later.  A column named ``open time`` says so itself
        where no label is given.  By default times are those of the close.  Bars of
        several days that tell a date need it: the first day of the bar is
        ``"open"``, the last ``"close"``.
    sort
        Sort rows that are not in order, instead of refusing them.

    Returns
    -------
    BarSeries
        The bars, the oldest first; without a volume, it is 0.

    Raises
    ------
    ValueError
        A column is missing, there is no bar, a time or a number cannot be read, is
        not positive or comes twice, rows are out of order, or some times have a
        zone or a time of day and others have none, or may be read in two ways.  The
        message names the file, the line, the value and the way out; `check_bars`
        lists all such lines.
    ImportError
        A Parquet file, without the extra ``arrow``.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> file = Path(tempfile.mkdtemp(), "spy.csv")
    >>> _ = file.write_text("Date,Open,High,Low,Close\n2024-01-02,472.2,473.7,470.5,472.7\n")
    >>> bars = read_bars(file, symbol="SPY", timezone="America/New_York", close_time="16:00")
    >>> bars.closed_at(0).isoformat(), float(bars.close[0])
    ('2024-01-02T21:00:00+00:00', 472.7)
    """
    table = BarTable(path, symbol, as_zone(timezone, close_time, label), sort=sort)
    problems = table.problems
    if problems:
        more = f" ({len(problems) - 1} more: check_bars lists them)" if len(problems) > 1 else ""
        raise ValueError(problems[0] + more)
    return BarSeries(
        symbol=table.symbol,
        times=np.array(table.times, dtype=np.int64),
        volume=table.volume,
        **table.prices,
    )


def check_bars(
    path: str | os.PathLike[str],
    symbol: str | None = None,
    timezone: str = "UTC",
    close_time: time | str | None = None,
    *,
    label: Label | None = None,
    sort: bool = False,
) -> BarReport:
    r"""Tell what a file of bars holds: gaps, ignored columns, and each refused row.

    The parameters are those of `read_bars`; so are the errors of a file without
    rows that could be looked at.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> file = Path(tempfile.mkdtemp(), "eurusd.csv")
    >>> _ = file.write_text(
    ...     "time,o,h,l,c\n2024-01-02T10:00Z,1.1,1.2,1.0,1.1\n2024-01-02T11:00Z,1.1,1.2,1.0,0\n"
    ... )
    >>> print(*check_bars(file).problems)  # doctest: +ELLIPSIS
    /...eurusd.csv: line 3: c='0': a price is a positive number; ...
    """
    zone = as_zone(timezone, close_time, label)
    table = BarTable(path, symbol, zone, sort=sort)
    times = sorted(set(table.times))
    step = interval(times)
    return BarReport(
        symbol=table.symbol,
        bars=len(table.volume),
        first=from_micros(times[0]) if times else None,
        last=from_micros(times[-1]) if times else None,
        interval=from_micros(step) - from_micros(0) if step else None,
        columns=dict(table.file.fields),
        ignored=table.file.ignored,
        without_volume=table.without_volume,
        rounded=table.rounded,
        gaps=gaps_of(times, step, zone.timezone),
        problems=tuple(table.problems),
    )
