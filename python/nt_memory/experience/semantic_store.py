"""What was learned, in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nt_memory._recalling import bounds
from nt_memory._remembering import held_by, raws_of
from nt_memory._shown import shown
from nt_memory._walking import walk
from nt_memory.clock import from_micros, to_micros
from nt_memory.errors import RecordNotFoundError
from nt_memory.experience import semantic
from nt_memory.experience._accesses import Accesses
from nt_memory.experience._places import agent_namespace
from nt_memory.experience.semantic import KIND, TYPES, SemanticMemory
from nt_memory.filters import Filter
from nt_memory.records import Record
from nt_memory.store import ExpectNew, Query, Write

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from nt_memory.store import Op, RawRecord
    from nt_memory.system import MemorySystem

KNOWLEDGE = "knowledge"
SHARED_KNOWLEDGE = "shared/knowledge"


class SemanticStore:
    """Keep knowledge, and give it back as it was known at a time.

    An entry lies in ``shared/knowledge``, or in ``swarm/<agent_id>/knowledge`` where it
    is an agent's, as a record of kind ``"semantic"``.  An update is a new version of it:
    as of an earlier time, the earlier one shows.

    Parameters
    ----------
    memory
        Where it is kept: a `MemorySystem`, its owner's or an agent's.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from datetime import timedelta
    >>> from nt_memory import MemorySystem, SemanticMemory, SemanticStore
    >>> with MemorySystem(":memory:") as memory:
    ...     knowledge = SemanticStore(memory)
    ...     yesterday = memory.clock.now() - timedelta(days=1)
    ...     quiet = SemanticMemory(memory_type="REGIME", created_at=yesterday, regime_name="QUIET")
    ...     id = knowledge.add(quiet)
    ...     _ = knowledge.update(replace(knowledge.get(id), typical_duration=3600.0))
    ...     then, now = knowledge.get(id, as_of=yesterday), knowledge.get(id)
    ...     then.typical_duration, now.typical_duration
    (None, 3600.0)
    """

    def __init__(self, memory: MemorySystem) -> None:
        self._memory = memory
        self._accesses = Accesses(memory)

    def add(self, entry: SemanticMemory, known_at: datetime | None = None) -> str:
        """Keep an entry; return its id.

        Parameters
        ----------
        entry
            What was learned.
        known_at
            From when it could be known; its ``created_at`` by default, or the last return
            of its performance where that became known later.

        Raises
        ------
        NamespaceError
            ``agent_id`` is no single segment of ``[A-Za-z0-9._-]``.
        DimensionMismatchError, InvalidEmbeddingError
            ``concept_vector`` does not fit the space "state".
        ConflictError
            There is a record with this ``memory_id``: `update` it.
        ValueError
            ``known_at`` lies before the last return of its performance.
        """
        return self.add_many([entry], known_at)[0]

    def add_many(
        self, entries: Iterable[SemanticMemory], known_at: datetime | None = None
    ) -> list[str]:
        """Keep several in one batch, all or none; return their ids."""
        given = list(entries)
        ops = self.changes(given, known_at)
        ops = [ExpectNew(entry.memory_id) for entry in given if entry.memory_id] + ops
        results = self._memory.store.commit(ops).results if ops else []
        return results[len(results) - len(given) :]

    def update(self, entry: SemanticMemory, known_at: datetime | None = None) -> str:
        """Write a new version of an entry; return its id.

        Parameters
        ----------
        entry
            As it is from then on, with the id of the one that it replaces.
        known_at
            From when that could be known; the clock's now by default.

        Raises
        ------
        RecordNotFoundError
            There is no entry with this id.
        ValueError
            It belongs to another agent, or ``known_at`` lies before the last return of its
            performance.
        """
        _checked(entry)
        if not entry.memory_id or not self._memory.store.versions(entry.memory_id):
            msg = f"memory_id={shown(entry.memory_id)}: there is no such entry; add it"
            raise RecordNotFoundError(msg)
        at = self._memory.clock.now() if known_at is None else known_at
        return str(self._memory.store.commit(self.changes([entry], at)).results[0])

    def changes(
        self, entries: Iterable[SemanticMemory], known_at: datetime | None = None
    ) -> list[Op]:
        """Return what writes entries, for a batch that holds more; one operation an entry."""
        at = None if known_at is None else to_micros(known_at, "known_at")
        raws = [self._raw(_checked(entry), at) for entry in entries]
        # The texts of views are embedded as those of other records are.
        return [Write(raw) for raw in raws_of(self._memory, list(map(Record.from_raw, raws)))]

    def get(
        self,
        id: str,
        as_of: datetime | None = None,
        recorded_by: datetime | int | None = None,
    ) -> SemanticMemory | None:
        """Return an entry as it was known; None where none was.

        Raises
        ------
        ForgottenError
            It was forgotten.
        HorizonError
            The time lies before what retention has left.
        """
        at = None if as_of is None else to_micros(as_of, "as_of")
        raw = self._memory.store.fetch(id, at, *held_by(recorded_by))
        if raw is None or raw.kind != KIND:
            return None
        return self._with_accesses(raw, as_of)

    def entries(
        self,
        memory_type: str | None = None,
        agent_id: str | None = None,
        *,
        as_of: datetime | None = None,
        recorded_by: datetime | int | None = None,
    ) -> Iterator[SemanticMemory]:
        """Go through what was known, by when it was first learned.

        Parameters
        ----------
        memory_type
            Of this type only.
        agent_id
            Of this agent; None gives what is shared.
        as_of
            The time asked for; the clock's now by default.
        recorded_by
            A time or a commit number: only what was written until then.
        """
        query = self._query(memory_type, agent_id, as_of, recorded_by)
        found = walk(self._memory.store, query)
        return (self._with_accesses(raw, as_of) for raw in found)

    def count(
        self,
        memory_type: str | None = None,
        agent_id: str | None = None,
        *,
        as_of: datetime | None = None,
        recorded_by: datetime | int | None = None,
    ) -> int:
        """Return how many entries there were; the arguments are those of `entries`."""
        query = self._query(memory_type, agent_id, as_of, recorded_by)
        return self._memory.store.vector_search(query).matched

    def accesses(self, id: str, days: int | None = None, *, as_of: datetime | None = None) -> int:
        """Return how often an entry was retrieved on the last so many days.

        Days are counted when they are over: as of a time, those that had ended by then;
        without a time, today counts as it stands.  A question about the past is none.
        """
        if days is not None and (isinstance(days, bool) or not isinstance(days, int) or days < 1):
            msg = f"days={shown(days)}: give a whole number of at least 1"
            raise ValueError(msg)
        if as_of is not None:
            to_micros(as_of, "as_of")
        return self._accesses.told(id, as_of, days)[0]

    def _with_accesses(self, raw: RawRecord, as_of: datetime | None) -> SemanticMemory:
        return semantic.from_raw(raw, self._accesses.told(raw.id, as_of))

    def _query(
        self,
        memory_type: str | None,
        agent_id: str | None,
        as_of: datetime | None,
        recorded_by: datetime | int | None,
    ) -> Query:
        if memory_type is not None and memory_type not in TYPES:
            msg = f"memory_type={shown(memory_type)}: give one of {', '.join(TYPES)} or None"
            raise ValueError(msg)
        wanted = Filter(kind=KIND)
        if memory_type is not None:
            wanted &= Filter(attributes={"memory_type": memory_type})
        return Query(
            namespace=namespace_of(agent_id),
            filter=wanted.tree(),
            as_of=None if as_of is None else to_micros(as_of, "as_of"),
            **bounds(recorded_by),
            order_by="event_time",
            top_k=1,
            bodies=False,
        )

    def _raw(self, entry: SemanticMemory, known_at: int | None) -> RawRecord:
        last = entry.historical_performance.last
        # What it came to cannot be known before it came to it.
        least = to_micros(entry.created_at if last is None else max(entry.created_at, last))
        if known_at is None:
            known_at = least
        elif last is not None and known_at < to_micros(last):
            msg = (
                f"known_at={shown(from_micros(known_at))}, but the last return of "
                f"historical_performance became known at {shown(last)}: give no earlier time"
            )
            raise ValueError(msg)
        return semantic.to_raw(entry, namespace_of(entry.agent_id), known_at)


def namespace_of(agent_id: str | None) -> str:
    """Return where the knowledge of an agent lies, or what is shared."""
    return SHARED_KNOWLEDGE if agent_id is None else agent_namespace(agent_id, KNOWLEDGE)


def _checked(entry: SemanticMemory) -> SemanticMemory:
    if isinstance(entry, SemanticMemory):
        return entry
    msg = f"entry={shown(entry)}: give a SemanticMemory"
    raise TypeError(msg)
