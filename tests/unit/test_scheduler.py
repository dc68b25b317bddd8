"""What runs by the clock."""

import logging
import threading
from datetime import timedelta

import pytest

from builders import day
from nt_memory import (
    LifecycleScheduler,
    ManualClock,
    MemoryLifecycle,
    MemorySystem,
    NamespaceError,
)

HOUR = timedelta(hours=1)
DAY = 24 * HOUR


@pytest.fixture
def scheduler(memory):
    return LifecycleScheduler(memory)


def told(ran):
    return [(each.name, each.due) for each in ran]


def test_a_job_runs_when_it_is_due_and_once(scheduler, clock):
    calls = []
    scheduler.add("nightly", calls.append, every=DAY, at=2 * HOUR)
    assert told(scheduler.run_pending()) == [("nightly", day(9) + 2 * HOUR)]
    assert scheduler.run_pending() == []
    clock.set(day(10) + 2 * HOUR - timedelta(seconds=1))
    assert scheduler.run_pending() == []
    clock.set(day(10) + 2 * HOUR)
    assert scheduler.next_due("nightly") == day(10) + 2 * HOUR
    scheduler.run_pending()
    assert calls == [day(9) + 2 * HOUR, day(10) + 2 * HOUR]
    assert scheduler.next_due("nightly") == day(11) + 2 * HOUR


def test_what_was_missed_is_run_once(scheduler, clock):
    calls = []
    scheduler.add("nightly", calls.append, every=DAY)
    scheduler.run_pending()
    clock.set(day(20))
    assert told(scheduler.run_pending()) == [("nightly", day(20))]
    assert len(calls) == 2


def test_jobs_run_in_the_order_in_which_they_were_due(scheduler):
    for name, at in [("late", 3 * HOUR), ("early", HOUR), ("also early", HOUR)]:
        scheduler.add(name.replace(" ", "-"), lambda _: None, every=DAY, at=at)
    seen = []
    scheduler.run_pending(progress=lambda ran: seen.append(ran.name))
    assert seen == ["also-early", "early", "late"]


def test_a_job_that_raises_is_told_and_tried_again(scheduler, caplog):
    answers = [RuntimeError("no"), 5]

    def job(_):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    scheduler.add("bad", job, every=DAY)
    scheduler.add("good", lambda _: 1, every=DAY)
    with caplog.at_level(logging.CRITICAL, logger="nt_memory.lifecycle"):
        bad, good = scheduler.run_pending()
    assert (str(bad.error), bad.result, good.result) == ("no", None, 1)
    assert [(each.name, each.result) for each in scheduler.run_pending()] == [("bad", 5)]


def test_when_it_last_ran_outlives_a_restart(tmp_path):
    for expected in (1, 0):
        with MemorySystem(tmp_path / "m", clock=ManualClock(day(10))) as memory:
            scheduler = LifecycleScheduler(memory)
            scheduler.add("nightly", lambda _: None, every=DAY)
            assert len(scheduler.run_pending()) == expected


def test_the_lifecycle_runs_by_it(memory, scheduler, clock):
    lifecycle = MemoryLifecycle(memory)
    scheduler.add("consolidate", lifecycle.consolidate, every=DAY)
    scheduler.add("prune", lifecycle.prune, every=DAY, at=HOUR)
    clock.set(day(11))
    assert [each.error for each in scheduler.run_pending()] == [None, None]


def test_a_thread_looks_at_the_clock():
    with MemorySystem(":memory:") as memory:
        ran = threading.Event()
        scheduler = LifecycleScheduler(memory)
        scheduler.add("often", lambda _: ran.set(), every=1.0)
        with scheduler:
            assert ran.wait(10.0)
            with pytest.raises(RuntimeError, match="runs already"):
                scheduler.start()
        assert scheduler.stop()


def test_a_job_that_takes_long_is_waited_for_no_longer_than_told():
    with MemorySystem(":memory:") as memory:
        begun, go = threading.Event(), threading.Event()

        def job(_):
            begun.set()
            go.wait(10.0)

        scheduler = LifecycleScheduler(memory)
        scheduler.add("long", job, every=1.0)
        scheduler.start()
        assert begun.wait(10.0)
        assert not scheduler.stop(timeout=0.01)
        go.set()
        assert scheduler.stop()


def test_the_thread_ends_with_the_memory(caplog):
    memory = MemorySystem(":memory:")
    scheduler = LifecycleScheduler(memory)
    scheduler.add("often", lambda _: None, every=1.0)
    with caplog.at_level(logging.CRITICAL, logger="nt_memory.lifecycle"), scheduler:
        memory.close()
        scheduler._thread.join(10.0)
        assert not scheduler._thread.is_alive()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"name": "a/b"}, NamespaceError),
        ({"name": "there"}, ValueError),
        ({"run": 5}, TypeError),
        ({"every": 0.5}, ValueError),
        ({"every": -1.0}, ValueError),
        ({"at": DAY}, ValueError),
        ({"at": -1.0}, ValueError),
    ],
)
def test_jobs_that_cannot_be_are_refused(scheduler, change, error):
    scheduler.add("there", lambda _: None, every=DAY)
    given = {"name": "new", "run": lambda _: None, "every": DAY, **change}
    with pytest.raises(error, match="="):
        scheduler.add(given.pop("name"), given.pop("run"), **given)
    with pytest.raises(ValueError, match="known are there"):
        scheduler.next_due("new")


def test_an_error_of_its_own_is_told_and_the_thread_goes_on(caplog):
    with MemorySystem(":memory:") as memory:
        calls = []
        scheduler = LifecycleScheduler(memory.agent("hedge"))  # may not write what it notes
        scheduler.add("job", calls.append, every=1.0)
        with caplog.at_level(logging.CRITICAL, logger="nt_memory.lifecycle"):
            (ran,) = scheduler.run_pending()
            assert isinstance(ran.error, PermissionError)
            with scheduler:
                scheduler._thread.join(2.5)
                assert scheduler._thread.is_alive()
        assert len(calls) > 1
        with scheduler:
            pass
