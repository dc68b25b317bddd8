"""A table, row by row."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from nt_memory.columns import NO_TIME, Lists, Matrix, RawTable, Texts
from nt_memory.errors import NtMemoryError
from nt_memory.store import RawOutcome, RawRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NO_COLUMNS = {"rows", "embeddings", "attributes"}
_TEXTS = ("id", "namespace", "kind", "agent_id", "symbol", "regime", "text", "writer", "source")


def write_rows(table: RawTable, write: Callable[[RawRecord], str]) -> list[str]:
    """Write each row as a record of its own; return the ids.

    Raises
    ------
    ValueError, NtMemoryError
        A column has another length than the table, or a row cannot be written.
    """
    _check_lengths(table)
    row = 0
    ids = []
    try:
        for row in range(table.rows):
            ids.append(write(record(table, row)))
    except (NtMemoryError, ValueError) as error:
        error.args = (f"row {row}: {error}", *error.args[1:])
        raise
    return ids


def _check_lengths(table: RawTable) -> None:
    for name, rows in _lengths(table):
        if rows != table.rows:
            msg = f"column {name} has {rows} rows, and the table {table.rows}"
            raise ValueError(msg)


def _lengths(table: RawTable) -> Iterator[tuple[str, int]]:
    fields = {name: getattr(table, name) for name in RawTable.__slots__ if name not in _NO_COLUMNS}
    for name, column in (*fields.items(), *table.embeddings.items(), *table.attributes.items()):
        if isinstance(column, Texts):
            yield name, len(column.rows)
        elif isinstance(column, Lists):
            yield name, len(column.offsets) - 1
        elif isinstance(column, Matrix):
            yield name, len(column.numbers)
        elif column is not None:
            yield name, len(column)


def record(table: RawTable, row: int) -> RawRecord:
    """Return one row as a record."""
    event_time = _time(table.event_time, row)
    if event_time is None:
        msg = "event_time is not given; every record has one"
        raise ValueError(msg)
    known_at = _time(table.known_at, row)
    fields: dict[str, Any] = {
        **{name: _text(getattr(table, name), row) for name in _TEXTS},
        "known_at": event_time if known_at is None else known_at,
        "expires_at": _time(table.expires_at, row),
        "confidence": _number(table.confidence, row),
        "embeddings": {
            space: matrix.numbers[row].copy()
            for space, matrix in table.embeddings.items()
            if matrix.present is None or matrix.present[row]
        },
        "attributes": _attributes(table, row),
        "outcome": _outcome(table, row),
        # NaN is left to be refused: neither of them may be unknown.
        "importance": None if table.importance is None else float(table.importance[row]),
        "trust": None if table.trust is None else float(table.trust[row]),
        "tags": _tags(table.tags, row),
    }
    given = {name: value for name, value in fields.items() if value is not None}
    return RawRecord(**{"id": "", "event_time": event_time, **given})


def _attributes(table: RawTable, row: int) -> dict[str, Any]:
    attributes = {
        name: _text(column, row) if isinstance(column, Texts) else _number(column, row)
        for name, column in table.attributes.items()
    }
    return {name: value for name, value in attributes.items() if value is not None}


def _outcome(table: RawTable, row: int) -> RawOutcome | None:
    reward = _number(table.reward, row)
    return None if reward is None else RawOutcome(reward, _time(table.outcome_known_at, row))


def _text(column: Texts | None, row: int) -> str | None:
    return None if column is None else column.get(row)


def _time(column: Any, row: int) -> int | None:
    return None if column is None or column[row] == NO_TIME else int(column[row])


def _number(column: Any, row: int) -> float | None:
    return None if column is None or math.isnan(column[row]) else float(column[row])


def _tags(column: Lists | None, row: int) -> tuple[str, ...] | None:
    if column is None:
        return None
    items = [column.items.get(item) for item in range(column.offsets[row], column.offsets[row + 1])]
    return tuple(item for item in items if item is not None)
