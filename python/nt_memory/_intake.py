"""What a view has worked through, and what has become visible since.

A view that works in turns (distils, consolidates, closes a loop of feedback) has
a mark: the time it asked for and the last commit that it saw.  What is new at
the next turn is what shows then and did not show at the mark: known since, or
written since although known before.  What a turn could not use waits for the next.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from nt_memory._retrying import retried
from nt_memory._shown import shown
from nt_memory._values import pack, unpack
from nt_memory._walking import walk
from nt_memory.clock import from_micros, to_micros
from nt_memory.errors import ForgottenError, HorizonError
from nt_memory.filters import Filter, ge, gt
from nt_memory.store import Expect, Op, Put

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from nt_memory.clock import Clock
    from nt_memory.store import Query, RawRecord, Store

KEY = "mark"


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment of a store: the time asked for, the last commit seen, when that was recorded.

    ``waiting`` are ids of what was seen and put off, in their order (the keys).
    """

    as_of: int
    commit: int
    at: int
    waiting: dict[str, None] = field(default_factory=dict)

    def covers(self, shown_from: int, raw: RawRecord) -> bool:
        """Whether a version had been seen, and was not put off."""
        seen = shown_from <= self.as_of and raw.commit <= self.commit
        return seen and raw.id not in self.waiting

    def fetch(self, store: Store, id_: str) -> RawRecord | None:
        """Return what was shown of a record at this mark."""
        return store.fetch(id_, self.as_of, None, self.commit)


class Intake:
    """The mark of one view, kept under a namespace of its own.

    Parameters
    ----------
    store
        Where it is kept, and what is worked through.
    clock
        The store's.
    namespace
        For the mark; one a view.
    """

    def __init__(self, store: Store, clock: Clock, namespace: str) -> None:
        self._store = store
        self._clock = clock
        self._namespace = namespace

    def last(self) -> Mark | None:
        """Return the mark, None before the first turn."""
        return _mark(self._row())

    def begin(self, as_of: datetime | None) -> Turn:
        """Begin a turn as of a time, now by default.

        Raises
        ------
        ValueError
            The time is yet to come, or lies before that of the last turn: what was learnt
            since would have to be unlearnt.
        ConflictError
            Another turn ended at this moment.
        """
        row = self._row()
        before = _mark(row)
        now = self._clock.now()
        at = to_micros(now if as_of is None else as_of, "as_of")
        if at > to_micros(now):
            msg = f"as_of={shown(from_micros(at))} is later than now, {shown(now)}: wait for it"
            raise ValueError(msg)
        if before is not None and at < before.as_of:
            msg = (
                f"as_of={shown(from_micros(at))} is before the last turn, as of "
                f"{shown(from_micros(before.as_of))}: give that time or a later one"
            )
            raise ValueError(msg)
        # A commit of its own: whatever is committed later was not recorded before it.
        seen = self._store.commit([Expect(self._namespace, KEY, row)])
        mark = Mark(at, seen.number, seen.recorded_at)
        return Turn(self._store, before, mark, self._namespace, row)

    def unmoved(self) -> Expect:
        """Return the precondition that no turn ends from now on."""
        return Expect(self._namespace, KEY, self._row())

    def head(self) -> int:
        """Return the number of a commit of its own: what is committed later has a greater one."""
        return retried(lambda: self._store.commit([self.unmoved()])).number

    def _row(self) -> bytes | None:
        return self._store.get(self._namespace, KEY)


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a view, from the mark ``before`` to the mark ``now``."""

    store: Store
    before: Mark | None
    now: Mark
    namespace: str
    row: bytes | None

    def news(self, query: Query) -> Iterator[RawRecord]:
        """Go through the records of a query that show now and did not, as they are, at the mark.

        First those that waited, in their order, then the others in the order in which
        they became visible.
        """
        waited = self.before.waiting if self.before is not None else {}
        yield from filter(None, map(self._shown, waited))
        query = replace(
            query,
            as_of=self.now.as_of,
            recorded_by_commit=self.now.commit,
            order_by="visible_at",
            filter=self._late(query.filter),
        )
        before = self.before
        for raw in walk(self.store, query):
            is_new = before is None or visible_at(raw) > before.as_of or raw.commit > before.commit
            if is_new and raw.id not in waited:
                yield raw

    def shown_before(self, id_: str) -> RawRecord | None:
        """Return what was shown of a record at the mark before.

        None where retention has erased that: what is new is told by its time, and of a
        revision nobody knows any more.
        """
        if self.before is None:
            return None
        try:
            return self.before.fetch(self.store, id_)
        except HorizonError:
            return None

    def end(self, waiting: Sequence[str] = ()) -> list[Op]:
        """Return what sets the mark, for the batch that holds the turn's results.

        The batch is refused where another turn has ended meanwhile.
        """
        row = pack({**asdict(self.now), "waiting": list(waiting)})
        return [Expect(self.namespace, KEY, self.row), Put(self.namespace, KEY, row)]

    def _shown(self, id_: str) -> RawRecord | None:
        """Return a record as it shows now; None where it is gone meanwhile."""
        try:
            return self.now.fetch(self.store, id_)
        except (ForgottenError, HorizonError):
            return None

    def _late(self, tree: Any) -> Any:
        """Narrow a filter to what may be new."""
        if self.before is None:
            return tree
        since, at = from_micros(self.before.as_of), from_micros(self.before.at)
        late = (Filter(visible_at=gt(since)) | Filter(recorded_at=ge(at))).tree()
        return late if tree is None else {"and": [tree, late]}


def parents_of(store: Store, namespace: str | None, kind: str) -> frozenset[str]:
    """Return what records were made of, by all their versions."""
    ids = store.select(namespace, Filter(kind=kind).tree())
    return frozenset(parent for id_ in ids for raw in store.versions(id_) for parent in raw.parents)


def visible_at(raw: RawRecord) -> int:
    """Return from when a version shows: its known-at, or that of its outcome."""
    known = raw.outcome.known_at if raw.outcome is not None else None
    return raw.known_at if known is None else max(known, raw.known_at)


def _mark(row: bytes | None) -> Mark | None:
    if row is None:
        return None
    told = unpack(row)
    return Mark(**{**told, "waiting": dict.fromkeys(told["waiting"])})
