"""The vector index by itself, as benchmarks use it."""

import numpy as np
import pytest

from nt_memory import CorruptionError
from nt_memory._native import VectorStore

rng = np.random.default_rng(3)
POINTS = rng.normal(size=(500, 8)).astype(np.float32)


def nearest(points, query):
    return int(np.argmax(points @ query / np.linalg.norm(points, axis=1)))


@pytest.mark.parametrize("threads", [1, 2])
def test_the_nearest_are_found(threads):
    store = VectorStore(8, quantization="f32")
    assert store.add(POINTS, threads).tolist() == list(range(500))
    queries = rng.normal(size=(20, 8)).astype(np.float32)
    found = store.search(queries, 3, 64, threads)
    assert found.shape == (20, 3)
    assert found[:, 0].tolist() == [nearest(POINTS, query) for query in queries]


def test_what_was_removed_is_not_found_and_its_slot_is_used_again():
    store = VectorStore(8)
    slots = store.add(POINTS)
    assert store.remove(slots[:250]) == 250
    assert store.remove(slots[:250]) == 0
    assert len(store) == 250
    assert (store.search(POINTS[:50], 5, 64) >= 250).all()
    assert set(store.add(POINTS[:250]).tolist()) == set(range(250))


def test_places_without_a_vector_say_so():
    store = VectorStore(8)
    store.add(POINTS[:2])
    assert sorted(store.search(POINTS[:1], 3, 64)[0].tolist()) == [-1, 0, 1]


@pytest.mark.parametrize(
    "made",
    [
        lambda: VectorStore(0),
        lambda: VectorStore(8, m=2),
        lambda: VectorStore(8, ef_construction=8),
        lambda: VectorStore(8, quantization="f8"),
        lambda: VectorStore(8).add(POINTS[:, :4]),
        lambda: VectorStore(8).add(POINTS * np.nan),
        lambda: VectorStore(8).add(POINTS, 0),
        lambda: VectorStore(8).search(POINTS[:, :4], 1, 10),
        lambda: VectorStore(8).search(POINTS, 0, 10),
    ],
)
def test_what_cannot_be_is_refused(made):
    with pytest.raises(ValueError, match=r"use|numbers|finite"):
        made()


@pytest.mark.parametrize("quantization", ["f16", "f32", "i8"])
def test_what_was_saved_finds_the_same(tmp_path, quantization):
    store = VectorStore(8, quantization=quantization)
    store.add(POINTS)
    store.save(tmp_path / "graph")
    other = VectorStore(8, quantization=quantization)
    other.load(tmp_path / "graph")
    queries = rng.normal(size=(20, 8)).astype(np.float32)
    assert other.search(queries, 5, 64).tolist() == store.search(queries, 5, 64).tolist()
    assert other.add(POINTS[:2]).tolist() == [500, 501]


@pytest.mark.parametrize("made", [{"dim": 9}, {"dim": 8, "m": 8}, {"dim": 8, "quantization": "i8"}])
def test_a_file_of_another_store_is_refused_and_nothing_changes(tmp_path, made):
    store = VectorStore(8)
    store.add(POINTS)
    store.save(tmp_path / "graph")
    other = VectorStore(**made)
    with pytest.raises(CorruptionError, match="configured in another way"):
        other.load(tmp_path / "graph")
    (tmp_path / "graph").write_bytes(b"ntvecs01")
    with pytest.raises(CorruptionError, match="graph"):
        store.load(tmp_path / "graph")
    assert (len(store), len(other)) == (500, 0)
