"""The price history that ships with the package."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
from datetime import datetime, timedelta, timezone
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from nt_memory.clock import to_micros
from nt_memory.errors import CorruptionError
from nt_memory.market import BarSeries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nt_memory.market import Floats

SP500_SHA256 = "1e028cbb9c400cc018c816ccc439b33c919387e726c3ed5ca2c05c82746059de"
# New York closes at 21:00 UTC in winter and at 20:00 in summer.  One hour for
# the whole year is never before the close, so nothing is known too early.
CLOSE_UTC = timedelta(hours=21)


def load_sp500() -> BarSeries:
    """Load daily S&P 500 bars, 1999-01-04 to 2018-12-31, 5,031 of them.

    Origin and licence are in the file ``SOURCES`` beside the data.

    Raises
    ------
    CorruptionError
        The file is not the one that was shipped.
    """
    return parse_bars("SPX", checked(files(__package__).joinpath("sp500.csv.gz").read_bytes()))


def checked(packed: bytes) -> bytes:
    """Return the bytes if they are the shipped file, else raise `CorruptionError`."""
    digest = hashlib.sha256(packed).hexdigest()
    if digest != SP500_SHA256:
        msg = f"sp500.csv.gz: sha256 is {digest}, not {SP500_SHA256}; install nt-memory again"
        raise CorruptionError(msg)
    return packed


def parse_bars(symbol: str, packed: bytes) -> BarSeries:
    """Read a gzipped CSV with the columns Date (month/day/year), Open, High, Low, Close, Volume."""
    with gzip.open(io.BytesIO(packed), "rt", encoding="ascii", newline="") as lines:
        rows = list(csv.DictReader(lines))
    return BarSeries(
        symbol=symbol,
        times=np.array([_closed_at(row["Date"]) for row in rows], dtype=np.int64),
        open=_column(rows, "Open"),
        high=_column(rows, "High"),
        low=_column(rows, "Low"),
        close=_column(rows, "Close"),
        volume=_column(rows, "Volume"),
    )


def _column(rows: Sequence[dict[str, str]], name: str) -> Floats:
    return np.array([float(row[name]) for row in rows])


def _closed_at(date: str) -> int:
    month, day, year = (int(part) for part in date.split("/"))
    return to_micros(datetime(year, month, day, tzinfo=timezone.utc) + CLOSE_UTC)
