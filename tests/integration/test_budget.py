"""max_memory_bytes: hot values and what recall reads stay within it, whatever comes and goes."""

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest

from builders import day
from nt_memory import (
    ManualClock,
    MemoryConfig,
    MemorySystem,
    Record,
    VectorConfig,
    VectorError,
    VectorSpace,
)

BUDGET = 4 << 20
# Columns grow in steps of an eighth.
SLACK = BUDGET // 8


@pytest.fixture
def memory():
    """A memory with a small budget."""
    spaces = {"state": VectorSpace(dim=64)}
    config = MemoryConfig(
        cold_engine="memory", spaces=spaces, max_memory_bytes=BUDGET, clock=ManualClock(day(0))
    )
    with MemorySystem(config) as memory:
        yield memory


def records(count, start=0):
    made = np.random.default_rng(start).normal(size=(count, 64)).astype(np.float32)
    return [
        Record(
            id=f"r{start + n}",
            namespace="trades",
            kind="trade",
            event_time=day(0),
            embeddings={"state": made[n]},
            attributes={"order": f"order {start + n}"},
        )
        for n in range(count)
    ]


def taken(memory):
    stats = memory.stats()
    return stats["l1_bytes"] + stats["l2_bytes"]


def fill(memory, count=10**6):
    """Remember records until the memory is full; return how many there are."""
    done = 0
    with suppress(VectorError):
        for start in range(0, count, 500):
            memory.remember_many(records(500, start))
            done = start + 500
    return done


def test_hot_values_give_way_to_records(memory):
    for number in range(200):
        memory.put("risk", f"{number}", bytes(50_000))
    assert BUDGET // 2 < taken(memory) <= BUDGET
    memory.remember_many(records(5000))
    assert taken(memory) <= BUDGET + SLACK


def test_a_full_memory_says_what_to_do_and_goes_on(memory):
    count = fill(memory)
    assert count > 1000
    assert taken(memory) <= BUDGET + 2 * SLACK
    with pytest.raises(VectorError, match="max_memory_bytes"):
        memory.remember(records(1, count)[0])
    memory.put("risk", "limit", b"5")
    assert memory.get("risk", "limit") == b"5"
    assert len(memory.recall(top_k=10)) == 10


def test_what_is_forgotten_makes_room(memory):
    count = fill(memory)
    memory.forget([f"r{number}" for number in range(count * 3 // 4)])
    memory.remember_many(records(500, count))
    assert taken(memory) <= BUDGET + 2 * SLACK


def test_what_retention_erases_leaves_nothing_behind(memory):
    memory.configure_namespace("trades", ttl=day(1) - day(0), retention=day(2) - day(0))
    sizes = []
    for round_ in range(12):
        memory.remember_many(records(4000, round_ * 4000))
        memory.clock.advance(day(4) - day(0))
        sizes.append(taken(memory))
    assert max(sizes[6:]) <= max(sizes[:6]) * 1.3


def nearest(memory, query):
    """Return ids and scores of the nearest by a scan."""
    return [(hit.id, hit.score) for hit in memory.recall(embedding=query, exact=True, log=False)]


def test_codes_give_way_where_hot_values_are_not_enough():
    spaces = {"state": VectorSpace(dim=64)}
    roomy = MemoryConfig(
        cold_engine="memory",
        spaces=spaces,
        vector=VectorConfig(engine="exact"),
        clock=ManualClock(day(0)),
    )
    tight = replace(roomy, max_memory_bytes=BUDGET)
    queries = np.random.default_rng(99).normal(size=(20, 64))
    with MemorySystem(roomy) as all_fits, MemorySystem(tight) as short:
        for memory in (all_fits, short):
            for start in range(0, 15_000, 1000):
                memory.remember_many(records(1000, start))
        assert (all_fits.stats()["l2_code"], short.stats()["l2_code"]) == ("f16", "i8")
        assert taken(short) <= BUDGET + SLACK
        assert taken(short) < taken(all_fits)
        for query in queries:
            assert nearest(short, query) == nearest(all_fits, query)


def test_the_cache_of_the_durable_engine_is_a_sixteenth_and_is_told(tmp_path):
    config = MemoryConfig(storage_path=tmp_path / "memory", max_memory_bytes=256 << 20)
    with MemorySystem(config) as memory:
        assert memory.stats()["l3_cache_bytes"] == 16 << 20
    with MemorySystem(":memory:") as memory:
        assert memory.stats()["l3_cache_bytes"] == 0
