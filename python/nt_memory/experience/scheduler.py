"""What runs by the clock: at night, each hour, whenever it is due."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nt_memory._shown import shown
from nt_memory._values import pack, segment, unpack
from nt_memory.clock import from_micros, micros, to_micros
from nt_memory.errors import ClosedError
from nt_memory.store import Put

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from typing_extensions import Self

    from nt_memory.clock import Duration
    from nt_memory.system import MemorySystem

NAMESPACE = "shared/schedule"
# Longest time between two looks at the clock, in seconds.
_LOOK = 1.0
_LOGGER = logging.getLogger("nt_memory.lifecycle")


@dataclass(frozen=True, slots=True)
class Ran:
    """A job that was due: what it returned, or what it raised."""

    name: str
    due: datetime
    result: object = None
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class _Job:
    name: str
    run: Callable[[datetime], object]
    every: int
    at: int

    def due(self, now: int) -> int:
        """Return the last time up to now at which it was due."""
        return (now - self.at) // self.every * self.every + self.at


class LifecycleScheduler:
    """Run jobs at fixed times, by the memory's clock.

    A job is due at whole multiples of its interval since 1970 (UTC), and `at`
    after them; it is called with the time at which it was due.  What was missed
    while nobody ran it is run once, for the last time that it was due: jobs such as
    `MemoryLifecycle.consolidate` catch up by themselves.  When a job was last run is
    kept in the memory.  A job that raises is told and due again at the next look; the
    others go on.

    Parameters
    ----------
    memory
        Its clock tells the time.

    Examples
    --------
    >>> from datetime import datetime, timedelta, timezone
    >>> from nt_memory import LifecycleScheduler, ManualClock, MemoryLifecycle, MemorySystem
    >>> clock = ManualClock(datetime(2024, 1, 2, 12, tzinfo=timezone.utc))
    >>> with MemorySystem(":memory:", clock=clock) as memory:
    ...     lifecycle = MemoryLifecycle(memory)
    ...     scheduler = LifecycleScheduler(memory)
    ...     day, hour = timedelta(days=1), timedelta(hours=1)
    ...     scheduler.add("consolidate", lifecycle.consolidate, every=day, at=hour)
    ...     scheduler.add("prune", lifecycle.prune, every=day, at=2 * hour)
    ...     [(ran.name, ran.due.hour) for ran in scheduler.run_pending()]
    [('consolidate', 1), ('prune', 2)]
    """

    def __init__(self, memory: MemorySystem) -> None:
        self._memory = memory
        self._jobs: dict[str, _Job] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        # Two looks at once would run a job twice.
        self._looking = threading.Lock()

    def add(
        self,
        name: str,
        run: Callable[[datetime], object],
        *,
        every: Duration,
        at: Duration = 0.0,
    ) -> None:
        """Have something run at fixed times.

        Parameters
        ----------
        name
            Of the job, one segment; when it last ran is kept under it.
        run
            Called with the time at which it was due.
        every
            How often, at least a second.
        at
            How long after each multiple of that, less than it.
        """
        segment("name", name)
        if name in self._jobs:
            msg = f"name={shown(name)}: there is such a job already"
            raise ValueError(msg)
        if not callable(run):
            msg = f"run={shown(run)}: give something to call with a time"
            raise TypeError(msg)
        length, offset = micros(every, "every"), micros(at, "at")
        if length < 1_000_000:
            msg = f"every={shown(every)}: give at least a second"
            raise ValueError(msg)
        if offset >= length:
            msg = f"at={shown(at)}: give less than every={shown(every)}"
            raise ValueError(msg)
        self._jobs[name] = _Job(name, run, length, offset)

    def run_pending(self, *, progress: Callable[[Ran], object] | None = None) -> list[Ran]:
        """Run what is due, the earliest first; return what was run.

        Parameters
        ----------
        progress
            Called with each job that is done.
        """
        ran = []
        with self._looking:
            now = to_micros(self._memory.clock.now())
            due = sorted((job.due(now), name) for name, job in self._jobs.items())
            for at, name in due:
                if at <= self._last(name):
                    continue
                ran.append(self._run(self._jobs[name], at))
                if progress is not None:
                    progress(ran[-1])
        return ran

    def next_due(self, name: str) -> datetime:
        """Return when a job is due next: a time that has passed where it is overdue.

        Raises
        ------
        ValueError
            There is no such job.
        """
        job = self._jobs.get(name)
        if job is None:
            msg = f"name={shown(name)}: known are {', '.join(self._jobs) or 'none'}"
            raise ValueError(msg)
        due = job.due(to_micros(self._memory.clock.now()))
        return from_micros(due if due > self._last(name) else due + job.every)

    def start(self) -> Self:
        """Look at the clock in a thread of its own, once a second, until `stop`."""
        if self._thread is not None and self._thread.is_alive():
            msg = "the scheduler runs already: stop it first"
            raise RuntimeError(msg)
        self._stop.clear()
        self._thread = threading.Thread(target=self._look, name="nt-memory-lifecycle", daemon=True)
        self._thread.start()
        return self

    def stop(self, timeout: Duration = 60.0) -> bool:
        """End the thread when the job that it is at is done; return whether it ended in time."""
        thread = self._thread
        if thread is None:
            return True
        self._stop.set()
        thread.join(micros(timeout, "timeout") / 1e6)
        if thread.is_alive():
            return False
        self._thread = None
        return True

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _look(self) -> None:
        while not self._stop.wait(_LOOK) and self._has_looked():
            pass

    def _has_looked(self) -> bool:
        """Run what is due; whether there is any use in looking again."""
        try:
            self.run_pending()
        except ClosedError:
            return False
        except Exception:
            _LOGGER.exception("a look at what is due")
        return True

    def _run(self, job: _Job, at: int) -> Ran:
        due = from_micros(at)
        try:
            result = job.run(due)
            self._memory.store.commit([Put(NAMESPACE, job.name, pack(at))])
        except Exception as error:
            _LOGGER.exception("job %s, due at %s", job.name, due)
            return Ran(job.name, due, error=error)
        return Ran(job.name, due, result)

    def _last(self, name: str) -> int:
        row = self._memory.store.get(NAMESPACE, name)
        # Before it was ever run, whatever is due is overdue.
        return -(2**62) if row is None else int(unpack(row))
