"""What a paper trader goes on with after a restart: one row of the memory."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from nt_memory._values import pack, segment, unpack
from nt_memory.clock import from_micros, to_micros
from nt_memory.paper.broker import Order

if TYPE_CHECKING:
    from datetime import datetime

STATE = "state"


def namespace_of(name: str) -> str:
    """Return where a trader of a name keeps what it knows.

    Raises
    ------
    NamespaceError
        The name cannot be part of a namespace.
    """
    return f"shared/paper/{segment('name', name)}"


@dataclass(frozen=True, slots=True)
class PaperState:
    """Where a trader stands after a bar.

    Parameters
    ----------
    generation
        How many traders of this name there have been; the latest one trades.
    symbols, holding
        What is traded, and the bars that a decision counts for.
    bars
        How many were handled.
    at
        The latest close of them.
    last, closes
        The last close of each symbol: when, and at which price.
    weights
        The last ``holding`` decisions on each symbol, oldest first.
    fills
        Number of the last fill seen.
    cash, positions
        As the broker told them at the last bar.
    order
        Decided at the last bar, and to be sent; sent again after a restart.
    """

    generation: int
    symbols: tuple[str, ...]
    holding: int
    bars: int = 0
    at: datetime | None = None
    last: dict[str, datetime] = field(default_factory=dict)
    closes: dict[str, float] = field(default_factory=dict)
    weights: dict[str, list[float]] = field(default_factory=dict)
    fills: int = 0
    cash: float = 0.0
    positions: dict[str, float] = field(default_factory=dict)
    order: Order | None = None

    @property
    def equity(self) -> float:
        """Cash, and what is held at its last closes; what has no close yet counts nothing."""
        held = (count * self.closes.get(name, 0.0) for name, count in self.positions.items())
        return self.cash + sum(held)

    def target(self, symbol: str) -> float:
        """Return the share of the equity to hold: the mean of the decisions that count."""
        made = self.weights.get(symbol, [])
        return sum(made) / self.holding / len(self.symbols)

    def packed(self) -> bytes:
        """Return the row that keeps it."""
        order = self.order
        return pack(
            {
                **asdict(self),
                "at": None if self.at is None else to_micros(self.at),
                "symbols": list(self.symbols),
                "last": {symbol: to_micros(at) for symbol, at in self.last.items()},
                "order": order and [order.id, order.symbol, order.quantity, to_micros(order.at)],
            }
        )

    @classmethod
    def of(cls, row: bytes) -> PaperState:
        """Return what `packed` gave."""
        told = unpack(row)
        told["symbols"] = tuple(told["symbols"])
        told["at"] = None if told["at"] is None else from_micros(told["at"])
        told["last"] = {symbol: from_micros(at) for symbol, at in told["last"].items()}
        if told["order"] is not None:
            id_, symbol, quantity, at = told["order"]
            told["order"] = Order(id_, symbol, quantity, from_micros(at))
        return cls(**told)
