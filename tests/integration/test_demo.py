"""The demo from prices to files."""

import json
from dataclasses import replace

import pytest

from nt_memory import Filter, MemorySystem
from nt_memory.backtest import Settings, load_sp500
from nt_memory.backtest.demo import run_demo
from nt_memory.backtest.runs import new_folder
from nt_memory.policy import StateEncoder

SMALL = Settings(seed=3, train=StateEncoder.warm_up + 30, resamples=200)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Run the demo twice with one seed, and once with another."""
    parent = tmp_path_factory.mktemp("runs")
    bars = load_sp500().head(StateEncoder.warm_up + 80)
    other = replace(SMALL, seed=4)
    return [
        run_demo(new_folder(parent, "demo"), settings, bars) for settings in (SMALL, SMALL, other)
    ]


def test_each_run_has_a_folder_of_its_own(runs):
    assert [run.folder.name for run in runs] == ["demo-1", "demo-2", "demo-3"]


@pytest.mark.parametrize("name", ["report.html", "run_card.json", "returns.csv"])
def test_the_same_seed_gives_the_same_bytes(runs, name):
    first, again, other = ((run.folder / name).read_bytes() for run in runs)
    assert first == again
    assert first != other


def test_the_run_card_is_what_was_measured(runs):
    card = json.loads((runs[0].folder / "run_card.json").read_text(encoding="utf-8"))
    assert card["arms"]["memory"]["sharpe"] == runs[0].experiment.arms["memory"].metrics.sharpe


def test_the_store_opens_again_with_every_decision_and_outcome(runs):
    experiment = runs[0].experiment
    states = len(experiment.market) - StateEncoder.warm_up
    stances = experiment.stances["memory"].values()
    last = [told for stance in stances for told in stance.remembered if told.analogues][-1]
    with MemorySystem(runs[0].folder / "store") as memory:
        assert memory.verify() == []
        found = memory.recall(filter=Filter(kind="state"), order_by="event_time", top_k=1000)
        settled = [hit.record.outcome is not None for hit in found]
        assert settled == [True] * (states - 5) + [False] * 5
        replayed = memory.replay(last.recall_id)
        assert [hit.id for hit in replayed] == [a.id for a in last.analogues]
        decided = memory.recall(
            filter=Filter(agent_id="composer", kind="signal"), order_by="event_time", top_k=1000
        )
        # The agents are told something from their own warm-up on.
        assert len(decided) > states
