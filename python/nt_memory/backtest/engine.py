"""From decisions to money: overlapping positions, fills, costs, equity.

A direction (-1, 0, +1) is decided at the close of a bar.  Capital is split
into as many equal sleeves as the holding period has bars; each decision fills
one sleeve at the next open, and the sleeve is filled anew ``holding`` opens
later.  The position from one open to the next is therefore the mean of the
last ``holding`` directions.  Where the old and the new decision of a sleeve
agree, nothing is traded and nothing is paid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nt_memory.market import BarSeries, Floats


@dataclass(frozen=True, slots=True)
class Costs:
    """What a trade pays, as a share of what it moves: a fee, and slippage against the open."""

    fee: float = 0.0001
    slippage: float = 0.0002

    @property
    def total(self) -> float:
        """Both together."""
        return self.fee + self.slippage


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What one arm did, one value a bar, marked at the close.

    The first bar is the one after the first decision.  ``returns`` are net of
    costs, ``traded`` is the share of equity bought or sold at the open,
    ``position`` the share held after it (negative: short).
    """

    returns: Floats
    traded: Floats
    position: Floats


def overlapping(directions: Floats, holding: int) -> Floats:
    """Average the last ``holding`` directions; before the first there were none (0)."""
    padded = np.concatenate([np.zeros(holding - 1), directions])
    size = len(directions)
    total: Floats = np.sum([padded[lag : lag + size] for lag in range(holding)], axis=0)
    return total / holding


def simulate(bars: BarSeries, start: int, targets: Floats, costs: Costs) -> Run:
    """Fill targets at the next open and mark the equity at each close.

    Shares are held unchanged from open to open; at each open the position is
    brought to its target, and all that is traded is charged, the drift of the
    weight since the last open included.  Cash earns nothing.

    Parameters
    ----------
    bars
        The market.
    start
        Bar of the first decision.
    targets
        Position, as a share of equity, decided at the close of ``start``,
        ``start + 1``, ... up to the last bar, whose decision is never filled.
    costs
        Charged on what is traded.

    Raises
    ------
    ValueError
        There is not one target a bar from ``start`` on.
    """
    if len(targets) != len(bars) - start:
        msg = f"targets: {len(targets)} for {len(bars) - start} bars"
        raise ValueError(msg)
    held = targets[:-1]
    opens, closes = bars.open[start + 1 :], bars.close[start + 1 :]
    move = opens[1:] / opens[:-1]
    growth = 1.0 + held[:-1] * (move - 1.0)
    drifted = np.concatenate([[0.0], held[:-1] * move / growth])
    traded = np.abs(held - drifted)
    kept = 1.0 - costs.total * traded
    at_open = np.cumprod(np.concatenate([[1.0], growth]) * kept)
    at_close = at_open * (1.0 + held * (closes / opens - 1.0))
    returns = at_close / np.concatenate([[1.0], at_close[:-1]]) - 1.0
    return Run(returns=returns, traded=traded, position=held)


def outcomes(bars: BarSeries, holding: int) -> Floats:
    """Return `BarSeries.outcome` of every bar; NaN where the series ends before."""
    ended = [bars.outcome(bar, holding) for bar in range(len(bars) - holding)]
    return np.array(ended + [np.nan] * min(holding, len(bars)))


def trades(directions: Floats, met: Floats, costs: Costs) -> Floats:
    """Return the result of every decision that took a side and has ended, after costs both ways."""
    done = (directions != 0.0) & np.isfinite(met)
    net: Floats = directions[done] * met[done] - 2.0 * costs.total
    return net
