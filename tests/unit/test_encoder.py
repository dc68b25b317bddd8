"""The state encoder: causal, repeatable to the bit, unit length."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markets import bars_of, random_bars, spliced
from nt_memory.policy import StateEncoder

ENCODER = StateEncoder()
BARS = random_bars(ENCODER.warm_up + 60)


def test_states_are_256_float32():
    states = ENCODER.encode_all(BARS)
    assert states.shape == (len(BARS), 256)
    assert states.dtype == np.float32


def test_states_have_unit_length():
    states = ENCODER.encode_all(BARS)[ENCODER.warm_up :]
    assert np.linalg.norm(states.astype(float), axis=1) == pytest.approx(1.0, abs=1e-6)


def test_there_is_no_state_before_the_warm_up():
    states = ENCODER.encode_all(BARS)
    assert np.isnan(states[: ENCODER.warm_up]).all()
    assert np.isfinite(states[ENCODER.warm_up]).all()


@pytest.mark.parametrize("bar", [ENCODER.warm_up - 1, -1, len(BARS)])
def test_encoding_a_bar_without_a_state_is_an_error(bar):
    with pytest.raises(ValueError, match="bar"):
        ENCODER.encode(BARS, bar)


def test_a_series_shorter_than_the_warm_up_has_no_state():
    assert np.isnan(ENCODER.encode_all(BARS.head(50))).all()


@given(st.integers(ENCODER.warm_up, len(BARS) - 1))
@settings(deadline=None, max_examples=20)
def test_one_bar_and_the_whole_series_agree_to_the_bit(bar):
    assert ENCODER.encode(BARS, bar).tobytes() == ENCODER.encode_all(BARS)[bar].tobytes()


@given(st.integers(ENCODER.warm_up, len(BARS) - 2), st.integers(1, 2**32 - 1))
@settings(deadline=None, max_examples=20)
def test_bars_after_a_bar_change_nothing_at_or_before_it(cut, seed):
    changed = spliced(BARS, random_bars(len(BARS), seed=seed), cut)
    before, after = ENCODER.encode_all(BARS), ENCODER.encode_all(changed)
    assert before[: cut + 1].tobytes() == after[: cut + 1].tobytes()
    assert before[cut + 1 :].tobytes() != after[cut + 1 :].tobytes()


def test_the_scale_of_prices_does_not_matter():
    scaled = bars_of(BARS.open * 7.0, BARS.close * 7.0)
    plain = bars_of(BARS.open, BARS.close)
    left, right = (ENCODER.encode_all(bars)[-1] for bars in (scaled, plain))
    assert left == pytest.approx(right, abs=1e-5)


def test_a_market_that_never_moves_has_a_state():
    flat = bars_of(np.ones(ENCODER.warm_up + 1), np.ones(ENCODER.warm_up + 1))
    assert np.linalg.norm(ENCODER.encode(flat, ENCODER.warm_up)) == 1.0


def test_contributions_add_up_to_the_cosine():
    left, right = ENCODER.encode_all(BARS)[-2:]
    shares = ENCODER.contributions(left, right)
    assert len(shares) == 16
    assert sum(shares.values()) == pytest.approx(float(left @ right), abs=1e-5)
