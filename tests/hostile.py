"""Hostile values: what a stranger, a defect or a damaged file may hand to any argument."""

import math
from dataclasses import fields
from datetime import datetime, timedelta, timezone

import numpy as np

from nt_memory import Bars, Filter, _native

START = datetime(2024, 1, 2, tzinfo=timezone.utc)


class SpiteError(Exception):
    """What the code of a hostile value raises; it goes through to the caller, whose value it is."""


def _spite(*_):
    raise SpiteError


class SpitefulText(str):
    """A text that lets nothing but its letters be used."""

    __slots__ = ()
    __str__ = __repr__ = __eq__ = __len__ = __iter__ = __format__ = _spite
    __hash__ = str.__hash__


class SpitefulMapping(dict):
    """A mapping that lies about its length and cannot be walked."""

    items = keys = __iter__ = __contains__ = __eq__ = __repr__ = _spite
    __hash__ = None

    def __len__(self):
        return 10**18


class Unshowable:
    """Something without a repr."""

    __repr__ = __bool__ = _spite


class Clearing(np.ndarray):
    """An array that empties its holders while it is read."""

    def _clear(self):
        for holder in HOLDERS:
            holder.clear()

    @property
    def dtype(self):
        self._clear()
        return np.ndarray.dtype.__get__(self)

    @property
    def shape(self):
        self._clear()
        return (10**9,)

    def tobytes(self, *_):
        self._clear()
        return b""


HOLDERS = []


def clearing(kind):
    """Return a list or mapping that changes while it is read."""
    array = np.zeros(3).view(Clearing)
    made = {"a": array, "b": 1} if kind is dict else [array, 1, 2]
    HOLDERS[:] = [made]
    return made


def nested(depth, kind=list):
    """Return lists or mappings within each other."""
    made = kind()
    for _ in range(depth):
        made = [made] if kind is list else {"a": made}
    return made


def cycle():
    """Return a list that holds itself."""
    made = []
    made.append(made)
    return made


def far(year, hours):
    """Return the first or last moment that a datetime can say, in another zone."""
    zone = timezone(timedelta(hours=hours))
    moment = datetime.min if year == 1 else datetime.max  # noqa: DTZ901 (the zone follows)
    return moment.replace(tzinfo=zone)


# Each makes its value anew, as some are changed by their use.
VALUES = [
    *(lambda value=value: value for value in (None, True, False, 0, 1, -1, 5, 10_000, 10_001)),
    *(lambda value=value: value for value in (2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1, 2**64)),
    *(lambda value=value: value for value in (-(2**63), -(2**63) - 1, 10**400, 10**5000)),
    *(lambda value=value: value for value in (1.5, -0.0, 1e300, 5e-324, math.nan, math.inf)),
    *(
        lambda value=value: value
        for value in ("", "a", "a/b", "\0", "ü", "\ud800", "..", "a" * 129)
    ),
    *(lambda value=value: value for value in ("a" * 1024, "a" * 1025, "ü" * 512, "ü" * 513)),
    *(lambda value=value: value for value in ("x" * 100_000, "/" * 1000, "-reward", "attributes.")),
    *(lambda value=value: value for value in (b"", b"x", bytearray(b"x"), memoryview(b"x"))),
    *(lambda value=value: value for value in ([], (), ["a"], [1], ["\ud800"], [None] * 1000)),
    *(lambda value=value: value for value in (set(), {1, "a"}, frozenset("ab"), range(3))),
    *(lambda value=value: value for value in ({}, {"a": 1}, {1: 2}, {"\ud800": 1.0}, {(): ""})),
    lambda: {"test": {"field": "kind", "op": "eq", "value": "a"}},
    lambda: nested(63),
    lambda: nested(65, dict),
    lambda: nested(50_000),
    lambda: nested(50_000, dict),
    cycle,
    lambda: SpitefulText("a"),
    lambda: SpitefulMapping(a=1),
    Unshowable,
    lambda: clearing(list),
    lambda: clearing(dict),
    object,
    lambda: complex(1, 1),
    lambda: Filter(kind="a"),
    lambda: int,
    lambda: iter([1]),
    lambda: np.ones(4, dtype=np.float32),
    lambda: np.full(4, np.nan, dtype=np.float32),
    lambda: np.ones(4)[::-1],
    lambda: np.ones(4, dtype=">f4"),
    lambda: np.ones((2, 2), dtype=np.float32),
    lambda: np.ones(5, dtype=np.float32)[::2],
    lambda: np.array(3),
    lambda: np.array([object()]),
    lambda: np.zeros(2, dtype=[("a", "i4")]),
    lambda: np.zeros(0, dtype=np.float32),
    lambda: np.array(["a"]),
    lambda: np.float32(1),
    lambda: np.datetime64("2024"),
    lambda: START,
    lambda: START.replace(tzinfo=None),
    lambda: far(1, 14),
    lambda: far(1, -14),
    lambda: far(9999, 14),
    lambda: far(9999, -14),
    lambda: timedelta(1),
    lambda: timedelta.max,
    lambda: timedelta.min,
    lambda: Bars(5),
    lambda: Bars(1e300, timedelta(1)),
]


def value(rng):
    """Return a hostile value, now and then within another."""
    made = rng.choice(VALUES)()
    wrap = rng.randrange(12)
    if wrap == 0:
        return [made, made]
    return {"a": made} if wrap == 1 else made


def name_(rng):
    """Return a hostile key of a mapping."""
    made = value(rng)
    try:
        hash(made)
    except (TypeError, RecursionError):
        return "x"
    return made


def with_bad_fields(rng, made, /, **usual):
    """Make a dataclass with one or two hostile fields."""
    known = [field.name for field in fields(made)]
    names = rng.sample(known, min(len(known), rng.choice([1, 1, 2])))
    return made(**{**usual, **{name: value(rng) for name in names}})


def with_bad_arguments(rng, call, *usual):
    """Call something with one or two hostile arguments."""
    given = list(usual)
    for place in rng.sample(range(len(given)), min(len(given), rng.choice([1, 1, 2]))):
        given[place] = value(rng)
    return call(*given)


HEADS = [
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\xdb\xff\xff\xff\xff",
    b"\xc6\x7f\xff\xff\xff",
]
HEADS += [
    b"\xc9\xff\xff\xff\xff\x01",
    b"\xc7\x00\x01",
    b"\xd8\x02",
    b"\xc1",
    b"\x91" * 500,
    b"\x81\xa0" * 500,
]
HEADS += [
    b"[" * 5000,
    b'{"a":' * 5000,
    b"1" * 5000,
    b"NaN",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"a." * 500,
]


def changed(rng, data):
    """Return bytes with a few changes."""
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 5])):
        at, until = sorted((rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)))
        way = rng.randrange(6)
        if way == 0 and data:
            data[min(at, len(data) - 1)] ^= 1 << rng.randrange(8)
        elif way == 1:
            data[at:at] = rng.choice(HEADS)
        elif way == 2:
            data[at:until] = b""
        elif way == 3:
            data[at:at] = data[at:until]
        elif way == 4:
            data[at : at + 4] = rng.choice([b"\xff", b"\0", b"\x7f"]) * 4
        else:
            data[at:at] = rng.randbytes(rng.randrange(9))
    return bytes(data)


ARRAYS = [
    np.arange(6.0).reshape(2, 3),
    np.zeros(0),
    np.array(1, dtype=np.int8),
    np.ones(3, dtype=">u2"),
]
PACKED = [_native.pack(array) for array in ARRAYS]
PACKED += [_native.pack({"a": [1, -1, 2**63, None, True, 1.5, "ü", b"x"], "b": {"c": ARRAYS[0]}})]
