"""Checks and conversions of the values that records are made of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from nt_memory._shown import shown
from nt_memory.errors import InvalidEmbeddingError, NamespaceError

if TYPE_CHECKING:
    import numpy.typing as npt

    from nt_memory.store import Vector


def pack(obj: object) -> bytes:
    """Encode JSON types, bytes and arrays as MessagePack."""
    from nt_memory import _native  # the extension is loaded when it is first used

    return _native.pack(obj)


def unpack(data: bytes) -> Any:
    """Decode what `pack` encoded."""
    from nt_memory import _native  # the extension is loaded when it is first used

    return _native.unpack(data)


def as_vector(value: npt.ArrayLike, name: str = "embedding") -> Vector:
    """Return a read-only float32 copy of a one-dimensional array of numbers.

    Raises
    ------
    InvalidEmbeddingError
        It has another dtype than integers or floats, or not one dimension.
    """
    return _floats(value, name, 1, "one dimension, as in vector.ravel()")


def as_vectors(value: npt.ArrayLike, name: str = "embeddings") -> Vector:
    """Return the same of an array of two dimensions, a vector a row."""
    return _floats(value, name, 2, "two dimensions, a vector a row, as in vectors[None]")


def _floats(value: npt.ArrayLike, name: str, dimensions: int, wanted: str) -> Vector:
    import numpy as np

    try:
        given = np.asarray(value)
    except ValueError as error:  # ragged lists
        msg = f"{name}: {error}; give floats of {wanted}"
        raise InvalidEmbeddingError(msg) from error
    if given.dtype.kind not in "fiu":
        msg = f"{name} has dtype {given.dtype}: give floats (float32 is kept as it is)"
        raise InvalidEmbeddingError(msg)
    if given.ndim != dimensions or not given.size:
        msg = f"{name} has shape {given.shape}: give {wanted}"
        raise InvalidEmbeddingError(msg)
    with np.errstate(over="ignore"):  # becomes infinite, which the engine refuses
        vector: Vector = given.astype(np.float32)
    vector.setflags(write=False)
    return vector


def column(name: str, given: object, dtype: npt.DTypeLike, wanted: str) -> npt.NDArray[Any]:
    """Return a copy as an array of a dtype; what cannot be one is told with what is wanted."""
    import numpy as np

    try:
        with np.errstate(invalid="raise"):
            return np.array(given, dtype=dtype)
    except (TypeError, ValueError, OverflowError, FloatingPointError) as error:
        msg = f"{name}={shown(given)}: give {wanted}"
        raise ValueError(msg) from error


def optional(name: str, given: object, kind: type) -> None:
    """Check that something is of a class, or None."""
    if given is not None and not isinstance(given, kind):
        msg = f"{name}={shown(given)}: give a {kind.__name__}, or None"
        raise TypeError(msg)


def finite(name: str, value: object, low: float = -math.inf, high: float = math.inf) -> float:
    """Return a number as float, checked against a closed range; NaN and infinity are outside."""
    try:
        number = math.nan if isinstance(value, (str, bytes)) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError) as error:
        msg = f"{name}={shown(value)}: give a number"
        raise ValueError(msg) from error
    if not (math.isfinite(number) and low <= number <= high):
        msg = f"{name}={shown(value)}: give a finite number{_range(low, high)}"
        raise ValueError(msg)
    return number


def whole(name: str, value: object, least: int = 1) -> int:
    """Return a whole number of at least so many; a bool is none."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        msg = f"{name}={shown(value)}: give a whole number of at least {least}"
        raise ValueError(msg)
    return value


def _range(low: float, high: float) -> str:
    if math.isfinite(high):
        return f" from {low:g} to {high:g}"
    return f" of at least {low:g}" if math.isfinite(low) else ""


def texts(name: str, value: Iterable[str]) -> tuple[str, ...]:
    """Return strings as a tuple; a lone string is an error, not its letters."""
    if isinstance(value, str):
        msg = f"{name}={shown(value)}: give a list of strings, as in [{shown(value)}]"
        raise TypeError(msg)
    try:
        items = tuple(value)
    except TypeError as error:
        msg = f"{name}={shown(value)}: give a list of strings"
        raise TypeError(msg) from error
    if not all(isinstance(item, str) for item in items):
        msg = f"{name}={shown(value)}: give strings only"
        raise ValueError(msg)
    return items


def mapping(name: str, value: object) -> Mapping[Any, Any]:
    """Return a mapping; anything else is an error that names the field."""
    if isinstance(value, Mapping):
        return value
    msg = f"{name}={shown(value)}: give a mapping of names to values"
    raise TypeError(msg)


def same(left: object, right: object) -> bool:
    """Compare values that may hold arrays, bit for bit in dtype and shape."""
    import numpy as np

    if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
        return (
            isinstance(left, np.ndarray)
            and isinstance(right, np.ndarray)
            and left.dtype == right.dtype
            and np.array_equal(left, right)
        )
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def as_bytes(name: str, value: object, way_out: str) -> bytes:
    """Return bytes, or what can be read as such.

    Raises
    ------
    TypeError
        It is something else.
    """
    if isinstance(value, bytes):
        return value
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    msg = f"{name} is {type(value).__name__}: {way_out}"
    raise TypeError(msg)


def segment(name: str, value: object) -> str:
    """Return an id that can be one level of a namespace.

    Raises
    ------
    NamespaceError
        It is no text of 1 to 128 characters A-Z a-z 0-9 . _ -.
    """
    from nt_memory import _native  # the extension is loaded when it is first used

    if not isinstance(value, str) or "/" in value:
        msg = f"{name}={shown(value)}: give 1 to 128 characters of A-Z a-z 0-9 . _ -"
        raise NamespaceError(msg)
    try:
        _native.Namespace.validate(value)
    except ValueError as error:
        msg = f"{name}={shown(value)}: give 1 to 128 characters of A-Z a-z 0-9 . _ -"
        raise NamespaceError(msg) from error
    return value
