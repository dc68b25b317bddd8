"""Among many records, where an engine estimates first and in parallel, answers are exact."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_memory import _native
from nt_memory.store import Forget, Query, RawOutcome, RawRecord, Settle, Write
from nt_memory.testing import ModelStore
from property.machines import outcome
from stores import Model, Native
from strategies import DIMS, HOUR, START, filters, mostly, namespaces

SIZE = 10_000
# Directions so close together that estimates of their cosines do not tell them apart.
CLUSTERS, NEAR = 50, 1e-4


def population():
    """Return clusters of records, each alike but for a little."""
    rng = np.random.default_rng(0)
    centres = {name: rng.standard_normal((CLUSTERS, dim)) for name, dim in DIMS.items()}
    for number in range(SIZE):
        place = number % CLUSTERS
        vectors = {
            name: (centre[place] + NEAR * rng.standard_normal(centre.shape[1])).astype(np.float32)
            for name, centre in centres.items()
        }
        yield RawRecord(
            id=f"{rng.integers(1 << 40):010x}-{number}",
            namespace=("a", "a/b", "c")[number % 3],
            kind="x",
            event_time=START - int(rng.integers(100)) * HOUR,
            known_at=START - int(rng.integers(3)) * HOUR,
            agent_id="AB"[number % 2],
            importance=float(rng.integers(3)),
            embeddings=vectors,
            trust=0.5 if number % 7 == 0 else 1.0,
        )


@pytest.fixture(scope="module")
def stores():
    """The population, partly settled and forgotten, in an engine and in the oracle."""
    clock = _native.Clock(manual=True, start_us=START)
    kinds = [Native("memory"), Model(ModelStore)]
    opened = [kind.open(clock) for kind in kinds]
    ids = [record.id for record in population()]
    settled = [Settle(id_, RawOutcome(float(place % 5 - 2))) for place, id_ in enumerate(ids[::3])]
    for store in opened:
        for batch in ([Write(record) for record in population()], settled, [Forget(ids[::11])]):
            store.commit(batch)
    yield opened
    for kind in kinds:
        kind.close()


@st.composite
def searches(draw):
    """Searches that have more candidates than places."""
    space = draw(st.sampled_from(sorted(DIMS)))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    vector = draw(st.none() | st.just(rng.standard_normal(DIMS[space]).astype(np.float32)))
    orders = st.none() | st.sampled_from(["-reward", "event_time", "importance"])
    weights = [(0.6, 0.2, 0.1, 0.1), (1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0)]
    return Query(
        space=space,
        vector=vector,
        namespace=draw(mostly(st.none(), namespaces)),
        filter=draw(mostly(st.none(), filters)),
        as_of=START - draw(st.integers(0, 2)) * HOUR,
        top_k=draw(st.sampled_from([1, 5, 50, 250])),
        half_life=draw(st.sampled_from([None, 20.0 * HOUR])),
        weights=draw(st.sampled_from(weights)),
        order_by=None if vector is not None else draw(orders),
        min_trust=draw(mostly(st.none(), st.just(0.7))),
        exact=draw(st.sampled_from([None, True])),
        bodies=False,
    )


@settings(max_examples=80, deadline=None)
@given(query=searches())
def test_an_engine_finds_the_best_of_many_as_the_oracle_does(stores, query):
    engine, oracle = (outcome(lambda s=store: s.vector_search(query)) for store in stores)
    assert engine == oracle


@settings(max_examples=20, deadline=None)
@given(query=searches(), diversity=st.sampled_from([0.2, 1.0]))
def test_an_engine_chooses_diverse_ones_of_many_as_the_oracle_does(stores, query, diversity):
    diverse = replace(query, top_k=5, diversity=diversity)
    engine, oracle = (outcome(lambda s=store: s.vector_search(diverse)) for store in stores)
    assert engine == oracle
