"""Several series on one calendar."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets import DAY_US, gappy_market, random_bars, thinned
from nt_memory.backtest import Market
from nt_memory.backtest.labels import regime_labels
from nt_memory.backtest.lookahead import other_future
from nt_memory.regime import RegimeDetectionAgent

BARS = random_bars(8)
EARLY = thinned(BARS, "A", [0, 1, 2, 4])
LATE = thinned(random_bars(8, 1), "B", [2, 3, 5])


def test_the_calendar_is_the_union_of_the_closes():
    market = Market([EARLY, LATE])
    assert market.symbols == ("A", "B")
    assert (market.times // DAY_US).tolist() == [1, 2, 3, 4, 5, 6]


def test_a_symbol_is_fresh_where_it_has_a_bar():
    fresh = Market([EARLY, LATE]).prices.fresh
    assert fresh[:, 0].tolist() == [True, True, True, False, True, False]
    assert fresh[:, 1].tolist() == [False, False, True, True, False, True]


def test_without_a_bar_both_prices_are_the_last_close():
    prices = Market([EARLY, LATE]).prices
    assert prices.open[3, 0] == prices.close[3, 0] == EARLY.close[2]
    assert (prices.open[4, 0], prices.close[4, 0]) == (EARLY.open[3], EARLY.close[3])
    assert prices.open[0, 1] == prices.close[0, 1] == 1.0


def test_places_are_those_of_the_last_bars():
    market = Market([EARLY, LATE])
    assert market.places("B").tolist() == [-1, -1, 0, 1, 1, 2]


@given(st.integers(2, 40), st.integers(0, 1000), st.data())
def test_a_head_holds_what_had_closed_and_nothing_later(count, seed, data):
    market = gappy_market(count, seed)
    steps = data.draw(st.integers(1, len(market)))
    head = market.head(steps)
    assert len(head) == steps
    for symbol in market.symbols:
        times = market[symbol].times
        assert head[symbol].times.tolist() == times[times <= market.times[steps - 1]].tolist()
        assert head.closes_now(symbol) == bool(
            market.prices.fresh[steps - 1, list(market.symbols).index(symbol)]
        )
    for name in ("open", "close", "fresh"):
        whole, known = getattr(market.prices, name), getattr(head.prices, name)
        assert np.array_equal(known, whole[:steps])


def test_a_head_is_a_view():
    market = Market([BARS])
    assert np.shares_memory(market.head(3)["TEST"].close, BARS.close)


def test_labels_are_those_of_the_first_symbol_at_its_last_bar():
    market = Market([thinned(random_bars(300), "A", list(range(1, 300, 2))), random_bars(300, 1)])
    labels = regime_labels(market)
    told = RegimeDetectionAgent().predict(market["A"]).labels
    assert len(labels) == len(market) == 300
    assert labels[0] is None
    assert [label for label in labels[1::2] if label] == [label.value for label in told if label]
    assert labels[2::2] == labels[1:-1:2]


@given(st.integers(0, 100), st.integers(120, 290))
def test_no_label_reads_the_future(seed, cut):
    market = Market([random_bars(300, seed)])
    other = other_future(market, cut, seed=seed)
    assert regime_labels(market)[: cut + 1] == regime_labels(other)[: cut + 1]


@pytest.mark.parametrize(
    ("series", "told"),
    [([], "at least one"), ([BARS.head(0)], "no bars"), ([BARS, BARS], "twice")],
)
def test_what_is_no_market_is_refused(series, told):
    with pytest.raises(ValueError, match=told):
        Market(series)


@pytest.mark.parametrize("series", [[BARS, "it"], ["it", "that"]])
def test_what_is_no_series_is_refused(series):
    with pytest.raises(TypeError, match="is no BarSeries"):
        Market(series)


@pytest.mark.parametrize("step", [10**9, 10**400, "a", 1.5])
def test_a_step_that_is_not_there_is_refused(step):
    with pytest.raises(ValueError, match="step="):
        Market([BARS]).closed_at(step)


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ({"symbol": 5}, "symbol=5"),
        ({"times": [10**400] * 9}, r"times=.*one number a bar"),
        ({"times": [float("nan")] * 9}, r"times=.*one number a bar"),
        ({"close": "x" * 9000}, r"close=.*one number a bar"),
        ({"close": 5.0}, "close: every column needs one value a bar"),
        ({"times": 5}, "times: every column needs one value a bar"),
    ],
)
def test_a_series_that_cannot_be_is_told_by_its_column(bad, told):
    with pytest.raises((ValueError, TypeError), match=told) as error:
        replace(random_bars(9), **bad)
    assert len(str(error.value)) < 2000


@pytest.mark.parametrize("bar", [9, 10**400, "a", None, 1.5])
def test_a_bar_that_is_not_there_is_refused(bar):
    bars = random_bars(9)
    with pytest.raises(ValueError, match="bar="):
        bars.closed_at(bar)
    with pytest.raises(ValueError, match=r"bar=.*holding=2"):
        bars.outcome(bar, 2)
