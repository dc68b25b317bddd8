"""The process that trades on paper and is killed; and what it has left in its directory."""

import json
import os
import sys

from nt_memory import ManualClock, MemoryConfig, MemorySystem, SimulatedBroker, VectorSpace
from papers import ForgetfulBroker, series, start, traded, trader

BARS = 60
LOOKBACK = 40
BROKERS = {"SimulatedBroker": SimulatedBroker, "ForgetfulBroker": ForgetfulBroker}


def open_at(path):
    """Open the directory of a trader, before all bars."""
    clock: ManualClock = start()
    spaces = {"text": VectorSpace(dim=32)}
    config = MemoryConfig(storage_path=path, spaces=spaces, seed=7, clock=clock)
    return MemorySystem(config), clock


def trade(path, broker="SimulatedBroker"):
    """Trade to the end, and say each bar that was handled."""
    memory, clock = open_at(path)
    with memory:
        market = series(BARS, symbols=2, seed=3)
        made = trader(memory, market, clock, BROKERS[broker], lookback=LOOKBACK)
        os.write(1, b"begun\n")
        for _ in made.run():
            os.write(1, b"bar\n")


def left(path):
    """Return what a trader has left in its directory."""
    memory, _ = open_at(path)
    with memory:
        assert memory.verify() == []
        return traded(memory)


if __name__ == "__main__":
    trade(*json.loads(sys.stdin.readline()))
