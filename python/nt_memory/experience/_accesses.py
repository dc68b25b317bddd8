"""How often knowledge was retrieved, by days.

The log of recalls is found by the id of a recall and not by the records in it, so what
was retrieved is counted beside it: a counter an entry and day, under keys of their own.
No recall looks at them, so that reading still changes no answer.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime, time, timedelta, timezone
from typing import TYPE_CHECKING

from nt_memory.errors import AccessDeniedError, StorageError
from nt_memory.store import Increment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nt_memory.system import MemorySystem

NAMESPACE = "shared/accesses"
_PAGE = 1000
_DATE = len("2024-01-02")


class Accesses:
    """Counters of retrievals.

    Only a question as of now counts.  A day counts when it is over: as of a time, all
    days that had ended by then, and without a time, today as well.

    Parameters
    ----------
    memory
        An agent's needs the right to write ``shared/accesses``; without it, what the agent
        retrieves is not counted.
    """

    def __init__(self, memory: MemorySystem) -> None:
        self._memory = memory

    def note(self, ids: Iterable[str]) -> None:
        """Count that entries were retrieved today."""
        today = self._memory.clock.now().date()
        ops = [Increment(NAMESPACE, f"{id_}/{today.isoformat()}", 1) for id_ in ids]
        if ops:
            # With a disk that is full, reads go on.
            with suppress(AccessDeniedError, StorageError):
                self._memory.store.commit(ops)

    def told(
        self, id_: str, as_of: datetime | None = None, days: int | None = None
    ) -> tuple[int, datetime | None]:
        """Return how often an entry was retrieved, and the last day on which it was.

        Parameters
        ----------
        id_
            Of the entry.
        as_of
            Days that had ended by then; None counts today, too.
        days
            Only of so many days before that; None of all.
        """
        now = self._memory.clock.now()
        # A time to come is asked for with what is known so far, and no day of that is half over.
        end = (
            now.date() + timedelta(days=1)
            if as_of is None
            else min(as_of.astimezone(timezone.utc), now).date()
        )
        begin = date.min if days is None else end - timedelta(days=days)
        counts = {day: count for day, count in self._days(id_) if begin <= day < end}
        last = max(counts, default=None)
        at = None if last is None else datetime.combine(last, time(), timezone.utc)
        return sum(counts.values()), at

    def _days(self, id_: str) -> Iterator[tuple[date, int]]:
        store, cursor = self._memory.store, None
        while True:
            keys, cursor = store.scan(NAMESPACE, f"{id_}/", _PAGE, cursor)
            for key in keys:
                day = key[len(id_) + 1 :]
                value = store.get(NAMESPACE, key)
                # The rest of another entry's key, whose id begins like this one, is longer.
                if len(day) == _DATE and value is not None:
                    yield date.fromisoformat(day), int(value)
            if cursor is None:
                return
