"""From weights to positions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets import bars_of, gappy_market, random_bars
from nt_memory.backtest import Market, Sizing
from nt_memory.backtest.lookahead import other_future
from nt_memory.backtest.sizing import overlapping, trailing_volatility


def test_a_fraction_scales_the_weights():
    market = Market([random_bars(10)])
    weights = np.array([[1.0], [-1.0], [0.5]])
    sized = Sizing(fraction=0.5, sleeves=False).positions(market, 7, weights, 5)
    assert sized[:, 0].tolist() == [0.5, -0.5, 0.25]


def test_the_volatility_of_what_is_held_is_what_was_asked_for():
    market = Market([random_bars(400)])
    sizing = Sizing(volatility=0.02, window=63, sleeves=False)
    sized = sizing.positions(market, 100, np.ones((300, 1)), 5)
    moved = trailing_volatility(market["TEST"], 63)[100:]
    assert sized[:, 0] * moved == pytest.approx(np.full(300, 0.02))


def test_before_the_volatility_is_known_nothing_is_held():
    market = Market([random_bars(100)])
    sized = Sizing(volatility=0.1, window=63, sleeves=False).positions(
        market, 0, np.ones((100, 1)), 5
    )
    assert not sized[:63].any()
    assert sized[63:].all()


def test_prices_that_do_not_move_get_the_most_and_no_more():
    market = Market([bars_of(np.full(80, 7.0), np.full(80, 7.0))])
    sized = Sizing(volatility=0.1, most=1.5, sleeves=False).positions(
        market, 70, np.ones((10, 1)), 5
    )
    assert sized[:, 0].tolist() == [1.5] * 10


@given(st.integers(0, 1000))
def test_the_gross_position_is_bounded(seed):
    market = gappy_market(60, seed)
    weights = np.random.default_rng(seed).uniform(-1, 1, (60, 3))
    sizing = Sizing(fraction=2.0, most=1.2, sleeves=False)
    sized = sizing.positions(market, 0, weights, 5)
    assert np.abs(sized).sum(axis=1).max() <= 1.2 + 1e-9


def test_sleeves_count_the_bars_of_their_own_symbol():
    market = gappy_market(60, 4)
    weights = np.random.default_rng(0).uniform(-0.3, 0.3, (60, 3))
    sized = Sizing().positions(market, 0, weights, 5)
    for column in range(3):
        own = market.prices.fresh[:, column]
        assert sized[own, column] == pytest.approx(overlapping(weights[own, column], 5))


def test_between_its_bars_the_last_decision_on_a_symbol_stands():
    market = gappy_market(60, 4)
    weights = np.random.default_rng(0).uniform(-0.3, 0.3, (60, 3))
    sized = Sizing(sleeves=False).positions(market, 0, weights, 5)
    for column in range(3):
        last = 0.0
        for step in range(60):
            last = weights[step, column] if market.prices.fresh[step, column] else last
            assert sized[step, column] == last


@pytest.mark.parametrize("sizing", [Sizing(), Sizing(volatility=0.1, window=10, most=2.0)])
@given(seed=st.integers(0, 1000), cut=st.integers(5, 50))
def test_no_position_reads_the_future(sizing, seed, cut):
    market = gappy_market(60, seed)
    weights = np.random.default_rng(seed).uniform(-1, 1, (60, 3))
    other = other_future(market, cut, seed=seed)
    changed = weights.copy()
    changed[cut + 1 :] *= -0.5
    left = sizing.positions(market, 0, weights, 5)[: cut + 1]
    right = sizing.positions(other, 0, changed, 5)[: cut + 1]
    assert left.tobytes() == right.tobytes()


class Peeking(Sizing):
    """Measures the volatility up to the bar after the decision."""

    def _size(self, bars, places):
        known = trailing_volatility(bars, self.window)
        return 0.1 / known[np.minimum(places + 1, len(bars) - 1)]


def test_a_size_that_reads_the_next_bar_is_caught():
    market, cut = Market([random_bars(60)]), 40
    weights, sizing = np.ones((60, 1)), Peeking(volatility=0.1, window=10, sleeves=False)
    left, right = (
        sizing.positions(seen, 0, weights, 5)[: cut + 1]
        for seen in (market, other_future(market, cut, seed=0))
    )
    assert np.flatnonzero(left != right)[-1] == cut


@pytest.mark.parametrize(
    "changed",
    [{"fraction": 0.0}, {"volatility": -1.0}, {"most": float("inf")}, {"window": 1}],
)
def test_sizes_out_of_range_name_the_field(changed):
    with pytest.raises(ValueError, match=next(iter(changed))):
        Sizing(**changed)


def test_a_decision_may_be_held_longer_than_there_are_bars():
    decided = np.array([[1.0], [-1.0], [0.5]])
    assert overlapping(decided, 2**40)[:, 0].tolist() == [2.0**-40, 0.0, 2.0**-41]
    assert overlapping(decided[:0], 3).shape == (0, 1)
