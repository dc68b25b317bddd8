"""Columns of Arrow, as NumPy sees the same bytes.

`pyarrow` is the one reader: whatever speaks Arrow's C interface becomes its
table without a copy, and the extension needs no Arrow library of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nt_memory._columns import joined, of_words, refused
from nt_memory.columns import NO_TIME, Lists, Matrix, Texts
from nt_memory.errors import InvalidEmbeddingError

try:
    import pyarrow as pa
    import pyarrow.types as kinds
except ModuleNotFoundError as error:
    msg = 'pyarrow is missing; install it with: pip install "nt-memory[arrow]"'
    raise ModuleNotFoundError(msg, name=error.name) from error


def columns_of(table: Any) -> dict[str, Any]:
    """Return the columns of a table by name."""
    try:
        table = pa.table(table)
    except (pa.ArrowException, TypeError, ValueError) as error:
        msg = f"{type(table).__name__} is no table: {error}"
        raise TypeError(msg) from error
    names = table.column_names
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        msg = f"the table has more than one column {twice[0]!r}: rename one"
        raise ValueError(msg)
    return dict(zip(names, table.columns, strict=True))


def column(name: str, values: Any) -> Any:
    """Return something that speaks Arrow as a chunked array."""
    if isinstance(values, pa.ChunkedArray):
        return values
    try:
        if hasattr(values, "__arrow_c_stream__"):
            return pa.chunked_array(values)
        return pa.chunked_array([pa.array(values)])
    except (pa.ArrowException, TypeError, ValueError) as error:
        msg = f"{name}: {type(values).__name__} is no column: {error}"
        raise TypeError(msg) from error


def _is_text(kind: Any) -> bool:
    if kinds.is_dictionary(kind):
        return _is_text(kind.value_type)
    tests = (kinds.is_string, kinds.is_large_string, kinds.is_string_view, kinds.is_null)
    return any(test(kind) for test in tests)


def is_number(values: Any) -> bool:
    """Whether a column holds numbers."""
    return any(test(values.type) for test in (kinds.is_integer, kinds.is_floating))


def texts(name: str, values: Any) -> Texts:
    """Return strings, plain or by dictionary."""
    if not _is_text(values.type):
        raise refused(name, values.type, "strings")
    return joined([_of_chunk(chunk) for chunk in values.chunks])


def _of_chunk(chunk: Any) -> Texts:
    if kinds.is_dictionary(chunk.type) and len(chunk.dictionary) <= len(chunk):
        words = _of_chunk(chunk.dictionary)
        places = chunk.indices.cast(pa.int64()).fill_null(-1).to_numpy()
        rows = np.where(places < 0, -1, words.rows[places]) if len(words.rows) else places
        return Texts(words.data, words.offsets, rows)
    if not len(chunk):  # its buffers need not be there
        return of_words(b"", np.zeros(0, np.int64))
    chunk = chunk.cast(pa.large_string())
    _, offsets, data = chunk.buffers()
    found = np.frombuffer(offsets, np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
    # A slice shares the bytes of all; only its own are handed on.
    size = int(found[-1] - found[0])
    own = b"" if data is None else data.slice(int(found[0]), size)
    column = of_words(own, np.diff(found))
    if chunk.null_count:
        column.rows[chunk.is_null().to_numpy(zero_copy_only=False)] = -1
    return column


def numbers(name: str, values: Any) -> Any:
    """Return numbers as float64, NaN for null."""
    if not is_number(values) and not kinds.is_null(values.type):
        raise refused(name, values.type, "numbers")
    return values.to_numpy().astype(np.float64, copy=False)


def times(name: str, values: Any) -> Any:
    """Return timestamps as an array of datetime64, NaT for null."""
    if kinds.is_null(values.type):
        return np.full(len(values), NO_TIME).view("M8[us]")
    if not kinds.is_timestamp(values.type):
        raise refused(name, values.type, "timestamps with a time zone")
    if values.type.tz is None:
        wanted = f"a time zone, as in cast(pa.timestamp({values.type.unit!r}, 'UTC'))"
        raise refused(name, f"{values.type}, which is naive", wanted)
    plain = values.cast(pa.int64()).fill_null(NO_TIME).to_numpy()
    return plain.view(f"M8[{values.type.unit}]")


def matrix(name: str, values: Any) -> Matrix:
    """Return embeddings of a column of lists of one length; a null is none."""
    kind = values.type
    if not (kinds.is_fixed_size_list(kind) and kinds.is_floating(kind.value_type)):
        msg = (
            f"{name} is a column of {kind}: give lists of one length, "
            "as in cast(pa.list_(pa.float32(), 256))"
        )
        raise InvalidEmbeddingError(msg)
    numbers, start = [], 0
    for chunk in values.chunks:
        numbers.append(_rows(name, chunk, start))
        start += len(chunk)
    whole = numbers[0] if len(numbers) == 1 else np.concatenate(numbers)
    with np.errstate(over="ignore"):  # becomes infinite, which the engine refuses
        whole = np.ascontiguousarray(whole, dtype=np.float32)
    present = values.is_valid().to_numpy() if values.null_count else None
    return Matrix(whole, present)


def _rows(name: str, chunk: Any, start: int) -> Any:
    dim = chunk.type.list_size
    inner = chunk.values.slice(chunk.offset * dim, len(chunk) * dim)
    if inner.null_count:
        unknown = inner.is_null().to_numpy(zero_copy_only=False).reshape(len(chunk), dim)
        unknown &= chunk.is_valid().to_numpy(zero_copy_only=False)[:, None]
        if unknown.any():
            row = int(unknown.any(axis=1).argmax())
            msg = f"{name}: row {start + row} has a null among its numbers: make the row null"
            raise InvalidEmbeddingError(msg)
    return inner.to_numpy(zero_copy_only=False).reshape(len(chunk), dim)


def lists(name: str, values: Any) -> Lists:
    """Return a column of lists of strings."""
    kind = values.type
    is_list = kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind)
    if not (is_list and _is_text(kind.value_type)):
        raise refused(name, kind, "lists of strings")
    parts, sizes = [], []
    for chunk in values.chunks:
        parts.append(chunk.flatten())
        length = kind.list_size if kinds.is_fixed_size_list(kind) else None
        sizes.append(_sizes(chunk, length))
    offsets = np.zeros(len(values) + 1, np.int64)
    np.cumsum(np.concatenate(sizes), out=offsets[1:])
    items = texts(name, pa.chunked_array(parts))
    if (items.rows < 0).any():
        row = int(np.searchsorted(offsets, int((items.rows < 0).argmax()), side="right")) - 1
        msg = f"{name}: row {row} has a null among its strings: leave it out"
        raise ValueError(msg)
    return Lists(offsets, items)


def _sizes(chunk: Any, length: int | None) -> Any:
    if length is not None:
        return length * chunk.is_valid().to_numpy(zero_copy_only=False).astype(np.int64)
    return chunk.value_lengths().fill_null(0).to_numpy().astype(np.int64)
