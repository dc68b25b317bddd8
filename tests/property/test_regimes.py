"""What is told about a bar reads the bars up to it: cut or change the future, the same bytes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markets import random_bars
from nt_memory import FeatureWindow, RegimeDetectionAgent, feature_table
from nt_memory.regime import rules, states, tracker
from regimes import bars_of_closes, prices_of, switching

LOOKBACK = 60
COUNT = 420


def market(seed):
    """Prices that change their kind, with volumes."""
    rng = np.random.default_rng(seed)
    _, returns = switching((0.98, 0.95), (0.001, -0.002), (0, 0), (0.005, 0.03), COUNT - 1, rng)
    return prices_of(returns), rng.lognormal(3.0, 1.0, COUNT)


PRICES, VOLUMES = market(1)
FITTED = RegimeDetectionAgent(lookback=LOOKBACK).fit(
    prices_of(
        switching(
            (0.98, 0.95), (0.001, -0.002), (0, 0), (0.005, 0.03), 1500, np.random.default_rng(2)
        )[1]
    )
)
assert FITTED.states is not None


def features(prices, volumes):
    return feature_table(prices, volumes, LOOKBACK)


def stepped(prices, volumes):
    window = FeatureWindow(LOOKBACK)
    told = [window.update(*bar) for bar in zip(prices, volumes, strict=True)]
    return np.array([[np.nan] if found is None else [found.hurst_exponent] for found in told])


def regimes(prices, volumes, agent=None):
    agent = agent or RegimeDetectionAgent(lookback=LOOKBACK)
    labels, confidences = agent.predict(bars_of_closes(prices, volumes))
    return np.array([(hash(label), sure) for label, sure in zip(labels, confidences, strict=True)])


def fitted(prices, volumes):
    return regimes(prices, volumes, FITTED)


def ranked(prices, volumes):
    """Return what volatility is beside the past, as the rules see it."""
    past, rows = rules.Past(), []
    for price, volatility in zip(prices, features(prices, volumes)[:, 0], strict=True):
        past.price(price)
        past.volatility(0.0 if np.isnan(volatility) else volatility)
        rows.append([past.rank, past.drawdown, past.median or 0.0])
    return np.array(rows)


TELLERS = [features, stepped, ranked, regimes, fitted]


def holds(tell, cut, seed):
    """Whether nothing up to a bar changes, with another future and with none."""
    prices, volumes = PRICES.copy(), VOLUMES.copy()
    other, traded = market(seed)
    prices[cut + 1 :] = other[cut + 1 :] * prices[cut] / other[cut]
    volumes[cut + 1 :] = traded[cut + 1 :] * 7.0
    now = tell(PRICES, VOLUMES)[: cut + 1].tobytes()
    changed = tell(prices, volumes)[: cut + 1].tobytes()
    missing = tell(PRICES[: cut + 1], VOLUMES[: cut + 1]).tobytes()
    return now == changed == missing


@pytest.mark.parametrize("tell", TELLERS)
@given(st.integers(LOOKBACK, COUNT - 2), st.integers(10, 2**31))
@settings(max_examples=15)
def test_the_future_changes_nothing(tell, cut, seed):
    assert holds(tell, cut, seed)


# --- broken on purpose: each reads the future, and each is caught -------------


def a_bar_ahead(prices, volumes):
    return np.roll(features(prices, volumes), -1, axis=0)


def standardised_over_all(prices, volumes):
    volatility = features(prices, volumes)[:, :1]
    return (volatility - np.nanmean(volatility)) / np.nanstd(volatility)


def a_centred_window(prices, volumes):
    return np.roll(features(prices, volumes), -LOOKBACK // 2, axis=0)


def ranked_among_all(prices, volumes):
    volatility = features(prices, volumes)[:, :1]
    return np.where(
        np.isnan(volatility), 0.0, (volatility < volatility[:, 0]).mean(axis=1)[:, None]
    )


def labelled_with_hindsight(prices, volumes):
    """Let a regime begin where it came first, before it was held long enough to say so."""
    told = regimes(prices, volumes)
    begun = told.copy()
    for bar in range(1, len(told)):
        if told[bar, 0] != told[bar - 1, 0]:
            begun[bar - 4 : bar] = told[bar]
    return begun


def fitted_on_all(prices, volumes):
    agent = RegimeDetectionAgent(lookback=LOOKBACK).fit(prices)
    if agent.states is None:
        return np.zeros((len(prices), 1))
    return np.array([[sum(agent.states.means)]] * len(prices))


def smoothed_states(prices, volumes):
    """Tell the states by the returns after a bar as well."""
    returns, model = np.diff(np.log(prices)), FITTED.states
    belief, rows = model.start(), [model.start()] * 2
    for before, now in zip(returns[:-1], returns[1:], strict=True):
        belief = model.filter(belief, before, now)
        rows.append(belief)
    forward = np.array(rows)
    return (forward + np.roll(forward, -1, axis=0)) / 2.0


@pytest.mark.parametrize(
    "tell",
    [
        a_bar_ahead,
        standardised_over_all,
        a_centred_window,
        ranked_among_all,
        labelled_with_hindsight,
        fitted_on_all,
        smoothed_states,
    ],
)
def test_what_reads_the_future_is_caught(tell):
    cuts = range(LOOKBACK + 5, COUNT - 1, 6)
    assert not all(holds(tell, cut, seed) for seed, cut in enumerate(cuts, 10))


# --- one by one is all at once ------------------------------------------------


@given(st.integers(0, 2**31), st.booleans(), st.integers(1, 8))
@settings(max_examples=15)
def test_updates_and_a_prediction_agree_to_the_last_bit(seed, with_states, hold):
    bars = random_bars(300, seed=seed)
    agent = RegimeDetectionAgent(lookback=LOOKBACK, hold=hold)
    if with_states:
        agent.states = FITTED.states
    told = [agent.update(bars.window(bar, bar + 1)) for bar in range(len(bars))]
    labels, confidences = agent.predict(bars)
    assert tuple(None if one is None else one.regime for one in told) == labels
    assert tuple(0.0 if one is None else one.confidence for one in told) == confidences


@given(st.integers(0, 2**31), st.integers(1, 12))
@settings(max_examples=25)
def test_a_label_is_held_until_another_came_first_so_often(seed, hold):
    bars = random_bars(250, seed=seed)
    firsts, made = [], tracker.Tracker(LOOKBACK, hold)
    judge = made._judge

    def noted(found, at):
        said = judge(found, at)
        firsts.append(said.first)
        return said

    made._judge = noted
    held = [made.update(*bar) for bar in zip(bars.close, bars.volume, strict=True)]
    labels = [one.regime for one in held if one is not None]
    for bar in range(1, len(labels)):
        if labels[bar] is not labels[bar - 1]:
            run = firsts[max(bar - hold + 1, 0) : bar + 1]
            assert set(run) == {labels[bar]}
            assert len(run) == hold


# --- the recursion of the states ----------------------------------------------


@given(st.integers(0, 2**31), st.integers(2, 4), st.integers(2, 130))
@settings(max_examples=40)
def test_the_blocks_of_a_filter_are_the_plain_recursion(seed, count, n):
    rng = np.random.default_rng(seed)
    likely, changes = rng.random((n, count)) + 1e-3, rng.random((count, count)) + 1e-3
    changes /= changes.sum(axis=1, keepdims=True)
    v, rows, sums = np.full(count, 1.0 / count), [], []
    for row in likely:
        v = (v @ changes) * row
        sums.append(np.log(v.sum()))
        v = v / v.sum()
        rows.append(v)
    found, logs = states._forward(likely, changes, np.full(count, 1.0 / count))
    assert found == pytest.approx(np.array(rows), abs=1e-12)
    assert logs == pytest.approx(np.array(sums), abs=1e-9)
