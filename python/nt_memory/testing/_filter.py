"""Filters over a version, test by test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nt_memory.testing._version import Version

FIELDS = (
    "kind",
    "agent_id",
    "symbol",
    "regime",
    "namespace",
    "writer",
    "tags",
    "event_time",
    "known_at",
    "recorded_at",
    "visible_at",
    "expires_at",
    "importance",
    "confidence",
    "reward",
)
OPS = {"eq", "ne", "in", "not_in", "contains", "gt", "ge", "lt", "le", "between"}
TIMES = {"event_time", "known_at", "recorded_at", "visible_at", "expires_at"}


def below(namespace: str, prefix: str) -> bool:
    """Whether a namespace equals a prefix or lies below it."""
    return namespace == prefix or namespace.startswith(prefix + "/")


def check(tree: Any) -> None:
    """Raise ValueError for a tree that no engine would compile."""
    if not isinstance(tree, dict) or len(tree) != 1:
        raise _ill_formed(tree)
    ((kind, body),) = tree.items()
    if kind in {"and", "or"} and isinstance(body, (list, tuple)):
        for part in body:
            check(part)
    elif kind == "not":
        check(body)
    elif kind == "test" and isinstance(body, dict) and set(body) == {"field", "op", "value"}:
        _check_test(body)
    else:
        raise _ill_formed(tree)


def _check_test(test: Mapping[str, Any]) -> None:
    name, op, value = test["field"], test["op"], test["value"]
    if name not in FIELDS and not name.startswith("attributes."):
        msg = f"there is no field {name!r} to filter on; use {', '.join(FIELDS)} or attributes.NAME"
        raise ValueError(msg)
    if op not in OPS:
        raise _ill_formed(op)
    for part in value if isinstance(value, (list, tuple)) else [value]:
        if isinstance(part, bool) or not isinstance(part, (str, int, float)):
            raise _ill_formed(part)
    if op in {"in", "not_in", "between"} and not isinstance(value, (list, tuple)):
        msg = f"the filter on {name!r} needs a list of values"
        raise ValueError(msg)
    if op == "between" and len(value) != 2:
        msg = f"between on {name!r} has {len(value)} bounds; give two"
        raise ValueError(msg)


def _ill_formed(part: object) -> ValueError:
    return ValueError(f"the filter's tree is not well formed at {part!r}; build it with Filter")


def holds(tree: Mapping[str, Any], version: Version) -> bool:
    """Whether a version passes a filter."""
    ((kind, body),) = tree.items()
    if kind == "and":
        return all(holds(part, version) for part in body)
    if kind == "or":
        return any(holds(part, version) for part in body)
    if kind == "not":
        return not holds(body, version)
    name, op, value = body["field"], body["op"], body["value"]
    if op in {"ne", "not_in"}:
        return not _test(name, {"ne": "eq", "not_in": "in"}[op], value, version)
    return _test(name, op, value, version)


def _test(name: str, op: str, value: Any, version: Version) -> bool:
    have = _read(name, version)
    if have is None:
        return False
    if op in {"eq", "in"}:
        return any(_equal(name, have, wanted) for wanted in ([value] if op == "eq" else value))
    if op == "contains":
        return isinstance(value, str) and not isinstance(have, (int, float)) and value in have
    low, high = {
        "gt": (value, None),
        "ge": (value, None),
        "lt": (None, value),
        "le": (None, value),
        "between": tuple(value) if op == "between" else (None, None),
    }[op]
    return _within(name, have, low, high, is_open=op in {"gt", "lt"})


def _equal(name: str, have: Any, wanted: Any) -> bool:
    if isinstance(have, list):
        return isinstance(wanted, str) and wanted in have
    if isinstance(have, str):
        if not isinstance(wanted, str):
            return False
        return below(have, wanted) if name == "namespace" else have == wanted
    return isinstance(wanted, (int, float)) and float(have) == float(wanted)


def _within(name: str, have: Any, low: Any, high: Any, *, is_open: bool) -> bool:
    number = int if name in TIMES else (int, float)
    bounds = [bound for bound in (low, high) if bound is not None]
    if isinstance(have, (str, list)) or not all(isinstance(bound, number) for bound in bounds):
        return False
    if name not in TIMES:
        have = float(have)
        low, high = (None if bound is None else float(bound) for bound in (low, high))
    above = low is None or (have > low if is_open else have >= low)
    under = high is None or (have < high if is_open else have <= high)
    return above and under


def _read(name: str, version: Version) -> Any:
    record = version.record
    if name == "reward":
        return None if record.outcome is None else record.outcome.reward
    if name == "visible_at":
        return version.visible_at
    if name == "tags":
        return list(record.tags)
    if name.startswith("attributes."):
        value = record.attributes.get(name.removeprefix("attributes."))
        return list(value) if isinstance(value, (list, tuple)) else value
    return getattr(record, name)
