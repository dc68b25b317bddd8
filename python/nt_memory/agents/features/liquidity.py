"""Illiquidity: how far a unit of money moves the price."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nt_memory.agents.features._trailing import (
    log_returns,
    ratio,
    trailing_scores,
    trailing_sum,
)
from nt_memory.agents.features.profile import profile_columns

if TYPE_CHECKING:
    from nt_memory.agents.features.settings import FeatureSettings
    from nt_memory.market import BarSeries, Floats


def amihud(bars: BarSeries, window: int) -> Floats:
    """Average |log return| over traded money, of the bars of the window with volume.

    Amihud (2002), Illiquidity and stock returns; NaN in a window without volume.
    """
    money = bars.close * bars.volume
    traded = money > 0.0
    moves = np.abs(log_returns(bars.close))
    impact: Floats = np.where(traded, moves / np.where(traded, money, 1.0), moves * 0.0)
    return ratio(
        trailing_sum(impact, window), trailing_sum(traded.astype(np.float64), window), np.nan
    )


def kyle_lambda(bars: BarSeries, window: int) -> Floats:
    """Regress log returns on signed traded money, through the origin.

    A bar's volume has the sign of its return; where the price did not move, that
    of the last bar where it did (the tick rule; Lopez de Prado 2018, Advances in
    Financial Machine Learning, 19.4.1).  NaN in a window without signed volume.
    """
    returns = log_returns(bars.close)
    flow = _last_sign(returns) * bars.close * bars.volume
    flow[:1] = np.nan
    return ratio(trailing_sum(returns * flow, window), trailing_sum(flow * flow, window), np.nan)


def _last_sign(returns: Floats) -> Floats:
    sign = np.sign(np.nan_to_num(returns))
    moved = np.where(sign != 0.0, np.arange(len(sign)), 0)
    last: Floats = sign[np.maximum.accumulate(moved)]
    return last


def liquidity_columns(bars: BarSeries, settings: FeatureSettings) -> dict[str, Floats]:
    """Compute the scores and the volume profile, one value a bar."""
    raw = {
        "amihud": amihud(bars, settings.liquidity_window),
        "kyle_lambda": kyle_lambda(bars, settings.liquidity_window),
    }
    scores = {
        name: trailing_scores(values, settings.score_window, settings.score_limit)
        for name, values in raw.items()
    }
    return {**scores, **profile_columns(bars, settings)}
