"""Walk-forward windows: order, gaps, and no outcome that ends in a test."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_memory.backtest import Settings, walk_forward
from nt_memory.backtest.bootstrap import FEWEST

COUNTS = {
    "n_bars": st.integers(60, 400),
    "train": st.integers(1, 40),
    "test": st.integers(1, 40),
    "extra": st.integers(0, 20),
    "embargo": st.integers(0, 5),
    "holding": st.integers(0, 9),
}


@given(**COUNTS)
def test_no_outcome_of_the_training_ends_inside_the_test(
    n_bars, train, test, extra, embargo, holding
):
    windows = walk_forward(
        n_bars, train=train, test=test, step=test + extra, embargo=embargo, holding=holding
    )
    for window in windows:
        assert len(window.train) == train
        assert window.train.start >= 0
        assert window.train[-1] + holding + embargo < window.test.start
        assert 1 <= len(window.test) <= test
        assert window.test.stop <= n_bars
    tested = [bar for window in windows for bar in window.test]
    assert tested == sorted(set(tested))
    if not extra:
        assert tested == list(range(train + embargo + holding, n_bars))


@given(**COUNTS)
def test_the_training_reaches_as_far_as_it_may(n_bars, train, test, extra, embargo, holding):
    first = walk_forward(n_bars, train=train, test=test, embargo=embargo, holding=holding)[0]
    assert first.train[-1] + holding + embargo + 1 == first.test.start


@pytest.mark.parametrize(
    "changed",
    [
        {"train": 0},
        {"train": 1.5},
        {"test": 0},
        {"step": 9},
        {"embargo": -1},
        {"holding": -1},
        {"n_bars": 20},
        {"n_bars": 10**400},
    ],
)
def test_windows_that_cannot_be_are_refused(changed):
    asked = {"n_bars": 100, "train": 20, "test": 10} | changed
    with pytest.raises(ValueError, match=next(iter(changed))):
        walk_forward(asked.pop("n_bars"), **asked)


def test_one_window_goes_on_where_it_learnt():
    (window,) = Settings(train=100).windows(150)
    assert (window.train, window.test) == (range(100), range(100, 150))


def test_several_windows_leave_out_what_would_end_in_the_test():
    windows = Settings(train=100, test=30, embargo=2, holding=5).windows(180)
    assert [window.test for window in windows] == [
        range(107, 137),
        range(137, 167),
        range(167, 180),
    ]


def test_too_few_bars_are_told_with_how_many_are_needed():
    with pytest.raises(ValueError, match=str(100 + FEWEST + 1)):
        Settings(train=100).windows(100 + FEWEST)


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": -1},
        {"holding": 0},
        {"train": 0},
        {"resamples": 1},
        {"level": 1.0},
        {"level": "high"},
        {"holding": 2.5},
        {"train": True},
        {"resamples": None},
        {"test": 0},
        {"level": float("nan")},
        {"step": 5},
        {"embargo": 5},
    ],
)
def test_settings_out_of_range_name_the_field(changed):
    with pytest.raises((TypeError, ValueError), match=next(iter(changed))):
        Settings(**changed)
