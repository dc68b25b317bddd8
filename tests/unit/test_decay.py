"""Half-lives of memory are compared by what they told, and chosen by the past alone."""

import json

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr
from typer.testing import CliRunner

from markets import random_bars, spliced
from nt_memory.backtest import decay
from nt_memory.backtest.decay import DecayWindow, Fading, Tuning, tune_decay
from nt_memory.backtest.worlds import empty_world, planted_world
from nt_memory.cli.app import app
from nt_memory.policy import StateEncoder

FEW = (20.0, None)
SMALL = {"half_lives": FEW, "train": 150, "test": 50, "top_k": 5}
BARS = StateEncoder.warm_up + 320


@pytest.fixture(scope="module")
def bars():
    return random_bars(BARS)


@pytest.fixture(scope="module")
def tuned(bars):
    return tune_decay(bars, **SMALL)


def test_each_half_life_has_a_row_and_each_window_a_choice(tuned):
    assert [row.half_life for row in tuned.rows] == list(FEW)
    assert sum(row.chosen for row in tuned.rows) == len(tuned.windows) > 1
    assert all(each.chosen in FEW for each in tuned.windows)
    assert all(each.ic == each.ic_lasting for each in tuned.windows if each.chosen is None)


def test_the_same_again_is_the_same(bars, tuned):
    assert tune_decay(bars, **SMALL) == tuned


def test_what_comes_later_changes_no_earlier_window(bars, tuned):
    cut = tuned.windows[1].last + 5
    other = spliced(bars, random_bars(BARS, seed=9), cut)
    assert tune_decay(other, **SMALL).windows[:2] == tuned.windows[:2]
    assert tune_decay(other, **SMALL).windows[2:] != tuned.windows[2:]


def test_memory_tells_what_comes_where_a_pattern_comes_again():
    world = planted_world(0, 1100, drift=0.03)
    fading, lasting = tune_decay(world, (60.0, None), train=300, test=100).rows
    assert lasting.ic > 0.1
    assert lasting.ic > fading.ic
    assert (fading.chosen, lasting.chosen) == (0, 5)


def test_ranks_and_their_correlation_are_those_of_scipy():
    rng = np.random.default_rng(0)
    left, right = rng.integers(0, 20, 200).astype(float), rng.normal(size=200)
    assert (decay._ranks(left) == rankdata(left)).all()
    assert decay._ic(left, right) == pytest.approx(spearmanr(left, right).statistic, abs=1e-12)


def test_what_is_not_known_is_left_out_of_a_correlation():
    told, came = np.array([1.0, np.nan, 3.0, 2.0, 4.0]), np.array([1.0, 9.0, 3.0, 2.0, np.nan])
    assert decay._ic(told, came) == pytest.approx(1.0)
    assert decay._ic(told[:2], came[:2]) == 0.0
    assert decay._ic(np.ones(5), np.arange(5.0)) == 0.0


@pytest.mark.parametrize(
    ("gains", "verdict"),
    [
        ([0.1, 0.11, 0.12], "fading helped"),
        ([-0.1, -0.11, -0.12], "fading hurt"),
        ([0.1, -0.1, 0.02], "no evidence that fading helps"),
        ([0.5], "no evidence that fading helps"),
    ],
)
def test_the_verdict_is_on_two_standard_errors(gains, verdict):
    windows = tuple(DecayWindow(0, 1, 20.0, gain, 0.0) for gain in gains)
    tuning = Tuning((Fading(20.0, 0.0, len(gains)),), windows)
    assert tuning.gain == pytest.approx(np.mean(gains))
    assert tuning.verdict == verdict


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"half_lives": (0.0, None)}, "half_lives"),
        ({"half_lives": (np.nan, None)}, "half_lives"),
        ({"half_lives": (5.0, 5.0, None)}, "half_lives"),
        ({"half_lives": (5.0,)}, "None"),
        ({"half_lives": (1e15, None)}, "half_lives"),
        ({"holding": 0}, "holding"),
        ({"top_k": 1}, "top_k"),
        ({"train": 10_000}, "bars"),
    ],
)
def test_what_cannot_be_tuned_is_refused(bars, changed, told):
    with pytest.raises(ValueError, match=told):
        tune_decay(bars, **{**SMALL, **changed})


def test_the_command_tells_the_table_and_the_verdict():
    asked = ["tune-decay", "--bars", "1700", "--half-lives", "60"]
    found = CliRunner().invoke(app, [*asked, "--json"])
    told = json.loads(found.stdout)
    assert [row["half_life"] for row in told["half_lives"]] == [60.0, None]
    assert told["verdict"] in {"no evidence that fading helps", "fading helped", "fading hurt"}
    found = CliRunner().invoke(app, asked)
    assert "lasting" in found.stdout
    assert told["verdict"] in found.stdout


def test_the_command_refuses_half_lives_that_are_no_numbers():
    found = CliRunner().invoke(app, ["tune-decay", "--half-lives", "ten"])
    assert found.exit_code == 2
    assert "--half-lives" in found.output


@pytest.mark.parametrize("world", [empty_world, planted_world])
def test_a_world_that_cannot_be_is_refused(world):
    with pytest.raises(ValueError, match="bars=2147483648: give at most 1,000,000"):
        world(1, 2**31)
    with pytest.raises(ValueError, match="seed=-1"):
        world(-1, 10)
