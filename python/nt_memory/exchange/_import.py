"""Versions from a file into a store, in batches of whole records."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nt_memory.errors import ConflictError, ForgottenError, NtMemoryError, SerializationError
from nt_memory.exchange._files import at
from nt_memory.exchange._history import operations
from nt_memory.exchange._options import missing
from nt_memory.store import ExpectNew

if TYPE_CHECKING:
    from collections.abc import Callable

    from nt_memory.exchange._files import Contents, Row
    from nt_memory.store import Op, RawRecord, Store

BATCH_VERSIONS = 1_000
BATCH_BYTES = 64 << 20
# A record is held whole before it is written.
MAX_RECORD = 1 << 30


@dataclass
class _Record:
    place: str
    versions: list[RawRecord] = field(default_factory=list)
    size: int = 0

    @property
    def id(self) -> str:
        return self.versions[0].id

    def ops(self) -> list[Op]:
        """Return what writes the record, and nothing where there is one already."""
        return [ExpectNew(self.id), *operations(self.versions)]


class Importer:
    """Collects the versions of records, and commits them batch by batch.

    Parameters
    ----------
    store
        Where they go.
    after
        Called after every commit.
    """

    def __init__(self, store: Store, after: Callable[[], None]) -> None:
        self._store = store
        self._after = after
        self._records: dict[str, _Record] = {}
        self._last: str | None = None
        self.count = 0

    def take(self, contents: Contents, *, options: bool) -> None:
        """Import all rows, and then the options; the versions of a record stand together."""
        wanted = contents.options if options else {}
        with at("the header"):
            missing(self._store, wanted)
        for row in contents.rows:
            self._add(row)
        self._commit()
        # Not before: a ttl would give an expiry to records that had none.
        if ops := missing(self._store, wanted):
            self._store.commit(ops)

    def _add(self, row: Row) -> None:
        id_ = row.version.id
        if id_ != self._last:
            if self._is_full():
                self._commit()
            self._check_new(id_, row.place)
            self._records[id_] = _Record(row.place)
            self._last = id_
        record = self._records[id_]
        if record.versions and record.versions[-1].version >= row.version.version:
            msg = f"{row.place}: the versions of record {id_!r} do not ascend"
            raise SerializationError(msg)
        record.versions.append(row.version)
        record.size += row.size
        if record.size > MAX_RECORD:
            msg = f"{row.place}: the versions of record {id_!r} exceed {MAX_RECORD:,} bytes"
            raise SerializationError(msg)

    def _is_full(self) -> bool:
        records = self._records.values()
        return (
            sum(len(record.versions) for record in records) >= BATCH_VERSIONS
            or sum(record.size for record in records) >= BATCH_BYTES
        )

    def _check_new(self, id_: str, place: str) -> None:
        if id_ in self._records:
            msg = f"{place}: record {id_!r} again; its versions stand one after the other"
            raise SerializationError(msg)
        if not id_:
            msg = f"{place}: the id is empty"
            raise SerializationError(msg)

    def _commit(self) -> None:
        if not self._records:
            return
        try:
            self._store.commit([op for record in self._records.values() for op in record.ops()])
        except (NtMemoryError, ValueError, TypeError, OverflowError) as error:
            raise self._culprit(error) from error
        self.count += len(self._records)
        self._records = {}
        self._after()

    def _culprit(self, error: Exception) -> Exception:
        """Find the first record that is refused on its own, and name its place."""
        for record in self._records.values():
            try:
                self._store.commit(record.ops(), dry_run=True)
            except (NtMemoryError, ValueError, TypeError, OverflowError) as own:  # noqa: PERF203
                return _refused(record, own)
        return _placed("the batch", error)


def _refused(record: _Record, error: Exception) -> Exception:
    """Return why a record is not taken."""
    if isinstance(error, ConflictError):
        told = f"the memory has a record {record.id!r} already: import into a new memory"
        return ValueError(f"{record.place}: {told}")
    if isinstance(error, ForgottenError):
        told = f"record {record.id!r} was forgotten in this memory: use another memory"
        return ForgottenError(f"{record.place}: {told}")
    return _placed(record.place, error)


def _placed(place: str, error: Exception) -> Exception:
    """Return an error of the same kind that names a place."""
    told = f"{place}: {error}"
    return type(error)(told) if isinstance(error, NtMemoryError) else SerializationError(told)
