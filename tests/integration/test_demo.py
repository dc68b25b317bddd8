"""The demo from prices to files, and that no decision reads the future."""

import json

import numpy as np
import pytest

from markets import mirrored, random_bars
from nt_memory import Filter, ManualClock, MemoryConfig, MemorySystem, VectorSpace
from nt_memory.backtest import Settings, load_sp500
from nt_memory.backtest.arms import momentum_direction, shuffled_directions
from nt_memory.backtest.demo import new_folder, run_demo
from nt_memory.backtest.engine import outcomes
from nt_memory.backtest.experiment import walk
from nt_memory.policy import StateEncoder

SMALL = Settings(seed=3, burn_in=30, resamples=200)
MARKET = random_bars(StateEncoder.warm_up + 70)
CUT = StateEncoder.warm_up + 45


def analogue(bars):
    """Decide with the agent, on a store that keeps nothing."""
    clock = ManualClock(bars.closed_at(0))
    config = MemoryConfig(
        cold_engine="memory",
        spaces={"state": VectorSpace(StateEncoder.dim, encoder=StateEncoder.id)},
        clock=clock,
        seed=0,
    )
    with MemorySystem(config) as memory:
        return list(walk(bars, memory, clock, SMALL))


def shuffled(bars):
    """Decide with the placebo, which is handed all outcomes and may read those known."""
    met = outcomes(bars, SMALL.holding)[StateEncoder.warm_up :].tolist()
    return shuffled_directions(analogue(bars), met, holding=SMALL.holding, threshold=1.0, seed=0)


def momentum(bars):
    """Decide by the rule without memory."""
    past = (bars.head(bar + 1) for bar in range(StateEncoder.warm_up, len(bars)))
    return [momentum_direction(seen, SMALL.momentum, SMALL.threshold) for seen in past]


def peeking(bars):
    """Decide by tomorrow's close: what the check has to catch."""
    ahead = np.append(bars.close[1:], bars.close[-1])
    return np.sign(ahead - bars.close)[StateEncoder.warm_up :].tolist()


def changed_by_the_future(decide):
    """Return the bars up to ``CUT`` whose decision changes with the bars after it."""
    pairs = zip(decide(MARKET), decide(mirrored(MARKET, CUT)), strict=True)
    changed = [StateEncoder.warm_up + at for at, (one, other) in enumerate(pairs) if one != other]
    assert any(bar > CUT for bar in changed), "the change after the cut has to matter"
    return [bar for bar in changed if bar <= CUT]


@pytest.mark.parametrize("decide", [analogue, shuffled, momentum])
def test_no_decision_reads_the_future(decide):
    assert changed_by_the_future(decide) == []


def test_an_arm_that_peeks_is_caught():
    assert changed_by_the_future(peeking) == [CUT]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Run the demo twice with one seed, and once with another."""
    parent = tmp_path_factory.mktemp("runs")
    bars = load_sp500().head(StateEncoder.warm_up + 80)
    other = Settings(seed=4, burn_in=SMALL.burn_in, resamples=SMALL.resamples)
    return [run_demo(new_folder(parent), settings, bars) for settings in (SMALL, SMALL, other)]


def test_each_run_has_a_folder_of_its_own(runs):
    assert [run.folder.name for run in runs] == ["demo-1", "demo-2", "demo-3"]


@pytest.mark.parametrize("name", ["report.html", "run_card.json"])
def test_the_same_seed_gives_the_same_bytes(runs, name):
    first, again, other = ((run.folder / name).read_bytes() for run in runs)
    assert first == again
    assert first != other


def test_the_run_card_is_what_was_measured(runs):
    card = json.loads((runs[0].folder / "run_card.json").read_text(encoding="utf-8"))
    assert card["arms"]["memory"]["sharpe"] == runs[0].experiment.arms["memory"].metrics.sharpe


def test_the_store_opens_again_with_every_decision_and_outcome(runs):
    decisions = runs[0].experiment.decisions
    with MemorySystem(runs[0].folder / "store") as memory:
        assert memory.verify() == []
        found = memory.recall(filter=Filter(kind="state"), order_by="event_time", top_k=1000)
        assert [hit.id for hit in found] == [decision.id for decision in decisions]
        settled = [hit.record.outcome is not None for hit in found]
        assert settled == [True] * (len(decisions) - 5) + [False] * 5
        replayed = memory.replay(decisions[-1].recall_id)
        assert [hit.id for hit in replayed] == [a.id for a in decisions[-1].analogues]


def test_new_folders_are_numbered_after_those_that_are_there(tmp_path):
    (tmp_path / "demo-7").mkdir()
    (tmp_path / "demo-x").mkdir()
    assert new_folder(tmp_path).name == "demo-8"
