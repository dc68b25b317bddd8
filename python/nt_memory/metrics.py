"""Measures of a strategy, from its returns a bar and its finished trades.

Returns are simple returns a bar; 252 bars make a year; the risk-free rate is
zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nt_memory.market import Floats

BARS_A_YEAR = 252


def equity_curve(returns: Floats) -> Floats:
    """Compound returns into the value of 1 after each bar."""
    curve: Floats = np.multiply.accumulate(1.0 + returns)
    return curve


def total_return(returns: Floats) -> float:
    """Compound all returns: 0.5 is a gain of one half."""
    return float(equity_curve(returns)[-1] - 1.0) if len(returns) else 0.0


def annualised_return(returns: Floats) -> float:
    """Return the growth a year that compounds to the total return."""
    if not len(returns):
        return 0.0
    return float((1.0 + total_return(returns)) ** (BARS_A_YEAR / len(returns)) - 1.0)


def sharpe_ratio(returns: Floats) -> float:
    """Divide the mean by the sample standard deviation, annualised; 0 where nothing moved."""
    if len(returns) < 2:
        return 0.0
    deviation = returns.std(ddof=1)
    return float(returns.mean() / deviation * np.sqrt(BARS_A_YEAR)) if deviation > 0 else 0.0


def sortino_ratio(returns: Floats) -> float:
    """Divide the mean by the root mean square of the losses, annualised; 0 without a loss."""
    if not len(returns):
        return 0.0
    downside = np.sqrt(np.mean(np.minimum(returns, 0.0) ** 2))
    return float(returns.mean() / downside * np.sqrt(BARS_A_YEAR)) if downside > 0 else 0.0


def drawdowns(returns: Floats) -> Floats:
    """Return how far the equity is below its peak after each bar: 0 or negative."""
    curve = equity_curve(returns)
    # The starting value counts as a peak: a loss on the first bar is a drawdown.
    peaks = np.maximum.accumulate(np.maximum(curve, 1.0))
    below: Floats = curve / peaks - 1.0
    return below


def max_drawdown(returns: Floats) -> float:
    """Return the deepest drawdown: -0.2 is a fifth below the peak."""
    return float(drawdowns(returns).min()) if len(returns) else 0.0


def win_rate(trades: Floats) -> float | None:
    """Return the share of trades that gained; None without a trade."""
    return float(np.mean(trades > 0.0)) if len(trades) else None


def annual_turnover(traded: Floats) -> float:
    """Return what is bought and sold in a year, in multiples of the equity.

    ``traded`` is the traded share of the equity on each bar.
    """
    return float(traded.mean() * BARS_A_YEAR) if len(traded) else 0.0
