"""Builders of clocks, times, records and exports, so that a test names only what it is about."""

import json
import time
from datetime import datetime, timedelta, timezone

from nt_memory import Record

START = datetime(2024, 1, 2, tzinfo=timezone.utc)
DIM = 4


def day(n):
    """Return the n-th day of the tests' calendar."""
    return START + timedelta(days=n)


def record(**fields):
    """Return a trade of day 0, changed as told."""
    return Record(**{"namespace": "trades", "kind": "trade", "event_time": START, **fields})


def axis(n):
    """Return a unit vector of the space "state"."""
    return [1.0 if place == n else 0.0 for place in range(DIM)]


def linked(memory, patience=10.0):
    """Wait until nothing of a memory or store waits for its graph; return it."""
    end = time.monotonic() + patience
    while memory.stats()["l2_waiting"]:
        assert time.monotonic() < end, "what was written is not linked"
        time.sleep(0.001)
    return memory


def with_fields(rows, place=2, **fields):
    """Change fields of one line of an export."""
    rows[place] = json.dumps({**json.loads(rows[place]), **fields}).encode()
    return rows
