"""Numbers and dates as a reader wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

MINUS = "\N{MINUS SIGN}"
NONE = "\N{EN DASH}"
TIMES = "\N{MULTIPLICATION SIGN}"
THIN = "\N{NARROW NO-BREAK SPACE}"


def number(value: float | None, digits: int = 2, *, sign: bool = False) -> str:
    """Write a number with a true minus, or a dash where there is none."""
    if value is None:
        return NONE
    text = f"{value:+,.{digits}f}" if sign else f"{value:,.{digits}f}"
    if not text.strip("+-0.,"):
        text = text.lstrip("+-")
    return text.replace("-", MINUS)


def percent(value: float | None, digits: int = 1, *, sign: bool = False) -> str:
    """Write a share as percent."""
    if value is None:
        return NONE
    return number(100.0 * value, digits, sign=sign) + f"{THIN}%"


def day(at: datetime) -> str:
    """Write a date: 10 October 2008."""
    return f"{at.day} {at:%B %Y}"


def month(at: datetime) -> str:
    """Write a month: October 2008."""
    return f"{at:%B %Y}"


def side(direction: int) -> str:
    """Name a direction."""
    return {1: "long", -1: "short"}.get(direction, "flat")
