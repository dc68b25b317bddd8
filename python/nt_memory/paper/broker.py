"""What a paper trader asks of a broker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from nt_memory.market import BarSeries


@dataclass(frozen=True, slots=True)
class Order:
    """An order to trade at the next open of a symbol, at the market.

    What is not filled there is dropped: it does not wait for the open after it.

    Parameters
    ----------
    id
        Its name, the same however often it is sent: ``<trader>.<symbol>.<microseconds>``.
    symbol
        What to trade.
    quantity
        Shares, negative to sell.
    at
        The close that it was decided at.
    """

    id: str
    symbol: str
    quantity: float
    at: datetime


@dataclass(frozen=True, slots=True)
class Fill:
    """What became of an order, or of a part of it.

    Parameters
    ----------
    number
        1, 2, ... in the order in which the broker filled.
    order
        Id of the order.
    symbol
        What was traded.
    quantity
        Shares, negative where they were sold.
    price
        Paid or had for each, the slippage within.
    fee
        Taken for it, in money.
    at
        Close of the bar whose open it was filled at: from then on it is known.
    """

    number: int
    order: str
    symbol: str
    quantity: float
    price: float
    fee: float
    at: datetime


class Broker(Protocol):
    """Where a paper trader sends its orders: the party that knows what is held.

    It outlasts the trader.  A trader that was killed sends its last orders again, and asks
    for the fills that it has not seen.
    """

    def submit(self, order: Order) -> None:
        """Take an order for the next open.

        One that it has taken before, by its id, is not taken twice.  A later one of a
        symbol takes the place of one that waits.

        Raises
        ------
        OrderRefusedError
            It is not taken, and will not be if it comes again.
        """
        ...

    def fills(self, bar: BarSeries, after: int) -> Sequence[Fill]:
        """Be told a bar (a series of one), and return the fills numbered above ``after``.

        Asked again, it returns the same again.
        """
        ...

    def positions(self) -> Mapping[str, float]:
        """Return the shares that are held, negative where they are owed."""
        ...

    def cash(self) -> float:
        """Return the money that is held."""
        ...
