"""Payloads as JSON: what JSON has no word for is tagged, and comes back to the byte."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from typing import Any

from nt_memory._values import pack, unpack
from nt_memory.errors import SerializationError

# A mapping whose only key begins with $ stands for something else:
# $bytes, $array (dtype, shape, data), $float (nan, inf, -inf), $object (a mapping whose own
# keys begin with $), and $msgpack (a payload that JSON cannot tell to the byte).
_DTYPE = re.compile(r"[<>|][biuf](1|2|4|8|16)")
_FLOATS = frozenset({"nan", "inf", "-inf"})
_ARRAY_FIELDS = frozenset({"dtype", "shape", "data"})


def to_json(payload: bytes) -> Any:
    """Return a payload as JSON types that `from_json` turns into the same bytes."""
    try:
        told = _tell(unpack(payload))
        if from_json(told) == payload:
            return told
    except SerializationError:
        pass  # the bytes were not made by `pack`, and are kept as they are
    return {"$msgpack": base64.b64encode(payload).decode()}


def from_json(told: Any) -> bytes:
    """Return the payload that `to_json` told.

    Raises
    ------
    SerializationError
        A tag is not known, or its content is wrong.
    """
    if isinstance(told, dict) and told.keys() == {"$msgpack"}:
        return _bytes(told["$msgpack"])
    return pack(_take(told))


def dumps(value: Any) -> str:
    """Return compact JSON."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def loads(text: str | bytes) -> Any:
    """Read JSON; whatever is wrong with it is a SerializationError."""
    try:
        text = text.decode() if isinstance(text, bytes) else text
        value = json.loads(text, parse_constant=_no_number)
        if "\\u" in text:  # only an escape can smuggle in half a character
            dumps(value).encode()
    except RecursionError as error:
        msg = "nested too deep"
        raise SerializationError(msg) from error
    except ValueError as error:
        msg = f"no JSON: {error}"
        raise SerializationError(msg) from error
    return value


def _no_number(name: str) -> Any:
    msg = f"{name} is no number of JSON"
    raise ValueError(msg)


def _tell(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(value)}
    if isinstance(value, list):
        return [_tell(item) for item in value]
    if isinstance(value, dict):
        told = {key: _tell(item) for key, item in value.items()}
        return {"$object": told} if any(key.startswith("$") for key in told) else told
    if hasattr(value, "dtype"):
        data = base64.b64encode(value.tobytes()).decode()
        return {"$array": {"dtype": value.dtype.str, "shape": list(value.shape), "data": data}}
    return value


def _take(told: Any) -> Any:
    if isinstance(told, list):
        return [_take(item) for item in told]
    if not isinstance(told, dict):
        return told
    tags = [key for key in told if key.startswith("$")]
    if not tags:
        return {key: _take(item) for key, item in told.items()}
    if len(told) > 1 or tags[0] not in _TAGS:
        msg = f"payload: {tags[0]!r} is no tag of this format"
        raise SerializationError(msg)
    return _TAGS[tags[0]](told[tags[0]])


def _bytes(told: Any) -> bytes:
    try:
        return base64.b64decode(told, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        msg = "payload: the bytes are no base64"
        raise SerializationError(msg) from error


def _float(told: Any) -> float:
    if not isinstance(told, str) or told not in _FLOATS:
        msg = f"payload: $float is {told!r}, not nan, inf or -inf"
        raise SerializationError(msg)
    return float(told)


def _object(told: Any) -> dict[str, Any]:
    if not isinstance(told, dict):
        msg = "payload: $object holds no object"
        raise SerializationError(msg)
    return {key: _take(item) for key, item in told.items()}


def _array(told: Any) -> Any:
    import numpy as np

    if not isinstance(told, dict) or told.keys() != _ARRAY_FIELDS:
        msg = "payload: $array needs dtype, shape and data"
        raise SerializationError(msg)
    dtype, shape = told["dtype"], told["shape"]
    if not isinstance(dtype, str) or not _DTYPE.fullmatch(dtype):
        msg = f"payload: $array has dtype {dtype!r}; use booleans, integers or floats"
        raise SerializationError(msg)
    try:
        if any(type(size) is not int or size < 0 for size in shape):
            raise TypeError  # noqa: TRY301 (told below)
        return np.frombuffer(_bytes(told["data"]), dtype).reshape(shape)
    except (TypeError, ValueError, OverflowError) as error:
        msg = f"payload: $array of dtype {dtype} and shape {shape!r} does not fit its data"
        raise SerializationError(msg) from error


_TAGS = {"$bytes": _bytes, "$float": _float, "$object": _object, "$array": _array}
