"""Strategies: small worlds, so that histories meet themselves often."""

import numpy as np
from hypothesis import strategies as st

from nt_memory.store import (
    Configure,
    Delete,
    Expect,
    ExpectNew,
    ExpectUnchanged,
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
from stores import SPACES

DIMS = {name: dim for name, dim, *_ in SPACES}
HOUR = 3_600_000_000
START = 1_700_000_000_000_000

namespaces = st.sampled_from(["a", "a/b", "c"])
keys = st.sampled_from(["k", "k1", "zz", "ü"])
# Where a record usually lies: a later version elsewhere is refused.
HOMES = {"r1": "a", "r2": "a", "r3": "a", "r4": "a/b", "r5": "c"}
ids = st.sampled_from(sorted(HOMES))
durations = st.sampled_from([None, HOUR, 5 * HOUR])


def mostly(usual, other, odds=4):
    """Choose the one so many times as often as the other."""
    return st.integers(0, odds).flatmap(lambda n: other if n == odds else usual)


@st.composite
def times(draw, earliest=-20, latest=40):
    """Whole hours around the start, and the microseconds beside them."""
    hours = draw(st.integers(earliest, latest))
    return START + hours * HOUR + draw(st.sampled_from([0, 0, 0, 1, -1]))


def vectors(dim):
    number = st.sampled_from([0.0, 1.0, 0.5, -0.25, 0.3, -1.7, 0.111])
    vector = st.lists(number, min_size=dim, max_size=dim).filter(any)
    return vector.map(lambda numbers: np.array(numbers, dtype=np.float32))


embeddings = st.fixed_dictionaries(
    {name: mostly(vectors(dim), st.none()) for name, dim in DIMS.items()}
).map(lambda made: {name: vector for name, vector in made.items() if vector is not None})
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
    known_at = draw(times(latest=20))
    id_ = draw(mostly(ids, st.just("")))
    home = st.just(HOMES.get(id_, "a"))
    return RawRecord(
        id=id_,
        namespace=draw(mostly(home, namespaces, odds=9)),
        kind=draw(mostly(st.just("x"), st.just("y"), odds=9)),
        event_time=draw(times()),
        known_at=known_at,
        agent_id=draw(st.sampled_from([None, "A", "B"])),
        symbol=draw(st.sampled_from([None, "SPY"])),
        expires_at=draw(mostly(st.none(), times() | st.just(known_at + 2 * HOUR), odds=2)),
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
    ttl=mostly(st.none(), st.just(4 * HOUR)),
    retention=mostly(st.none(), st.sampled_from([10 * HOUR, 30 * HOUR])),
)
values = st.one_of(
    st.builds(Put, namespaces, keys, st.sampled_from([b"1", b"v", b"z" * 2000]), durations),
    st.builds(Delete, namespaces, keys),
    st.builds(Increment, namespaces, keys, st.integers(-3, 3), durations),
    st.builds(Expect, namespaces, keys, st.sampled_from([None, b"1", b"v"])),
)
operations = st.one_of(
    values,
    st.builds(Write, records()),
    st.builds(Settle, ids, outcomes(), st.booleans()) | st.builds(ExpectNew, ids),
    st.builds(ExpectUnchanged, st.lists(ids, max_size=2), st.integers(0, 40)),
    mostly(st.builds(Configure, namespaces, options), st.builds(Forget, st.lists(ids, max_size=2))),
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
        st.sampled_from(["known_at", "event_time", "recorded_at", "visible_at", "expires_at"]),
        st.sampled_from(["gt", "ge", "lt", "le", "eq"]),
        times(),
    ),
)


def trees(tests):
    """Filters of such tests."""
    return st.recursive(
        tests,
        lambda part: st.one_of(
            st.builds(lambda parts: {"and": parts}, st.lists(part, max_size=3)),
            st.builds(lambda parts: {"or": parts}, st.lists(part, max_size=3)),
            st.builds(lambda inner: {"not": inner}, part),
        ),
        max_leaves=5,
    )


filters = trees(tests)


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
    orders = ["event_time", "-known_at", "recorded_at", "visible_at", "importance", "-reward"]
    orders += ["attributes.s"]
    order = None if vector is not None else draw(st.none() | st.sampled_from(orders))
    weights = [(0.6, 0.2, 0.1, 0.1), (1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 1.0)]
    values = st.sampled_from([None, 0.0, 1.0, 0.5]) | times().map(float)
    after = st.none() if order is None else st.none() | st.tuples(values, ids)
    return Query(
        space=space,
        vector=vector,
        namespace=draw(mostly(st.none(), namespaces)),
        filter=draw(mostly(st.none(), filters, odds=2)),
        as_of=draw(st.none() | times() | times(earliest=20)),
        **draw(bounds(commit)),
        top_k=draw(st.sampled_from([1, 2, 3, 10])),
        half_life=draw(st.sampled_from([None, 5.0 * HOUR])),
        weights=draw(st.sampled_from(weights)),
        order_by=order,
        after=draw(mostly(after, st.none())),
        diversity=draw(st.sampled_from([0.0, 0.0, 0.0, 0.3, 1.0])),
        min_trust=draw(mostly(st.none(), st.just(0.7))),
    )
