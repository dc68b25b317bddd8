"""Consolidation comes to the same, run each night or once for all nights, cut off or not."""

import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import day
from conftest import open_memory
from nt_memory import Action, EpisodicMemory, EpisodicStore, ManualClock, SemanticStore
from nt_memory.clock import to_micros
from nt_memory.experience.lifecycle import MemoryLifecycle
from trajectories import near

NIGHTS = 6

made = st.tuples(
    st.integers(0, NIGHTS - 1),  # day
    st.integers(0, 2),  # the reward is known so many days later
    st.integers(0, 1),  # near which axis
    st.sampled_from(["BUY", "SELL"]),
    st.sampled_from([0.01, -0.02, 0.03]),
)
histories = st.lists(made, min_size=6, max_size=40)


def episode(number, n, later, place, action, reward):
    at = day(n) + timedelta(minutes=number)
    return EpisodicMemory(
        agent_id="hedge",
        timestamp=at,
        state_vector=near(place, number),
        action=Action(action),
        product_id="SPY",
        reward=reward,
        outcome_known_at=at + timedelta(days=later, hours=1),
        memory_id=f"e{number:03}",
    )


def told(entry):
    performance = {
        name: pytest.approx(value) if isinstance(value, float) else value
        for name, value in entry.historical_performance.to_json().items()
    }
    known = entry.conditions or {}
    return (
        entry.memory_id,
        entry.created_at,
        performance,
        known["examples"],
        known["counts"],
        [pytest.approx(x) for x in known["vector_sum"].tolist()],
    )


def lifecycle(memory):
    return MemoryLifecycle(memory, min_cluster=2)


def answers(memory):
    """Return what was known after each night."""
    store = SemanticStore(memory)
    nights = range(1, NIGHTS + 4)
    return [[told(entry) for entry in store.entries(as_of=day(n))] for n in nights]


def each_night(history, run=lifecycle):
    """Write what happened day by day, and consolidate each night."""
    clock = ManualClock(day(0))
    with open_memory("native", clock) as memory:
        episodes = EpisodicStore(memory)
        for n in range(NIGHTS + 3):
            today = [episode(i, *rest) for i, rest in enumerate(history) if rest[0] == n]
            episodes.add_many(today)
            clock.set(day(n + 1))
            run(memory).consolidate()
        return answers(memory)


def once(history, run=lifecycle):
    """Write everything, and consolidate once for all nights."""
    with open_memory("native", ManualClock(day(NIGHTS + 3))) as memory:
        EpisodicStore(memory).add_many(episode(i, *rest) for i, rest in enumerate(history))
        run(memory).consolidate()
        return answers(memory)


@settings(max_examples=50)
@given(histories)
def test_each_night_and_once_for_all_nights_come_to_the_same(history):
    assert each_night(history) == once(history)


def test_a_run_that_takes_all_nights_as_one_is_caught():
    class Careless(MemoryLifecycle):
        def _first_end(self):
            end = super()._first_end()
            return None if end is None else self._end_of(to_micros(day(NIGHTS + 2)))

    history = [(n % 4, 0, 0, "BUY", 0.01) for n in range(12)]
    assert each_night(history) == once(history)
    assert once(history, lambda memory: Careless(memory, min_cluster=2)) != once(history)


def test_counting_twice_is_caught(monkeypatch):
    history = [(n % 4, 0, 0, "BUY", 0.01) for n in range(12)]
    right = each_night(history)
    monkeypatch.setattr("nt_memory._intake.Turn._late", lambda _, tree: tree)
    monkeypatch.setattr("nt_memory._intake.visible_at", lambda _: 2**62)
    monkeypatch.setattr("nt_memory.experience.lifecycle._was_settled", lambda *_: False)
    assert each_night(history) != right


# --- cut off ----------------------------------------------------------------

WORKER = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from datetime import timedelta
from builders import day
from nt_memory import ManualClock, MemoryConfig, MemorySystem, VectorSpace
from nt_memory.experience.lifecycle import MemoryLifecycle

folder, what, last = sys.argv[2], sys.argv[3], int(sys.argv[4])
calls = 0

def kill(_):
    global calls
    calls += 1
    if calls == last:
        os.kill(os.getpid(), signal.SIGKILL)

config = MemoryConfig(storage_path=folder, spaces={"state": VectorSpace(dim=4)})
with MemorySystem(config, clock=ManualClock(day(200))) as memory:
    made = MemoryLifecycle(memory, min_cluster=2)
    if what == "consolidate":
        made.consolidate(progress=kill)
    else:
        made.prune(progress=kill)
"""


def work(folder, what, last):
    """Run in a process of its own that is killed at its n-th step; return how it ended."""
    command = [
        sys.executable,
        "-c",
        WORKER,
        str(Path(__file__).parents[1]),
        folder,
        what,
        str(last),
    ]
    return subprocess.run(command, capture_output=True, timeout=120, check=False)


def filled(folder, count):
    from nt_memory import MemoryConfig, MemorySystem, VectorSpace

    config = MemoryConfig(storage_path=folder, spaces={"state": VectorSpace(dim=4)})
    memory = MemorySystem(config, clock=ManualClock(day(200)))
    history = [(n % NIGHTS, 0, n % 2, "BUY", 0.01 * (n % 5)) for n in range(count)]
    EpisodicStore(memory).add_many(episode(i, *rest) for i, rest in enumerate(history))
    return memory


@pytest.mark.parametrize("last", [1, 2, 4])
def test_a_consolidation_that_is_killed_goes_on_where_it_was(tmp_path, last):
    with filled(tmp_path / "whole", 60) as memory:
        lifecycle(memory).consolidate()
        expected = answers(memory)
    filled(tmp_path / "cut", 60).close()
    killed = work(tmp_path / "cut", "consolidate", last)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert work(tmp_path / "cut", "consolidate", 0).returncode == 0
    with filled(tmp_path / "cut", 0) as memory:
        assert answers(memory) == expected
        assert memory.verify() == []


def test_a_pruning_that_is_killed_is_made_up_for(tmp_path):
    filled(tmp_path / "cut", 6000).close()
    killed = work(tmp_path / "cut", "prune", 1)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    with filled(tmp_path / "cut", 0) as memory:
        assert EpisodicStore(memory).count() == 1000
    assert work(tmp_path / "cut", "prune", 0).returncode == 0
    with filled(tmp_path / "cut", 0) as memory:
        assert EpisodicStore(memory).count() == 0
        assert memory.verify() == []
