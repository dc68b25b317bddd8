"""A trader on paper that is killed at any moment goes on as if it had not been."""

import json
import os
import random
import signal
import time

import pytest

from crash.paper import BARS, left, trade
from processes import python, told

SEED = int(os.environ.get("NT_MEMORY_PAPER_SEED", "0"))
KILLS = int(os.environ.get("NT_MEMORY_PAPER_KILLS", "6"))
# Of two symbols there are twice as many; each killed one handles its part of them.
MOST_BARS = 4 * BARS // KILLS


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("paper") / "store")
    trade(path)
    return left(path)


def traded_by_the_killed(path, broker, moments):
    """Have traders killed one after another until one comes to the end; return the kills."""
    kills = 0
    while True:
        with python("crash.paper") as process:
            told(process, json.dumps([path, broker]))
            if kills < KILLS:
                for _ in range(1 + moments.randint(0, MOST_BARS)):
                    process.stdout.readline()
                time.sleep(moments.uniform(0, 0.02))
                process.kill()
            _, errors = process.communicate()
        if process.returncode == 0:
            return kills
        assert process.returncode == -signal.SIGKILL, errors.decode()
        kills += 1


def test_a_trader_that_is_killed_again_and_again_ends_as_if_it_had_not_been(tmp_path, unbroken):
    path = str(tmp_path / "store")
    kills = traded_by_the_killed(path, "SimulatedBroker", random.Random(SEED))
    assert kills >= min(KILLS, 2)
    found = left(path)
    assert found["state"] == unbroken["state"]
    assert found["rows"] == unbroken["rows"]
    assert found["records"] == unbroken["records"]


def test_positions_that_are_in_python_only_are_found_out(tmp_path, unbroken):
    path = str(tmp_path / "store")
    traded_by_the_killed(path, "ForgetfulBroker", random.Random(SEED))
    assert left(path)["state"] != unbroken["state"]
