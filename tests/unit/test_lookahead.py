"""Strategies that read the future are caught; those that do not are not."""

from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets import gappy_market, random_bars
from nt_memory import ManualClock
from nt_memory.agents import Analogue
from nt_memory.backtest import Analogues, Market, Remembered, Settings, Stance, check_lookahead
from nt_memory.backtest.lookahead import other_future
from nt_memory.policy import StateEncoder

SETTINGS = Settings(train=30, resamples=100)
MARKET = Market([random_bars(80)])


class Told:
    """Decides by a function of the stage, the bars so far and the step."""

    def __init__(self, stage, rule):
        self.stage, self.rule = stage, rule

    def decide(self, past):
        return self.rule(self.stage, past, len(past) - 1)


def factory(**rules):
    @contextmanager
    def made(stage):
        yield {name.replace("_", " "): Told(stage, rule) for name, rule in rules.items()}

    return made


def sign(value):
    return Stance({"TEST": float(np.sign(value))})


def honest(_stage, past, _step):
    closes = past["TEST"].close
    return sign(closes[-1] - closes.mean())


def tomorrow(stage, _past, step):
    closes = stage.market["TEST"].close
    return sign(closes[min(step + 1, len(closes) - 1)] - closes[step])


def whole_mean(stage, past, _step):
    return sign(past["TEST"].close[-1] - stage.market["TEST"].close.mean())


def early_outcome(stage, _past, step):
    """Decide nothing, but remember an outcome before it was known."""
    bars = stage.market["TEST"]
    reward = bars.outcome(min(step, len(bars) - 6), 5)
    seen = Analogue("A", stage.clock.now(), 0.9, reward)
    return Stance({}, remembered=(Remembered("TEST", "R", (seen,)),))


def test_a_strategy_that_reads_the_past_alone_is_clean():
    assert check_lookahead(MARKET, factory(memory=honest), SETTINGS) == []


def test_a_look_at_tomorrow_shows_at_the_cut():
    leaks = check_lookahead(MARKET, factory(memory=honest, plain=tomorrow), SETTINGS, cuts=8)
    assert leaks
    assert all(
        (leak.arm, leak.step, leak.parts) == ("plain", leak.cut, ("weights",)) for leak in leaks
    )
    assert leaks[0].at == MARKET.closed_at(leaks[0].step)


def test_a_mean_over_the_whole_series_is_caught():
    leaks = check_lookahead(MARKET, factory(memory=whole_mean), SETTINGS)
    assert any(leak.step < leak.cut for leak in leaks)


def test_what_was_recalled_too_early_is_caught_though_the_decision_is_the_same():
    leaks = check_lookahead(MARKET, factory(memory=early_outcome), SETTINGS, cuts=[40])
    assert {leak.parts for leak in leaks} == {("remembered",)}
    assert {leak.step for leak in leaks} == {36, 37, 38, 39, 40}


def test_a_strategy_that_does_not_repeat_itself_is_told_so():
    rng = np.random.default_rng(0)
    drawn = factory(memory=lambda *_: sign(rng.normal()))
    with pytest.raises(ValueError, match="memory: decides otherwise"):
        check_lookahead(MARKET, drawn, SETTINGS)


def test_the_analogue_agent_and_its_placebo_read_no_future():
    market = Market([random_bars(StateEncoder.warm_up + 60)])
    told = []
    leaks = check_lookahead(
        market,
        Analogues(),
        SETTINGS,
        cuts=[StateEncoder.warm_up + 45],
        on_walk=lambda done, runs: told.append((done, runs)),
    )
    assert leaks == []
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_several_symbols_are_checked_together():
    def first(_stage, past, _step):
        return Stance({"S1": 1.0 if len(past["S1"]) % 2 else -1.0})

    assert check_lookahead(gappy_market(60, 1), factory(memory=first), SETTINGS) == []


@given(st.integers(0, 1000), st.integers(2, 50), st.data())
def test_another_future_has_the_same_past_and_times(seed, count, data):
    market = gappy_market(count, seed)
    cut = data.draw(st.integers(0, len(market) - 1))
    other = other_future(market, cut, seed=seed)
    assert other.times.tobytes() == market.times.tobytes()
    one, two = market.head(cut + 1), other.head(cut + 1)
    for symbol in market.symbols:
        for name in ("times", "open", "high", "low", "close", "volume"):
            assert getattr(one[symbol], name).tobytes() == getattr(two[symbol], name).tobytes()
        later = slice(len(one[symbol]), None)
        moved = market[symbol].close[later] != other[symbol].close[later]
        assert moved.all()


@pytest.mark.parametrize("cuts", [0, 80, [], [79], [-1]])
def test_cuts_out_of_range_are_refused(cuts):
    with pytest.raises(ValueError, match="cuts"):
        check_lookahead(MARKET, factory(memory=honest), SETTINGS, cuts=cuts)


@pytest.mark.parametrize("said", [None, {"TEST": 1.0}, Stance([1.0])])
def test_what_is_no_stance_is_told_by_its_arm(said):
    with pytest.raises(TypeError, match="memory"):
        check_lookahead(MARKET, factory(memory=lambda *_: said), SETTINGS, cuts=1)


def test_a_stance_that_cannot_be_compared_is_refused():
    deep = []
    for _ in range(50_000):
        deep = [deep]
    with pytest.raises(ValueError, match=r"regime=.*cannot be shown"):
        check_lookahead(MARKET, factory(memory=lambda *_: Stance({}, regime=deep)), SETTINGS)


def test_arms_that_come_and_go_are_refused():
    made = iter([factory(memory=honest), factory(other=honest)])

    def either(stage):
        return next(made)(stage)

    with pytest.raises(ValueError, match="give the same arms"):
        check_lookahead(MARKET, either, SETTINGS, cuts=1)


def test_what_is_no_strategy_is_told_by_its_name():
    @contextmanager
    def none(stage):
        yield {"memory": 5}

    with pytest.raises(TypeError, match=r"'memory'.=5: give a Strategy"):
        check_lookahead(MARKET, none, SETTINGS, cuts=1)


def test_the_clock_stands_at_the_close():
    seen = []

    def look(stage, past, _step):
        assert isinstance(stage.clock, ManualClock)
        seen.append(stage.clock.now() == past.closed_at(-1))
        return Stance({})

    check_lookahead(MARKET, factory(memory=look), SETTINGS, cuts=1)
    assert all(seen)
