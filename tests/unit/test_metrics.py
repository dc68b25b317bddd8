"""Measures of a strategy against their plain formulas."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nt_memory import metrics

RETURNS = hnp.arrays(
    np.float64, st.integers(2, 60), elements=st.floats(-0.2, 0.2, allow_subnormal=False)
)


def test_total_return_compounds():
    assert metrics.total_return(np.array([0.1, 0.1])) == pytest.approx(0.21)


def test_annualised_return_of_one_year_is_the_total_return():
    returns = np.full(252, 0.001)
    assert metrics.annualised_return(returns) == pytest.approx(metrics.total_return(returns))


@given(RETURNS)
def test_sharpe_is_the_mean_over_the_sample_deviation(returns):
    deviation = statistics.stdev(returns.tolist())
    if deviation < 1e-9:
        return
    expected = statistics.fmean(returns.tolist()) / deviation * math.sqrt(252)
    assert metrics.sharpe_ratio(returns) == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_sharpe_of_returns_that_do_not_move_is_zero():
    assert metrics.sharpe_ratio(np.zeros(10)) == 0.0


def test_sortino_counts_losses_only():
    returns = [0.02, -0.01, 0.03, -0.02]
    downside = math.sqrt((0.01**2 + 0.02**2) / 4)
    expected = statistics.fmean(returns) / downside * math.sqrt(252)
    assert metrics.sortino_ratio(np.array(returns)) == pytest.approx(expected)


def test_sortino_without_a_loss_is_zero():
    assert metrics.sortino_ratio(np.array([0.01, 0.02])) == 0.0


@given(RETURNS)
def test_max_drawdown_is_the_worst_fall_from_any_earlier_value(returns):
    curve = [1.0, *metrics.equity_curve(returns)]
    worst = min(
        curve[later] / curve[earlier] - 1.0
        for later in range(len(curve))
        for earlier in range(later + 1)
    )
    assert metrics.max_drawdown(returns) == pytest.approx(worst, abs=1e-12)


def test_a_loss_on_the_first_bar_is_a_drawdown():
    assert metrics.max_drawdown(np.array([-0.1, 0.05])) == pytest.approx(-0.1)


def test_win_rate_counts_gains():
    assert metrics.win_rate(np.array([0.1, -0.1, 0.0, 0.2])) == 0.5


def test_win_rate_without_a_trade_is_unknown():
    assert metrics.win_rate(np.array([])) is None


def test_turnover_is_scaled_to_a_year():
    assert metrics.annual_turnover(np.array([0.0, 1.0])) == 126.0


@pytest.mark.parametrize(
    "measure",
    [
        metrics.total_return,
        metrics.annualised_return,
        metrics.sharpe_ratio,
        metrics.sortino_ratio,
        metrics.max_drawdown,
        metrics.annual_turnover,
    ],
)
def test_no_bars_measure_zero(measure):
    assert measure(np.array([])) == 0.0
