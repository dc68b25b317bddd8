"""Going through all records that were known at a time, page by page."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from nt_memory._recalling import Recalling, bounds, tree_of
from nt_memory._shown import shown
from nt_memory.clock import to_micros
from nt_memory.recall import TIMES
from nt_memory.records import Record
from nt_memory.store import Query

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nt_memory.filters import Filter
    from nt_memory.store import RawRecord, Store

_PAGE = 1000


def walk(store: Store, query: Query, page: int = _PAGE) -> Iterator[RawRecord]:
    """Go through the records that a query by `order_by` matches, all of one commit.

    What is written meanwhile is not seen; what is forgotten meanwhile is left out.
    """
    query = replace(query, top_k=page, bodies=True)
    while True:
        result = store.vector_search(query)
        for match in result.matches:
            if match.record is not None:
                yield match.record
        if len(result.matches) < page:
            return
        last = result.matches[-1]
        query = replace(query, as_of=result.as_of, after=(last.score, last.id))
        if query.recorded_by_time is None:
            query = replace(query, recorded_by_commit=result.commit)


class Walking(Recalling):
    """All records of a scope."""

    def records(
        self,
        *,
        namespace: str | None = None,
        filter: Filter | None = None,  # noqa: A002 (as in recall)
        as_of: datetime | None = None,
        recorded_by: datetime | int | None = None,
        order_by: str = "event_time",
    ) -> Iterator[Record]:
        """Go through all records that were known at a time, in the order of a time.

        They are read page by page and are all of one moment: what is written
        meanwhile is not among them.

        Parameters
        ----------
        namespace
            This one and those below it.
        filter
            Which records.
        as_of
            The time asked for (inclusive); the clock's now by default.
        recorded_by
            A time or a commit number: only what was written until then.
        order_by
            ``event_time``, ``known_at``, ``recorded_at`` or ``visible_at``; ``-`` in
            front is latest first.  Those of one time come by their ids.

        Raises
        ------
        ValueError
            An argument is out of its range.
        HorizonError
            ``as_of`` lies before what retention has left.

        Examples
        --------
        >>> from datetime import datetime, timezone
        >>> from nt_memory import MemorySystem, Record
        >>> days = [datetime(2024, 1, day, tzinfo=timezone.utc) for day in (3, 2)]
        >>> with MemorySystem(":memory:") as memory:
        ...     for day in days:
        ...         id = memory.remember(Record(namespace="notes", kind="note", event_time=day))
        ...     [record.event_time.day for record in memory.records(namespace="notes")]
        [2, 3]
        """
        if not isinstance(order_by, str) or order_by.removeprefix("-") not in TIMES:
            known = ", ".join(sorted(TIMES))
            msg = f"order_by={shown(order_by)}: give one of {known}, '-' in front or not"
            raise ValueError(msg)
        if isinstance(recorded_by, datetime) and recorded_by >= self._clock.now():
            recorded_by = None  # all that is held by now, and nothing that comes meanwhile
        query = Query(
            namespace=namespace,
            filter=tree_of(filter),
            as_of=None if as_of is None else to_micros(as_of, "as_of"),
            **bounds(recorded_by),
            order_by=order_by,
        )
        return map(Record.from_raw, walk(self._store, query))
