"""The part of `MemorySystem` that exports records and imports them."""

from __future__ import annotations

from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING

from nt_memory._handle import Handle
from nt_memory.errors import ForgottenError, NtMemoryError, RecordNotFoundError
from nt_memory.exchange import _options
from nt_memory.exchange._files import check_target, format_of, made_whole
from nt_memory.exchange._import import Importer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeAlias

    from nt_memory.exchange import jsonlines, parquet
    from nt_memory.exchange._files import Contents
    from nt_memory.filters import Filter
    from nt_memory.store import NamespaceOptions

    Progress: TypeAlias = Callable[[int, int], None]


class Exchanging(Handle):
    """Records to a file and back, every version of them."""

    def export(
        self,
        path: str | Path,
        *,
        format: str | None = None,  # noqa: A002 (what it is)
        namespace: str | None = None,
        filter: Filter | None = None,  # noqa: A002 (as in recall)
        progress: Progress | None = None,
    ) -> int:
        """Write records with all their versions to a new file; return how many records.

        The file appears under its name when it is whole and on the disk.  A
        record is written as it is when its turn comes; what is written to the
        memory meanwhile may be missing.  The options of the namespaces are
        written, too.  Forgotten records, what retention has erased and values
        by key are not exported.

        Parameters
        ----------
        path
            A file that does not exist.
        format
            "jsonl", "jsonl.gz" or "parquet" (needs ``nt-memory[arrow]``); the
            suffix tells it by default.
        namespace
            This one and those below it.
        filter
            Records whose latest version passes it, whether they show now,
            have expired or are not known yet.
        progress
            Called with the number of records written and of all.

        Raises
        ------
        ValueError
            The file is there already, or the format is not known.
        SerializationError
            A record cannot be told in this format.

        Examples
        --------
        >>> import tempfile
        >>> from datetime import datetime, timezone
        >>> from nt_memory import MemorySystem, Record
        >>> at = datetime(2024, 1, 2, tzinfo=timezone.utc)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with MemorySystem(":memory:") as memory:
        ...         id = memory.remember(Record(namespace="notes", kind="note", event_time=at))
        ...         memory.export(f"{folder}/notes.jsonl")
        ...     with MemorySystem(":memory:") as copy:
        ...         copy.import_(f"{folder}/notes.jsonl"), copy.get_record(id).kind
        1
        (1, 'note')
        """
        path = Path(path)
        chosen = format_of(path, format)
        check_target(path)
        if chosen == "parquet":
            import_module("nt_memory.exchange.parquet")  # which says what is missing
        ids = self._store.select(namespace, None if filter is None else filter.tree())
        options = _options.chosen(self._store, namespace)
        with made_whole(path) as out:
            return self._write(_writer(chosen, out, options, self._config.spaces), ids, progress)

    def import_(
        self,
        path: str | Path,
        *,
        format: str | None = None,  # noqa: A002 (as above)
        options: bool = True,
        progress: Progress | None = None,
    ) -> int:
        """Read the records of a file that `export` wrote; return how many.

        Every question with an ``as_of`` gets the answer that it got before:
        versions keep their order and their known-at, outcomes their own.  What
        the memory *held* at a time is not kept: ``recorded_at``, ``commit`` and
        so ``recorded_by`` tell of the import, and versions are counted from 0
        where retention had erased some.  A record without an expiry takes the
        ttl of its namespace, where this memory has one.

        When all records are there, namespaces of the file that have no options
        in this memory get those that they had; their own in this memory must
        be the same.

        Records are committed whole, about 1,000 versions a batch.  After an
        error the batches before it stay, and the error says how many records
        they held.

        Parameters
        ----------
        path
            The file.
        format
            As for `export`.
        options
            False leaves the options of namespaces as they are.
        progress
            Called with the bytes of the file that were read, and all bytes.

        Raises
        ------
        SerializationError
            The file is damaged, no export, or one of another version; the line
            or row is named.
        DimensionMismatchError, InvalidEmbeddingError, VectorError
            An embedding does not fit the spaces of this memory.
        ValueError
            The memory has one of the records already, or a namespace has other
            options.
        ForgottenError
            One of the records was forgotten in this memory.
        """
        path = Path(path)
        chosen = format_of(path, format)
        with path.open("rb") as source:
            size = path.stat().st_size

            def tell() -> None:
                if progress is not None:
                    progress(source.tell(), size)

            importer = Importer(self._store, tell)
            try:
                importer.take(_reader(chosen, source), options=options)
            except (NtMemoryError, ValueError) as error:
                raise _told(path, importer.count, error) from error
        if progress is not None:
            progress(size, size)
        return importer.count

    def _write(
        self,
        writer: jsonlines.Writer | parquet.Writer,
        ids: list[str],
        progress: Progress | None,
    ) -> int:
        count = 0
        with closing(writer):
            for id_ in ids:
                try:
                    versions = self._store.versions(id_)
                except (ForgottenError, RecordNotFoundError):
                    continue  # since the ids were listed
                for version in versions:
                    writer.write(version)
                count += 1
                if progress is not None:
                    progress(count, len(ids))
        return count


def _writer(
    chosen: str,
    out: IO[bytes],
    options: Mapping[str, NamespaceOptions],
    spaces: Iterable[str],
) -> jsonlines.Writer | parquet.Writer:
    if chosen == "parquet":
        from nt_memory.exchange import parquet  # needs an extra

        return parquet.Writer(out, options, spaces)
    from nt_memory.exchange import jsonlines

    return jsonlines.Writer(out, options, packed=chosen == "jsonl.gz")


def _reader(chosen: str, source: IO[bytes]) -> Contents:
    if chosen == "parquet":
        from nt_memory.exchange import parquet

        return parquet.read(source)
    from nt_memory.exchange import jsonlines

    return jsonlines.read(source, packed=chosen == "jsonl.gz")


def _told(path: Path, count: int, error: Exception) -> Exception:
    """Return an error of the same kind that names the file and what was imported before."""
    msg = f"{path}, {error}; {count:,} records were imported before"
    return type(error)(msg) if isinstance(error, NtMemoryError) else ValueError(msg)
