"""Delta and gamma of Black, Scholes and Merton."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from nt_memory._shown import shown

if TYPE_CHECKING:
    import numpy.typing as npt

    from nt_memory.market import Floats


def black_scholes_delta(
    call: npt.ArrayLike,
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    years: npt.ArrayLike,
    volatility: npt.ArrayLike,
    rate: npt.ArrayLike = 0.0,
    dividend_yield: npt.ArrayLike = 0.0,
) -> Floats:
    """Return the change of an option's price per unit of its underlying's.

    For arrays that broadcast.  It is NaN where spot, strike, years or
    volatility is not positive, or one is NaN.

    Parameters
    ----------
    call
        True for a call, False for a put.
    spot, strike
        Prices of the underlying.
    years
        Time to the expiry.
    volatility
        Annualised: 0.2 is 20 % a year.
    rate, dividend_yield
        A year, continuously compounded.

    Examples
    --------
    >>> round(float(black_scholes_delta(True, 49.0, 50.0, 0.3846, 0.2, 0.05)), 4)  # Hull
    0.5216
    """
    first, _ = _first(spot, strike, years, volatility, rate, dividend_yield)
    sign = np.where(np.asarray(call, dtype=bool), 1.0, -1.0)
    with np.errstate(all="ignore"):
        paid = np.exp(-np.asarray(dividend_yield, dtype=float) * np.asarray(years, dtype=float))
        delta: Floats = sign * paid * _normal(sign * first)
    return delta


def black_scholes_gamma(
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    years: npt.ArrayLike,
    volatility: npt.ArrayLike,
    rate: npt.ArrayLike = 0.0,
    dividend_yield: npt.ArrayLike = 0.0,
) -> Floats:
    """Return the change of an option's delta per unit of its underlying's price.

    It is the same for a call and a put; the parameters are those of
    `black_scholes_delta`.

    Examples
    --------
    >>> round(float(black_scholes_gamma(49.0, 50.0, 0.3846, 0.2, 0.05)), 4)  # Hull
    0.0655
    """
    first, deviation = _first(spot, strike, years, volatility, rate, dividend_yield)
    with np.errstate(all="ignore"):
        paid = np.exp(-np.asarray(dividend_yield, dtype=float) * np.asarray(years, dtype=float))
        density = np.exp(-0.5 * first * first) / math.sqrt(2.0 * math.pi)
        gamma: Floats = paid * density / (np.asarray(spot, dtype=float) * deviation)
    return gamma


def _first(
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    years: npt.ArrayLike,
    volatility: npt.ArrayLike,
    rate: npt.ArrayLike,
    dividend_yield: npt.ArrayLike,
) -> tuple[Floats, Floats]:
    """Return d1 and the standard deviation of the log price at the expiry."""
    s, k, t, v, r, q = (
        _numbers(name, each)
        for name, each in (
            ("spot", spot),
            ("strike", strike),
            ("years", years),
            ("volatility", volatility),
            ("rate", rate),
            ("dividend_yield", dividend_yield),
        )
    )
    s, k, t, v = (np.where(each > 0.0, each, np.nan) for each in (s, k, t, v))
    with np.errstate(all="ignore"):
        deviation: Floats = v * np.sqrt(t)
        first: Floats = (np.log(s / k) + (r - q + 0.5 * v * v) * t) / deviation
    return first, deviation


def _numbers(name: str, given: npt.ArrayLike) -> Floats:
    try:
        return np.asarray(given, dtype=float)
    except (TypeError, ValueError, OverflowError) as error:
        msg = f"{name}={shown(given)}: give a number, or an array of them"
        raise ValueError(msg) from error


def _normal(x: Floats) -> Floats:
    """Return the standard normal distribution function; both tails keep their digits."""
    values = np.array([0.5 * math.erfc(-each / math.sqrt(2.0)) for each in x.ravel().tolist()])
    return values.reshape(x.shape)
