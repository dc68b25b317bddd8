"""From positions to money: fills, costs, equity.

What is decided at a close is filled at the next open of each symbol.  Shares
are held unchanged from there on until they are traded again; at each open the
position is brought to its target, and all that is traded is charged, the drift
of the weights since the last open included.  Cash earns nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nt_memory._shown import shown
from nt_memory._values import finite

if TYPE_CHECKING:
    from nt_memory.backtest.market import Market, Mask
    from nt_memory.market import BarSeries, Floats


@dataclass(frozen=True, slots=True)
class Costs:
    """What a trade pays, as a share of what it moves: a fee, and slippage against the open.

    Raises
    ------
    ValueError
        One is negative or 0.1 and more.
    """

    fee: float = 0.0001
    slippage: float = 0.0002

    def __post_init__(self) -> None:
        for name in ("fee", "slippage"):
            value = getattr(self, name)
            if not 0.0 <= finite(name, value) < 0.1:
                msg = f"{name}={shown(value)}: give a share of what is traded, such as 0.0001"
                raise ValueError(msg)

    @property
    def total(self) -> float:
        """Both together."""
        return self.fee + self.slippage


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What one arm did, one row a step, marked at the close.

    The first step is the one after the first decision.  ``returns`` are net of
    costs; ``traded`` is the share of equity bought or sold at the open and
    ``position`` the share held after it (negative: short), a column a symbol.
    """

    returns: Floats
    traded: Floats
    position: Floats


def simulate(market: Market, start: int, targets: Floats, costs: Costs) -> Run:
    """Fill targets at the next open and mark the equity at each close.

    Parameters
    ----------
    market
        A symbol without a bar at a step keeps its shares there, at its last close.
    start
        Step of the first decision.
    targets
        Positions, as shares of equity, decided at the close of ``start``,
        ``start + 1``, ... up to the last step, whose decision is never filled;
        shape (steps, symbols).  NaN leaves the shares of a symbol as they are.
    costs
        Charged on what is traded.

    Raises
    ------
    ValueError
        There is not one row of targets a step from ``start`` on.
    """
    if targets.shape != (len(market) - start, len(market.symbols)):
        msg = (
            f"targets: shape {targets.shape} for {len(market) - start} steps and "
            f"{len(market.symbols)} symbols"
        )
        raise ValueError(msg)
    prices = market.prices
    opens, closes = prices.open[start + 1 :], prices.close[start + 1 :]
    move = opens[1:] / opens[:-1]
    wanted = targets[:-1]
    kept_shares = ~prices.fresh[start + 1 :] | np.isnan(wanted)
    held = np.where(kept_shares, 0.0, wanted)
    _let_drift(held, move, kept_shares, costs)
    growth = 1.0 + (held[:-1] * (move - 1.0)).sum(axis=1)
    alive = np.where(growth > 0.0, growth, 1.0)
    nothing = np.zeros((1, held.shape[1]))
    drifted = np.concatenate([nothing, held[:-1] * move / alive[:, np.newaxis]])
    traded = np.where(kept_shares, 0.0, np.abs(held - drifted))
    kept = 1.0 - costs.total * traded.sum(axis=1)
    at_open = np.cumprod(np.concatenate([[1.0], growth]) * kept)
    at_close = at_open * (1.0 + (held * (closes / opens - 1.0)).sum(axis=1))
    lost = np.flatnonzero((at_open <= 0.0) | (at_close <= 0.0))
    if len(lost):
        # Who has lost everything does not come back.
        at_close[lost[0] :] = 0.0
        held[lost[0] + 1 :] = traded[lost[0] + 1 :] = 0.0
    before = np.concatenate([[1.0], at_close[:-1]])
    returns = np.divide(at_close, before, out=np.ones_like(before), where=before > 0.0) - 1.0
    return Run(returns=returns, traded=traded, position=held)


def _let_drift(held: Floats, move: Floats, kept_shares: Mask, costs: Costs) -> None:
    """Fill in the weights of shares that are not traded: what the prices made of them.

    Only steps that follow a position and leave some of it alone need this, one after another.
    """
    for step in np.flatnonzero(kept_shares.any(axis=1)):
        if step == 0 or not held[step - 1].any():
            continue
        alone = kept_shares[step]
        worth = held[step - 1] * move[step - 1]
        left = 1.0 + (worth - held[step - 1]).sum()
        if left <= 0.0:
            return
        drifted = worth / left
        traded = np.abs(held[step] - drifted)[~alone].sum()
        # The others pay the costs, so what was left alone is more of what remains.
        held[step, alone] = drifted[alone] / (1.0 - costs.total * traded)


def outcomes(bars: BarSeries, holding: int) -> Floats:
    """Return `BarSeries.outcome` of every bar; NaN where the series ends before."""
    met = np.full(len(bars), np.nan)
    if len(bars) > holding:
        met[: len(bars) - holding] = bars.close[holding:] / bars.open[1 : len(bars) - holding + 1]
        met -= 1.0
    return met


def trades(directions: Floats, met: Floats, costs: Costs) -> Floats:
    """Return the result of every decision that took a side and has ended, after costs both ways."""
    done = (directions != 0.0) & np.isfinite(met)
    net: Floats = directions[done] * met[done] - 2.0 * costs.total
    return net
