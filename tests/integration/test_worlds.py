"""In worlds with a known answer the comparison of memory with none gives that answer."""

from dataclasses import replace

import numpy as np
import pytest

from nt_memory.backtest import Analogues, Market, Settings, run_backtest
from nt_memory.backtest.settings import MEMORY, PLAIN, SHUFFLED
from nt_memory.backtest.worlds import empty_world, planted_world
from nt_memory.policy import StateEncoder

SETTINGS = Settings(train=StateEncoder.warm_up + 126)


def intervals(bars, folder, settings=SETTINGS):
    run = run_backtest(Market([bars]), Analogues(), settings, folder / "run")
    return run.experiment.intervals


def test_memory_is_found_to_help_where_a_pattern_comes_again(tmp_path):
    found = intervals(planted_world(0), tmp_path)
    assert found[MEMORY, PLAIN].low > 0.0
    assert found[MEMORY, SHUFFLED].low > 0.0


def test_memory_is_not_found_to_help_where_nothing_follows_the_pattern(tmp_path):
    found = intervals(planted_world(0, drift=0.0), tmp_path)
    assert found[MEMORY, SHUFFLED].spans_zero


@pytest.mark.parametrize("seed", range(3))
def test_memory_is_not_found_to_help_in_an_empty_world(tmp_path, seed):
    found = intervals(empty_world(seed), tmp_path, replace(SETTINGS, seed=seed))
    assert found[MEMORY, PLAIN].spans_zero


def test_worlds_are_the_same_for_a_seed_and_others_for_another():
    for world in (empty_world, planted_world):
        assert (world(1).close == world(1).close).all()
        assert not (world(1).close == world(2).close).any()
        assert len(world(1, 300)) == 300


def test_an_empty_world_has_no_drift_and_a_planted_one_none_on_the_whole():
    for world in (empty_world, planted_world):
        moves = [np.diff(np.log(world(seed, 2000).close)) for seed in range(40)]
        mean, error = np.mean(moves), np.std(moves) / np.sqrt(np.size(moves))
        assert abs(mean) < 4.0 * error


@pytest.mark.parametrize("bars", [0, -1, 1.5, True, None])
def test_a_world_needs_bars(bars):
    with pytest.raises(ValueError, match="bars="):
        empty_world(0, bars)
