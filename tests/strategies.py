"""Strategies: small worlds, so that histories meet themselves often."""

import numpy as np
from hypothesis import strategies as st

from nt_memory.store import (
    Configure,
    Delete,
    Expect,
    Forget,
    Increment,
    NamespaceOptions,
    Put,
    Query,
    RawOutcome,
    RawRecord,
    Settle,
    Write,
)

SPACES = [("state", 4, "cosine", "f16", None), ("alt", 3, "cosine", "f32", None)]
DIMS = {name: dim for name, dim, *_ in SPACES}
HOUR = 3_600_000_000
START = 1_700_000_000_000_000

namespaces = st.sampled_from(["a", "a/b", "c"])
keys = st.sampled_from(["k", "k1", "zz", "ü"])
ids = st.sampled_from(["r1", "r2", "r3"])
durations = st.sampled_from([None, HOUR, 5 * HOUR])


@st.composite
def times(draw):
    """Whole hours around the start, and the microseconds beside them."""
    hours = draw(st.integers(-20, 40))
    return START + hours * HOUR + draw(st.sampled_from([0, 0, 0, 1, -1]))


def vectors(dim):
    number = st.sampled_from([0.0, 1.0, 0.5, -0.25, 0.3, -1.7, 0.111])
    vector = st.lists(number, min_size=dim, max_size=dim).filter(any)
    return vector.map(lambda numbers: np.array(numbers, dtype=np.float32))


embeddings = st.fixed_dictionaries({}, optional={name: vectors(dim) for name, dim in DIMS.items()})
attributes = st.sampled_from([{}, {"s": 1.5, "w": "q"}, {"s": 2.0, "l": ["p", "q"]}])
rewards = st.sampled_from([1.0, -2.0, 0.0, 0.5, 3.0])


@st.composite
def outcomes(draw, earliest=None):
    known_at = draw(st.none() | times())
    if earliest is not None and draw(st.booleans()):
        known_at = earliest + draw(st.integers(-1, 20)) * HOUR
    return RawOutcome(draw(rewards), known_at, draw(st.sampled_from([None, b"o"])))


@st.composite
def records(draw):
    known_at = draw(times())
    id_ = draw(st.sampled_from(["r1", "r2", "r3", ""]))
    home = {"r1": "a", "r2": "a/b", "r3": "c", "": "a"}[id_]
    return RawRecord(
        id=id_,
        namespace=draw(st.just(home) | namespaces),
        kind=draw(st.sampled_from(["x", "x", "x", "y"])),
        event_time=draw(times()),
        known_at=known_at,
        agent_id=draw(st.sampled_from([None, "A", "B"])),
        symbol=draw(st.sampled_from([None, "SPY"])),
        expires_at=draw(st.none() | times() | st.just(known_at + 2 * HOUR)),
        importance=draw(st.sampled_from([0.0, 1.0, 2.5])),
        confidence=draw(st.sampled_from([None, 0.5])),
        text=draw(st.sampled_from([None, "hello"])),
        embeddings=draw(embeddings),
        attributes=draw(attributes),
        payload=draw(st.sampled_from([None, b"p" * 3000])),
        outcome=draw(st.none() | outcomes(known_at)),
        tags=draw(st.sampled_from([(), ("t1",), ("t1", "t2")])),
        trust=draw(st.sampled_from([1.0, 0.5])),
    )


options = st.builds(
    NamespaceOptions,
    history=st.booleans(),
    ttl=st.sampled_from([None, None, 4 * HOUR]),
    retention=st.sampled_from([None, None, 10 * HOUR, 30 * HOUR]),
)
operations = st.one_of(
    st.builds(Put, namespaces, keys, st.sampled_from([b"1", b"v", b"z" * 2000]), durations),
    st.builds(Delete, namespaces, keys),
    st.builds(Increment, namespaces, keys, st.integers(-3, 3), durations),
    st.builds(Expect, namespaces, keys, st.sampled_from([None, b"1", b"v"])),
    st.builds(Write, records()),
    st.builds(Write, records()),
    st.builds(Settle, ids, outcomes(), st.booleans()),
    st.builds(Forget, st.lists(ids, min_size=1, max_size=2)),
    st.builds(Configure, namespaces, options),
)


def _test(field, op, value):
    return {"test": {"field": field, "op": op, "value": value}}


tests = st.one_of(
    st.sampled_from(
        [
            _test("agent_id", "eq", "A"),
            _test("agent_id", "ne", "A"),
            _test("agent_id", "in", ["A", "B"]),
            _test("symbol", "not_in", ["SPY"]),
            _test("kind", "contains", "x"),
            _test("tags", "contains", "t2"),
            _test("tags", "eq", "t1"),
            _test("attributes.s", "ge", 2),
            _test("attributes.s", "between", [1, 1.5]),
            _test("attributes.l", "in", ["p"]),
            _test("attributes.w", "contains", "q"),
            _test("attributes.none", "eq", 1),
            _test("reward", "gt", 0.0),
            _test("reward", "lt", 1),
            _test("namespace", "eq", "a"),
            _test("importance", "gt", 0),
            _test("confidence", "ne", 0.5),
            _test("writer", "eq", "root"),
        ]
    ),
    st.builds(
        _test,
        st.sampled_from(["known_at", "event_time", "recorded_at", "expires_at"]),
        st.sampled_from(["gt", "ge", "lt", "le", "eq"]),
        times(),
    ),
)
filters = st.recursive(
    tests,
    lambda part: st.one_of(
        st.builds(lambda parts: {"and": parts}, st.lists(part, max_size=2)),
        st.builds(lambda parts: {"or": parts}, st.lists(part, max_size=2)),
        st.builds(lambda inner: {"not": inner}, part),
    ),
    max_leaves=4,
)


@st.composite
def bounds(draw, commit):
    """A bound on what the store held: by time, by commit, or none."""
    kind = draw(st.sampled_from(["none", "time", "commit"]))
    return {
        "recorded_by_time": draw(times()) if kind == "time" else None,
        "recorded_by_commit": draw(st.integers(0, commit + 1)) if kind == "commit" else None,
    }


@st.composite
def queries(draw, commit=0):
    space = draw(st.sampled_from(sorted(DIMS)))
    vector = draw(st.none() | vectors(DIMS[space]))
    orders = ["event_time", "-known_at", "recorded_at", "importance", "-reward", "attributes.s"]
    order = None if vector is not None else draw(st.none() | st.sampled_from(orders))
    weights = [(0.6, 0.2, 0.1, 0.1), (1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 1.0)]
    return Query(
        space=space,
        vector=vector,
        namespace=draw(st.none() | namespaces),
        filter=draw(st.none() | filters),
        as_of=draw(st.none() | times()),
        **draw(bounds(commit)),
        top_k=draw(st.sampled_from([1, 2, 3, 10])),
        half_life=draw(st.sampled_from([None, 5.0 * HOUR])),
        weights=draw(st.sampled_from(weights)),
        order_by=order,
        diversity=draw(st.sampled_from([0.0, 0.0, 0.3, 1.0])),
        min_trust=draw(st.sampled_from([None, 0.7])),
    )
