"""Columns of tables: the same values, in each form that a table may have them."""

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from builders import DIM, day
from strategies import mostly

TEXTS = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]
ZONES = ["UTC", "America/New_York", "+02:00"]
UTC = pa.timestamp("us", "UTC")
DAYS = np.array(["2024-01-02", "2024-01-03", "2024-01-04"], "M8[us]")
words = st.sampled_from(["", "a", "b c", "ü", "𝄞 and more", "the same word, but longer"])
moments = st.integers(-5, 20).map(day)


def _maybe(values):
    return mostly(values, st.none(), odds=3)


def _vectors(numbers):
    return st.lists(numbers, min_size=DIM, max_size=DIM).filter(any)


_numbers = st.sampled_from([0.0, 1.0, 0.5, -2.25, 3.0])
# What a row may have; what is optional may be None.
VALUES = {
    "namespace": st.sampled_from(["a", "a/b", "swarm/one"]),
    "kind": st.sampled_from(["trade", "signal"]),
    "event_time": moments,
    "known_at": _maybe(moments),
    "id": st.sampled_from(["", "", "", "r1", "r2"]),
    "agent_id": _maybe(words),
    "symbol": _maybe(words),
    "regime": _maybe(words),
    "expires_at": _maybe(moments),
    "importance": st.sampled_from([0.0, 1.0, 2.5, 1e-9]),
    "confidence": _maybe(st.sampled_from([0.0, 0.5, 1.0])),
    "text": _maybe(words),
    "embeddings.state": _maybe(_vectors(_numbers)),
    "attributes.x": _maybe(st.sampled_from([0.0, -1.5, 1e300])),
    "attributes.w": _maybe(words),
    "outcome.reward": _maybe(st.sampled_from([0.0, -1.0, 2.5])),
    "outcome.known_at": _maybe(st.integers(20, 30).map(day)),
    "tags": st.lists(words, max_size=3),
    "writer": st.sampled_from(["root", "one"]),
    "source": _maybe(words),
    "trust": st.sampled_from([0.0, 0.5, 1.0]),
}
REQUIRED = {"namespace", "kind", "event_time"}
TIMES = {"event_time", "known_at", "expires_at", "outcome.known_at"}
NUMBERS = {"importance", "confidence", "attributes.x", "outcome.reward", "trust"}


@st.composite
def rows(draw):
    """Rows of a table with some of the columns."""
    optional = sorted(VALUES.keys() - REQUIRED)
    names = REQUIRED | set(draw(st.lists(st.sampled_from(optional), unique=True)))
    if "outcome.known_at" in names:
        names.add("outcome.reward")
    made = draw(st.lists(st.fixed_dictionaries({n: VALUES[n] for n in sorted(names)}), max_size=5))
    for row in made:
        if row.get("outcome.reward") is None and "outcome.known_at" in row:
            row["outcome.known_at"] = None
    return made


def fields(row):
    """Return the arguments of the `Record` that a row means."""
    given = {name: value for name, value in row.items() if value is not None}
    outcome = {
        n: given.pop(f"outcome.{n}") for n in ("reward", "known_at") if f"outcome.{n}" in given
    }
    told = {name: given.pop(name) for name in ("writer", "source", "trust") if name in given}
    made = {"outcome": outcome, "provenance": told, "embeddings": {}, "attributes": {}}
    for name, value in given.items():
        group, _, rest = name.partition(".")
        if rest:
            made[group][rest] = value
        else:
            made[name] = value
    return made


def _arrow_type(draw, name):
    if name in TIMES:
        units = st.sampled_from(["s", "ms", "us", "ns"])
        return pa.timestamp(draw(units), draw(st.sampled_from(ZONES)))
    if name in NUMBERS:
        return pa.float64()
    if name == "tags":
        return pa.list_(pa.string()) if draw(st.booleans()) else pa.large_list(pa.string_view())
    if name == "embeddings.state":
        return pa.list_(draw(st.sampled_from([pa.float16(), pa.float32(), pa.float64()])), DIM)
    return draw(st.sampled_from(TEXTS))


@st.composite
def arrow(draw, name, values):
    """A column of Arrow: in pieces, and beginning in the middle of its bytes."""
    kind = _arrow_type(draw, name)
    if name == "embeddings.state":
        values = [
            None if v is None else np.array(v, kind.value_type.to_pandas_dtype()) for v in values
        ]
    before = draw(st.sampled_from([[], values[:1], values[::-1]]))
    whole = pa.array([*before, *values, *before], kind).slice(len(before), len(values))
    cut = draw(st.integers(0, len(values)))
    if draw(st.booleans()):
        return pa.chunked_array([whole])
    return pa.chunked_array([whole.slice(0, cut), whole.slice(cut)])


@st.composite
def numpy(draw, name, values):
    """The same of NumPy."""
    if name in TIMES:
        naive = [None if value is None else value.replace(tzinfo=None) for value in values]
        unit = draw(st.sampled_from(["h", "s", "us", "ns", "object"]))
        return np.array(values, object) if unit == "object" else np.array(naive, f"M8[{unit}]")
    if name in NUMBERS:
        return np.array([np.nan if value is None else value for value in values])
    if name == "embeddings.state":
        kind = draw(st.sampled_from([np.float16, np.float32, np.float64]))
        whole = np.array(values, kind).reshape(len(values), DIM)
        return whole if draw(st.booleans()) else np.asfortranarray(whole)
    if name == "tags":
        column = np.empty(len(values), object)
        column[:] = values
        return column
    form = draw(st.sampled_from(["list", "object", "fixed"]))
    if form == "list":
        return list(values)
    return np.array(values, object if form == "object" or None in values else str)


@st.composite
def tables(draw, made):
    """The rows as a table of Arrow, or as a mapping of columns in all forms."""
    columns = {name: [row[name] for row in made] for name in made[0]}
    if draw(st.booleans()):
        return pa.table({name: draw(arrow(name, values)) for name, values in columns.items()})
    table = {}
    for name, values in columns.items():
        needs_arrow = name == "embeddings.state" and None in values
        first = values[0]
        may_be_one = name != "embeddings.state" and first != []  # which is a column without rows
        if may_be_one and all(value == first for value in values) and draw(st.booleans()):
            table[name] = first
        else:
            table[name] = draw(
                arrow(name, values) if needs_arrow or draw(st.booleans()) else numpy(name, values)
            )
    if all(
        not hasattr(column, "__len__") or isinstance(column, (str, list))
        for column in table.values()
    ):
        table["event_time"] = draw(numpy("event_time", columns["event_time"]))
    return table


def trades(**columns):
    """Return three trades of three days, with columns as told."""
    return {"namespace": "trades", "kind": "trade", "event_time": DAYS, **columns}


def trades_in_arrow(**columns):
    """Return the same as a table of Arrow."""
    words = {"namespace": ["trades"] * 3, "kind": ["trade"] * 3, "event_time": pa.array(DAYS, UTC)}
    return pa.table({**words, **columns})


def kept(memory, given, field):
    """Write a table; return a field of each of its records."""
    return [getattr(memory.get_record(id_), field) for id_ in memory.remember_many(given)]
