"""The shipped prices, and the shape that holds them."""

import gzip

import numpy as np
import pytest

from markets import random_bars
from nt_memory.backtest.data import checked, load_sp500, parse_bars
from nt_memory.errors import CorruptionError
from nt_memory.market import BarSeries


def series(**changed):
    columns = {
        "symbol": "TEST",
        "times": [1, 2],
        "open": [1.0, 2.0],
        "high": [2.0, 3.0],
        "low": [0.5, 1.0],
        "close": [1.5, 2.5],
        "volume": [10.0, 0.0],
    }
    return BarSeries(**(columns | changed))


def test_the_sp500_has_twenty_years_of_bars():
    bars = load_sp500()
    assert len(bars) == 5031
    assert bars.closed_at(0).isoformat() == "1999-01-04T21:00:00+00:00"
    assert bars.closed_at(-1).isoformat() == "2018-12-31T21:00:00+00:00"
    assert bars.close[-1] == 2506.850098


def test_a_changed_file_is_refused():
    with pytest.raises(CorruptionError, match="sha256"):
        checked(b"other bytes")


def test_a_csv_is_read_by_column_names():
    packed = gzip.compress(b"Date,Volume,Open,High,Low,Close\n2/28/2001,7,1,3,0.5,2\n", mtime=0)
    bars = parse_bars("X", packed)
    assert (bars.open[0], bars.high[0], bars.low[0], bars.close[0], bars.volume[0]) == (
        1,
        3,
        0.5,
        2,
        7,
    )
    assert bars.closed_at(0).date().isoformat() == "2001-02-28"


@pytest.mark.parametrize(
    "changed",
    [
        {"times": [2, 2]},
        {"close": [1.5, np.nan]},
        {"open": [-1.0, 2.0], "low": [-1.0, 1.0]},
        {"volume": [1.0, -1.0]},
        {"high": [1.0, 3.0]},
        {"low": [0.5, 2.2]},
        {"volume": [1.0]},
    ],
)
def test_bars_that_cannot_be_are_refused(changed):
    with pytest.raises(ValueError, match=r"times|prices|volume|high, low"):
        series(**changed)


def test_columns_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        series().close[0] = 9.0


def test_the_head_of_a_series_is_a_view():
    bars = random_bars(10)
    assert len(bars.head(4)) == 4
    assert np.shares_memory(bars.head(4).close, bars.close)


def test_an_outcome_runs_from_the_next_open_to_the_close_that_many_bars_later():
    bars = random_bars(10)
    assert bars.outcome(2, 5) == bars.close[7] / bars.open[3] - 1.0
