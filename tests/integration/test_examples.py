"""The examples run as they are shown."""

import json
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name, *arguments):
    command = [sys.executable, EXAMPLES / name, *arguments]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_a_swarm_shares_talks_locks_votes_and_logs(tmp_path):
    found = json.loads(run("swarm.py", "--rounds", "5", "--path", tmp_path, "--json"))
    assert found["book"] == 50
    assert found["proposal"] == "Approved"
    assert found["steps"] == {"added": 50, "published": 50, "voted": 7}
    assert found["problems"] == []
    latency = found["latency"]
    assert latency["message: to a thread"]["count"] == latency["message: to a task"]["count"] == 250


def test_a_swarm_speaks_to_people():
    assert "the rebalance is Approved" in run("swarm.py", "--rounds", "1")


def test_two_agents_learn_from_prices_and_know_nothing_early(tmp_path):
    found = json.loads(
        run("reasoning_on_prices.py", "--until", "2010", "--path", tmp_path, "--json")
    )
    assert found["problems"] == []
    for told in found["agents"].values():
        assert told["decisions"] > 400
        assert told["patterns"]
        then = told["in_2009"]
        assert then["nothing_later"]
        assert len(then["then"]) == 3
        assert then["newest_lesson_then"] < then["asked_as_of"]
        for row in told["patterns"]:
            assert row["n"] >= 5
            assert row["standard_error"] > 0.0
