"""Kill writers at random moments, and look what their directory holds."""

import json
import random
import signal
import time
from dataclasses import dataclass

from crash.workload import Lane, held, open_store, problems
from processes import python, told

LANES = 3
# Acknowledgements that are awaited before the last moment is drawn.
MOST_AWAITED = 40
# Longest wait after them, in seconds: some commits.
LONGEST_LAST = 0.01
# One kill in so many comes while the writer opens the directory or begins.
EARLY_KILLS = 5
LONGEST_START = 0.02


class LostError(AssertionError):
    """The directory does not hold what was acknowledged."""


@dataclass(frozen=True)
class Order:
    """What the writers of one directory are told.

    ``early`` makes writers that acknowledge what is not on the disk yet; a
    writer with ``steps`` ends after them, with a close or without.
    """

    path: str
    engine: str
    seed: int
    durability: str = "group"
    early: bool = False
    steps: int = 0
    closes: bool = True
    lane: str = "Lane"
    compacts: int = 0


def kill_often(order, kills):
    """Kill so many writers of a directory one after another; return the steps that it holds.

    Raises
    ------
    LostError
        After one of the kills, an acknowledged step was not there or not whole.
    """
    moments = random.Random(order.seed)
    lanes = [Lane(order.seed, number) for number in range(LANES)]
    for kill in range(kills):
        acknowledged = killed_writer(order, [lane.done for lane in lanes], moments)
        wrong = check(order, lanes, acknowledged)
        if wrong:
            msg = f"kill {kill + 1} of {order}:\n" + "\n".join(wrong)
            raise LostError(msg)
    return sum(lane.done for lane in lanes)


def killed_writer(order, done, moments):
    """Let a writer go on, kill it at a random moment; return the step that each lane said last."""
    with python("crash.writer") as writer:
        told(writer, json.dumps({**vars(order), "done": done}))
        said = []
        if moments.randrange(EARLY_KILLS):
            said = [writer.stdout.readline() for _ in range(moments.randint(1, MOST_AWAITED))]
            time.sleep(moments.uniform(0, LONGEST_LAST))
        else:
            time.sleep(moments.uniform(0, LONGEST_START))
        writer.kill()
        said += writer.stdout.readlines()
        errors = writer.stderr.read().decode()
    assert writer.returncode == -signal.SIGKILL, errors
    last = list(done)
    for line in said:
        number, step = map(int, line.split())
        last[number] = step
    return last


def check(order, lanes, acknowledged):
    """Move the lanes to what the directory holds; return one line a difference."""
    store = open_store(order.path, order.engine)
    try:
        wrong = store.verify()
        for lane, last in zip(lanes, acknowledged, strict=True):
            done = held(lane, store)
            if done not in {last, last + 1}:
                wrong.append(f"{lane.namespace} holds {done} steps, acknowledged were {last}")
                continue
            lane.advance(done)
            wrong += problems(lane, store)
    finally:
        store.close()
    return wrong
