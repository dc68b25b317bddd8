"""A disk that fails or is full costs nothing that was acknowledged, and is told."""

import json
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import replace

import pytest

from crash.faulty import ERRORS, READS, Fault
from crash.power import workplace
from crash.preload import preloaded
from processes import hangs, python, told

# Far more than one fault needs, in seconds.
LONGEST = 60

errors = pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
places = pytest.mark.parametrize("into", ["commits", "the first opening", "a later opening"])
ways = pytest.mark.parametrize(
    "way", [{}, {"forever": True}, {"torn": True}], ids=["once", "from then on", "after half"]
)


@contextmanager
def faulty():
    """A process that meets faults; yields what asks it."""
    with workplace() as root:
        watched = {**preloaded(root), "RUST_BACKTRACE": "0"}
        # What engines say while they panic is no news.
        with python("crash.faulty", environment=watched, errors=subprocess.DEVNULL) as process:

            def meet(fault):
                told(process, json.dumps(vars(fault)))
                assert not hangs(process, LONGEST), f"hangs: {fault}"
                line = process.stdout.readline()
                assert line, f"ended the process: {fault}"
                return json.loads(line)

            yield meet


def sweep(fault):
    """Let each call of the workload fail in turn; return how many there are, and what was wrong."""
    found, struck, calls = [], True, 0
    with faulty() as meet:
        while struck:
            calls += 1
            struck, wrong = meet(replace(fault, nth=calls))
            found += [(calls, line) for line in wrong]
    return calls - 1, found


@places
@errors
@ways
def test_redb_keeps_what_was_acknowledged_whatever_call_fails(into, error, way):
    calls, found = sweep(Fault("redb", 1, error, into=into, **way))
    assert found == []
    assert calls > 20


@places
@errors
@ways
def test_sled_keeps_what_was_acknowledged_whatever_call_fails(into, error, way):
    calls, found = sweep(Fault("sled", 1, error, into=into, **way))
    assert found == []
    assert calls > 10


@pytest.mark.parametrize("into", ["reads", "a later opening"])
@ways
def test_redb_gives_a_right_answer_or_an_error_whatever_read_fails(into, way):
    calls, found = sweep(Fault("redb", 1, ERRORS["EIO"], READS, into=into, **way))
    assert found == []
    assert calls > 10


@ways
def test_sled_gives_a_right_answer_or_an_error_whatever_read_fails(way):
    calls, found = sweep(Fault("sled", 1, ERRORS["EIO"], READS, into="reads", **way))
    assert found == []
    assert calls > 1


@ways
def test_sled_loses_nothing_in_silence_whatever_read_fails_while_it_is_opened(way):
    calls, found = sweep(Fault("sled", 1, ERRORS["EIO"], READS, into="a later opening", **way))
    # It takes the failed read for the end of its log.
    told = "afterwards the store is unopened: "
    assert [line for _, line in found if not line.startswith(told)] == []
    assert calls > 10


def test_a_reader_that_takes_an_error_for_an_answer_is_found_out():
    _, found = sweep(Fault("redb", 1, ERRORS["EIO"], READS, into="reads", deaf=True))
    assert any("is answered wrongly" in line for _, line in found)


def test_a_store_that_acknowledges_a_failed_write_is_found_out():
    _, found = sweep(Fault("redb", 1, ERRORS["EIO"], deaf=True))
    assert any("afterwards the store is lost" in line for _, line in found)


@pytest.fixture
def small_disk(tmp_path):
    """A command that runs another with a disk of 40 MB at a path, and the path."""
    mounts = f'mount -t tmpfs -o size=40m tmpfs "{tmp_path}" && exec "$@"'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mounts, "sh"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*command, "true"], check=False).returncode
    ):
        pytest.skip("this system lets nobody mount a disk of one's own")
    return command, tmp_path


@pytest.mark.parametrize("engine", ["redb", "sled"])
def test_a_full_disk_is_told_before_the_write_and_loses_nothing(small_disk, engine):
    command, place = small_disk
    with python("crash.full", place, engine, within=command) as process:
        said, errors = process.communicate(timeout=LONGEST)
    assert process.returncode == 0, errors.decode()
    told = json.loads(said)
    assert 0 < told["fitted"] == told["there"] < told["more"] == told["held"]
    assert told["wrong"] == []
