"""The features of agents: causal to the byte, equal to their plain formulas, defined at edges."""

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import plain_features as plain
from markets import DAY_US, bars_of, mirrored, random_bars, spliced
from nt_memory.agents.features import (
    FeatureSettings,
    FeatureTable,
    _trailing,
    hedge,
    liquidity,
    markov,
    profile,
    sentiment,
    wyckoff,
)
from nt_memory.clock import from_micros
from nt_memory.market import BarSeries
from nt_memory.policy import StateEncoder
from option_chains import leaning

SMALL = FeatureSettings(
    score_window=20,
    liquidity_window=5,
    profile_window=12,
    profile_rows=7,
    momentum_window=5,
    volatility_window=6,
    trend_window=9,
    range_window=10,
    state_window=20,
    transition_window=30,
)
BARS = random_bars(160, seed=3)


def chains_of(bars, every=7):
    """Build a chain an hour after the close of every few bars."""
    closes = [bars.closed_at(bar) for bar in range(0, len(bars), every)]
    return [leaning(5.0 + n, at + timedelta(hours=1)) for n, at in enumerate(closes)]


def table(bars, chains=(), how=SMALL):
    return FeatureTable(bars, chains, settings=how)


def bytes_up_to(features, cut):
    return {name: values[: cut + 1].tobytes() for name, values in features.columns.items()}


def reads_the_future(cut, *futures):
    """Whether bars or chains after a bar change what is told up to it."""
    chains = chains_of(BARS)
    known = [chain for chain in chains if chain.at <= BARS.closed_at(cut)]
    before = bytes_up_to(table(BARS, chains), cut)
    others = [table(BARS.head(cut + 1), known), *(table(other, chains) for other in futures)]
    return any(bytes_up_to(features, cut) != before for features in others)


# Causality


@given(st.integers(0, len(BARS) - 2), st.integers(1, 2**32 - 1))
@settings(deadline=None, max_examples=40)
def test_bars_and_chains_after_a_bar_change_nothing_at_or_before_it(cut, seed):
    other = spliced(BARS, random_bars(len(BARS), seed=seed), cut)
    assert not reads_the_future(cut, other, mirrored(BARS, cut))


windows = st.integers(2, 12)


@given(
    st.builds(
        FeatureSettings,
        score_window=windows,
        liquidity_window=windows,
        profile_window=windows,
        profile_rows=st.integers(1, 9),
        value_area=st.floats(0.01, 1.0),
        momentum_window=st.integers(1, 12),
        volatility_window=windows,
        trend_window=windows,
        range_window=windows,
        range_drift=st.floats(0.0, 1.0),
        recovery=st.integers(1, 5),
        break_depth=st.floats(0.0, 3.0),
        state_window=windows,
        transition_window=st.integers(1, 12),
    ),
    st.integers(0, 58),
    st.integers(0, 2**32 - 1),
)
@settings(deadline=None)
def test_no_settings_make_it_read_the_future(how, cut, seed):
    bars = random_bars(60, seed=seed)
    before = bytes_up_to(table(bars, how=how), cut)
    assert bytes_up_to(table(bars.head(cut + 1), how=how), cut) == before
    assert bytes_up_to(table(mirrored(bars, cut), how=how), cut) == before
    for values in table(bars, how=how).columns.values():
        assert not np.isinf(values).any()


@pytest.mark.parametrize("module", [profile, markov], ids=lambda module: module.__name__)
def test_how_many_bars_are_computed_at_a_time_changes_nothing(monkeypatch, module):
    whole = bytes_up_to(table(BARS), len(BARS))
    monkeypatch.setattr(module, "_BLOCK", 7)
    assert bytes_up_to(table(BARS), len(BARS)) == whole


@pytest.mark.parametrize("cut", [0, 273, 420])
def test_the_default_windows_read_no_future_either(cut):
    bars = random_bars(421, seed=1)
    whole = bytes_up_to(table(bars, how=None), cut)
    assert bytes_up_to(table(bars.head(cut + 1), how=None), cut) == whole
    assert bytes_up_to(table(mirrored(bars, cut), how=None), cut) == whole


def test_a_chain_of_the_future_changes_nothing_before_it():
    chains = chains_of(BARS)
    later = leaning(1000.0, BARS.closed_at(80) + timedelta(minutes=1))
    before = bytes_up_to(table(BARS, chains), 80)
    assert bytes_up_to(table(BARS, [*chains, later]), 80) == before
    assert bytes_up_to(table(BARS, [*chains, later]), 81) != bytes_up_to(table(BARS, chains), 81)


def scored_by_the_whole_series(values, window, limit):
    return np.clip((values - np.nanmean(values)) / np.nanstd(values), -limit, limit)


def scored_by_one_bar_too_many(values, window, limit):
    return np.roll(_trailing.trailing_scores(values, window, limit), -1)


def centred(values, window):
    return _trailing.lagged(np.roll(_trailing.trailing_sum(values, window), -(window // 2)), 0)


def told_when_it_broke(bars, how):
    return np.roll(_SPRING(bars, how), -1)


def terciles_of_all(bars, window):
    returns = _trailing.log_returns(bars.close)
    lower, upper = np.nanquantile(returns, (1 / 3, 2 / 3))
    return np.where(np.isnan(returns), np.nan, 1.0 + (returns > upper) - 1.0 * (returns < lower))


def counts_with_the_next(states, window):
    return np.roll(_COUNTS(states, window), -1, axis=0)


_COUNTS, _SPRING = markov.transition_counts, wyckoff.spring


class _NearestChain:
    """A search that takes the chain before or after, not the one before."""

    def __getattr__(self, name):
        return getattr(np, name)

    @staticmethod
    def searchsorted(at, times, side):
        return np.minimum(np.searchsorted(at, times, side=side) + 1, len(at))


@pytest.mark.parametrize(
    ("module", "name", "leak"),
    [
        (sentiment, "trailing_scores", scored_by_the_whole_series),
        (liquidity, "trailing_scores", scored_by_one_bar_too_many),
        (liquidity, "trailing_sum", centred),
        (wyckoff, "spring", told_when_it_broke),
        (markov, "return_states", terciles_of_all),
        (markov, "transition_counts", counts_with_the_next),
        (hedge, "np", _NearestChain()),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_what_reads_the_future_is_caught(monkeypatch, module, name, leak):
    monkeypatch.setattr(module, name, leak)
    other = random_bars(len(BARS), seed=9)
    assert any(reads_the_future(cut, spliced(BARS, other, cut)) for cut in range(40, 150, 5))


# Values


@pytest.mark.parametrize("bar", [30, 77, 159])
def test_scores_equal_their_plain_formulas(bar):
    told = table(BARS).at(bar)
    for group, name, window in (
        ("sentiment", "momentum", SMALL.momentum_window),
        ("sentiment", "volatility", SMALL.volatility_window),
        ("sentiment", "trend_strength", SMALL.trend_window),
        ("liquidity", "amihud", SMALL.liquidity_window),
        ("liquidity", "kyle_lambda", SMALL.liquidity_window),
    ):
        raw = [
            getattr(plain, name)(BARS, b, window) if b >= window else np.nan
            for b in range(bar - 20, bar + 1)
        ]
        expected = plain.score(raw, 20, 20)
        assert told[group][name] == pytest.approx(expected, rel=1e-9, abs=1e-9), name


@pytest.mark.parametrize("seed", range(4))
def test_the_volume_profile_equals_its_plain_formula(seed):
    bars = random_bars(60, seed=seed)
    flat = replace_some(bars, high=bars.close, low=bars.close, open=bars.close)
    for series in (bars, flat):
        columns = table(series).columns
        for bar in range(11, 60):
            for name, value in plain.profile(series, bar, 12, 7, 0.7).items():
                assert columns[f"liquidity.{name}"][bar] == pytest.approx(value, rel=1e-12)


def replace_some(bars, **columns):
    """Replace columns on every third bar."""
    third = np.arange(len(bars)) % 3 == 0
    new = {name: np.where(third, v, getattr(bars, name)) for name, v in columns.items()}
    return replace(bars, **new)


def test_the_value_area_holds_its_share_and_the_close_lies_in_it_or_not():
    columns = table(BARS).columns
    low, high = columns["liquidity.value_area_low"], columns["liquidity.value_area_high"]
    control = columns["liquidity.point_of_control"]
    inside = slice(SMALL.profile_window - 1, None)
    assert ((low < control) & (control < high))[inside].all()
    position = columns["liquidity.position"][inside]
    assert position == pytest.approx(((BARS.close - low) / (high - low))[inside])


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=20)
def test_springs_and_upthrusts_equal_their_plain_formula(seed):
    bars = random_bars(120, seed=seed)
    over = turned_over(bars)
    columns = table(bars).columns
    for bar in range(SMALL.range_window, len(bars)):
        assert columns["wyckoff.spring"][bar] == plain.is_spring(bars, bar, SMALL)
        assert columns["wyckoff.upthrust"][bar] == plain.is_spring(over, bar, SMALL)


def turned_over(bars):
    """Return the bars upside down: prices below zero, which only the oracle reads."""
    over = object.__new__(BarSeries)
    columns = {"low": -bars.high, "high": -bars.low, "close": -bars.close, "times": bars.times}
    for name, values in columns.items():
        object.__setattr__(over, name, values)
    return over


def test_random_markets_have_springs_and_upthrusts_to_compare():
    columns = table(random_bars(2000, seed=5)).columns
    assert min(np.nansum(columns[f"wyckoff.{name}"]) for name in ("spring", "upthrust")) > 5


RANGE = [100.0, 102.0, 104.0, 102.0, 100.0, 102.0, 104.0, 102.0, 100.0, 102.0]


@pytest.mark.parametrize(
    ("after", "told"),
    [
        ([99.5, 101.0], [0, 1]),  # broken and won back
        ([99.5, 99.6, 101.0], [0, 0, 1]),  # on the third bar
        ([99.5, 99.6, 99.7, 101.0], [0, 0, 0, 0]),  # too late
        ([98.5, 101.0], [0, 0]),  # too deep: more than a quarter of 4
        ([101.0, 102.0], [0, 0]),  # never broken
        ([99.5, 101.0, 102.0], [0, 1, 0]),  # told once
    ],
)
def test_a_spring_is_told_at_the_close_that_wins_the_low_back(after, told):
    closes = np.array(RANGE + after)
    columns = table(bars_of(closes, closes)).columns
    assert columns["wyckoff.spring"][10:].tolist() == told
    # The same market upside down, about 102.
    over = table(bars_of(204.0 - closes, 204.0 - closes)).columns
    assert over["wyckoff.upthrust"][10:].tolist() == told
    assert not over["wyckoff.spring"][10:].any()


def test_a_market_that_falls_through_has_no_spring():
    closes = np.array([*np.linspace(110.0, 100.0, 10), 99.8, 101.0])
    assert not table(bars_of(closes, closes)).columns["wyckoff.spring"][10:].any()


@pytest.mark.parametrize("bar", [25, 51, 100, 159])
def test_the_chances_of_the_next_state_equal_their_plain_formula(bar):
    told = table(BARS).at(bar)["markov"]
    assert told["state"] == ("down", "flat", "up")[plain.state(BARS, bar, SMALL.state_window)]
    for name, value in plain.markov(BARS, bar, SMALL).items():
        assert told[name] == pytest.approx(value, rel=1e-12)


def test_the_scale_of_prices_and_volumes_does_not_matter():
    large = replace(
        BARS,
        **{name: getattr(BARS, name) * 7.0 for name in ("open", "high", "low", "close")},
        volume=BARS.volume * 3.0,
    )
    left, right = (table(bars).columns for bars in (BARS, large))
    for name in ("liquidity.amihud", "liquidity.kyle_lambda", "sentiment.momentum"):
        assert left[name] == pytest.approx(right[name], rel=1e-6, abs=1e-6, nan_ok=True)


# Edges


@pytest.mark.parametrize("count", [1, 2, 3, 10, 21])
def test_a_short_series_is_told_nothing_it_cannot_know(count):
    features = table(BARS.head(count))
    assert features.warm_up == count
    assert "sentiment" not in features.at(count - 1)


def test_no_bars_have_no_features():
    assert table(BARS.head(0)).warm_up == 0


def test_a_group_is_told_from_the_bar_on_that_fills_its_windows():
    features = table(BARS)
    starts = {
        group: next(bar for bar in range(len(BARS)) if group in features.at(bar))
        for group in ("liquidity", "sentiment", "wyckoff", "markov")
    }
    assert starts == {"liquidity": 25, "sentiment": 28, "wyckoff": 10, "markov": 21}
    assert features.warm_up == 28


def test_the_default_windows_are_full_at_bar_314():
    assert table(random_bars(320), how=None).warm_up == 314


def test_a_market_that_never_moves_is_told_plainly():
    features = table(bars_of(np.full(80, 5.0), np.full(80, 5.0)))
    told = features.at(79)
    assert told["sentiment"] == {"momentum": 0.0, "volatility": 0.0, "trend_strength": 0.0}
    assert (told["liquidity"]["amihud"], told["liquidity"]["volume_profile"]["position"]) == (
        0,
        0.5,
    )
    assert told["liquidity"]["volume_profile"]["point_of_control"] == 5.0
    assert told["wyckoff"]["accumulation"] == 0.0
    assert (told["markov"]["state"], told["wyckoff"]["spring"]) == ("flat", False)


def test_a_market_that_grows_evenly_has_no_volatility_but_for_rounding():
    closes = 100.0 * 1.01 ** np.arange(120)
    told = table(bars_of(closes, closes)).at(119)["sentiment"]
    assert told == {"momentum": 0.0, "volatility": 0.0, "trend_strength": 0.0}


def test_the_first_move_after_a_still_year_is_at_the_limit():
    closes = np.array([5.0] * 80 + [5.5])
    told = table(bars_of(closes, closes)).at(80)["sentiment"]
    assert told["momentum"] == told["volatility"] == SMALL.score_limit


def test_without_volume_there_is_no_liquidity_and_all_else():
    features = table(replace(BARS, volume=np.zeros(len(BARS))))
    told = features.at(159)
    assert "liquidity" not in told
    assert told["wyckoff"]["ad_line"] == told["wyckoff"]["accumulation"] == 0.0
    assert "sentiment" in told


def test_some_bars_without_volume_are_left_out_of_illiquidity():
    gaps = replace(BARS, volume=np.where(np.arange(len(BARS)) % 4 == 0, 0.0, BARS.volume))
    raw = liquidity.amihud(gaps, 5)
    assert raw[100] == pytest.approx(plain.amihud(gaps, 100, 5), rel=1e-12)
    assert "liquidity" in table(gaps).at(159)


def test_prices_at_the_ends_of_the_floats_tell_nothing_false():
    wild = random_bars(80)
    wild = replace(wild, volume=np.full(80, 1e308))
    for values in table(wild).columns.values():
        assert not np.isinf(values).any()


def test_what_is_told_is_plain_and_survives_json():
    told = table(BARS, chains_of(BARS)).at(157)
    assert set(told) == {"hedge", "liquidity", "sentiment", "wyckoff", "markov"}
    assert json.loads(json.dumps(told)) == told


def test_columns_cannot_be_written():
    with pytest.raises(ValueError, match="read-only"):
        table(BARS).columns["sentiment.momentum"][0] = 1.0


@pytest.mark.parametrize("bar", [-1, 160])
def test_a_bar_that_is_not_there_is_an_error(bar):
    with pytest.raises(ValueError, match=f"bar={bar}: give one from 0 to 159"):
        table(BARS).at(bar)


@pytest.mark.parametrize(
    "wrong",
    [
        {"score_window": 1},
        {"score_window": 2.5},
        {"score_window": True},
        {"score_limit": 0.0},
        {"score_limit": float("nan")},
        {"value_area": 1.5},
        {"recovery": 0},
        {"transition_prior": 0.0},
        {"chain_age": 4},
        {"quote_age": timedelta(days=-1)},
    ],
)
def test_a_setting_out_of_range_is_named(wrong):
    name, value = next(iter(wrong.items()))
    with pytest.raises(ValueError, match=f"^{name}=.*: give ") as caught:
        FeatureSettings(**wrong)
    assert repr(value) in str(caught.value)


# Chains


def at_bar(bar):
    return from_micros(int((1 + bar) * DAY_US))


def test_a_bar_is_told_the_latest_chain_known_at_its_close():
    chains = [leaning(30.0, at_bar(50)), leaning(0.0, at_bar(52) + timedelta(microseconds=1))]
    features = table(BARS, chains)
    assert "hedge" not in features.at(49)
    told = [features.at(bar)["hedge"]["net_gamma_exposure"] for bar in range(50, 57)]
    assert told == pytest.approx([-0.5] * 3 + [1.0] * 4)
    assert "hedge" not in features.at(57)  # four days and no more


def test_chains_may_come_in_any_order():
    chains = chains_of(BARS)
    there, back = table(BARS, chains), table(BARS, chains[::-1])
    assert bytes_up_to(there, 159) == bytes_up_to(back, 159)


def test_a_move_is_the_trailing_score_of_the_return():
    told = table(BARS, chains_of(BARS)).at(100)["hedge"]["move"]
    assert told == pytest.approx(plain.score(plain.returns_of(BARS), 100, 20), rel=1e-9)


def test_a_chain_of_another_symbol_is_refused():
    with pytest.raises(ValueError, match="symbol='SPY', the bars are of 'TEST'"):
        table(BARS, [leaning(1.0, at_bar(5), symbol="SPY")])


def test_two_chains_of_one_time_are_refused():
    with pytest.raises(ValueError, match="chains: two are of 1970-01-07"):
        table(BARS, [leaning(1.0, at_bar(5)), leaning(2.0, at_bar(5))])


def test_times_are_those_of_the_chain_not_of_its_first_bar():
    early = leaning(1.0, datetime(1969, 12, 31, tzinfo=timezone.utc))
    assert "hedge" not in table(BARS, [early]).at(30)


@pytest.mark.parametrize("asked", [[377, 400], [400, 377], [390], [399, 400, 380]])
def test_a_state_is_that_of_the_encoder_whenever_it_is_asked_for(asked):
    bars = random_bars(401)
    features, states = table(bars), StateEncoder().encode_all(bars)
    for bar in asked:
        assert features.at(bar)["analogue"]["embedding"] == states[bar].tolist()
    assert "analogue" not in features.at(376)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"bars": "it"}, "bars: 'it' is no BarSeries"),
        ({"chains": ["it"]}, "chains: 'it' is no OptionChain"),
        ({"settings": {}}, "settings: \\{\\} is no FeatureSettings"),
    ],
)
def test_what_a_table_is_made_of_is_checked(given, named):
    with pytest.raises(TypeError, match=named):
        FeatureTable(**{"bars": BARS, **given})


@pytest.mark.parametrize("bar", [1.5, "a", None, 10**400])
def test_a_bar_that_cannot_be_is_refused(bar):
    with pytest.raises(ValueError, match="bar="):
        table(BARS).at(bar)
