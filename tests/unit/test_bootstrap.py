"""The stationary bootstrap, with the package arch as the oracle."""

import numpy as np
import pytest
from arch.bootstrap import StationaryBootstrap, optimal_block_length
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_memory.backtest import Settings
from nt_memory.backtest.bootstrap import (
    common_tail,
    optimal_block,
    sharpe_difference,
    sharpe_differences,
    stationary_indices,
)
from nt_memory.metrics import sharpe_ratio


def autoregressive(seed, length, persistence):
    shocks = np.random.default_rng(seed).normal(size=length)
    series = np.zeros(length)
    for at in range(1, length):
        series[at] = persistence * series[at - 1] + shocks[at]
    return series


@given(st.integers(0, 2**32 - 1), st.integers(40, 600), st.floats(-0.9, 0.95))
@settings(deadline=None)
def test_block_lengths_are_those_of_arch(seed, length, persistence):
    series = autoregressive(seed, length, persistence)
    expected = max(1.0, optimal_block_length(series)["stationary"].iloc[0])
    assert optimal_block(series) == pytest.approx(expected)


def test_a_series_that_does_not_move_needs_no_blocks():
    assert optimal_block(np.full(50, 0.5)) == 1.0


def test_blocks_have_the_mean_length_asked_for():
    picks = stationary_indices(np.random.default_rng(1), 200, 1000, block=8.0)
    follows = (np.diff(picks, axis=1) % 1000) == 1
    assert 1.0 / (1.0 - follows.mean()) == pytest.approx(8.0, rel=0.05)


def test_every_bar_is_drawn_as_often_as_any_other():
    picks = stationary_indices(np.random.default_rng(2), 4000, 50, block=5.0)
    counts = np.bincount(picks.ravel(), minlength=50)
    assert counts == pytest.approx(np.full(50, 4000.0), rel=0.1)


def test_the_interval_is_that_of_arch():
    rng = np.random.default_rng(3)
    left = rng.normal(0.001, 0.01, 1000)
    right = 0.5 * left + rng.normal(0.0, 0.01, 1000)
    ours = sharpe_difference(left, right, seed=4)
    oracle = StationaryBootstrap(ours.block, left, right, seed=5)
    low, high = oracle.conf_int(
        lambda a, b: np.array([sharpe_ratio(a) - sharpe_ratio(b)]), reps=2000, method="percentile"
    )[:, 0]
    width = high - low
    assert ours.low == pytest.approx(low, abs=0.06 * width)
    assert ours.high == pytest.approx(high, abs=0.06 * width)


def test_an_arm_against_itself_differs_by_nothing():
    arm = autoregressive(1, 300, 0.2)
    interval = sharpe_difference(arm, arm, seed=0, resamples=200)
    assert (interval.difference, interval.low, interval.high) == (0.0, 0.0, 0.0)
    assert interval.spans_zero


def test_a_clear_difference_does_not_span_zero():
    noise = autoregressive(2, 1000, 0.0) / 100
    interval = sharpe_difference(noise + 0.01, noise - 0.01, seed=0, resamples=500)
    assert interval.low > 0.0
    assert not interval.spans_zero


def test_the_same_seed_draws_the_same_interval():
    left, right = autoregressive(3, 300, 0.1), autoregressive(4, 300, 0.1)
    first, again = (sharpe_difference(left, right, seed=9, resamples=300) for _ in range(2))
    assert first == again
    assert sharpe_difference(left, right, seed=10, resamples=300) != first


def test_arms_of_different_length_cannot_be_paired():
    with pytest.raises(ValueError, match="paired"):
        sharpe_difference(np.zeros(30), np.zeros(31), seed=0)


def test_too_few_bars_are_refused():
    with pytest.raises(ValueError, match="too few"):
        sharpe_difference(np.zeros(19), np.zeros(19), seed=0)


def family(count, length=300):
    """One arm, and others that share half of it."""
    rng = np.random.default_rng(5)
    arms = {"memory": rng.normal(0.001, 0.01, length)}
    for place in range(count):
        arms[f"other {place}"] = 0.5 * arms["memory"] + rng.normal(0.0, 0.01, length)
    return arms, [("memory", name) for name in arms if name != "memory"]


def test_one_comparison_has_the_plain_interval():
    arms, pairs = family(1)
    (found,) = sharpe_differences(arms, pairs, seed=3, resamples=500)
    assert found == sharpe_difference(arms["memory"], arms["other 0"], seed=3, resamples=500)
    assert found.tail == pytest.approx(0.025)


@given(st.integers(0, 2**32 - 1), st.integers(2, 8), st.floats(0.5, 0.99))
@settings(deadline=None)
def test_the_more_is_compared_the_wider_within_bonferronis_bound(seed, columns, level):
    drawn = np.random.default_rng(seed).normal(size=(400, columns))
    tails = [common_tail(drawn[:, :count], level) for count in range(1, columns + 1)]
    assert tails == sorted(tails, reverse=True)
    assert tails[0] == pytest.approx((1.0 - level) / 2.0)
    assert tails[-1] >= (1.0 - level) / 2.0 / columns


def test_all_intervals_hold_together_as_often_as_asked():
    drawn = np.random.default_rng(1).normal(size=(5000, 6))
    drawn += 2.0 * drawn[:, :1]  # what they have in common
    tail = common_tail(drawn, 0.95)
    low, high = np.quantile(drawn, [tail, 1.0 - tail], axis=0)
    inside = ((drawn >= low) & (drawn <= high)).all(axis=1).mean()
    assert inside == pytest.approx(0.95, abs=0.002)
    assert tail > 0.025 / 6, "comparisons that go together cost less than Bonferroni"


def test_a_comparison_is_not_changed_by_its_own_copy():
    arms, pairs = family(1)
    arms["copy"] = arms["other 0"]
    alone = sharpe_differences(arms, pairs, seed=3, resamples=500)[0]
    both = sharpe_differences(arms, [*pairs, ("memory", "copy")], seed=3, resamples=500)
    assert both[0].low == both[1].low == pytest.approx(alone.low, abs=0.01)


def test_a_comparison_of_an_arm_with_itself_costs_nothing():
    drawn = np.random.default_rng(2).normal(size=(1000, 2))
    same = np.zeros((1000, 1))
    alone = common_tail(drawn, 0.95)
    # Bonferroni's bound, which is a step of the resamples away, is all that moves.
    assert common_tail(np.hstack([drawn, same]), 0.95) == pytest.approx(alone, abs=0.001)


def test_among_many_tries_the_luckiest_is_no_evidence():
    """Twenty arms of noise: the plain interval is fooled more often than the common one."""
    fooled = {"plain": 0, "family": 0}
    for seed in range(20):
        rng = np.random.default_rng([9, seed])
        arms = {f"arm {place}": rng.normal(0.0, 0.01, 250) for place in range(21)}
        pairs = [(f"arm {place}", "arm 0") for place in range(1, 21)]
        for found in sharpe_differences(arms, pairs, seed=seed, resamples=1000):
            fooled["family"] += not found.spans_zero
        for left, right in pairs:
            plain = sharpe_difference(arms[left], arms[right], seed=seed, resamples=200)
            fooled["plain"] += not plain.spans_zero
    assert fooled["family"] < fooled["plain"] / 4


def test_a_family_of_nothing_is_refused():
    with pytest.raises(ValueError, match="pairs"):
        sharpe_differences({"a": np.zeros(30)}, [], seed=0)


def test_resamples_that_would_never_end_are_refused():
    with pytest.raises(ValueError, match="resamples=2147483648: give at most 1,000,000"):
        Settings(resamples=2**31)


@pytest.mark.parametrize(
    "bad", [{"seed": [[0]]}, {"seed": -1}, {"resamples": 2**31}, {"resamples": 0}, {"level": 1.0}]
)
def test_terms_that_cannot_be_are_refused_by_name(bad):
    arm = np.arange(30.0)
    with pytest.raises(ValueError, match=next(iter(bad))):
        sharpe_difference(arm, arm[::-1], **{"seed": 0, **bad})
