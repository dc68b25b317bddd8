"""Checks of ids and of numbers that are kept exact."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from numbers import Rational, Real
from typing import TypeAlias, TypeVar

from nt_memory._shown import shown

T = TypeVar("T")
Exact: TypeAlias = "int | float | Fraction | Decimal"

# Beyond this, adding up could take any time; a float lies within.
_MAX_BITS = 2048
_MAX_EXPONENT = 400


def instance(name: str, value: object, kind: type[T]) -> T:
    """Return a value of a class.

    Raises
    ------
    TypeError
        It is of another.
    """
    if not isinstance(value, kind):
        msg = f"{name}={shown(value)}: give {kind.__name__}(...)"
        raise TypeError(msg)
    return value


def exact(name: str, value: object) -> Fraction:
    """Return a positive number as a fraction; a float is taken at its decimal text.

    Raises
    ------
    ValueError
        It is no number, not finite, or not above zero.

    Examples
    --------
    >>> exact("weight", 0.1) * 3
    Fraction(3, 10)
    """
    number = _fraction(value)
    if number is None or number <= 0:
        msg = f"{name}={shown(value)}: give a finite number above 0"
        raise ValueError(msg)
    if max(number.numerator.bit_length(), number.denominator.bit_length()) > _MAX_BITS:
        msg = f"{name}={shown(value)}: give a number with fewer digits"
        raise ValueError(msg)
    return number


def share(name: str, value: object) -> Fraction:
    """Return a number above 0 and up to 1 as a fraction."""
    number = exact(name, value)
    if number > 1:
        msg = f"{name}={shown(value)}: give a share above 0 and up to 1"
        raise ValueError(msg)
    return number


def _fraction(value: object) -> Fraction | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, Rational):
        return Fraction(int(value.numerator), int(value.denominator))
    if isinstance(value, Decimal):
        small = value.is_finite() and abs(value.adjusted()) < _MAX_EXPONENT
        return Fraction(value) if small else None
    if not isinstance(value, Real) or not math.isfinite(value):
        return None
    text = float.__repr__(value) if isinstance(value, float) else str(value)
    return Fraction(text)
