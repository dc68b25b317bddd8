"""Months, years and the worst falls."""

from datetime import datetime, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_memory import metrics
from nt_memory.backtest.periods import annual_returns, monthly_returns, worst_falls
from nt_memory.clock import to_micros

BEGUN = datetime(2023, 12, 29, tzinfo=timezone.utc)
DAY = 86_400_000_000
TIMES = to_micros(BEGUN) + DAY * (1 + np.arange(400))


def drawn(seed, count=400):
    return np.random.default_rng(seed).normal(0.0, 0.02, count)


@given(st.integers(0, 1000), st.integers(1, 400))
def test_months_compound_to_years_and_to_the_whole(seed, count):
    returns = drawn(seed, count)
    months = monthly_returns(TIMES[:count], returns)
    assert list(months) == sorted(months)
    whole = np.prod([1.0 + made for made in months.values()]) - 1.0
    assert whole == pytest.approx(metrics.total_return(returns))
    years = annual_returns(TIMES[:count], returns)
    assert np.prod([1.0 + made for made in years.values()]) - 1.0 == pytest.approx(whole)


def test_a_month_is_that_of_the_close():
    months = monthly_returns(TIMES[:4], np.array([0.1, 0.1, 0.2, 0.0]))
    assert months == pytest.approx({(2023, 12): 0.21, (2024, 1): 0.2})


def test_no_returns_have_no_months():
    assert monthly_returns(TIMES[:0], np.array([])) == {}


def test_a_fall_runs_from_its_peak_to_its_recovery():
    returns = np.array([0.1, -0.1, -0.1, 0.3, 0.0, -0.05])
    first, second = worst_falls(TIMES[:6], returns, BEGUN)
    assert first.depth == pytest.approx(-0.19)
    days = [at.day for at in (first.peak, first.trough, first.recovered)]
    assert (days, first.bars) == ([30, 1, 2], 2)
    assert (second.depth, second.recovered) == (pytest.approx(-0.05), None)


def test_a_fall_from_the_start_has_it_as_its_peak():
    (fall,) = worst_falls(TIMES[:2], np.array([-0.1, 0.0]), BEGUN)
    assert fall.peak == BEGUN


@given(st.integers(0, 1000))
def test_the_worst_fall_is_the_max_drawdown(seed):
    returns = drawn(seed)
    falls = worst_falls(TIMES, returns, BEGUN, most=400)
    assert falls[0].depth == pytest.approx(metrics.max_drawdown(returns))
    assert sum(fall.bars for fall in falls) == (metrics.drawdowns(returns) < 0).sum()
    assert all(fall.peak < fall.trough for fall in falls)
    assert [fall.depth for fall in falls] == sorted(fall.depth for fall in falls)
