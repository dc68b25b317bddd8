"""The option chain that CBOE's web page exports."""

from __future__ import annotations

import csv
import re
from datetime import date, datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

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
_ZONE = ZoneInfo("America/New_York")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SPOT = re.compile(r"Last: ([\d,.]+)")
_MOMENT = re.compile(r"Date: (\w{3})\w* (\d+), (\d{4}) at (\d+):(\d\d) ([AP])M")
_EXPIRY = re.compile(r"\w{3} (\w{3}) (\d+) (\d{4})")
# SPY251001C00500000: the root, six digits of the day, call or put, eight of the strike.
_OPTION = re.compile(r"(\w+?)\d{6}[CP]\d{8}")


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
    if not spot:
        msg = f"{file}: line {rows[0][0]}: {shown(name)} tells no price, such as 'Last: 658.05'"
        raise ValueError(msg)
    at = _moment(file, rows[1][0], moment)
    quotes: list[OptionQuote] = []
    symbol = ""
    for number, row in rows[3:]:
        try:
            symbol, pair = _pair(row)
        except (ValueError, IndexError) as error:
            msg = f"{file}: line {number}: {shown(','.join(row))}: {error}; mend or remove the line"
            raise ValueError(msg) from error
        quotes.extend(pair)
    return OptionChain.of(
        symbol or name.partition(",")[0],
        at,
        float(spot[1].replace(",", "")),
        quotes,
        rate=rate,
        dividend_yield=dividend_yield,
    )


def _moment(file: Path, number: int, text: str) -> datetime:
    found = _MOMENT.search(text)
    if not found or found[1] not in _MONTHS:
        example = "'Date: September 25, 2025 at 9:05 PM EDT'"
        msg = f"{file}: line {number}: {shown(text)} tells no time, such as {example}"
        raise ValueError(msg)
    day = date(int(found[3]), _MONTHS.index(found[1]) + 1, int(found[2]))
    hour = int(found[4]) % 12 + (12 if found[6] == "P" else 0)
    return _new_york(day, hour, int(found[5]))


def _new_york(day: date, hour: int, minute: int = 0) -> datetime:
    local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=_ZONE)
    return local.astimezone(timezone.utc)


def _pair(row: list[str]) -> tuple[str, list[OptionQuote]]:
    """Return the underlying, and the call and the put of a line."""
    found = _EXPIRY.fullmatch(row[0])
    if not found or found[1] not in _MONTHS:
        msg = f"{shown(row[0])} is no day such as 'Wed Oct 01 2025'"
        raise ValueError(msg)
    expiry = _new_york(date(int(found[3]), _MONTHS.index(found[1]) + 1, int(found[2])), 16)
    option = _OPTION.fullmatch(row[1])
    if not option:
        msg = f"{shown(row[1])} is no option such as 'SPY251001C00500000'"
        raise ValueError(msg)
    strike = float(row[_STRIKE])
    return option[1], [
        _quote(expiry, strike, row[first : first + 5], call=call)
        for first, call in ((_CALL, True), (_PUT, False))
    ]


def _quote(expiry: datetime, strike: float, cells: list[str], *, call: bool) -> OptionQuote:
    volume, iv, delta, gamma, open_interest = (float(cell) for cell in cells)
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
