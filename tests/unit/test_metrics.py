"""Measures of a strategy against their plain formulas."""

import itertools
import json
import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from builders import day
from nt_memory import metrics
from nt_memory.metrics import PerformanceMetrics

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


def measured(returns, start=0):
    returns = list(returns)
    return PerformanceMetrics.of(returns, [day(start + n) for n in range(len(returns))])


@given(RETURNS)
def test_performance_is_what_the_functions_say(returns):
    found = measured(returns)
    assert found.n == len(returns)
    assert found.mean_return == pytest.approx(returns.mean(), abs=1e-12)
    assert found.std_return == pytest.approx(returns.std(ddof=1), abs=1e-12)
    assert found.standard_error == pytest.approx(
        returns.std(ddof=1) / math.sqrt(len(returns)), abs=1e-12
    )
    assert found.win_rate == metrics.win_rate(returns)
    assert found.max_drawdown == pytest.approx(metrics.max_drawdown(returns), abs=1e-12)
    assert found.growth == pytest.approx(1.0 + metrics.total_return(returns))
    assert found.sortino == pytest.approx(metrics.sortino_ratio(returns))
    if found.std_return > 1e-9:
        assert found.sharpe == pytest.approx(metrics.sharpe_ratio(returns), rel=1e-6, abs=1e-9)
    assert (found.first, found.last) == (day(0), day(len(returns) - 1))


@given(RETURNS, st.lists(st.integers(0, 60), max_size=4))
def test_the_performance_of_parts_merges_into_that_of_the_whole(returns, cuts):
    edges = [0, *sorted(min(cut, len(returns)) for cut in cuts), len(returns)]
    merged = PerformanceMetrics()
    for start, end in itertools.pairwise(edges):
        merged = merged.merge(measured(returns[start:end], start))
    whole = measured(returns)
    assert (merged.n, merged.wins, merged.first, merged.last) == (
        *(whole.n, whole.wins, whole.first, whole.last),
    )
    for name in ("mean_return", "spread", "downside", "growth", "peak", "trough", "max_drawdown"):
        assert getattr(merged, name) == pytest.approx(getattr(whole, name), abs=1e-9)


def test_a_loss_of_everything_leaves_nothing():
    ruined = measured([-1.5, 0.2])
    assert (ruined.growth, ruined.max_drawdown) == (0.0, -1.0)
    assert ruined.merge(measured([0.5], 2)).max_drawdown == -1.0


def test_no_returns_have_no_performance():
    nothing = PerformanceMetrics()
    assert (nothing.sharpe, nothing.sortino, nothing.std_return) == (0.0, 0.0, 0.0)
    assert (nothing.win_rate, nothing.standard_error, nothing.first) == (None, None, None)
    assert nothing.merge(measured([0.1])) == measured([0.1]).merge(nothing) == measured([0.1])


@given(RETURNS)
def test_a_performance_is_kept_as_json(returns):
    found = measured(returns)
    assert PerformanceMetrics.from_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e101])
def test_returns_are_finite(bad):
    with pytest.raises(ValueError, match=r"returns\[1\]="):
        measured([0.1, bad])


def test_returns_have_a_time_each_and_times_go_on():
    with pytest.raises(ValueError, match="one time a return"):
        PerformanceMetrics.of([0.1], [])
    with pytest.raises(ValueError, match="times go back"):
        PerformanceMetrics.of([0.1, 0.2], [day(1), day(0)])


@pytest.mark.parametrize("reward", [0.1, 0.003, -0.02, 7.0])
@pytest.mark.parametrize("n", [2, 10, 13, 100])
def test_the_same_return_again_and_again_varies_by_rounding_only(reward, n):
    assert metrics.sharpe_ratio(np.full(n, reward)) == 0.0
    found = PerformanceMetrics()
    for start in range(n):
        found = found.merge(measured([reward], start))
    assert found.sharpe == measured([reward] * n).sharpe == 0.0


def test_rewards_of_any_unit_keep_the_figures_finite():
    rich = measured([500.0] * 120)
    for found in (rich, rich.merge(measured([500.0, -3.0], 120)), rich.merge(rich.merge(rich))):
        figures = found.to_json()
        assert all(math.isfinite(figures[name]) for name in ("growth", "peak", "max_drawdown"))
    assert rich.merge(measured([-0.5], 120)).max_drawdown == pytest.approx(-0.5)
    assert measured([1e99, -1.0, 5.0]).max_drawdown == -1.0
