"""Tables of NumPy arrays or Arrow as the columns that a `Store` takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nt_memory import _columns
from nt_memory._shown import shown
from nt_memory.columns import NO_TIME, Lists, Matrix, RawTable, Texts, is_arrow

if TYPE_CHECKING:
    from collections.abc import Callable

    from nt_memory.store import Vector

_EMBEDDINGS, _ATTRIBUTES = "embeddings.", "attributes."
_REQUIRED = ("namespace", "kind", "event_time")
_TEXTS = ("namespace", "kind", "id", "agent_id", "symbol", "regime", "text", "writer", "source")
_NUMBERS = ("importance", "confidence", "trust", "outcome.reward")
_TIMES = ("event_time", "known_at", "expires_at", "outcome.known_at")
_NAMES = {"outcome.reward": "reward", "outcome.known_at": "outcome_known_at"}
_NEVER_NONE = ("namespace", "kind", "writer", "event_time", "importance", "trust")


def raw_table(given: Any) -> RawTable | None:
    """Return a mapping of arrays, or what speaks Arrow, as plain columns; None for no rows.

    Raises
    ------
    ValueError, TypeError, InvalidEmbeddingError
        A column is unknown, missing, of another length or of a type that its
        field does not take; it is named, and the row where there is one.
    """
    columns = _loaded(given)
    rows = _row_count(columns)
    if rows == 0:
        return None
    made: dict[str, Any] = {"embeddings": {}, "attributes": {}}
    for name, column in columns.items():
        converted = _converted(name, column, rows)
        _check(name, converted)
        if name.startswith(_EMBEDDINGS):
            made["embeddings"][name.removeprefix(_EMBEDDINGS)] = converted
        elif name.startswith(_ATTRIBUTES):
            made["attributes"][name.removeprefix(_ATTRIBUTES)] = converted
        else:
            made[_NAMES.get(name, name)] = converted
    table = RawTable(rows=rows, **made)
    _check_outcome(table)
    return table


def _loaded(given: Any) -> dict[str, Any]:
    """Return the columns by name, each a scalar, an array or a chunked array of Arrow."""
    if not isinstance(given, Mapping):
        from nt_memory._arrow import columns_of

        given = columns_of(given)
    for name in given:
        _check_name(name)
    columns = {name: column for name, column in given.items() if column is not None}
    if "embedding" in columns:
        if f"{_EMBEDDINGS}state" in columns:
            msg = "there are columns 'embedding' and 'embeddings.state', which are one: leave one"
            raise ValueError(msg)
        columns[f"{_EMBEDDINGS}state"] = columns.pop("embedding")
    for name in _REQUIRED:
        if name not in columns:
            msg = f"there is no column {name!r}: give one, or one value for all rows"
            raise ValueError(msg)
    return {name: _load(name, column) for name, column in columns.items()}


def _check_name(name: object) -> None:
    if isinstance(name, str):
        if name in {*_TEXTS, *_NUMBERS, *_TIMES, "embedding", "tags"}:
            return
        if any(name.startswith(prefix) and name != prefix for prefix in (_EMBEDDINGS, _ATTRIBUTES)):
            return
    wanted = ", ".join(sorted({*_TEXTS, *_NUMBERS, *_TIMES, "tags"}))
    msg = (
        f"there is no column {shown(name)}; use {wanted}, embeddings.SPACE or attributes.NAME "
        "(payloads and parents are written by Record)"
    )
    raise ValueError(msg)


def _load(name: str, value: Any) -> Any:
    if _columns.is_scalar(value):
        return value
    if name == "tags" and isinstance(value, (list, tuple)) and _is_one_list(value):
        return _OneList(value)
    if is_arrow(value):
        from nt_memory._arrow import column

        return column(name, value)
    array = _columns.as_array(name, value)
    if not array.ndim:
        raise _columns.refused(name, type(value).__name__, "an array, or one value for all rows")
    return array


class _OneList(tuple[str, ...]):
    """Strings that each row has."""

    __slots__ = ()


def _is_one_list(value: list[Any] | tuple[Any, ...]) -> bool:
    return bool(value) and all(isinstance(item, str) for item in value)


def _row_count(columns: Mapping[str, Any]) -> int:
    lengths = {
        name: len(column)
        for name, column in columns.items()
        if not (_columns.is_scalar(column) or isinstance(column, _OneList))
    }
    if not lengths:
        msg = "every column is one value for all rows: how many are there? Give one as an array"
        raise ValueError(msg)
    first, rows = next(iter(lengths.items()))
    for name, length in lengths.items():
        if length != rows:
            msg = f"{name} has {length} rows and {first} {rows}: give columns of one length"
            raise ValueError(msg)
    return rows


def _converted(name: str, column: Any, rows: int) -> Any:
    if isinstance(column, _OneList):
        items = _columns.texts(name, np.array(column, dtype=object))
        every = Texts(items.data, items.offsets, np.tile(items.rows, rows))
        return Lists(np.arange(rows + 1) * len(column), every)
    if not _columns.is_scalar(column):
        return _column(name, column)
    if name == "tags" or name.startswith(_EMBEDDINGS):
        wanted = "a list" if name == "tags" else "an array of shape (rows, dim)"
        raise _columns.refused(name, type(column).__name__, wanted)
    one = _column(name, _columns.as_array(name, column))
    if isinstance(one, Texts):
        return replace(one, rows=np.broadcast_to(one.rows, rows))
    return np.broadcast_to(one, rows)


def _column(name: str, column: Any) -> Any:
    """Return an array of NumPy or Arrow as its field takes it."""
    of: Any = _columns
    if not isinstance(column, np.ndarray):
        from nt_memory import _arrow

        of = _arrow
    if name in _TIMES:
        array = column if of is _columns else of.times(name, column)
        return _columns.times(name, array)
    return _converter(name, column, of)(name, column)


def _converter(name: str, column: Any, of: Any) -> Callable[[str, Any], Any]:
    kinds = {**dict.fromkeys(_TEXTS, "texts"), **dict.fromkeys(_NUMBERS, "numbers")}
    if name.startswith(_ATTRIBUTES):
        is_number = column.dtype.kind in "fiu" if of is _columns else of.is_number(column)
        kind = "numbers" if is_number else "texts"
    elif name.startswith(_EMBEDDINGS):
        kind = "matrix"
    else:
        kind = kinds.get(name, "lists")
    made: Callable[[str, Any], Any] = getattr(of, kind)
    return made


def _check(name: str, column: Any) -> None:
    """Raise ValueError for a row that has none of what every record has."""
    if name not in _NEVER_NONE:
        return
    if isinstance(column, Texts):
        missing = column.rows < 0
    elif column.dtype == np.int64:
        missing = column == NO_TIME
    else:
        missing = np.isnan(column)
    if missing.any():
        msg = f"{name}: row {int(missing.argmax())} is null: every record has one"
        raise ValueError(msg)
    if name == "writer":
        _check_writer(column)


def _check_writer(column: Texts) -> None:
    is_empty = (np.diff(column.offsets) == 0)[column.rows]
    if is_empty.any():
        msg = f"writer: row {int(is_empty.argmax())} is empty: give a non-empty string"
        raise ValueError(msg)


def _check_outcome(table: RawTable) -> None:
    if table.outcome_known_at is None:
        return
    alone = table.outcome_known_at != NO_TIME
    if table.reward is not None:
        alone &= np.isnan(table.reward)
    if alone.any():
        row = int(alone.argmax())
        msg = f"outcome.known_at: row {row} has one, and no outcome.reward: give both or none"
        raise ValueError(msg)


def with_vectors(
    table: RawTable, space: str, embed: Callable[[list[str]], list[Vector]]
) -> RawTable:
    """Return a table whose texts are embedded where they have no vector in a space."""
    text, given = table.text, table.embeddings.get(space)
    if text is None:
        return table
    waiting = text.rows >= 0
    if given is not None:
        waiting &= False if given.present is None else ~given.present
    if not waiting.any():
        return table
    # A text that several rows share is embedded once.
    words, places = np.unique(text.rows[waiting], return_inverse=True)
    vectors = np.stack(embed([text.word(word) for word in words.tolist()]))
    if given is not None and given.numbers.shape[1] != vectors.shape[1]:
        return table  # of a wrong length, which the engine says
    numbers = np.zeros((table.rows, vectors.shape[1]), np.float32)
    present = waiting.copy()
    if given is not None and given.present is not None:
        numbers[given.present] = given.numbers[given.present]
        present |= given.present
    numbers[waiting] = vectors[places]
    whole = Matrix(numbers, None if present.all() else present)
    return replace(table, embeddings={**table.embeddings, space: whole})
