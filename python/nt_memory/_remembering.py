"""The half of `MemorySystem` that writes records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from nt_memory._handle import TEXT, Handle
from nt_memory._shown import shown
from nt_memory.clock import from_micros, to_micros
from nt_memory.columns import is_table
from nt_memory.filters import Filter
from nt_memory.records import Outcome, Record
from nt_memory.store import Forget, Settle, Write, WriteMany

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from nt_memory.columns import Table
    from nt_memory.locks import LockToken
    from nt_memory.store import RawRecord

_MAX_COMMIT = 2**64 - 1
# Tag of what was made of records whose writer was rolled back.
TAINTED = "tainted"
_OUTCOME_FIELDS = ("reward", "payload", "known_at")


class Remembering(Handle):
    """Records: written, settled and forgotten, each call one durable batch."""

    def remember(self, record: Record, *, fence: LockToken | None = None) -> str:
        """Write a record, or a new version of the one with its id; return the id.

        A text is embedded in the space "text" where there is one.

        Raises
        ------
        DimensionMismatchError, InvalidEmbeddingError
            An embedding does not fit its space; nothing was stored.
        ValueError
            A later version has another namespace or kind.
        ForgottenError
            The id was forgotten.

        Examples
        --------
        >>> from datetime import datetime, timezone
        >>> from nt_memory import MemorySystem, Record
        >>> at = datetime(2024, 1, 2, tzinfo=timezone.utc)
        >>> with MemorySystem(":memory:") as memory:
        ...     id = memory.remember(Record(namespace="notes", kind="note", event_time=at))
        ...     memory.get_record(id).kind
        'note'
        """
        return self.remember_many([record], fence=fence)[0]

    def remember_many(
        self, records: Iterable[Record] | Table, *, fence: LockToken | None = None
    ) -> list[str]:
        """Write several records in one batch, all or none; return their ids.

        A table is written without a Python object a row: a mapping of NumPy
        arrays, or whatever exports Arrow (a pyarrow Table or RecordBatch, a
        DataFrame of polars or pandas; needs the extra ``arrow``).

        Parameters
        ----------
        records
            Records, or a table whose columns have the names of `Record`'s
            fields: ``namespace``, ``kind``, ``event_time``, and where you like
            ``known_at``, ``id``, ``agent_id``, ``symbol``, ``regime``,
            ``expires_at``, ``importance``, ``confidence``, ``text``, ``tags``,
            ``embedding`` or ``embeddings.SPACE``, ``attributes.NAME``,
            ``outcome.reward``, ``outcome.known_at``, ``writer``, ``source`` and
            ``trust``.  In a mapping one value stands for all rows.

            Embeddings are an array of shape ``(rows, dim)`` or a fixed-size list
            of Arrow, float16, float32 or float64; float32 row by row is read as
            it lies.  Times are datetime64, which has no zone and counts as UTC,
            or timestamps of Arrow with a zone; one without is refused, as a naive
            datetime is.  What is smaller than a microsecond is cut off.

            Null, NaN and NaT are none where a field is optional: a row without
            ``known_at`` takes its ``event_time``, one without ``id`` a fresh one.

        Raises
        ------
        ValueError, TypeError
            A column or a row of it cannot be taken; both are named, rows from 0.
        DimensionMismatchError, InvalidEmbeddingError, VectorError
            An embedding does not fit its space, or there is no room for all.

        Notes
        -----
        A batch is held in memory until it is on the disk, several times the bytes
        of its embeddings, and others wait while it is written.  Some 10,000 rows
        a call are as fast as more; feed a larger table by slices.

        Examples
        --------
        >>> import numpy as np
        >>> from nt_memory import MemorySystem
        >>> days = np.arange("2024-01-01", "2024-01-04", dtype="datetime64[D]")
        >>> table = {
        ...     "namespace": "bars",
        ...     "kind": "bar",
        ...     "event_time": days,
        ...     "symbol": np.array(["SPY", "QQQ", "SPY"]),
        ...     "attributes.close": np.array([472.65, 402.59, 468.79]),
        ...     "embedding": np.eye(3, 256, dtype=np.float32),
        ... }
        >>> with MemorySystem(":memory:") as memory:
        ...     ids = memory.remember_many(table)
        ...     memory.get_record(ids[1]).attributes
        {'close': 402.59}
        """
        if is_table(records):
            return self._remember_table(records, fence)
        raws = self._to_raw(list(cast("Iterable[Record]", records)))
        if not raws:
            return []
        return self._commit([Write(raw) for raw in raws], fence)

    def _remember_table(self, given: Any, fence: LockToken | None) -> list[str]:
        from nt_memory._table import raw_table, with_vectors  # NumPy is loaded when it is needed

        table = raw_table(given)
        if table is None:
            return []
        if self._embedder is not None and table.text is not None:
            table = with_vectors(table, TEXT, self._embed)
        return list(self._commit([WriteMany(table)], fence)[0])

    def _to_raw(self, records: list[Record]) -> list[RawRecord]:
        for record in records:
            if not isinstance(record, Record):
                msg = f"{type(record).__name__} is no Record"
                raise TypeError(msg)
        raws = [record.to_raw() for record in records]
        if self._embedder is None:
            return raws
        waiting = [
            place
            for place, raw in enumerate(raws)
            if raw.text is not None and TEXT not in raw.embeddings
        ]
        if waiting:
            vectors = self._embed([raws[place].text or "" for place in waiting])
            for place, vector in zip(waiting, vectors, strict=True):
                raw = raws[place]
                raws[place] = replace(raw, embeddings={**raw.embeddings, TEXT: vector})
        return raws

    def settle(
        self,
        id: str,
        outcome: Outcome | Mapping[str, object],
        known_at: datetime | None = None,
        *,
        revise: bool = False,
        fence: LockToken | None = None,
    ) -> int:
        """Write what a record led to, as a new version; return the version's number.

        The version is visible from the outcome's own ``known_at`` on, so an
        earlier ``as_of`` still sees the record without it.

        Parameters
        ----------
        id
            Of the record.
        outcome
            An `Outcome`, or a mapping with its fields.
        known_at
            From when it could be known, where the outcome does not say.
        revise
            Replace an outcome that is there already.

        Raises
        ------
        SettledError
            There is an outcome, and ``revise`` is False.
        RecordNotFoundError, ForgottenError
            There is no such record (any more).
        ValueError
            The outcome would be known before the record.

        Examples
        --------
        >>> from datetime import datetime, timezone
        >>> from nt_memory import MemorySystem, Record
        >>> at = datetime(2024, 1, 2, tzinfo=timezone.utc)
        >>> with MemorySystem(":memory:") as memory:
        ...     id = memory.remember(Record(namespace="notes", kind="trade", event_time=at))
        ...     version = memory.settle(id, {"reward": 1.5})
        ...     memory.get_record(id).outcome.reward, memory.get_record(id, as_of=at).outcome
        (1.5, None)
        """
        raw = _outcome(outcome, known_at).to_raw()
        return int(self._commit([Settle(id, raw, revise)], fence)[0])

    def forget(self, what: str | Iterable[str] | Filter, *, dry_run: bool = False) -> int:
        """Erase the content of records, at all times; return how many.

        Their tombstones stay (ids, times and the fields that filters use): a
        recall that could have met them says ``complete=False``.

        Parameters
        ----------
        what
            Ids, or a `Filter`: then all records whose latest version passes it,
            whether they show now, have expired or are not known yet.  A filter
            by ``writer`` rolls that writer back: records that name a forgotten
            one as a parent, or one made of it, get the tag ``"tainted"``, in the
            same batch.  Every record is read for that.
        dry_run
            Only count.

        Raises
        ------
        RecordNotFoundError
            An id is not known; nothing was forgotten.
        """
        if isinstance(what, Filter):
            ids = self._store.select(None, what.tree())
        else:
            ids = [what] if isinstance(what, str) else list(what)
        if not ids:
            return 0
        marks = []
        if isinstance(what, Filter) and "writer" in what.fields():
            marks = self._marks(self._coordinating().derived(ids))
        return int(self._store.commit([Forget(ids), *marks], dry_run=dry_run).results[0])

    def _marks(self, ids: Iterable[str]) -> list[Write]:
        """Mark the last version of records as made of what is forgotten."""
        last = [self._store.versions(id_)[-1] for id_ in ids]
        return [
            Write(replace(raw, tags=[*raw.tags, TAINTED]))
            for raw in last
            if TAINTED not in raw.tags
        ]

    def get_record(
        self,
        id: str,
        as_of: datetime | None = None,
        recorded_by: datetime | int | None = None,
    ) -> Record | None:
        """Return the version of a record that was visible; None where none was.

        Parameters
        ----------
        id
            Of the record.
        as_of
            The time asked for; the clock's now by default.
        recorded_by
            A time or a commit number: only what was written until then.

        Raises
        ------
        ForgottenError
            It was forgotten.
        HorizonError
            The time lies before what retention has left.
        """
        at = None if as_of is None else to_micros(as_of, "as_of")
        raw = self._store.fetch(id, at, *held_by(recorded_by))
        return None if raw is None else Record.from_raw(raw)


def held_by(recorded_by: datetime | int | None) -> tuple[int | None, int | None]:
    """Return ``recorded_by`` as (time, commit number), of which at most one is set."""
    if recorded_by is None:
        return None, None
    if not isinstance(recorded_by, int):
        return to_micros(recorded_by, "recorded_by"), None
    if isinstance(recorded_by, bool) or not 0 <= recorded_by <= _MAX_COMMIT:
        msg = f"recorded_by={shown(recorded_by)}: give a datetime or a commit number from 0"
        raise ValueError(msg)
    return None, recorded_by


def raws_of(memory: Remembering, records: list[Record]) -> list[RawRecord]:
    """Return records as a store keeps them, texts embedded, for a batch of a view's own."""
    return memory._to_raw(records)  # noqa: SLF001


def _outcome(outcome: Outcome | Mapping[str, object], known_at: datetime | None) -> Outcome:
    if isinstance(outcome, Mapping):
        unknown = [name for name in outcome if name not in _OUTCOME_FIELDS]
        if unknown or "reward" not in outcome:
            msg = (
                f"outcome={shown(dict(outcome))}: give reward, and payload and known_at if you like"
            )
            raise ValueError(msg)
        outcome = Outcome(**outcome)  # type: ignore[arg-type]
    if not isinstance(outcome, Outcome):
        msg = f"{type(outcome).__name__} is no outcome: give an Outcome or a mapping"
        raise TypeError(msg)
    if known_at is None:
        return outcome
    if outcome.known_at is not None:
        given = from_micros(to_micros(outcome.known_at))
        msg = f"known_at={shown(known_at)}, but the outcome says {shown(given)}: give it once"
        raise ValueError(msg)
    return replace(outcome, known_at=known_at)
