"""Fills, costs and equity against an account kept by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets import bars_of, gappy_market, random_bars
from nt_memory.backtest import Costs, Market
from nt_memory.backtest.engine import outcomes, simulate, trades
from nt_memory.backtest.sizing import overlapping

FREE = Costs(fee=0.0, slippage=0.0)


def simulated(bars, start, targets, costs):
    """Simulate targets of one symbol."""
    return simulate(Market([bars]), start, np.asarray(targets, dtype=float)[:, None], costs)


def account(bars, start, targets, costs):
    """Keep shares and cash open by open; return the equity at each close."""
    shares, cash, equity = 0.0, 1.0, []
    for step, bar in enumerate(range(start + 1, len(bars))):
        worth = cash + shares * bars.open[bar]
        wanted = targets[step] * worth / bars.open[bar]
        moved = abs(wanted - shares) * bars.open[bar]
        # What the trade pays comes out of the whole account, shares and cash alike.
        kept = 1.0 - costs.total * moved / worth
        shares = wanted * kept
        cash = worth * kept - shares * bars.open[bar]
        equity.append(cash + shares * bars.close[bar])
    return np.array(equity)


def test_a_decision_is_filled_at_the_next_open():
    bars = bars_of([10, 20, 30], [10, 25, 30])
    run = simulated(bars, 0, np.array([1.0, 1.0, 1.0]), FREE)
    assert run.returns == pytest.approx([25 / 20 - 1, 30 / 25 - 1])


def test_a_short_gains_when_the_price_falls():
    bars = bars_of([10, 20, 20], [10, 18, 20])
    run = simulated(bars, 0, np.array([-1.0, 0.0, 0.0]), FREE)
    assert run.returns[0] == pytest.approx(0.1)


def test_fee_and_slippage_are_paid_on_what_is_traded():
    bars = bars_of([10, 10, 10, 10], [10, 10, 10, 10])
    run = simulated(bars, 0, np.array([1.0, -1.0, -1.0, 0.0]), Costs(fee=0.001, slippage=0.002))
    assert run.traded[:, 0] == pytest.approx([1.0, 2.0, 0.0])
    assert run.returns == pytest.approx([-0.003, -0.006, 0.0])


def test_a_flat_arm_earns_and_pays_nothing():
    run = simulated(random_bars(30), 3, np.zeros(27), Costs())
    assert not run.returns.any()
    assert not run.traded.any()


def test_holding_everything_trades_once():
    run = simulated(random_bars(30), 3, np.ones(27), Costs())
    assert run.traded[:, 0] == pytest.approx([1.0] + [0.0] * 25)


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(-1, 1), min_size=12, max_size=12))
def test_the_equity_is_that_of_an_account_kept_by_hand(seed, directions):
    bars = random_bars(15, seed)
    targets = overlapping(np.array(directions, dtype=float), 5)
    run = simulated(bars, 3, targets, Costs())
    assert np.cumprod(1.0 + run.returns) == pytest.approx(account(bars, 3, targets, Costs()))


def kept_by_hand(market, start, targets, costs):
    """Keep shares and cash of several symbols open by open; return the equity at each close."""
    prices = market.prices
    shares, cash, equity = np.zeros(len(market.symbols)), 1.0, []
    for step in range(start + 1, len(market)):
        opens = prices.open[step]
        worth = cash + shares @ opens
        row = targets[step - start - 1]
        able = prices.fresh[step] & ~np.isnan(row)
        wanted = np.where(able, row * worth / opens, shares)
        moved = (np.abs(wanted - shares) * opens).sum()
        # Those that are traded pay, in shares and cash alike; the others stay as they are.
        kept = 1.0 - costs.total * moved / worth
        shares = np.where(able, wanted * kept, shares)
        cash = worth * kept - shares @ opens
        equity.append(cash + shares @ prices.close[step])
    return np.array(equity)


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.5))
def test_the_equity_of_several_symbols_with_gaps_is_kept_by_hand(seed, unchanged):
    market = gappy_market(30, seed % 1000)
    rng = np.random.default_rng(seed)
    targets = rng.uniform(-0.4, 0.4, (len(market) - 4, 3))
    targets[rng.random(targets.shape) < unchanged] = np.nan
    costs = Costs(fee=0.001, slippage=0.002)
    run = simulate(market, 4, targets, costs)
    by_hand = kept_by_hand(market, 4, targets, costs)
    assert np.cumprod(1.0 + run.returns) == pytest.approx(by_hand, rel=1e-12)


def test_a_symbol_without_a_bar_is_not_traded():
    market = gappy_market(30, 1)
    targets = np.random.default_rng(1).uniform(-0.3, 0.3, (30, 3))
    run = simulate(market, 0, targets, Costs())
    fresh = market.prices.fresh[1:]
    assert not run.traded[~fresh].any()
    assert run.position[fresh] == pytest.approx(targets[:-1][fresh])


@pytest.mark.parametrize("opens", [[10, 10, 25, 25, 20], [10, 10, 10, 25, 20]])
def test_who_has_lost_everything_does_not_come_back(opens):
    bars = bars_of(opens, [10, 10, 25, 25, 20])
    run = simulated(bars, 0, [-1.0] * 5, FREE)
    assert run.returns.tolist() == [0.0, -1.0, 0.0, 0.0]
    assert not run.position[2:].any()


def test_targets_must_match_the_bars():
    with pytest.raises(ValueError, match="targets"):
        simulated(random_bars(10), 2, np.zeros(3), FREE)


def test_each_decision_is_one_sleeve_of_the_position():
    position = overlapping(np.array([1.0, 0, 0, 0, 0, 0, -1.0]), 5)
    assert position == pytest.approx([0.2, 0.2, 0.2, 0.2, 0.2, 0.0, -0.2])


def test_outcomes_end_where_the_series_does():
    bars = random_bars(8)
    met = outcomes(bars, 5)
    assert met[:3].tolist() == [bars.outcome(bar, 5) for bar in range(3)]
    assert np.isnan(met[3:]).all()


def test_a_trade_pays_both_ways():
    met = np.array([0.01, 0.01, 0.01, np.nan])
    ended = trades(np.array([1.0, -1.0, 0.0, 1.0]), met, Costs(fee=0.001, slippage=0.0))
    assert ended == pytest.approx([0.008, -0.012])


@pytest.mark.parametrize("changed", [{"fee": -0.1}, {"slippage": 1.0}, {"fee": float("nan")}])
def test_costs_out_of_range_name_the_field(changed):
    with pytest.raises(ValueError, match=next(iter(changed))):
        Costs(**changed)
