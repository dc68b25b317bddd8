"""Turns of views while others write, by the system's clock: nothing is left out, nothing twice."""

import threading
from datetime import timedelta

import pytest

from nt_memory import (
    FeedbackLoop,
    MemoryConfig,
    MemoryDistiller,
    MemorySystem,
    Trajectory,
    TrajectoryTracker,
    VectorSpace,
)

EACH, WRITERS = 400, 2


@pytest.fixture
def memory(tmp_path):
    config = MemoryConfig(storage_path=tmp_path / "m", spaces={"state": VectorSpace(dim=2)})
    with MemorySystem(config) as opened:
        yield opened


def write(memory, number):
    """Track whole trajectories, one commit each."""
    tracker = TrajectoryTracker(memory)
    for _ in range(EACH):
        made = Trajectory(f"agent{number}", clock=memory.clock)
        made.add_observation({}, [1.0, 0.0])
        made.add_action("buy", predicted_outcome=1.0)
        made.complete()
        made.add_outcome(1.0)
        tracker.track(made)


def learnt_meanwhile(memory, learn):
    """Learn in turns while trajectories come in, and once more; return the sum of all turns."""
    writers = [threading.Thread(target=write, args=(memory, n)) for n in range(WRITERS)]
    for writer in writers:
        writer.start()
    total = turns = 0
    while any(writer.is_alive() for writer in writers):
        total += learn()
        turns += 1
    for writer in writers:
        writer.join()
    assert turns > 3
    return total + learn()


def test_each_trajectory_is_distilled_once(memory):
    distiller = MemoryDistiller(memory, min_trajectories=2, patience=timedelta(days=1))
    assert learnt_meanwhile(memory, lambda: distiller.distill().members) == EACH * WRITERS
    (pattern,) = distiller.patterns()
    assert pattern.n == len(set(pattern.trajectory_ids)) == EACH * WRITERS


def test_each_decision_is_judged_once(memory):
    loop = FeedbackLoop(memory)
    assert learnt_meanwhile(memory, lambda: loop.run().verdicts) == EACH * WRITERS
