"""Option chains as columns."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from nt_memory._shown import shown
from nt_memory._values import column, finite
from nt_memory.clock import to_micros

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    import numpy.typing as npt

    from nt_memory.market import Floats, Times


@dataclass(frozen=True, slots=True)
class OptionQuote:
    """One option of a chain.

    Parameters
    ----------
    expiry
        When it expires; aware.
    strike
        Its price, positive.
    call
        True for a call, False for a put.
    volume, open_interest
        Contracts traded on the day, and contracts that are open.
    iv
        Implied volatility, 0.2 for 20 % a year; None where it is not told.
    delta, gamma
        As the exchange tells them; None where it does not.
    quoted_at
        When it was quoted; None with the chain.
    """

    expiry: datetime
    strike: float
    call: bool
    volume: float = 0.0
    open_interest: float = 0.0
    iv: float | None = None
    delta: float | None = None
    gamma: float | None = None
    quoted_at: datetime | None = None


@dataclass(frozen=True, slots=True, eq=False)
class OptionChain:
    """The options of one underlying at one time, a column a field.

    `of` makes one of quotes.  The columns are made read-only.

    Parameters
    ----------
    symbol
        The underlying.
    at
        From when the chain could be known; aware.
    spot
        Price of the underlying.
    expiry, quoted_at
        When each option expires and was quoted, int64 microseconds since the epoch (UTC).
    strike
        Prices, positive.
    call
        True for a call, False for a put.
    volume, open_interest
        Contracts, not negative.
    iv, delta, gamma
        Implied volatility (0.2 for 20 % a year) and the exchange's own greeks;
        NaN where they are not told.
    rate, dividend_yield
        A year, continuously compounded.

    Raises
    ------
    ValueError
        Columns differ in length, a price is not positive, a count is negative, a
        number is infinite, or an option was quoted after the chain.

    Examples
    --------
    >>> from datetime import datetime, timezone
    >>> monday = datetime(2024, 1, 8, 21, tzinfo=timezone.utc)
    >>> friday = datetime(2024, 1, 19, 21, tzinfo=timezone.utc)
    >>> call = OptionQuote(friday, strike=470.0, call=True, open_interest=100.0, iv=0.12)
    >>> chain = OptionChain.of("SPY", monday, 474.6, [call])
    >>> len(chain), float(chain.strike[0])
    (1, 470.0)
    """

    symbol: str
    at: datetime
    spot: float
    expiry: Times
    quoted_at: Times
    strike: Floats
    call: npt.NDArray[np.bool_]
    volume: Floats
    open_interest: Floats
    iv: Floats
    delta: Floats
    gamma: Floats
    rate: float = 0.0
    dividend_yield: float = 0.0

    def __post_init__(self) -> None:
        at = to_micros(self.at, "at")
        for name in ("spot", "rate", "dividend_yield"):
            value = finite(name, getattr(self, name))
            if name == "spot" and value <= 0.0:
                msg = f"spot={shown(value)}: give a positive number"
                raise ValueError(msg)
            object.__setattr__(self, name, value)
        for field in fields(self):
            if field.name in _KINDS:
                kind = _KINDS[field.name]
                values = column(
                    field.name, getattr(self, field.name), kind, f"one {_WORDS[kind]} an option"
                )
                if values.shape != np.shape(self.strike):
                    msg = f"{field.name}: every column needs one value an option"
                    raise ValueError(msg)
                values.flags.writeable = False
                object.__setattr__(self, field.name, values)
        for name, fits, what in (
            ("strike", np.isfinite(self.strike) & (self.strike > 0.0), "a positive number"),
            ("volume", np.isfinite(self.volume) & (self.volume >= 0.0), "a number from 0"),
            (
                "open_interest",
                np.isfinite(self.open_interest) & (self.open_interest >= 0.0),
                "a number from 0",
            ),
            ("iv", ~(np.isinf(self.iv) | (self.iv < 0.0)), "a number from 0, or NaN"),
            ("delta", ~np.isinf(self.delta), "a number, or NaN"),
            ("gamma", ~(np.isinf(self.gamma) | (self.gamma < 0.0)), "a number from 0, or NaN"),
            ("quoted_at", self.quoted_at <= at, f"a time up to {self.at}, that of the chain"),
        ):
            if not fits.all():
                bad = int(np.flatnonzero(~fits)[0])
                msg = f"{name}[{bad}]={shown(getattr(self, name)[bad].item())}: give {what}"
                raise ValueError(msg)

    @classmethod
    def of(
        cls,
        symbol: str,
        at: datetime,
        spot: float,
        quotes: Iterable[OptionQuote],
        *,
        rate: float = 0.0,
        dividend_yield: float = 0.0,
    ) -> OptionChain:
        """Make a chain of quotes; the parameters and errors are those of the class."""
        rows = list(quotes)
        for quote in rows:
            if not isinstance(quote, OptionQuote):
                msg = f"quotes: {shown(quote)} is no OptionQuote"
                raise TypeError(msg)
        told: dict[str, Any] = {
            name: [_or_nan(getattr(quote, name)) for quote in rows]
            for name in _KINDS
            if name not in {"expiry", "quoted_at"}
        }
        return cls(
            symbol=symbol,
            at=at,
            spot=spot,
            expiry=np.array([to_micros(q.expiry, "expiry") for q in rows], dtype=np.int64),
            quoted_at=np.array([to_micros(q.quoted_at or at, "quoted_at") for q in rows], np.int64),
            rate=rate,
            dividend_yield=dividend_yield,
            **told,
        )

    def __len__(self) -> int:
        return len(self.strike)


_KINDS: dict[str, type] = {
    "expiry": np.int64,
    "quoted_at": np.int64,
    "strike": np.float64,
    "call": np.bool_,
    "volume": np.float64,
    "open_interest": np.float64,
    "iv": np.float64,
    "delta": np.float64,
    "gamma": np.float64,
}


_WORDS = {np.int64: "time in microseconds", np.float64: "number", np.bool_: "bool"}


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
