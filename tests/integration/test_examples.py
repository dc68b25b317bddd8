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
