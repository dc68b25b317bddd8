"""What a paper trader did at a bar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from nt_memory.paper.broker import Fill, Order


@dataclass(frozen=True, slots=True)
class PaperStep:
    """What a paper trader did at a bar.

    Parameters
    ----------
    symbol, at, close
        Of the bar.
    signal, weight, why
        What the swarm decided, the guard's share taken.
    regime
        The one that the market is in; None where it is not told.
    target
        Share of the equity to hold from the next open on.
    position
        Shares that are held at the close.
    cash, equity
        Money, and all that there is at the last closes.
    fills
        Seen at this bar.
    order
        What is to be traded at the next open; None where nothing is.
    refused
        Why the broker did not take it; None where it did.
    """

    symbol: str
    at: datetime
    close: float
    signal: str
    weight: float
    why: str
    regime: str | None
    target: float
    position: float
    cash: float
    equity: float
    fills: tuple[Fill, ...]
    order: Order | None
    refused: str | None
