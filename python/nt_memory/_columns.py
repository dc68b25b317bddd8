"""Columns of NumPy and Arrow as the plain ones that a `Store` takes.

Nothing here makes a Python object a row, but of an array that has one already.
"""

from __future__ import annotations

import sys
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from nt_memory._shown import shown
from nt_memory._values import texts as checked_texts
from nt_memory.clock import to_micros
from nt_memory.columns import NO_TIME, Lists, Matrix, Texts
from nt_memory.errors import InvalidEmbeddingError

if TYPE_CHECKING:
    import numpy.typing as npt

    Array: TypeAlias = npt.NDArray[Any]

_SCALARS = (str, bytes, int, float, datetime, np.generic)
_UTF_32 = f"utf-32-{'le' if sys.byteorder == 'little' else 'be'}"
_BLOCK = 16_384
_YEAR_1 = np.datetime64("0001-01-01T00:00:00", "us")
_LAST = np.datetime64("9999-12-31T23:59:59.999999", "us")
_TIMES = "datetime64, or Arrow timestamps with a time zone"


def is_scalar(value: object) -> bool:
    """Whether a value stands for all rows."""
    return isinstance(value, _SCALARS) or (isinstance(value, np.ndarray) and value.ndim == 0)


def as_array(name: str, value: Any) -> Array:
    """Return a column, or a scalar as a column of one row, as an array."""
    if isinstance(value, np.ma.MaskedArray):
        msg = f"{name} is a masked array: give NaN, NaT or None where there is nothing"
        raise TypeError(msg)
    if is_scalar(value):
        value = [value.item() if isinstance(value, np.ndarray) and value.dtype == object else value]
    try:
        array = np.asarray(value)
        # Of a list NumPy would make strings of what is none, and lose zeros at their ends.
        if array.dtype.kind in "SU" and not isinstance(value, np.ndarray):
            array = np.asarray(value, dtype=object)
    except ValueError:  # lists of different lengths
        array = np.empty(len(value), dtype=object)
        array[:] = value
    return array


def refused(name: str, what: object, wanted: str) -> ValueError:
    """Return the error of a column that has another type than its field."""
    return ValueError(f"{name} is a column of {what}: give {wanted}")


def one_dimension(name: str, array: Array) -> None:
    """Raise ValueError for a column of more dimensions."""
    if array.ndim != 1:
        msg = f"{name} has shape {array.shape}: give a value a row"
        raise ValueError(msg)


def texts(name: str, array: Array) -> Texts:
    """Return strings, of an array of strings or of objects that are strings or None."""
    one_dimension(name, array)
    if array.dtype.kind == "T":
        array = array.astype(object)
    if array.dtype == object:
        return _of_objects(name, array)
    if array.dtype.kind != "U":
        raise refused(name, array.dtype, "strings")
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    blocks = [native[start : start + _BLOCK] for start in range(0, len(native), _BLOCK)]
    return joined([_of_points(name, np.ascontiguousarray(block)) for block in blocks])


def _of_points(name: str, block: Array) -> Texts:
    """Encode strings of fixed width, which NumPy fills up with zeros."""
    width = block.dtype.itemsize // 4
    points = block.view(np.uint32).reshape(len(block), width)
    is_set = points != 0
    lengths = np.where(is_set.any(axis=1), width - is_set[:, ::-1].argmax(axis=1), 0)
    kept = np.arange(width) < lengths[:, None]
    sizes = 1 + (points >= 0x80).astype(np.int64) + (points >= 0x800) + (points >= 0x10000)
    try:
        data = points[kept].tobytes().decode(_UTF_32).encode()
    except UnicodeError as error:
        raise _no_text(name, block.tolist()) from error
    return of_words(data, sizes.sum(axis=1, where=kept))


def _of_objects(name: str, array: Array) -> Texts:
    words = array.tolist()
    try:
        encoded = [b"" if is_none(word) else word.encode() for word in words]
    except (AttributeError, UnicodeError) as error:
        raise _no_text(name, words) from error
    if not all(isinstance(word, (bytes, bytearray)) for word in encoded):
        raise _no_text(name, words)
    column = of_words(b"".join(encoded), np.array([len(word) for word in encoded], np.int64))
    missing = [row for row, word in enumerate(words) if is_none(word)]
    column.rows[missing] = -1
    return column


def is_none(value: Any) -> bool:
    """Whether an object says that there is nothing: None, NaN or NaT."""
    unequal = isinstance(value, (float, datetime, np.datetime64)) and value != value  # noqa: PLR0124
    return value is None or bool(unequal)


def _no_text(name: str, words: list[Any]) -> ValueError:
    """Return the error of the first row that is no string, or none that can be encoded."""
    for row, word in enumerate(words):
        if isinstance(word, str):
            try:
                word.encode()
            except UnicodeError as error:
                return ValueError(f"{name}: row {row}: {error}: clean the text first")
        elif not is_none(word):
            break
    return ValueError(f"{name}: row {row} is {shown(word)}: give strings, and None for none")


def of_words(data: bytes, sizes: Array) -> Texts:
    """Return strings that lie one after the other, a word a row."""
    offsets = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    return Texts(np.frombuffer(data, np.uint8), offsets, np.arange(len(sizes)))


def joined(parts: list[Texts]) -> Texts:
    """Return the rows of several columns as one."""
    if len(parts) == 1:
        return parts[0]
    offsets, rows, words, size = [np.zeros(1, np.int64)], [], 0, 0
    for part in parts:
        offsets.append(part.offsets[1:] + size)
        rows.append(np.where(part.rows < 0, -1, part.rows + words))
        words += len(part.offsets) - 1
        size += len(part.data)
    data = np.concatenate([part.data for part in parts])
    return Texts(data, np.concatenate(offsets), np.concatenate(rows))


def numbers(name: str, array: Array) -> npt.NDArray[np.float64]:
    """Return numbers as float64."""
    one_dimension(name, array)
    if array.dtype.kind not in "fiu":
        raise refused(name, array.dtype, "numbers (NaN for none), as in values.astype(float)")
    return array.astype(np.float64, copy=False)


def times(name: str, array: Array) -> npt.NDArray[np.int64]:
    """Return microseconds since the epoch; smaller parts are cut off."""
    one_dimension(name, array)
    if array.dtype == object:
        return _of_datetimes(name, array)
    if array.dtype.kind in "iu":
        told = f"{array.dtype}, which does not say its unit"
        raise refused(name, told, f"{_TIMES}, as in values.astype('datetime64[us]')")
    if array.dtype.kind != "M" or array.dtype == np.dtype("M8"):
        raise refused(name, array.dtype, _TIMES)
    unit, _ = np.datetime_data(array.dtype)
    if unit not in {"ns", "ps", "fs", "as"}:  # those do not reach so far
        first, last = _YEAR_1.astype(array.dtype), _LAST.astype(array.dtype)
        outside = ((array < first) | (array > last)) & ~np.isnat(array)
        if outside.any():
            row = int(outside.argmax())
            msg = f"{name}: row {row} lies outside of the years 1 to 9999 of UTC"
            raise ValueError(msg)
    return array.astype("M8[us]").view(np.int64)


def _of_datetimes(name: str, array: Array) -> npt.NDArray[np.int64]:
    found = np.empty(len(array), np.int64)
    for row, value in enumerate(array.tolist()):
        found[row] = NO_TIME if is_none(value) else to_micros(value, f"{name} of row {row}")
    return found


def matrix(name: str, array: Array) -> Matrix:
    """Return embeddings, converted as a whole where they are no float32 in rows."""
    if array.ndim != 2 or not array.shape[1]:
        msg = f"{name} has shape {array.shape}: give an embedding a row, of shape (rows, dim)"
        raise InvalidEmbeddingError(msg)
    if array.dtype.kind not in "fiu":
        msg = f"{name} has dtype {array.dtype}: give floats (float32 is kept as it is)"
        raise InvalidEmbeddingError(msg)
    with np.errstate(over="ignore"):  # becomes infinite, which the engine refuses
        return Matrix(np.ascontiguousarray(array, dtype=np.float32))


def lists(name: str, array: Array) -> Lists:
    """Return several strings a row, of an array of lists of strings."""
    if array.ndim == 1 and array.dtype != object:
        raise refused(name, array.dtype, "a list of strings a row, or one list for all rows")
    rows = [
        () if is_none(row) else checked_texts(f"{name} of row {place}", row)
        for place, row in enumerate(array.tolist())
    ]
    offsets = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(row) for row in rows], out=offsets[1:])
    items = np.array(list(chain.from_iterable(rows)), dtype=object)
    return Lists(offsets, _of_objects(name, items))
