"""Returns by month, and the worst falls from a peak."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nt_memory import metrics
from nt_memory.clock import from_micros

if TYPE_CHECKING:
    from datetime import datetime

    from nt_memory.market import Floats, Times


def monthly_returns(times: Times, returns: Floats) -> dict[tuple[int, int], float]:
    """Compound returns within each calendar month (UTC), by (year, month), oldest first."""
    if not len(returns):
        return {}
    months = times.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
    first = np.flatnonzero(np.diff(months, prepend=months[0] - 1))
    grown = np.multiply.reduceat(1.0 + returns, first) - 1.0
    return {
        (1970 + int(months[at]) // 12, int(months[at]) % 12 + 1): float(made)
        for at, made in zip(first, grown, strict=True)
    }


def annual_returns(times: Times, returns: Floats) -> dict[int, float]:
    """Compound returns within each calendar year (UTC), oldest first."""
    years: dict[int, float] = {}
    for (year, _), made in monthly_returns(times, returns).items():
        years[year] = (1.0 + years.get(year, 0.0)) * (1.0 + made) - 1.0
    return years


@dataclass(frozen=True, slots=True)
class Fall:
    """One fall from a peak: its depth (-0.2 is a fifth), and when it was what.

    ``peak`` is when the value was last at its height, or the start;
    ``recovered`` is None where it has not come back.
    """

    depth: float
    peak: datetime
    trough: datetime
    recovered: datetime | None
    bars: int


def worst_falls(times: Times, returns: Floats, begun: datetime, most: int = 5) -> list[Fall]:
    """Return the deepest falls from a peak, the deepest first.

    Parameters
    ----------
    times, returns
        When each return was known, and the returns.
    begun
        When the value was 1.
    most
        How many, at most.
    """
    below = metrics.drawdowns(returns)
    under = np.concatenate([[False], below < 0.0, [False]])
    edges = np.flatnonzero(np.diff(under.astype(np.int8)))
    falls = []
    for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        deepest = start + int(below[start:stop].argmin())
        falls.append(
            Fall(
                depth=float(below[deepest]),
                peak=from_micros(int(times[start - 1])) if start else begun,
                trough=from_micros(int(times[deepest])),
                recovered=from_micros(int(times[stop])) if stop < len(times) else None,
                bars=stop - start,
            )
        )
    return sorted(falls, key=lambda fall: (fall.depth, fall.peak))[:most]
