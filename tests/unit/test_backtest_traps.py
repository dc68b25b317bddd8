"""Ways in which a backtest deceives, each of which this one did once."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments import made_up_experiment
from markets import bars_of, gappy_market, random_bars
from nt_memory import metrics
from nt_memory.backtest import Costs, Market, Settings, Sizing, Stance, run_backtest
from nt_memory.backtest.attribution import attribution
from nt_memory.backtest.bootstrap import sharpe_difference
from nt_memory.backtest.report import render, run_card
from nt_memory.backtest.runs import compare_runs
from nt_memory.backtest.settings import HOLD, MEMORY
from nt_memory.cli import backtest as command
from nt_memory.cli.reading import Reading
from nt_memory.market import BarSeries
from nt_memory.policy import StateEncoder

FREE = Costs(0.0, 0.0)
HALF_DAY = 43_200_000_000


def later(bars, symbol, by):
    """Return bars under another name, each of which closes later."""
    columns = {name: getattr(bars, name) for name in ("open", "high", "low", "close", "volume")}
    return BarSeries(symbol=symbol, times=bars.times + by, **columns)


def growing(symbol, growth, count, first=1, start=100.0):
    """Return bars that open at the close before and grow by a share each."""
    close = start * np.cumprod(np.full(count, growth))
    opened = np.concatenate([[start], close[:-1]])
    made = bars_of(opened, close)
    return later(made, symbol, (first - 1) * 2 * HALF_DAY)


def run(folder, market, settings=None, **rules):
    """Run arms that decide by a function of the market so far."""

    class Rule:
        def __init__(self, rule):
            self.decide = rule

    @contextmanager
    def made(_stage):
        yield {name.replace("_", " "): Rule(rule) for name, rule in rules.items()}

    settings = settings or Settings(train=5, resamples=100, costs=FREE)
    return run_backtest(market, made, settings, folder / "run").experiment


def flat(_past):
    return Stance({})


@given(st.integers(0, 20), st.integers(3, 30))
def test_a_position_is_not_scaled_by_what_another_symbol_decides_later(seed, cut):
    bars = random_bars(40, seed)
    market = Market([later(bars, "A", 0), later(random_bars(40, seed + 1), "B", HALF_DAY)])
    rng = np.random.default_rng(seed)
    weights = rng.uniform(-1.0, 1.0, (len(market), 2))
    other = weights.copy()
    other[2 * cut + 2 :, 0] = rng.uniform(-1.0, 1.0, len(market) - 2 * cut - 2)
    sizing = Sizing(sleeves=False)
    before, after = (sizing.positions(market, 0, each, 1) for each in (weights, other))
    # B's bar at step 2 cut + 1 is filled at its next open, behind A's decision at step 2 cut + 2.
    rows = slice(0, 2 * cut + 3)
    assert (before[rows, 1] == after[rows, 1]).all()


def test_an_arm_that_hardly_varies_makes_no_false_finding():
    steady = np.full(400, 1.0002) / 1.0 - 1.0
    steady = np.cumprod(1.0 + steady)
    steady = np.diff(steady, prepend=1.0) / np.concatenate([[1.0], steady[:-1]])
    other = np.random.default_rng(0).normal(0.0, 0.01, 400)
    found = sharpe_difference(steady, other, seed=0, resamples=200)
    assert found.low < found.difference < found.high
    assert abs(found.difference) < 10.0
    assert metrics.sharpe_ratio(steady) == 0.0


@pytest.mark.parametrize("fee", [0.0, 0.001])
def test_buy_and_hold_buys_a_late_symbol_with_the_money_that_was_put_by(tmp_path, fee):
    early, late = growing("A", 1.02, 60), growing("B", 0.99, 30, first=31, start=50.0)
    settings = Settings(train=5, resamples=100, costs=Costs(fee, 0.0))
    arm = run(tmp_path, Market([early, late]), settings, memory=flat, no_memory=flat).arms[HOLD]
    paid = (1.0 - fee) * np.array([early.close[-1] / early.open[6], late.close[-1] / late.open[0]])
    # All of the equity shares a fee, the money that was put by too.
    assert 1.0 + arm.metrics.total_return == pytest.approx(paid.mean(), rel=fee / 2 or 1e-12)
    assert np.abs(arm.run.position).sum(axis=1).max() <= 1.0 + fee + 1e-12


def test_a_price_that_stands_still_takes_nothing_from_the_others():
    market = Market([later(random_bars(200), "X", 0), growing("STILL", 1.0, 200)])
    weights = np.full((200, 2), 0.5)
    sizing = Sizing(volatility=0.1, window=20, sleeves=False)
    found = sizing.positions(market, 0, weights, 1)[-1]
    assert found[0] > 0.2
    assert found.sum() <= 1.0 + 1e-12


def test_who_has_lost_everything_is_told_so_in_parts(tmp_path):
    jump = [100.0] * 20 + [250.0] * 10
    bars = later(bars_of([100.0] * 20 + [100.0] + [250.0] * 9, jump), "A", 0)

    def short(_past):
        return Stance({"A": -1.0}, contributions={"x": {"A": -0.6}, "y": {"A": -0.4}})

    settings = Settings(train=5, holding=1, resamples=100, costs=FREE)
    experiment = run(tmp_path, Market([bars]), settings, memory=short, no_memory=flat)
    parts = attribution(experiment, MEMORY)
    assert experiment.arms[MEMORY].metrics.total_return == -1.0
    assert sum(sum(of.values()) for of in parts.values()) == pytest.approx(-1.0)


def test_an_agent_may_be_called_rest(tmp_path):
    def shared(_past):
        return Stance({"A": 1.0}, contributions={"rest": {"A": 0.3}, "y": {"A": 0.5}})

    market = Market([growing("A", 1.01, 60)])
    experiment = run(tmp_path, market, memory=shared, no_memory=flat)
    parts = attribution(experiment, MEMORY)
    total = experiment.arms[MEMORY].metrics.total_return
    assert sum(sum(of.values()) for of in parts.values()) == pytest.approx(total)


def test_constant_prices_make_a_report():
    count = StateEncoder.warm_up + 120
    experiment = made_up_experiment(growing("TEST", 1.0, count))
    assert "<svg" in render(experiment, run_card(experiment, "scalar"))


def test_bars_that_no_window_trades_are_told(tmp_path):
    settings = Settings(train=20, test=5, step=30, holding=1, resamples=100)
    market = Market([later(random_bars(120), "A", 0)])

    def rule(_past):
        return Stance({"A": 1.0})

    experiment = run(tmp_path, market, settings, memory=rule, no_memory=flat)
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert len(experiment.windows) > 1
    assert "The 25 bars after each test are not traded" in page


def test_a_window_of_one_return_has_no_ratio(tmp_path):
    settings = Settings(train=20, test=1, holding=1, resamples=100)
    market = Market([later(random_bars(60), "A", 0)])
    run(tmp_path, market, settings, memory=flat, no_memory=flat)
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    table = page[page.index('<table class="windows">') :]
    assert "0.00" not in table[: table.index("</table>")]


@pytest.mark.parametrize("variants", [("no memory",), ("b", "b"), "b"])
def test_variants_are_checked_before_the_run(variants):
    with pytest.raises(ValueError, match="variants="):
        Settings(variants=variants)


def test_a_run_without_its_main_column_is_told(tmp_path):
    market = Market([later(random_bars(60), "A", 0)])
    for name in ("a", "b"):
        run(tmp_path / name, market, memory=flat, no_memory=flat)
    file = tmp_path / "b" / "run" / "returns.csv"
    file.write_text(file.read_text(encoding="utf-8").replace("memory", "x", 1), encoding="utf-8")
    with pytest.raises(ValueError, match="no column 'memory'"):
        compare_runs([tmp_path / name / "run" for name in ("a", "b")])


def test_what_begins_later_is_left_out_of_a_check(tmp_path, monkeypatch):
    early, late = growing("A", 1.01, 60), growing("B", 1.01, 30, first=50)
    monkeypatch.setattr(command, "market_of", lambda _files, _how: Market([early, late]))
    monkeypatch.setitem(command.AGENTS, "flat", lambda: _flat_arms)
    command.lookahead([], "flat", 1, 40, Reading(), as_json=True)


@contextmanager
def _flat_arms(_stage):
    class Flat:
        def decide(self, _past):
            return Stance({})

    yield {"memory": Flat(), "no memory": Flat()}


def test_a_fortune_a_year_is_told_as_much():
    assert np.isfinite(metrics.annualised_return(np.full(20, 50.0)))


def test_on_one_calendar_the_bound_is_that_of_the_row():
    market = gappy_market(60, seed=1, symbols=1)
    weights = np.full((60, 1), 5.0)
    bounded = replace(Sizing(sleeves=False), most=1.0).positions(market, 0, weights, 1)
    assert (np.abs(bounded) <= 1.0 + 1e-12).all()
