"""The features against TA-Lib, where it has the indicator."""

import numpy as np
import pytest
import talib

from markets import random_bars
from nt_memory.agents.features import liquidity, sentiment, wyckoff
from nt_memory.agents.features._trailing import (
    log_returns,
    trailing_max,
    trailing_mean,
    trailing_min,
)
from nt_memory.backtest import load_sp500

SERIES = [random_bars(500, seed=7), load_sp500()]
every_series = pytest.mark.parametrize("bars", SERIES, ids=["random", "S&P 500"])


def same(ours, theirs, scale=None):
    """Compare where both are told, to 1e-9 of the value (or of a scale)."""
    told = ~np.isnan(ours)
    assert told.sum() > len(ours) - 80
    tolerance = 1e-9 * (np.abs(theirs[told]) if scale is None else scale)
    assert (np.abs(ours[told] - theirs[told]) <= tolerance + 1e-15).all()


@every_series
def test_the_accumulation_distribution_line(bars):
    theirs = talib.AD(bars.high, bars.low, bars.close, bars.volume)
    same(wyckoff.ad_line(bars), theirs, scale=bars.volume.sum())


@every_series
def test_momentum(bars):
    same(sentiment.momentum(bars, 21), np.log(talib.ROCR(bars.close, 21)), scale=1.0)


@every_series
def test_volatility(bars):
    deviation = np.full(len(bars), np.nan)
    deviation[1:] = talib.STDDEV(log_returns(bars.close)[1:], 21) * np.sqrt(21 / 20)
    same(sentiment.volatility(bars, 21), deviation)


@every_series
def test_trend_strength(bars):
    log_close = np.log(bars.close)
    slope = talib.LINEARREG_SLOPE(log_close, 63)
    line_spread = slope * slope * (63 * 63 - 1) / 12.0
    theirs = np.sign(slope) * line_spread / talib.VAR(log_close, 63)
    same(sentiment.trend_strength(bars, 63), theirs, scale=1.0)


@every_series
def test_trailing_windows(bars):
    same(trailing_max(bars.high, 63), talib.MAX(bars.high, 63))
    same(trailing_min(bars.low, 63), talib.MIN(bars.low, 63))
    same(trailing_mean(bars.close, 21), talib.SMA(bars.close, 21))


@every_series
def test_accumulation_is_chaikins_money_flow_over_volume(bars):
    line = np.concatenate([[0.0], talib.AD(bars.high, bars.low, bars.close, bars.volume)])
    theirs = np.full(len(bars), np.nan)
    theirs[62:] = (line[63:] - line[:-63]) / talib.SUM(bars.volume, 63)[62:]
    same(wyckoff.accumulation(bars, 63), theirs, scale=1.0)


def test_kyles_lambda_is_the_slope_of_a_regression_through_the_origin():
    bars = random_bars(500, seed=7)  # where every bar moves
    returns = log_returns(bars.close)
    flow = np.sign(returns) * bars.close * bars.volume
    theirs = talib.SUM((returns * flow)[1:], 21) / talib.SUM((flow * flow)[1:], 21)
    same(liquidity.kyle_lambda(bars, 21)[1:], theirs)


@every_series
def test_illiquidity_is_the_mean_of_return_over_money(bars):
    impact = np.abs(log_returns(bars.close)) / (bars.close * bars.volume)
    same(liquidity.amihud(bars, 21)[1:], talib.SMA(impact[1:], 21))
