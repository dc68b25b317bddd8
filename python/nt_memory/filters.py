"""Filters over records, run inside the search.

A filter is a small tree of tests that combine with ``&``, ``|`` and ``~``.
A field that a record does not have fails every test but `ne` and `not_in`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nt_memory._shown import shown
from nt_memory._values import finite
from nt_memory.clock import to_micros

_TEXTS = ("kind", "agent_id", "symbol", "regime", "namespace", "writer", "tags")
_TIMES = ("event_time", "known_at", "recorded_at", "visible_at", "expires_at")
_NUMBERS = ("importance", "confidence", "reward")
_FIELDS = (*_TEXTS, *_TIMES, *_NUMBERS, "attributes")
_ORDERED = frozenset({"gt", "ge", "lt", "le", "between"})
# Deepest nesting; an engine takes a little more.
_MAX_DEPTH = 24
_LISTS = frozenset({"in", "not_in", "between"})


@dataclass(frozen=True, slots=True)
class Condition:
    """What one field is compared with; made by `ne`, `ge` and the others."""

    op: str
    value: Any


def ne(value: object) -> Condition:
    """Differ from a value; a field that is missing differs."""
    return Condition("ne", value)


def not_in(values: Iterable[object]) -> Condition:
    """Be none of some values; a field that is missing is none of them."""
    return Condition("not_in", list(values))


def contains(value: str) -> Condition:
    """Hold an element (a list) or a substring (a string)."""
    return Condition("contains", value)


def gt(value: object) -> Condition:
    """Be greater than a number or later than a time."""
    return Condition("gt", value)


def ge(value: object) -> Condition:
    """Be a number or time, or more."""
    return Condition("ge", value)


def lt(value: object) -> Condition:
    """Be less than a number or earlier than a time."""
    return Condition("lt", value)


def le(value: object) -> Condition:
    """Be a number or time, or less."""
    return Condition("le", value)


def between(low: object, high: object) -> Condition:
    """Lie between two numbers or times, both included."""
    return Condition("between", [low, high])


class Filter:
    """Which records to search: every test given as a keyword has to hold.

    A value means equality (for ``namespace``: this one or below it; for
    ``tags`` and list attributes: has this element), a list means any of them,
    and `ne`, `not_in`, `contains`, `gt`, `ge`, `lt`, `le`, `between` do what
    they say.  Times are aware datetimes.  ``Filter()`` lets everything pass.

    Parameters
    ----------
    **tests
        By field: kind, agent_id, symbol, regime, namespace, writer, tags,
        event_time, known_at, recorded_at, visible_at (from when it shows as it is:
        its known_at, or its outcome's), expires_at, importance, confidence, reward
        (as known at the time asked for), and attributes (a mapping).

    Raises
    ------
    ValueError
        An unknown field, or a value that the field cannot have.

    Examples
    --------
    >>> good = Filter(kind="trade", attributes={"sharpe_ratio": ge(1.5)})
    >>> (good & ~Filter(agent_id=["a", "b"])).tree()["and"][0]
    {'test': {'field': 'kind', 'op': 'eq', 'value': 'trade'}}
    """

    __slots__ = ("_depth", "_tree")
    _depth: int
    _tree: dict[str, Any]

    def __init__(self, **tests: object) -> None:
        nodes = []
        for field, condition in tests.items():
            if field not in _FIELDS:
                msg = f"{shown(field)} is no field of a filter; known are {', '.join(_FIELDS)}"
                raise ValueError(msg)
            if field != "attributes":
                nodes.append(_test(field, condition))
            elif isinstance(condition, Mapping):
                nodes += [_test(_attribute(name), value) for name, value in condition.items()]
            else:
                given = f"attributes={shown(condition)}"
                msg = f"{given}: give a mapping of names to values or conditions"
                raise ValueError(msg)
        self._depth = 1
        self._tree = nodes[0] if len(nodes) == 1 else {"and": nodes}

    def fields(self) -> set[str]:
        """Return the fields that it tests.

        Examples
        --------
        >>> sorted((Filter(kind="trade") & ~Filter(writer="feed")).fields())
        ['kind', 'writer']
        """
        found, waiting = set(), [self._tree]
        while waiting:
            for name, below in waiting.pop().items():
                if name == "test":
                    found.add(below["field"])
                else:
                    waiting += below if isinstance(below, list) else [below]
        return found

    @classmethod
    def _of(cls, tree: dict[str, Any], depth: int = 1) -> Filter:
        if depth > _MAX_DEPTH:
            msg = (
                f"a filter is nested more than {_MAX_DEPTH} deep: join its tests by a list or by &"
            )
            raise ValueError(msg)
        made = cls()
        made._tree = tree
        made._depth = depth
        return made

    def _depth_under(self, op: str) -> int:
        return self._depth if op in self._tree else self._depth + 1

    def _branches(self, op: str) -> list[Any]:
        return list(self._tree[op]) if op in self._tree else [self._tree]

    def __and__(self, other: Filter) -> Filter:
        if not isinstance(other, Filter):
            return NotImplemented
        tree = {"and": [*self._branches("and"), *other._branches("and")]}
        return self._of(tree, max(self._depth_under("and"), other._depth_under("and")))

    def __or__(self, other: Filter) -> Filter:
        if not isinstance(other, Filter):
            return NotImplemented
        tree = {"or": [*self._branches("or"), *other._branches("or")]}
        return self._of(tree, max(self._depth_under("or"), other._depth_under("or")))

    def __invert__(self) -> Filter:
        return self._of({"not": self._tree}, self._depth + 1)

    def __eq__(self, other: object) -> bool:
        return self._tree == other._tree if isinstance(other, Filter) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Filter {self._tree}>"

    def tree(self) -> Mapping[str, Any]:
        """Return the filter as plain JSON types, the form that a `Store` takes."""
        return self._tree


def _test(field: str, condition: object) -> dict[str, Any]:
    if isinstance(condition, Condition):
        op, value = condition.op, condition.value
    elif isinstance(condition, (set, frozenset)):
        op, value = "in", sorted(condition)  # the tree is logged: no order by hash
    elif isinstance(condition, (list, tuple)):
        op, value = "in", condition
    else:
        op, value = "eq", condition
    if field in _TEXTS and op in _ORDERED:
        msg = f"{field} is text and has no order: compare it with a value, a list, ne or contains"
        raise ValueError(msg)
    if op == "contains" and (field in _TIMES or field in _NUMBERS):
        msg = f"{field} is no list or string: compare it with a value, a list, ge or between"
        raise ValueError(msg)
    plain: object
    if op in _LISTS:
        plain = [_plain(field, op, item) for item in _items(field, value)]
    else:
        plain = _plain(field, op, value)
    return {"test": {"field": field, "op": op, "value": plain}}


def _attribute(name: object) -> str:
    if isinstance(name, str):
        return f"attributes.{name}"
    msg = f"attributes: {shown(name)} is no name: give a string"
    raise TypeError(msg)


def _items(field: str, value: object) -> Iterable[object]:
    if isinstance(value, Iterable):
        return value
    msg = f"{field}={shown(value)}: give a list of values"
    raise TypeError(msg)


def _plain(field: str, op: str, value: object) -> str | int | float:
    """Return a value as a `Store` compares it: a string, a float or integer microseconds."""
    if field in _TIMES:
        if isinstance(value, datetime):
            return to_micros(value, field)
        msg = f"{field}={shown(value)}: compare a time with an aware datetime"
        raise ValueError(msg)
    if isinstance(value, (bool, datetime)) or value is None:
        msg = f"{field}={shown(value)}: {_no_value(value)}"
        raise ValueError(msg)
    if isinstance(value, str):
        if field not in _NUMBERS and op not in _ORDERED:
            return value
        msg = f"{field}={shown(value)}: compare with a number"
        raise ValueError(msg)
    if field in _TEXTS:
        msg = f"{field}={shown(value)}: compare text with a string"
        raise ValueError(msg)
    return finite(field, value)


def _no_value(value: object) -> str:
    if value is None:
        return "leave the field out to let every value pass"
    if isinstance(value, bool):
        return "a boolean is no indexed value: store and compare 0.0 or 1.0"
    return "only the times of a record are compared with a datetime: use a number of seconds"
