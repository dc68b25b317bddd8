"""Filters are an algebra of sets, and every engine reads them as the oracle does."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_memory import Filter, _native
from nt_memory.store import Query, RawOutcome, RawRecord, Write
from nt_memory.testing import ModelStore
from stores import Model, Native
from strategies import HOUR, START, trees

WORDS = [None, "", "a", "ab", "b", "a/b"]
NUMBERS = [0, 0.5, 1, -2.0, 1e300]
TIMES = [START + n * HOUR for n in range(-2, 3)]
LISTS = [[], ["a"], ["ab", "b"]]
SIZE = 60


def population():
    """Return records that differ in everything that filters read."""
    rng = random.Random(0)
    for number in range(SIZE):
        known_at = rng.choice(TIMES[:3])
        reward = RawOutcome(float(rng.choice(NUMBERS)), START)
        yield RawRecord(
            id=f"{number:02}",
            namespace=rng.choice(["a", "a/b", "ab", "b"]),
            kind=rng.choice(["a", "ab", "b"]),
            event_time=rng.choice(TIMES),
            known_at=known_at,
            agent_id=rng.choice(WORDS),
            symbol=rng.choice(WORDS),
            regime=rng.choice(WORDS),
            expires_at=rng.choice([None, TIMES[3], TIMES[4]]),
            importance=abs(rng.choice(NUMBERS)),
            confidence=rng.choice([None, 0.0, 0.5, 1.0]),
            attributes={
                name: rng.choice([*WORDS[1:], *map(float, NUMBERS), *LISTS])
                for name in rng.sample("xyz", rng.randrange(4))
            },
            outcome=rng.choice([None, reward]),
            tags=rng.choice(LISTS),
            writer=rng.choice(["root", "a"]),
        )


fields = st.sampled_from(
    [
        *("kind", "agent_id", "symbol", "regime", "namespace", "writer", "tags"),
        *("event_time", "known_at", "recorded_at", "visible_at", "expires_at"),
        *("importance", "confidence", "reward"),
        *("attributes.x", "attributes.y", "attributes.nowhere"),
    ]
)
values = st.sampled_from([*WORDS[1:], "root", "nothing", *NUMBERS, 0.25, *TIMES, START + 1])
lists = st.lists(values, max_size=3)
tests = st.one_of(
    st.tuples(fields, st.sampled_from(["eq", "ne", "contains", "gt", "ge", "lt", "le"]), values),
    st.tuples(fields, st.sampled_from(["in", "not_in"]), lists),
    st.tuples(fields, st.just("between"), st.tuples(values, values).map(list)),
).map(lambda test: {"test": dict(zip(("field", "op", "value"), test, strict=True))})
filter_trees = trees(tests)
filters = filter_trees.map(Filter._of)
MANY = settings(max_examples=300, deadline=None)


@pytest.fixture(scope="module")
def stores():
    """The population, in an engine and in the oracle."""
    clock = _native.Clock(manual=True, start_us=START)
    kinds = [Native("memory"), Model(ModelStore)]
    opened = [kind.open(clock) for kind in kinds]
    for store in opened:
        store.commit([Write(record) for record in population()])
    yield opened
    for kind in kinds:
        kind.close()


@pytest.fixture(scope="module", params=[0, 1], ids=["engine", "oracle"])
def passing(request, stores):
    """Return the ids that pass a filter, in one of the stores."""

    def ids(chosen):
        query = Query(filter=chosen.tree(), top_k=SIZE, bodies=False)
        return {match.id for match in stores[request.param].vector_search(query).matches}

    return ids


@MANY
@given(tree=filter_trees)
def test_an_engine_reads_a_filter_as_the_oracle_does(stores, tree):
    engine, oracle = (store.vector_search(Query(filter=tree, top_k=SIZE)) for store in stores)
    assert [match.id for match in engine.matches] == [match.id for match in oracle.matches]


@MANY
@given(one=filters, other=filters)
def test_and_is_the_intersection(passing, one, other):
    assert passing(one & other) == passing(one) & passing(other)


@MANY
@given(one=filters, other=filters)
def test_or_is_the_union(passing, one, other):
    assert passing(one | other) == passing(one) | passing(other)


@MANY
@given(one=filters)
def test_not_is_the_complement(passing, one):
    assert passing(~one) == passing(Filter()) - passing(one)


@MANY
@given(one=filters, other=filters, third=filters)
def test_and_distributes_over_or(passing, one, other, third):
    assert passing(one & (other | third)) == passing(one & other) | passing(one & third)


@MANY
@given(one=filters, other=filters)
def test_not_turns_and_into_or(passing, one, other):
    assert passing(~(one & other)) == passing(~one | ~other)
