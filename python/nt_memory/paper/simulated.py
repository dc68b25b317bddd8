"""A broker that fills at the next open, and keeps its book in the memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nt_memory._shown import shown
from nt_memory._values import finite, pack, unpack, whole
from nt_memory.agents._checks import text
from nt_memory.clock import from_micros, to_micros
from nt_memory.errors import OrderRefusedError
from nt_memory.market import BarSeries
from nt_memory.paper.broker import Fill, Order
from nt_memory.paper.state import namespace_of
from nt_memory.store import Expect, Op, Put

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nt_memory.system import MemorySystem

_BOOK = "book"


class SimulatedBroker:
    """Fills each order at the open of the symbol's next bar, whole, at the open's price.

    A buy pays the slippage above it, a sale below, and a fee of what was moved.  Money that
    is short is lent, and shares are, at no cost.  The book is in the memory under
    ``shared/paper/<name>/broker``: another broker of that name goes on with it.

    Parameters
    ----------
    memory
        Where the book is.
    name
        Of the book; that of the trader.
    cash
        What a new book begins with, above 0.
    fee, slippage
        Shares of what is traded; 0.0001 is a basis point.
    answer
        Asked once about each order that is taken: the share of it to fill, 0 to 1, or raise
        `OrderRefusedError`.  All of each by default.

    Raises
    ------
    ValueError
        A number is out of its range.
    NamespaceError
        The name cannot be part of a namespace.

    Examples
    --------
    >>> from nt_memory import MemorySystem
    >>> with MemorySystem(":memory:") as memory:
    ...     broker = SimulatedBroker(memory, cash=1000.0)
    ...     broker.cash(), broker.positions()
    (1000.0, {})
    """

    def __init__(
        self,
        memory: MemorySystem,
        name: str = "paper",
        *,
        cash: float = 100_000.0,
        fee: float = 0.0001,
        slippage: float = 0.0002,
        answer: Callable[[Order], float] | None = None,
    ) -> None:
        self._memory = memory
        self._namespace = f"{namespace_of(name)}/broker"
        if finite("cash", cash) <= 0.0:
            msg = f"cash={shown(cash)}: give an amount above 0"
            raise ValueError(msg)
        self._cash = float(cash)
        self._fee = finite("fee", fee, 0.0, 0.1)
        self._slippage = finite("slippage", slippage, 0.0, 0.1)
        self._answer = answer

    def submit(self, order: Order) -> None:
        """Take an order for the next open; see `Broker.submit`."""
        if not isinstance(order, Order):
            msg = f"order={shown(order)}: give an Order"
            raise TypeError(msg)
        text("id", order.id)
        text("symbol", order.symbol)
        quantity = finite("quantity", order.quantity)
        row, book = self._read()
        at = to_micros(order.at, "at")
        last, refused = book["taken"].get(order.symbol, (None, None))
        if last is not None and at <= last:
            if at == last and refused is not None:
                raise OrderRefusedError(refused)
            return
        share, why = 1.0, None
        if self._answer is not None:
            try:
                share = finite("answer", self._answer(order), 0.0, 1.0)
            except OrderRefusedError as error:
                why = str(error)
        book["taken"][order.symbol] = [at, why]
        if why is None:
            book["orders"][order.symbol] = [order.id, at, quantity * share]
        self._write(row, book, [])
        if why is not None:
            raise OrderRefusedError(why)

    def fills(self, bar: BarSeries, after: int) -> list[Fill]:
        """Fill what waits for the open of this bar; see `Broker.fills`."""
        if not isinstance(bar, BarSeries) or len(bar) != 1:
            msg = f"bar={shown(bar)}: give a BarSeries of one bar, as bars.window(n, n + 1)"
            raise ValueError(msg)
        whole("after", after, 0)
        row, book = self._read()
        waiting = book["orders"].get(bar.symbol)
        if waiting is not None and waiting[1] < int(bar.times[0]):
            self._fill(row, book, bar)
        return [self._told(number) for number in range(after + 1, book["fills"] + 1)]

    def positions(self) -> Mapping[str, float]:
        """Return the shares that are held, negative where they are owed."""
        return dict(self._read()[1]["positions"])

    def cash(self) -> float:
        """Return the money that is held."""
        return float(self._read()[1]["cash"])

    def _fill(self, row: bytes | None, book: dict[str, Any], bar: BarSeries) -> None:
        symbol = bar.symbol
        order, _, quantity = book["orders"].pop(symbol)
        ops: list[Op] = []
        if quantity:
            side = 1.0 if quantity > 0.0 else -1.0
            price = float(bar.open[0]) * (1.0 + side * self._slippage)
            fee = self._fee * abs(quantity) * price
            book["cash"] -= quantity * price + fee
            held = book["positions"].pop(symbol, 0.0) + quantity
            if held:
                book["positions"][symbol] = held
            book["fills"] += 1
            told = [order, symbol, quantity, price, fee, int(bar.times[0])]
            ops.append(Put(self._namespace, _key(book["fills"]), pack(told)))
        self._write(row, book, ops)

    def _told(self, number: int) -> Fill:
        row = self._memory.get(self._namespace, _key(number))
        assert row is not None  # noqa: S101 (it was written with the count)
        order, symbol, quantity, price, fee, at = unpack(row)
        return Fill(number, order, symbol, quantity, price, fee, from_micros(at))

    def _read(self) -> tuple[bytes | None, dict[str, Any]]:
        """Return the book as it is kept, and what it says."""
        row = self._memory.get(self._namespace, _BOOK)
        if row is not None:
            return row, unpack(row)
        return None, {"cash": self._cash, "positions": {}, "orders": {}, "taken": {}, "fills": 0}

    def _write(self, row: bytes | None, book: dict[str, Any], ops: list[Op]) -> None:
        """Keep a book where it is still the one that was read, with what made it so."""
        before = Expect(self._namespace, _BOOK, row)
        self._memory.store.commit([before, Put(self._namespace, _BOOK, pack(book)), *ops])


def _key(number: int) -> str:
    return f"fill/{number:012}"
