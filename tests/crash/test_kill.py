"""What was acknowledged is on the disk and whole, whenever the process is killed."""

import os

import pytest

from crash.harness import LostError, Order, kill_often

KILLS = int(os.environ.get("NT_MEMORY_KILLS", "25"))
# After so many kills a fresh directory begins, so that its size stays bounded.
KILLS_A_DIRECTORY = 25
# A faulty writer is found out within so many kills.
ENOUGH = 25

engines = pytest.mark.parametrize("engine", ["redb", "sled"])


@engines
def test_every_acknowledged_batch_survives_kills(tmp_path, engine):
    steps = 0
    for seed in range(0, KILLS, KILLS_A_DIRECTORY):
        order = Order(str(tmp_path / f"{seed}"), engine, seed)
        steps += kill_often(order, min(KILLS_A_DIRECTORY, KILLS - seed))
    assert steps > KILLS


@engines
def test_a_writer_that_acknowledges_before_the_commit_is_found_out(tmp_path, engine):
    with pytest.raises(LostError, match="acknowledged were"):
        kill_often(Order(str(tmp_path), engine, seed=0, early=True), ENOUGH)


@engines
def test_a_writer_that_does_not_wait_for_the_disk_is_found_out(tmp_path, engine):
    with pytest.raises(LostError, match="acknowledged were"):
        kill_often(Order(str(tmp_path), engine, seed=0, durability="none"), ENOUGH)
