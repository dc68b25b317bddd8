"""The measures of a run are those of empyrical."""

import warnings

import empyrical
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from experiments import made_up_experiment
from nt_memory import metrics
from nt_memory.backtest.periods import monthly_returns

RETURNS = hnp.arrays(
    np.float64, st.integers(5, 300), elements=st.floats(-0.2, 0.2, allow_subnormal=False)
).filter(lambda returns: returns.std() > 1e-6)


@given(RETURNS)
def test_each_measure_agrees(returns):
    assert metrics.total_return(returns) == pytest.approx(empyrical.cum_returns_final(returns))
    annual = empyrical.annual_return(returns)
    assert metrics.annualised_return(returns) == pytest.approx(annual, rel=1e-9, abs=1e-12)
    assert metrics.max_drawdown(returns) == pytest.approx(
        empyrical.max_drawdown(returns), abs=1e-12
    )
    assert metrics.sharpe_ratio(returns) == pytest.approx(
        empyrical.sharpe_ratio(returns), rel=1e-9, abs=1e-9
    )
    if returns.min() < -1e-9:  # squares of less than that are lost
        assert metrics.sortino_ratio(returns) == pytest.approx(
            empyrical.sortino_ratio(returns), rel=1e-9, abs=1e-9
        )


def test_the_rows_of_a_run_agree():
    for arm in made_up_experiment().arms.values():
        returns = arm.run.returns
        assert arm.metrics.total_return == pytest.approx(empyrical.cum_returns_final(returns))
        assert arm.metrics.sharpe == pytest.approx(empyrical.sharpe_ratio(returns))
        assert arm.metrics.sortino == pytest.approx(empyrical.sortino_ratio(returns))
        assert arm.metrics.max_drawdown == pytest.approx(empyrical.max_drawdown(returns))
        assert arm.metrics.annual_return == pytest.approx(empyrical.annual_return(returns))


def test_months_agree():
    experiment = made_up_experiment()
    times = experiment.market.times[experiment.start + 1 :]
    returns = experiment.arms["memory"].run.returns
    series = pd.Series(returns, index=pd.to_datetime(times, unit="us"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas warns of what empyrical asks of it
        expected = empyrical.aggregate_returns(series, "monthly")
    found = monthly_returns(times, returns)
    assert list(found) == [(int(year), int(month)) for year, month in expected.index]
    assert list(found.values()) == pytest.approx(expected.tolist())
