"""What the fields of a version may be, whatever file they come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nt_memory._values import as_vector, finite
from nt_memory.errors import InvalidEmbeddingError, SerializationError
from nt_memory.store import RawOutcome, RawRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_NUMBERS = frozenset({int, float})
_LIMIT = 2**63


def checked(fields: dict[str, Any]) -> RawRecord:
    """Return a version of fields that have been named; times in microseconds.

    Raises
    ------
    SerializationError
        A field has the wrong type; it is named.
    """
    for name, check in _CHECKS.items():
        fields[name] = check(name, fields[name])
    return RawRecord(**fields)


def named(found: Any, wanted: Iterable[str], what: str) -> dict[str, Any]:
    """Return an object that has exactly some fields; a strange or missing one is named."""
    if not isinstance(found, dict):
        msg = f"{what} is {type(found).__name__}, not an object"
        raise SerializationError(msg)
    wanted = frozenset(wanted)
    if found.keys() != wanted:
        unknown, missing = sorted(found.keys() - wanted), sorted(wanted - found.keys())
        told = (
            f"unknown field {unknown[0]!r}" if unknown else f"the field {missing[0]!r} is missing"
        )
        msg = f"{what}: {told}"
        raise SerializationError(msg)
    return found


def vector(name: str, value: Any) -> Any:
    """Return a list of numbers as float32."""
    if not isinstance(value, list) or not _NUMBERS.issuperset(map(type, value)):
        raise _wrong(name, value, "a list of numbers")
    try:
        return as_vector(value, name)
    except InvalidEmbeddingError as error:
        raise SerializationError(str(error)) from error


def _wrong(name: str, value: Any, wanted: str) -> SerializationError:
    told = repr(value)
    told = told if len(told) <= 60 else f"{told[:60]}..."
    return SerializationError(f"{name} is {told}, not {wanted}")


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong(name, value, "a string")
    return value


def _time(name: str, value: Any) -> int:
    if type(value) is not int or not -_LIMIT <= value < _LIMIT:
        raise _wrong(name, value, "a time")
    return value


def _count(name: str, value: Any) -> int:
    if type(value) is not int or not 0 <= value < _LIMIT:
        raise _wrong(name, value, "a whole number from 0")
    return value


def _number(name: str, value: Any) -> float:
    if type(value) not in _NUMBERS:
        raise _wrong(name, value, "a number")
    try:
        return finite(name, value)
    except (ValueError, OverflowError) as error:
        raise _wrong(name, value, "a finite number") from error


def _texts(name: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _wrong(name, value, "a list of strings")
    return value


def _attributes(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(name, value, "an object")
    return {key: _attribute(f"{name}.{key}", item) for key, item in value.items()}


def _attribute(name: str, value: Any) -> str | float | list[str]:
    if isinstance(value, str):
        return value
    return _texts(name, value) if isinstance(value, list) else _number(name, value)


def _outcome(name: str, value: RawOutcome) -> RawOutcome:
    return RawOutcome(
        _number(f"{name}.reward", value.reward),
        _time(f"{name}.known_at", value.known_at),
        value.payload,
    )


def _maybe(check: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
    return lambda name, value: None if value is None else check(name, value)


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    **dict.fromkeys(("id", "namespace", "kind", "writer"), _text),
    **dict.fromkeys(("agent_id", "symbol", "regime", "text", "source"), _maybe(_text)),
    **dict.fromkeys(("event_time", "known_at", "recorded_at"), _time),
    "expires_at": _maybe(_time),
    **dict.fromkeys(("importance", "trust"), _number),
    "confidence": _maybe(_number),
    **dict.fromkeys(("tags", "parents"), lambda name, value: tuple(_texts(name, value))),
    "attributes": _attributes,
    "outcome": _maybe(_outcome),
    **dict.fromkeys(("commit", "version"), _count),
}
