"""What is known of a market at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from nt_memory._shown import shown
from nt_memory._values import finite
from nt_memory.clock import from_micros, to_micros
from nt_memory.regime.features import checked_columns

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from nt_memory.market import BarSeries, Floats

_SIDES = {"bids": -1.0, "asks": 1.0}


@dataclass(frozen=True, slots=True)
class OrderBook:
    """Levels of an order book, the best first.

    Parameters
    ----------
    bids, asks
        Pairs of price and size, one or more a side: prices positive, falling from bid to
        bid and rising from ask to ask; sizes positive.  The best bid is not above the
        best ask.

    Examples
    --------
    >>> book = OrderBook(bids=[(99.5, 30.0), (99.0, 30.0)], asks=[(100.5, 20.0)])
    >>> book.spread, book.imbalance
    (1.0, 0.5)
    """

    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        for name, sign in _SIDES.items():
            object.__setattr__(self, name, _levels(name, getattr(self, name), sign))
        if self.spread < 0.0:
            bid, ask = self.bids[0][0], self.asks[0][0]
            msg = f"bids begin at {bid:g}, asks at {ask:g}: no bid lies above an ask"
            raise ValueError(msg)

    @property
    def spread(self) -> float:
        """Best ask less best bid."""
        return self.asks[0][0] - self.bids[0][0]

    @property
    def imbalance(self) -> float:
        """(Bid size - ask size) / (bid size + ask size) over all levels, -1 to 1."""
        bid, ask = (sum(size for _, size in side) for side in (self.bids, self.asks))
        return (bid - ask) / (bid + ask)


@dataclass(frozen=True, slots=True, eq=False)
class MarketSnapshot:
    """The bars of a symbol up to a moment, and its order book then.

    Parameters
    ----------
    symbol
        Name of the instrument.
    at
        When the last bar closed; aware.
    prices, volumes
        Closes and traded quantities, oldest first, one of each a bar; copied, and
        read-only from then on.
    book
        The order book at ``at``, where there is one.

    Examples
    --------
    >>> from datetime import datetime, timezone
    >>> snapshot = MarketSnapshot(
    ...     symbol="SPY",
    ...     at=datetime(2024, 1, 2, 21, tzinfo=timezone.utc),
    ...     prices=[470.0, 472.0, 471.0],
    ...     volumes=[1e6, 2e6, 1e6],
    ... )
    >>> snapshot.price, snapshot.get_price_history(2).tolist(), snapshot.spread
    (471.0, [472.0, 471.0], None)
    """

    symbol: str
    at: datetime
    prices: Floats
    volumes: Floats
    book: OrderBook | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.symbol, str) or not self.symbol:
            msg = f"symbol={shown(self.symbol)}: give the name of an instrument"
            raise ValueError(msg)
        if self.book is not None and not isinstance(self.book, OrderBook):
            msg = f"book={shown(self.book)}: give an OrderBook, or None"
            raise TypeError(msg)
        at = from_micros(to_micros(self.at, "at"))
        prices, volumes = (values.copy() for values in checked_columns(self.prices, self.volumes))
        if not len(prices):
            msg = "prices is empty: give one bar or more"
            raise ValueError(msg)
        for name, value in {"at": at, "prices": prices, "volumes": volumes}.items():
            if value is not at:
                value.flags.writeable = False
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, bars: BarSeries, book: OrderBook | None = None) -> MarketSnapshot:
        """Return the snapshot at the close of the last bar of a series."""
        return cls(bars.symbol, bars.closed_at(-1), bars.close, bars.volume, book)

    @property
    def price(self) -> float:
        """The last close."""
        return float(self.prices[-1])

    @property
    def spread(self) -> float | None:
        """Best ask less best bid; None without a book."""
        return None if self.book is None else self.book.spread

    @property
    def orderbook_imbalance(self) -> float | None:
        """That of the book, -1 to 1; None without one."""
        return None if self.book is None else self.book.imbalance

    def get_price_history(self, n: int) -> Floats:
        """Return the last ``n`` closes, the oldest first.

        Raises
        ------
        ValueError
            There are fewer.
        """
        return self._last(self.prices, n)

    def get_volume_history(self, n: int) -> Floats:
        """Return the volumes of the last ``n`` bars, the oldest first; as `get_price_history`."""
        return self._last(self.volumes, n)

    def _last(self, values: Floats, n: int) -> Floats:
        if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= len(values):
            msg = f"n={shown(n)}: give 1 to {len(values)}, for there are so many bars"
            raise ValueError(msg)
        return values[-n:]


def _levels(
    name: str, given: Iterable[tuple[float, float]], sign: float
) -> tuple[tuple[float, float], ...]:
    try:
        levels = tuple((float(price), float(size)) for price, size in given)
    except (TypeError, ValueError) as error:
        msg = f"{name}={shown(given)}: give pairs of price and size"
        raise ValueError(msg) from error
    if not levels:
        msg = f"{name} is empty: give one level or more; without a book, give book=None"
        raise ValueError(msg)
    for place, (price, size) in enumerate(levels):
        for what, value in (("price", price), ("size", size)):
            if finite(f"{name}[{place}] {what}", value) <= 0.0:
                msg = f"{name}[{place}] {what}={value:g}: give a positive number"
                raise ValueError(msg)
    for place, (better, worse) in enumerate(pairwise(levels)):
        if sign * (worse[0] - better[0]) <= 0.0:
            msg = f"{name}[{place + 1}] price={worse[0]:g}: give the best level first, each once"
            raise ValueError(msg)
    return levels
