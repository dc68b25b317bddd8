"""A graph is read from its file where that is whole and the store's own, else made anew."""

import shutil
import warnings
from dataclasses import replace

import numpy as np
import pytest

from builders import day, linked
from nt_memory import MemoryConfig, MemorySystem, Record, VectorConfig, VectorSpace, Weights

DIM = 8
COUNT = 3000
NEAREST = Weights(1.0, 0.0, 0.0, 0.0)
COMPACT = VectorConfig(engine="compact", m=8, ef_construction=40)
PATIENCE = 60.0
FILE = "0.vectors"


@pytest.fixture
def config(tmp_path):
    return MemoryConfig(
        storage_path=tmp_path / "memory",
        spaces={"state": VectorSpace(dim=DIM)},
        vector=COMPACT,
        durability="none",
    )


def records(first, last):
    rows = np.random.default_rng(first).normal(size=(last - first, DIM)).astype(np.float32)
    return [
        Record(id=f"r{n}", namespace="a", kind="x", event_time=day(0), embedding=row)
        for n, row in zip(range(first, last), rows, strict=True)
    ]


def opened(config):
    """Open a memory, and return it with what it warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        memory = MemorySystem(config)
    return memory, [str(warning.message) for warning in caught]


def ask(memory, number, **how):
    query = np.random.default_rng(10**6 + number).normal(size=DIM)
    return memory.recall(embedding=query, weights=NEAREST, log=False, **how)


def check(memory):
    """The memory finds what a scan finds, by its graph, and nothing is wrong with it."""
    linked(memory, PATIENCE)
    assert memory.verify() == []
    found = 0
    for number in range(20):
        walked, scanned = ask(memory, number, exact=False), ask(memory, number, exact=True)
        found += len({hit.id for hit in walked} & {hit.id for hit in scanned})
        scores = {hit.id: hit.score for hit in scanned}
        assert all(hit.score == scores[hit.id] for hit in walked if hit.id in scores)
    assert found >= 195


@pytest.fixture
def kept(config):
    """A directory whose graph has a file."""
    with MemorySystem(config) as memory:
        memory.remember_many(records(0, COUNT))
        linked(memory, PATIENCE)
    assert (config.storage_path / FILE).stat().st_mode & 0o777 == 0o600
    return config


def test_a_graph_is_there_when_the_memory_is_opened_again(kept):
    memory, warned = opened(kept)
    with memory:
        assert (memory.stats()["l2_waiting"], warned) == (0, [])
        check(memory)


def test_what_changed_since_is_linked_or_removed(kept):
    file = (kept.storage_path / FILE).read_bytes()
    with MemorySystem(kept) as memory:
        memory.remember_many(records(COUNT, COUNT + 100))
        memory.forget([f"r{n}" for n in range(0, COUNT, 3)])
        # A later version has another embedding, or that of an earlier one.
        memory.remember_many(
            [replace(new, id=f"r{n}") for n, new in enumerate(records(1, 300)) if n % 3]
        )
        memory.settle("r2500", {"reward": 1.0})
    (kept.storage_path / FILE).write_bytes(file)
    memory, warned = opened(kept)
    with memory:
        assert 100 <= memory.stats()["l2_waiting"] <= 400
        assert warned == []
        check(memory)


def test_an_index_that_was_read_goes_on(kept):
    for round_ in range(4):
        with MemorySystem(kept) as memory:
            first = COUNT + 1000 * round_
            memory.remember_many(records(first, first + 1000))
            memory.forget([f"r{n}" for n in range(first - COUNT, first - COUNT + 700)])
            check(memory)


def test_a_retention_that_erased_first_versions_leaves_their_embeddings(config):
    with MemorySystem(config) as memory:
        memory.configure_namespace("a", ttl=None)
        memory.remember_many(records(0, 200))
        for n in range(200):
            memory.settle(f"r{n}", {"reward": 1.0}, known_at=day(1))
        linked(memory, PATIENCE)
    with MemorySystem(config) as memory:
        memory.configure_namespace("a", retention=day(1) - day(0))
        memory.put("b", "k", b"")
        linked(memory, PATIENCE)
        check(memory)
    with MemorySystem(config) as memory:
        check(memory)


def other(kept, **changes):
    return replace(kept, vector=replace(kept.vector, **changes))


def test_a_graph_that_was_configured_in_another_way_is_made_anew(kept):
    memory, warned = opened(other(kept, m=10))
    with memory:
        assert "configured in another way" in warned[0]
        assert FILE in warned[0]
        check(memory)


def test_codes_may_change_and_the_graph_stays(kept):
    def scans(memory):
        return [ask(memory, n, exact=True).hits for n in range(5)]

    with MemorySystem(kept) as memory:
        before = scans(memory)
    for first, code in ((10_000, "i8"), (11_000, "i8"), (12_000, "f16")):
        memory, warned = opened(other(kept, quantization=code))
        with memory:
            assert (memory.stats()["l2_waiting"], warned) == (0, [])
            assert memory.stats()["l2_code"] == code
            assert scans(memory) == before
            check(memory)
            # Enough for a file of these codes.
            memory.remember_many(records(first, first + 500))
            linked(memory, PATIENCE)
            memory.forget([f"r{n}" for n in range(first, first + 500)])


def test_another_engine_does_not_read_it_and_leaves_it(kept):
    memory, warned = opened(other(kept, engine="exact"))
    with memory:
        assert warned == []
        assert ask(memory, 1).exact
    memory, warned = opened(kept)
    with memory:
        assert (memory.stats()["l2_waiting"], warned) == (0, [])


def test_a_graph_of_another_store_is_made_anew(kept, tmp_path):
    twin = replace(kept, storage_path=tmp_path / "twin")
    with MemorySystem(twin) as memory:
        memory.remember_many(records(0, COUNT))
        linked(memory, PATIENCE)
    shutil.copy(kept.storage_path / FILE, twin.storage_path / FILE)
    memory, warned = opened(twin)
    with memory:
        assert "another store" in warned[0]
        check(memory)


def test_a_graph_of_a_later_state_is_made_anew(kept):
    early = kept.storage_path.parent / "early"
    shutil.copytree(kept.storage_path, early)
    with MemorySystem(kept) as memory:
        memory.remember_many(records(COUNT, COUNT + 1000))
        linked(memory, PATIENCE)
    shutil.copy(kept.storage_path / FILE, early / FILE)
    memory, warned = opened(replace(kept, storage_path=early))
    with memory:
        assert "a later state" in warned[0]
        check(memory)


def test_a_restored_backup_has_no_graph_and_makes_one(kept, tmp_path):
    with MemorySystem(kept) as memory:
        memory.backup(tmp_path / "backup")
    restored = replace(kept, storage_path=tmp_path / "restored")
    MemorySystem.restore(tmp_path / "backup", restored)
    memory, warned = opened(restored)
    with memory:
        assert warned == []
        check(memory)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1],
        lambda data: data + b"x",
        lambda data: b"",
        lambda data: b"ntvecs00" + data[8:],
        lambda data: data[:9] + b"\xff\xff\xff\xff" + data[13:],
        lambda data: data[: len(data) // 2] + bytes(4096) + data[len(data) // 2 + 4096 :],
        lambda data: data[:-5] + bytes([data[-5] ^ 1]) + data[-4:],
    ],
    ids=["half", "cut", "longer", "empty", "old", "length", "zeros", "a bit"],
)
def test_a_damaged_file_is_told_and_made_anew(kept, damage):
    path = kept.storage_path / FILE
    path.write_bytes(damage(path.read_bytes()))
    memory, warned = opened(kept)
    with memory:
        assert len(warned) == 1
        assert str(path) in warned[0]
        check(memory)
    memory, warned = opened(kept)
    with memory:
        assert (memory.stats()["l2_waiting"], warned) == (0, [])


def test_a_file_that_cannot_be_written_keeps_nobody_from_closing(kept):
    path = kept.storage_path / f"{FILE}-new"
    path.mkdir()
    with MemorySystem(kept) as memory:
        memory.remember_many(records(COUNT, COUNT + 1000))
        linked(memory, PATIENCE)
    memory, warned = opened(kept)
    with memory:
        assert warned == []
        check(memory)
