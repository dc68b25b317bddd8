"""What was acknowledged is on the disk and whole, whenever the process is killed."""

import os
import shutil

import pytest

from crash.harness import LANES, LostError, Order, check, kill_often
from crash.workload import PROGRESS, Lane, open_store
from nt_memory.store import Delete, Forget, Put, RawOutcome, Settle

KILLS = int(os.environ.get("NT_MEMORY_KILLS", "100"))
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
        # Only a directory in which something was lost is worth keeping.
        shutil.rmtree(order.path)
    assert steps > KILLS


@engines
def test_a_writer_that_acknowledges_before_the_commit_is_found_out(tmp_path, engine):
    with pytest.raises(LostError, match="acknowledged were"):
        kill_often(Order(str(tmp_path), engine, seed=0, early=True), ENOUGH)


@engines
def test_a_writer_that_does_not_wait_for_the_disk_is_found_out(tmp_path, engine):
    with pytest.raises(LostError, match="acknowledged were"):
        kill_often(Order(str(tmp_path), engine, seed=0, durability="none"), ENOUGH)


STEPS = 60


@pytest.fixture
def written(tmp_path):
    """A directory to which lanes wrote, and the lanes before that."""
    order = Order(str(tmp_path), "redb", seed=0)
    lanes = [Lane(order.seed, number) for number in range(LANES)]
    store = open_store(order.path, order.engine)
    for lane in lanes:
        for _ in range(STEPS):
            store.commit(lane.step())
    yield order, lanes, store
    store.close()


def found_wrong(written, acknowledged=STEPS):
    """Check a directory against what was acknowledged on each lane."""
    order, lanes, store = written
    store.close()
    return check(order, [Lane(order.seed, lane.number) for lane in lanes], [acknowledged] * LANES)


def test_the_check_finds_nothing_where_all_is_there(written):
    assert found_wrong(written) == []


def test_the_check_lets_the_batch_in_flight_be_there(written):
    assert found_wrong(written, STEPS - 1) == []


@pytest.mark.parametrize("acknowledged", [STEPS + 1, STEPS - 2])
def test_the_check_finds_another_number_of_batches(written, acknowledged):
    assert len(found_wrong(written, acknowledged)) == LANES


def _other_value(lane):
    return Put(lane.namespace, max(lane.values, key=lambda key: len(lane.values[key])), b"other")


@pytest.mark.parametrize(
    "damage",
    [
        _other_value,
        lambda lane: Delete(lane.namespace, min(lane.values)),
        lambda lane: Put(lane.namespace, "more", b""),
        lambda lane: Delete(lane.namespace, min(lane.counters)),
        lambda lane: Forget([min(lane.records)]),
        lambda lane: Settle(min(lane.records), RawOutcome(reward=9.0), revise=True),
    ],
    ids=["changed value", "lost value", "value too many", "lost counter", "lost record", "outcome"],
)
def test_the_check_finds_what_is_not_whole(written, damage):
    _, lanes, store = written
    store.commit([damage(lanes[0])])
    assert found_wrong(written)


def test_the_check_finds_a_batch_of_which_only_the_note_is_there(written):
    _, lanes, store = written
    store.commit([Put(lanes[0].namespace, PROGRESS, str(STEPS + 1).encode())])
    assert found_wrong(written)
