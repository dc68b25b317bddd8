"""The option chain that CBOE's web page exports."""

from __future__ import annotations

import csv
import re
from collections import Counter
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from nt_memory._shown import shown
from nt_memory.agents._chain import OptionChain, OptionQuote

if TYPE_CHECKING:
    import os

_COLUMNS: Final = (
    "Expiration Date,Calls,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest,Strike,"
    "Puts,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest"
)
# Where volume, IV, delta, gamma and open interest of the call and the put begin.
_CALL, _STRIKE, _PUT = 6, 11, 17
# Letters of what is wrong with a line that an error tells.
_LONGEST = 200
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SPOT = re.compile(r"Last: (\d[\d,]*(?:\.\d+)?)")
_MOMENT = re.compile(
    r"Date: (\w{3})\w* (\d+), (\d{4}) at (0?[1-9]|1[0-2]):([0-5]\d) ([AP])M"
    r"(?: (E[SD]?T))?\s*(?:,|$)"
)
# Hours behind UTC; ET and none are what New York's clocks show.
_BEHIND: Final = {"EST": 5, "EDT": 4}
_EXPIRY = re.compile(r"\w{3} (\w{3}) (\d+) (\d{4})")
# SPY251001C00500000: the root, six digits of the day, call or put, eight of the strike.
_OPTION = re.compile(r"(\w+?)(\d{6})([CP])(\d{8})")


class _Option(NamedTuple):
    root: str
    day: str
    kind: str
    strike: float


def load_cboe_chain(
    path: str | os.PathLike[str], *, rate: float = 0.0, dividend_yield: float = 0.0
) -> OptionChain:
    """Read the option chain of a CBOE delayed-quote export.

    Three lines come before the quotes: the name with the last price, the time
    (New York), and the columns; calls and puts stand side by side.  Options
    expire at 16:00 New York.  An implied volatility of 0 means that there is
    none, and where delta and gamma are 0 too, neither is told.

    Parameters
    ----------
    path
        The CSV file.
    rate, dividend_yield
        A year, continuously compounded: the file does not tell them.

    Raises
    ------
    ValueError
        It is another kind of file, or a value cannot be read; the message names
        the line and the value.
    """
    file = Path(path)
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        msg = f"{file}: is no text in UTF-8; give the CSV file that CBOE's page exports"
        raise ValueError(msg) from error
    rows = [(number, row) for number, row in enumerate(csv.reader(lines), 1) if any(row)]
    if len(rows) < 3 or [cell.strip() for cell in rows[2][1]] != _COLUMNS.split(","):
        msg = f"{file}: the third line that is not empty has to be {_COLUMNS}"
        raise ValueError(msg)
    name, moment = (",".join(row) for _, row in rows[:2])
    spot = _SPOT.search(name)
    price = float(spot[1].replace(",", "")) if spot else 0.0
    if price <= 0.0:
        msg = f"{file}: line {rows[0][0]}: {shown(name)} tells no price, such as 'Last: 658.05'"
        raise ValueError(msg)
    at = _moment(file, rows[1][0], moment)
    quotes: list[OptionQuote] = []
    roots: Counter[str] = Counter()
    for number, row in rows[3:]:
        try:
            root, pair = _pair(row)
        except ValueError as error:
            why = str(error)[:_LONGEST]
            msg = f"{file}: line {number}: {shown(','.join(row))}: {why}; mend or remove the line"
            raise ValueError(msg) from error
        roots[root] += 1
        quotes.extend(pair)
    # An index has options of other roots beside its own, such as SPXW.
    symbol = roots.most_common(1)[0][0] if roots else name.partition(",")[0]
    return OptionChain.of(symbol, at, price, quotes, rate=rate, dividend_yield=dividend_yield)


def _moment(file: Path, number: int, text: str) -> datetime:
    found = _MOMENT.search(text)
    try:
        day = _day(found[3], found[1], found[2]) if found else None
    except ValueError:
        day = None
    if not found or day is None:
        example = "'Date: September 25, 2025 at 9:05 PM EDT'"
        msg = (
            f"{file}: line {number}: {shown(text)} tells no time of New York (ET, EST, EDT or no "
            f"zone), such as {example}"
        )
        raise ValueError(msg)
    hour, minute = int(found[4]) % 12 + (12 if found[6] == "P" else 0), int(found[5])
    behind = _BEHIND.get(found[7])
    if behind is None:
        return _new_york(day, hour, minute)
    at = datetime(day.year, day.month, day.day, hour, minute, tzinfo=timezone.utc)
    return at + timedelta(hours=behind)


def _day(year: str, month: str, day: str) -> date:
    if month not in _MONTHS:
        msg = f"{shown(month)} is no month such as 'Oct'"
        raise ValueError(msg)
    return date(int(year), _MONTHS.index(month) + 1, int(day))


def _new_york(day: date, hour: int, minute: int = 0) -> datetime:
    zone = ZoneInfo("America/New_York")
    local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
    return local.astimezone(timezone.utc)


def _pair(row: list[str]) -> tuple[str, list[OptionQuote]]:
    """Return the underlying, and the call and the put of a line."""
    count = len(_COLUMNS.split(","))
    if len(row) != count:
        msg = f"has {len(row)} fields, and not {count}"
        raise ValueError(msg)
    found = _EXPIRY.fullmatch(row[0])
    if not found or found[1] not in _MONTHS:
        msg = f"{shown(row[0])} is no day such as 'Wed Oct 01 2025'"
        raise ValueError(msg)
    day = _day(found[3], found[1], found[2])
    expiry = _new_york(day, 16)
    strike = float(row[_STRIKE])
    call, put = _option(row[1]), _option(row[_STRIKE + 1])
    meant = _Option(call.root, f"{day:%y%m%d}", "C", strike)
    if call != meant or put != meant._replace(kind="P"):
        msg = (
            f"{shown(row[1])} and {shown(row[_STRIKE + 1])} are not the call and the put of "
            f"{day} and {strike:g}"
        )
        raise ValueError(msg)
    return call.root, [
        _quote(expiry, strike, row[first : first + 5], call=call)
        for first, call in ((_CALL, True), (_PUT, False))
    ]


def _option(text: str) -> _Option:
    found = _OPTION.fullmatch(text)
    if not found:
        msg = f"{shown(text)} is no option such as 'SPY251001C00500000'"
        raise ValueError(msg)
    return _Option(found[1], found[2], found[3], int(found[4]) / 1000)


def _quote(expiry: datetime, strike: float, cells: list[str], *, call: bool) -> OptionQuote:
    volume, iv, delta, gamma, open_interest = (float(cell) for cell in cells)
    if not np.isfinite([strike, volume, iv, delta, gamma, open_interest]).all():
        msg = "a number is not finite"
        raise ValueError(msg)
    if strike <= 0.0 or min(volume, iv, gamma, open_interest) < 0.0:
        msg = "the strike is not positive, or volume, IV, gamma or open interest is negative"
        raise ValueError(msg)
    told = bool(iv or delta or gamma)
    return OptionQuote(
        expiry=expiry,
        strike=strike,
        call=call,
        volume=volume,
        open_interest=open_interest,
        iv=iv or None,
        delta=delta if told else None,
        gamma=gamma if told else None,
    )
