"""stats: what a store counts."""

from conformance.builders import axis, configure, do, forget, put, settle, write
from nt_memory.store import Delete


def test_an_empty_store_counts_nothing(store):
    stats = store.stats()
    names = ("commits", "records", "recalls", "l2_vectors", "l3_entries")
    assert {name: stats[name] for name in names} == dict.fromkeys(names, 0)


def test_commits_are_counted(store):
    put(store)
    configure(store)
    assert store.stats()["commits"] == 2


def test_keys_are_counted_once(store):
    put(store, key="k")
    put(store, key="k")
    put(store, key="l")
    assert store.stats()["l3_entries"] == 2


def test_a_deleted_key_is_not_counted(store):
    put(store)
    do(store, Delete("a", "k"))
    assert store.stats()["l3_entries"] == 0


def test_records_are_counted_and_their_versions_are_entries(store):
    write(store, "r")
    settle(store, "r")
    write(store, "s")
    stats = store.stats()
    assert (stats["records"], stats["l3_entries"]) == (2, 3)


def test_vectors_are_counted(store):
    write(store, "r", embeddings={"state": axis(0), "alt": axis(0, 3)})
    write(store, "s", embeddings={"state": axis(0)})
    assert store.stats()["l2_vectors"] == 3


def test_a_settlement_adds_no_vector(store):
    write(store, embeddings={"state": axis(0)})
    settle(store)
    assert store.stats()["l2_vectors"] == 1


def test_a_version_with_its_own_embedding_adds_a_vector(store):
    write(store, embeddings={"state": axis(0)})
    write(store, embeddings={"state": axis(1)})
    assert store.stats()["l2_vectors"] == 2


def test_a_forgotten_record_has_no_vector(store):
    write(store, embeddings={"state": axis(0)})
    forget(store, "r")
    assert store.stats()["l2_vectors"] == 0
