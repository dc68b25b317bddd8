"""Many values of one shape, packed column by column.

Payloads of trajectories are alike: the same keys, prices with two decimals,
times a bar apart.  Row by row each key and each full double is there again;
as columns, numbers become small differences and keys are there once, which is
what lz4 can make little of.  Whatever comes out is what went in, to the bit:
types, the order of keys, -0.0 and NaN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nt_memory._values import pack, unpack
from nt_memory.errors import SerializationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float64]

Node = dict[str, Any]
_SCALES = tuple(10.0**places for places in range(9))
# A decimal beyond this is no integer that a double holds exactly.
_EXACT = 2.0**53
_LEAST, _MOST = -(2**63), 2**63 - 1


def to_columns(values: Sequence[Any]) -> bytes:
    """Pack values; `from_columns` returns them.

    Examples
    --------
    >>> rows = [{"close": 100.25 + n, "day": n} for n in range(1000)]
    >>> packed = to_columns(rows)
    >>> from_columns(packed) == rows, len(packed) < 10_000
    (True, True)
    """
    return pack({"n": len(values), "column": _encode(list(values))})


def from_columns(packed: bytes) -> list[Any]:
    """Return what `to_columns` was given.

    Raises
    ------
    SerializationError
        The bytes are damaged.
    """
    try:
        told = unpack(packed)
        return _decode(told["column"], told["n"])
    except (KeyError, IndexError, TypeError, ValueError) as error:
        if isinstance(error, SerializationError):
            raise
        msg = f"the columns are damaged ({error}): restore a backup"
        raise SerializationError(msg) from error


def _encode(values: list[Any]) -> Node:
    kinds = {_kind(value) for value in values}
    if len(kinds) == 1:
        return _ENCODERS[kinds.pop()](values)
    # Several types, or none at all: each in a column of its own, and which comes when.
    names = sorted(kinds)
    places = [names.index(_kind(value)) for value in values]
    parts = [
        [v for v, place in zip(values, places, strict=True) if place == at]
        for at in range(len(names))
    ]
    return {
        "t": "mixed",
        "places": bytes(places),
        "sizes": [len(part) for part in parts],
        "parts": [_encode(part) for part in parts],
    }


def _kind(value: Any) -> str:
    """Return the name of the column that a value goes to."""
    if value is None or isinstance(value, bool):
        return "flag"
    if isinstance(value, int):
        return "int" if _LEAST <= value <= _MOST else "other"
    for kind, name in ((float, "float"), (str, "text"), (dict, "dict"), (list, "list")):
        if type(value) is kind:
            return name
    return "tuple" if type(value) is tuple else "other"


def _flags(values: list[Any]) -> Node:
    return {"t": "flag", "data": bytes(2 if value is None else int(value) for value in values)}


def _ints(values: list[int]) -> Node:
    return {"t": "int", "data": _differences(np.array(values, dtype=np.int64))}


def _floats(values: list[float]) -> Node:
    numbers = np.array(values, dtype=np.float64)
    for places, scale in enumerate(_SCALES):
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = np.rint(numbers * scale)
            if not (np.abs(scaled) < _EXACT).all():
                break
            whole = scaled.astype(np.int64)  # where -0.0 becomes another number
            if ((whole / scale).view(np.int64) == numbers.view(np.int64)).all():
                return {"t": "decimal", "places": places, "data": _differences(whole)}
    return {"t": "float", "data": shuffle(numbers)}


def _texts(values: list[str]) -> Node:
    words = {word: number for number, word in enumerate(dict.fromkeys(values))}
    if len(words) > len(values) // 2:
        return {"t": "text", "data": list(values)}
    codes = np.array([words[value] for value in values], dtype=np.int64)
    return {"t": "word", "words": list(words), "data": _differences(codes)}


def _dicts(values: list[dict[Any, Any]]) -> Node:
    shapes = {shape: number for number, shape in enumerate(dict.fromkeys(map(tuple, values)))}
    if not all(isinstance(key, str) for shape in shapes for key in shape):
        return _others(values)
    codes = [shapes[tuple(value)] for value in values]
    parts: list[list[Node]] = []
    for number, shape in enumerate(shapes):
        rows = [value for value, code in zip(values, codes, strict=True) if code == number]
        parts.append([_encode([row[key] for row in rows]) for key in shape])
    shown = _differences(np.array(codes, dtype=np.int64))
    return {
        "t": "dict",
        "shapes": [list(shape) for shape in shapes],
        "codes": shown,
        "parts": parts,
    }


def _lists(values: list[list[Any]], kind: str = "list") -> Node:
    lengths = [len(value) for value in values]
    if len(set(lengths)) == 1 and lengths[0] < 64:
        # Rows of one length: what stands at one place is one column.
        columns = [_encode(list(column)) for column in zip(*values, strict=True)]
        return {"t": kind, "length": lengths[0], "columns": columns}
    items = [item for value in values for item in value]
    shown = _differences(np.array(lengths, dtype=np.int64))
    return {"t": kind, "lengths": shown, "count": len(items), "items": _encode(items)}


def _tuples(values: list[tuple[Any, ...]]) -> Node:
    return _lists([list(value) for value in values], "tuple")


def _others(values: list[Any]) -> Node:
    return {"t": "other", "data": list(values)}


_ENCODERS: dict[str, Callable[[list[Any]], Node]] = {
    "flag": _flags,
    "int": _ints,
    "float": _floats,
    "text": _texts,
    "dict": _dicts,
    "list": _lists,
    "tuple": _tuples,
    "other": _others,
}


def _decode(node: Node, n: int) -> list[Any]:
    kind = node["t"]
    if kind in {"list", "tuple"}:
        return _decode_lists(node, n)
    return _DECODERS[kind](node, n)


def _decode_mixed(node: Node, n: int) -> list[Any]:
    parts = [
        iter(_decode(part, size)) for part, size in zip(node["parts"], node["sizes"], strict=True)
    ]
    return _in_turn(parts, node["places"][:n])


def _decode_dicts(node: Node, n: int) -> list[Any]:
    codes = _summed(node["codes"], n).tolist()
    rows = []
    for number, (shape, columns) in enumerate(zip(node["shapes"], node["parts"], strict=True)):
        size = codes.count(number)
        decoded = [_decode(column, size) for column in columns]
        made = zip(*decoded, strict=True) if decoded else iter([()] * size)
        rows.append(iter([dict(zip(shape, row, strict=True)) for row in made]))
    return _in_turn(rows, codes)


def _in_turn(columns: list[Iterator[Any]], places: Iterable[int]) -> list[Any]:
    """Return the next value of the column that each row names."""
    try:
        return [next(columns[place]) for place in places]
    except StopIteration:
        msg = "a column ends before its rows"
        raise ValueError(msg) from None


def _decode_lists(node: Node, n: int) -> list[Any]:
    made: Callable[[Any], Any] = tuple if node["t"] == "tuple" else list
    if "length" in node:
        columns = [_decode(column, n) for column in node["columns"]]
        rows = zip(*columns, strict=True) if columns else iter([()] * n)
        return [made(row) for row in rows]
    ends = np.cumsum(_summed(node["lengths"], n)).tolist()
    items = _decode(node["items"], node["count"])
    return [made(items[start:end]) for start, end in zip([0, *ends], ends, strict=False)]


def _decode_decimals(node: Node, n: int) -> list[Any]:
    decimals: list[float] = (_summed(node["data"], n) / _SCALES[node["places"]]).tolist()
    return decimals


_DECODERS: dict[str, Callable[[Node, int], list[Any]]] = {
    "flag": lambda node, _: [(False, True, None)[code] for code in node["data"]],
    "int": lambda node, n: _summed(node["data"], n).tolist(),
    "float": lambda node, n: unshuffle(node["data"], np.dtype(np.float64), n).tolist(),
    "decimal": _decode_decimals,
    "text": lambda node, _: list(node["data"]),
    "word": lambda node, n: [node["words"][code] for code in _summed(node["data"], n)],
    "other": lambda node, _: list(node["data"]),
    "dict": _decode_dicts,
    "mixed": _decode_mixed,
}


def shuffle(numbers: npt.NDArray[Any]) -> bytes:
    """Return the first bytes of all numbers, then the second, and so on: like lies beside like."""
    width = numbers.dtype.itemsize
    rows: npt.NDArray[np.uint8] = np.ascontiguousarray(numbers).view(np.uint8)
    packed: bytes = rows.reshape(-1, width).T.tobytes()
    return packed


def unshuffle(data: bytes, dtype: np.dtype[Any], n: int) -> npt.NDArray[Any]:
    """Return what `shuffle` was given, as one row of ``n``."""
    rows = np.frombuffer(data, dtype=np.uint8).reshape(dtype.itemsize, n)
    return np.ascontiguousarray(rows.T).view(dtype).reshape(n)


def _differences(numbers: Ints) -> bytes:
    """Return the first number and each step to the next, in the fewest bytes that hold them all."""
    with np.errstate(over="ignore"):
        steps = np.diff(numbers, prepend=np.int64(0))
    for dtype in (np.int8, np.int16, np.int32):
        info = np.iinfo(dtype)
        if ((steps[1:] >= info.min) & (steps[1:] <= info.max)).all():
            return steps[:1].tobytes() + shuffle(steps[1:].astype(dtype))
    return steps[:1].tobytes() + shuffle(steps[1:])


def _summed(data: bytes, n: int) -> Ints:
    if n == 0:
        return np.zeros(0, dtype=np.int64)
    first = np.frombuffer(data[:8], dtype=np.int64)
    if n == 1:
        return first
    width = (len(data) - 8) // (n - 1)
    steps = unshuffle(data[8:], np.dtype(f"i{width}"), n - 1)
    with np.errstate(over="ignore"):
        # Differences that left the range come back into it.
        return np.cumsum(np.concatenate([first, steps.astype(np.int64)]), dtype=np.int64)
