"""Parquet: one row a version, one column of floats a space."""

from __future__ import annotations

import json
from typing import IO, TYPE_CHECKING, Any

from nt_memory.errors import SerializationError
from nt_memory.exchange._checks import checked
from nt_memory.exchange._files import Contents, Row, at, check_header, header
from nt_memory.exchange._payload import dumps, from_json, loads, to_json
from nt_memory.store import RawOutcome, RawRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from nt_memory.store import NamespaceOptions

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ModuleNotFoundError as error:
    msg = 'pyarrow is missing; install it with: pip install "nt-memory[arrow]"'
    raise ModuleNotFoundError(msg, name=error.name) from error

# A group is what is held at a time, by whoever writes or reads the file.
_GROUP_ROWS = 10_000
_GROUP_BYTES = 32 << 20
_MAX_GROUP = 1 << 30
_READ_ROWS = 1_000
_HEADER = b"nt_memory"
_SPACE = "embeddings."
_TIME = pa.timestamp("us", tz="UTC")
_TEXTS = pa.list_(pa.string())
# Attributes and payloads are JSON.
_COLUMNS: dict[str, Any] = {
    **dict.fromkeys(("id", "namespace", "kind", "agent_id", "symbol", "regime"), pa.string()),
    **dict.fromkeys(("event_time", "known_at", "expires_at", "recorded_at"), _TIME),
    **dict.fromkeys(("commit", "version"), pa.int64()),
    **dict.fromkeys(("importance", "confidence", "trust"), pa.float64()),
    **dict.fromkeys(("text", "writer", "source", "attributes", "payload"), pa.string()),
    **dict.fromkeys(("tags", "parents"), _TEXTS),
    "outcome.reward": pa.float64(),
    "outcome.known_at": _TIME,
    "outcome.payload": pa.string(),
}


class Writer:
    """Writes versions as rows; ``spaces`` are the columns of floats."""

    def __init__(
        self, out: IO[bytes], options: Mapping[str, NamespaceOptions], spaces: Iterable[str]
    ) -> None:
        vectors = {f"{_SPACE}{name}": pa.list_(pa.float32()) for name in spaces}
        metadata = {_HEADER: json.dumps(header(options))}
        self._schema = pa.schema({**_COLUMNS, **vectors}, metadata=metadata)
        self._out = pq.ParquetWriter(out, self._schema, compression="zstd")
        self._rows: list[dict[str, Any]] = []
        self._size = 0

    def write(self, raw: RawRecord) -> None:
        """Write one version."""
        row = _row(raw)
        if not row.keys() <= set(self._schema.names):
            space = next(name for name in row if name not in self._schema.names)
            msg = f"record {raw.id!r} has {space!r}, no space of this memory: export to .jsonl"
            raise SerializationError(msg)
        self._rows.append(row)
        self._size += _size(raw)
        if len(self._rows) >= _GROUP_ROWS or self._size >= _GROUP_BYTES:
            self._write_group()

    def close(self) -> None:
        """Write what is left and the footer; the file itself stays open."""
        try:
            if self._rows:
                self._write_group()
        finally:
            self._out.close()

    def _write_group(self) -> None:
        arrays = [_column(self._rows, field) for field in self._schema]
        self._out.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self._rows, self._size = [], 0


def read(source: IO[bytes]) -> Contents:
    """Read the header; versions follow, one group of rows at a time.

    Raises
    ------
    SerializationError
        The file or a row of it is wrong.
    """
    try:
        file = pq.ParquetFile(source)
        options = check_header(loads((file.schema_arrow.metadata or {}).get(_HEADER, b"null")))
        return Contents(options, _rows(file, _checked_schema(file)))
    except (pa.ArrowException, OSError) as error:
        msg = f"the file is damaged: {error}"
        raise SerializationError(msg) from error


def _rows(file: Any, names: list[str]) -> Iterator[Row]:
    number = 0
    try:
        for group in range(file.num_row_groups):
            size = file.metadata.row_group(group).total_byte_size
            if size > _MAX_GROUP:
                msg = f"a group of rows has {size:,} bytes; at most {_MAX_GROUP:,} are read"
                raise SerializationError(msg)
            for batch in file.iter_batches(_READ_ROWS, row_groups=[group], use_threads=False):
                share = batch.nbytes // max(batch.num_rows, 1)
                for row in _told_rows(batch, names, number):
                    number += 1
                    with at(f"row {number}"):
                        version = _version(row)
                    yield Row(f"row {number}", share, version)
    except (pa.ArrowException, OSError) as error:
        msg = f"after row {number}: the file is damaged: {error}"
        raise SerializationError(msg) from error


def _row(raw: RawRecord) -> dict[str, Any]:
    row = {name: getattr(raw, name) for name in _COLUMNS if "." not in name}
    row["attributes"] = dumps(dict(raw.attributes))
    row["payload"] = _told(raw.payload)
    if raw.outcome is not None:
        row["outcome.reward"] = raw.outcome.reward
        row["outcome.known_at"] = raw.outcome.known_at
        row["outcome.payload"] = _told(raw.outcome.payload)
    for name, vector in raw.embeddings.items():
        row[f"{_SPACE}{name}"] = vector
    return row


def _told(payload: bytes | None) -> str | None:
    return None if payload is None else dumps(to_json(payload))


def _size(raw: RawRecord) -> int:
    vectors = sum(vector.nbytes for vector in raw.embeddings.values())
    payload = len(raw.payload or b"") + len((raw.outcome and raw.outcome.payload) or b"")
    return 500 + vectors + len(raw.text or "") + payload


def _column(rows: list[dict[str, Any]], field: Any) -> Any:
    if not field.name.startswith(_SPACE):
        return pa.array([row.get(field.name) for row in rows], field.type)
    import numpy as np

    vectors = [row.get(field.name) for row in rows]
    lengths = [0 if vector is None else len(vector) for vector in vectors]
    offsets = np.cumsum([0, *lengths], dtype=np.int32)
    present = [vector for vector in vectors if vector is not None]
    flat = np.concatenate(present) if present else np.empty(0, np.float32)
    missing = pa.array([vector is None for vector in vectors])
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat), mask=missing)


def _checked_schema(file: Any) -> list[str]:
    schema = file.schema_arrow
    for name, kind in _COLUMNS.items():
        if schema.names.count(name) != 1:
            msg = f"the column {name!r} is missing, or there twice"
            raise SerializationError(msg)
        _check_type(schema.field(name), kind)
    for name in schema.names:
        if name.startswith(_SPACE) and schema.names.count(name) == 1:
            _check_type(schema.field(name), pa.list_(pa.float32()))
        elif name not in _COLUMNS:
            msg = f"unknown column {name!r}"
            raise SerializationError(msg)
    return [name for name in schema.names if name.startswith(_SPACE)]


def _check_type(field: Any, kind: Any) -> None:
    same = field.type == kind
    if pa.types.is_list(kind):  # the name of the element is no matter
        same = pa.types.is_list(field.type) and field.type.value_type == kind.value_type
    if not same:
        msg = f"the column {field.name!r} is {field.type}, not {kind}"
        raise SerializationError(msg)


def _told_rows(batch: Any, spaces: list[str], number: int) -> Iterator[dict[str, Any]]:
    columns: dict[str, Any] = {}
    for name, kind in _COLUMNS.items():
        column = batch.column(name)
        columns[name] = (column.view(pa.int64()) if kind == _TIME else column).to_pylist()
    vectors = {name.removeprefix(_SPACE): batch.column(name) for name in spaces}
    for space, column in vectors.items():
        if column.flatten().null_count:
            msg = f"after row {number}: {_SPACE}{space} holds a null"
            raise SerializationError(msg)
    for place in range(batch.num_rows):
        row = {name: column[place] for name, column in columns.items()}
        row["embeddings"] = {
            space: column[place].values.to_numpy().copy()
            for space, column in vectors.items()
            if column[place].is_valid
        }
        yield row


def _version(row: dict[str, Any]) -> RawRecord:
    reward, known_at, payload = (row.pop(f"outcome.{n}") for n in ("reward", "known_at", "payload"))
    row["attributes"] = loads(row["attributes"] or "null")
    row["payload"] = _taken(row["payload"])
    row["outcome"] = None
    if not reward is known_at is payload is None:
        row["outcome"] = RawOutcome(reward, known_at, _taken(payload))
    return checked(row)


def _taken(told: str | None) -> bytes | None:
    return None if told is None else from_json(loads(told))
