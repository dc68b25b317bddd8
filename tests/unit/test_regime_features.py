"""Features of a regime: against references, at their limits, and the same in all forms."""

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.tsa.stattools import acf

from markets import random_bars
from nt_memory import FeatureWindow, OrderBook, RegimeFeatures, feature_table, regime_features
from nt_memory.regime import FEATURES
from regimes import fractional_noise

BARS = random_bars(400, seed=3)
CLOSE, VOLUME = BARS.close, BARS.volume


def walks(least=40, most=130):
    """Prices and volumes of any scale, with stretches that do not move."""
    step = st.sampled_from([0.0, 0.0, 0.01, -0.01, 0.3, -0.2, 1e-6])
    volume = st.sampled_from([0.0, 1.0, 1e-3, 1e9])
    return st.lists(st.tuples(step, volume), min_size=least, max_size=most).map(
        lambda rows: (
            7.0 * np.exp(np.cumsum([step for step, _ in rows])),
            np.array([volume for _, volume in rows]),
        )
    )


def told(prices, volumes=None, lookback=100):
    """Return the features of the last bar."""
    return regime_features(
        prices, np.ones(len(prices)) if volumes is None else volumes, None, lookback
    )


# --- against references ------------------------------------------------------


@pytest.mark.parametrize("bar", [99, 150, 399])
def test_volatility_is_the_deviation_of_the_log_returns(bar):
    returns = np.diff(np.log(CLOSE[bar - 99 : bar + 1]))
    assert told(CLOSE[: bar + 1]).volatility == pytest.approx(returns.std(), abs=1e-12)


@pytest.mark.parametrize("bar", [99, 150, 399])
def test_trend_strength_is_the_signed_r2_of_the_regression(bar):
    line = stats.linregress(np.arange(100), np.log(CLOSE[bar - 99 : bar + 1]))
    wanted = math.copysign(line.rvalue**2, line.slope)
    assert told(CLOSE[: bar + 1]).trend_strength == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("bar", [99, 150, 399])
def test_mean_reversion_is_the_half_life_of_the_fitted_process(bar):
    logs = np.log(CLOSE[bar - 99 : bar + 1])
    slope = sm.OLS(logs[1:], sm.add_constant(logs[:-1])).fit().params[1]
    wanted = math.inf if slope >= 1.0 else -math.log(2.0) / math.log(slope)
    assert told(CLOSE[: bar + 1]).mean_reversion == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("bar", [99, 150, 399])
def test_volume_trend_is_the_rise_of_the_regression_in_means(bar):
    volumes = VOLUME[bar - 99 : bar + 1]
    wanted = stats.linregress(np.arange(100), volumes).slope * 99 / volumes.mean()
    assert told(CLOSE[: bar + 1], VOLUME[: bar + 1]).volume_trend == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("bar", [99, 150, 399])
def test_autocorrelation_is_that_of_statsmodels(bar):
    returns = np.diff(np.log(CLOSE[bar - 99 : bar + 1]))
    wanted = acf(returns, nlags=10, fft=False)[10]
    assert told(CLOSE[: bar + 1]).autocorrelation == pytest.approx(wanted, abs=1e-9)


def test_the_hurst_exponent_is_that_of_the_plain_formula():
    logs = np.log(CLOSE[-100:])
    sizes = sorted({round(6.0 * (25 / 6) ** (k / 15)) for k in range(16)})
    fluctuations = []
    for size in sizes:
        boxes = [logs[100 - (k + 1) * size : 100 - k * size] for k in range(100 // size)]
        lines = [np.polyfit(np.arange(size), box, 1) for box in boxes]
        left = [
            box - np.polyval(line, np.arange(size)) for box, line in zip(boxes, lines, strict=True)
        ]
        fluctuations.append(math.sqrt(np.mean(np.square(left))))
    wanted = np.polyfit(np.log(sizes), np.log(fluctuations), 1)[0]
    assert told(CLOSE).hurst_exponent == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("hurst", [0.2, 0.35, 0.5, 0.7, 0.9])
def test_the_hurst_exponent_of_fractional_noise_is_found(hurst):
    rng = np.random.default_rng(11)
    found = [
        told(np.exp(np.cumsum(0.01 * fractional_noise(hurst, 4096, rng))), lookback=4096)
        for _ in range(100)
    ]
    assert np.mean([features.hurst_exponent for features in found]) == pytest.approx(
        hurst, abs=0.05
    )


def test_a_process_with_a_known_half_life_has_it():
    rng = np.random.default_rng(5)
    logs = np.zeros(4096)
    for bar in range(1, len(logs)):
        logs[bar] = 0.9 * logs[bar - 1] + rng.normal(0.0, 0.01)
    wanted = -math.log(2.0) / math.log(0.9)
    assert told(np.exp(logs), lookback=4096).mean_reversion == pytest.approx(wanted, rel=0.1)


# --- where there is little to tell -------------------------------------------


def test_constant_prices_have_features():
    assert told(np.full(100, 3.7), np.zeros(100)) == RegimeFeatures(
        0.0, 0.0, math.inf, 0.0, 0.0, 0.5
    )


@pytest.mark.parametrize("growth", [0.003, -0.003])
def test_steady_growth_is_a_trend_and_nothing_else(growth):
    found = told(100.0 * np.exp(growth * np.arange(100)))
    assert found == RegimeFeatures(
        0.0, pytest.approx(math.copysign(1.0, growth)), math.inf, 0.0, 0.0, 0.5
    )


def test_prices_that_go_back_at_once_have_no_half_life():
    assert told(np.where(np.arange(100) % 2, 1.0, 2.0)).mean_reversion == 0.0


@pytest.mark.parametrize("scale", [1e-300, 1e-3, 1e300])
def test_the_scale_of_prices_and_volumes_says_nothing(scale):
    plain, scaled = told(CLOSE, VOLUME), told(CLOSE * (scale / 1e3), VOLUME * (scale / 1e8))
    for name in FEATURES:
        assert getattr(scaled, name) == pytest.approx(getattr(plain, name), abs=1e-8), name


def test_volume_on_the_last_bar_alone_rises_most():
    volumes = np.zeros(100)
    volumes[-1] = 1e308
    assert 5.0 < told(np.ones(100), volumes).volume_trend <= 6.0


# --- one, all, bar by bar ----------------------------------------------------


@given(walks(), st.integers(40, 60))
@settings(max_examples=60)
def test_all_forms_give_the_same_bytes(walk, lookback):
    prices, volumes = walk
    table, window = feature_table(prices, volumes, lookback), FeatureWindow(lookback)
    for bar, (price, volume) in enumerate(zip(prices, volumes, strict=True)):
        step = window.update(price, volume)
        if bar < lookback - 1:
            assert step is None
            assert np.isnan(table[bar]).all()
            continue
        one = regime_features(prices[: bar + 1], volumes[: bar + 1], lookback=lookback)
        for told_so in (step, one):
            row = np.array([getattr(told_so, name) for name in FEATURES])
            assert row.tobytes() == table[bar].tobytes()


@given(walks())
@settings(max_examples=100)
def test_features_are_numbers_within_their_ranges(walk):
    table = feature_table(*walk, 40)[39:]
    volatility, trend, half_life, volume, correlation, hurst = table.T
    assert (volatility >= 0.0).all()
    assert (np.abs(trend) <= 1.0).all()
    assert (half_life >= 0.0).all()
    assert (np.abs(volume) <= 6.0 + 1e-9).all()
    assert (np.abs(correlation) <= 1.0 + 1e-9).all()
    assert np.isfinite(hurst).all()


def test_a_long_table_is_that_of_its_parts():
    bars = random_bars(2000, seed=9)
    table = feature_table(bars.close, bars.volume)
    part = feature_table(bars.close[1200:1500], bars.volume[1200:1500])
    assert table[1299:1500].tobytes() == part[99:].tobytes()


def test_too_short_a_series_has_a_table_without_features():
    assert np.isnan(feature_table(CLOSE[:50], VOLUME[:50])).all()
    assert feature_table([], []).shape == (0, 6)


# --- the book, and bad input -------------------------------------------------


def test_a_book_tells_imbalance_and_spread():
    book = OrderBook(bids=[(99.0, 30.0), (98.0, 30.0)], asks=[(101.0, 20.0)])
    found = regime_features(np.full(100, 200.0), np.ones(100), book)
    assert (found.orderbook_imbalance, found.bid_ask_spread) == (0.5, 0.01)
    assert told(CLOSE).orderbook_imbalance is None
    assert told(CLOSE).bid_ask_spread is None


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_a_price_that_is_none_is_refused_by_its_place(value):
    prices = CLOSE.copy()
    prices[7] = value
    with pytest.raises(ValueError, match=r"prices\[7\]="):
        feature_table(prices, VOLUME)
    with pytest.raises(ValueError, match="price="):
        FeatureWindow().update(value, 1.0)


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_a_volume_that_is_none_is_refused_by_its_place(value):
    volumes = VOLUME.copy()
    volumes[7] = value
    with pytest.raises(ValueError, match=r"volumes\[7\]="):
        feature_table(CLOSE, volumes)
    with pytest.raises(ValueError, match="volume="):
        FeatureWindow().update(1.0, value)


@pytest.mark.parametrize(
    ("prices", "volumes", "lookback", "match"),
    [
        (CLOSE[:99], VOLUME[:99], 100, "99 bars: give at least lookback=100"),
        (CLOSE, VOLUME[:-1], 100, "399"),
        (CLOSE[None], VOLUME, 100, "shape"),
        (["a"] * 100, VOLUME, 100, "prices="),
        (CLOSE, VOLUME, 39, "lookback=39"),
        (CLOSE, VOLUME, 100.0, "lookback=100.0"),
        (CLOSE, VOLUME, True, "lookback=True"),
        (CLOSE, VOLUME, 2**64, "lookback=18446744073709551616: give at most 1,000,000"),
        ([10**400] * 100, VOLUME, 100, "prices="),
    ],
)
def test_bad_input_is_refused(prices, volumes, lookback, match):
    with pytest.raises(ValueError, match=match):
        regime_features(prices, volumes, None, lookback)


def test_what_is_no_book_is_refused():
    with pytest.raises(TypeError, match=r"book=\{\}"):
        regime_features(CLOSE, VOLUME, {})


def test_a_refused_bar_changes_nothing():
    window, other = FeatureWindow(40), FeatureWindow(40)
    for price, volume in zip(CLOSE[:45], VOLUME[:45], strict=True):
        with pytest.raises(ValueError, match="volume="):
            window.update(price, -1.0)
        assert window.update(price, volume) == other.update(price, volume)
