"""The arms beside memory: the rule without memory and the placebo."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets import bars_of
from nt_memory.backtest.arms import ShuffledOutcomes, momentum_direction


@given(st.integers(0, 30), st.integers(0, 2**32 - 1))
def test_at_any_time_the_outcomes_known_are_dealt_out_once_each(known, seed):
    shuffled = ShuffledOutcomes(np.random.default_rng(seed))
    for number in range(known):
        shuffled.learn(str(number), float(number))
    assert sorted(shuffled[str(number)] for number in range(known)) == list(range(known))


def test_every_permutation_is_as_likely():
    counts = Counter()
    for seed in range(3000):
        shuffled = ShuffledOutcomes(np.random.default_rng(seed))
        for number in range(3):
            shuffled.learn(str(number), float(number))
        counts[tuple(shuffled[str(number)] for number in range(3))] += 1
    assert len(counts) == 6
    assert all(count == pytest.approx(500, abs=80) for count in counts.values())


def test_one_more_memory_swaps_at_most_one_other():
    shuffled = ShuffledOutcomes(np.random.default_rng(1))
    for number in range(50):
        before = [shuffled[str(earlier)] for earlier in range(number)]
        shuffled.learn(str(number), float(number))
        after = [shuffled[str(earlier)] for earlier in range(number)]
        assert sum(left != right for left, right in zip(before, after, strict=True)) <= 1


@pytest.mark.parametrize(("growth", "direction"), [(1.01, 1), (0.99, -1), (1.0, 0)])
def test_momentum_follows_the_trailing_mean(growth, direction):
    close = 100.0 * growth ** np.arange(80) * (1.0 + 0.001 * (-1.0) ** np.arange(80))
    bars = bars_of(close, close)
    assert momentum_direction(bars, window=63, threshold=1.0) == direction


def test_momentum_reads_its_window_alone():
    rising = 100.0 * 1.01 ** np.arange(80) * (1.0 + 0.001 * (-1.0) ** np.arange(80))
    other = rising.copy()
    other[:16] = np.linspace(900.0, 300.0, 16)
    left, right = (momentum_direction(bars_of(c, c), 63, 1.0) for c in (rising, other))
    assert left == right == 1
