"""Write: records and their versions."""

import numpy as np
import pytest

from conformance.builders import HOUR, at, axis, configure, do, forget, record, vector, write
from nt_memory.errors import (
    DimensionMismatchError,
    ForgottenError,
    InvalidEmbeddingError,
    NamespaceError,
    VectorError,
)
from nt_memory.store import RawOutcome, Write

FULL = {
    "namespace": "swarm/one/trades",
    "agent_id": "one",
    "symbol": "SPY",
    "regime": "calm",
    "expires_at": at(100),
    "importance": 2.5,
    "confidence": 0.25,
    "text": "bought ü",
    "attributes": {"size": 2.0, "side": "long", "legs": ["a", "b"]},
    "payload": b"\x00\xff" * 1000,
    "tags": ("t1", "t2"),
    "writer": "one",
    "source": "feed",
    "trust": 0.5,
    "parents": ("p1", "p2"),
}


@pytest.mark.parametrize("field", sorted(FULL))
def test_a_field_is_read_back(store, field):
    write(store, **FULL)
    value = getattr(store.fetch("r"), field)
    assert (tuple(value) if field in {"tags", "parents"} else value) == FULL[field]


@pytest.mark.parametrize(
    "field", ["agent_id", "symbol", "regime", "confidence", "text", "payload", "source", "outcome"]
)
def test_an_absent_field_stays_absent(store, field):
    write(store)
    assert getattr(store.fetch("r"), field) is None


def test_embeddings_are_read_back_as_they_were_given(store):
    given = {"state": vector(3.0, 0.1, -2.0, 0.0), "alt": vector(1e-3, 0.0, 7.0)}
    write(store, embeddings=given)
    kept = store.fetch("r").embeddings
    assert {name: kept[name].tolist() for name in kept} == {n: v.tolist() for n, v in given.items()}
    assert all(kept[name].dtype == np.float32 for name in kept)


def test_a_record_is_stamped(store, clock):
    clock.advance_us(7)
    write(store, recorded_at=1, commit=99, version=99)
    kept = store.fetch("r")
    assert (kept.recorded_at, kept.commit, kept.version) == (at(0) + 7, 1, 0)


def test_the_result_is_the_id(store):
    assert write(store, "r") == "r"


def test_an_empty_id_asks_for_a_ulid(store):
    made = write(store, "")
    assert len(made) == 26
    assert store.fetch(made).id == made


def test_empty_ids_of_a_batch_differ(store):
    ids = store.commit([Write(record("")) for _ in range(3)]).results
    assert len(set(ids)) == 3


@pytest.mark.parametrize("id_", ["r", "!", "~" * 128])
def test_a_well_formed_id_is_taken(store, id_):
    assert write(store, id_) == id_


@pytest.mark.parametrize("id_", ["a b", "ü", "\x7f", "a\n", "i" * 129])
def test_an_ill_formed_id_is_refused(store, id_):
    with pytest.raises(ValueError, match="id"):
        write(store, id_)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", ""),
        ("kind", "k" * 129),
        ("importance", -0.1),
        ("importance", float("nan")),
        ("importance", float("inf")),
        ("confidence", -0.1),
        ("confidence", 1.1),
        ("confidence", float("nan")),
        ("trust", -0.1),
        ("trust", 1.1),
        ("attributes", {"x": float("nan")}),
        ("attributes", {"x": float("inf")}),
        ("outcome", RawOutcome(float("nan"))),
        ("outcome", RawOutcome(float("inf"))),
    ],
)
def test_a_field_out_of_its_range_is_refused_by_name(store, field, value):
    with pytest.raises(ValueError, match="reward" if field == "outcome" else field.rstrip("s")):
        write(store, **{field: value})


def test_an_ill_formed_namespace_is_refused(store):
    with pytest.raises(NamespaceError):
        write(store, namespace="a b")


def test_an_embedding_in_an_unknown_space_is_refused(store):
    with pytest.raises(VectorError, match="state"):
        write(store, embeddings={"other": axis(0)})


def test_an_embedding_of_another_length_is_refused(store):
    with pytest.raises(DimensionMismatchError, match="3"):
        write(store, embeddings={"state": axis(0, 3)})


@pytest.mark.parametrize("first", [float("nan"), float("inf"), float("-inf"), 0.0])
def test_an_embedding_that_points_nowhere_is_refused(store, first):
    with pytest.raises(InvalidEmbeddingError):
        write(store, embeddings={"state": vector(first, 0.0, 0.0, 0.0)})


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_an_embedding_of_any_length_points_somewhere(store, size):
    write(store, embeddings={"state": axis(1) * np.float32(size)})
    assert store.fetch("r").embeddings["state"][1] == np.float32(size)


def test_a_known_id_gets_a_new_version(store):
    write(store, text="old")
    write(store, text="new")
    kept = store.fetch("r")
    assert (kept.text, kept.version) == ("new", 1)


def test_a_version_replaces_all_fields(store):
    write(store, text="old", tags=("t",), embeddings={"state": axis(0)})
    write(store)
    kept = store.fetch("r")
    assert (kept.text, list(kept.tags), dict(kept.embeddings)) == (None, [], {})


def test_versions_of_one_batch_are_numbered(store):
    store.commit([Write(record("r")), Write(record("r", text="new"))])
    kept = store.fetch("r")
    assert (kept.text, kept.version) == ("new", 1)


@pytest.mark.parametrize("change", [{"namespace": "other"}, {"kind": "other"}])
def test_a_later_version_keeps_namespace_and_kind(store, change):
    write(store)
    with pytest.raises(ValueError, match="keeps kind and namespace"):
        write(store, **change)


def test_a_forgotten_id_cannot_be_written(store):
    write(store)
    forget(store, "r")
    with pytest.raises(ForgottenError, match="new id"):
        write(store)


def test_the_ttl_of_the_namespace_counts_from_known_at(store):
    configure(store, ttl=HOUR)
    write(store, known_at=at(-0.5))
    assert store.fetch("r").expires_at == at(0.5)


def test_an_expiry_of_its_own_comes_before_the_ttl(store):
    configure(store, ttl=HOUR)
    write(store, expires_at=at(9))
    assert store.fetch("r").expires_at == at(9)


def test_a_refused_record_leaves_nothing(store):
    with pytest.raises(VectorError):
        do(store, Write(record("r")), Write(record("s", embeddings={"other": axis(0)})))
    assert store.fetch("r") is None


def test_an_outcome_known_with_the_record_is_part_of_its_one_version(store):
    write(store, outcome=RawOutcome(1.5, at(0), b"o"))
    kept = store.fetch("r")
    assert (kept.outcome, kept.version) == (RawOutcome(1.5, at(0), b"o"), 0)


def test_an_outcome_known_later_is_a_version_of_its_own(store):
    write(store, outcome=RawOutcome(1.5, at(1)))
    before, after = store.fetch("r", at(1) - 1), store.fetch("r", at(1))
    assert (before.outcome, before.version) == (None, 0)
    assert (after.outcome, after.version) == (RawOutcome(1.5, at(1)), 1)


def test_an_outcome_without_a_time_is_known_at_the_commit(store, clock):
    clock.advance_us(HOUR)
    write(store, outcome=RawOutcome(1.5))
    assert store.fetch("r").outcome.known_at == at(1)


def test_an_outcome_without_a_time_is_not_known_before_its_record(store):
    write(store, known_at=at(1), outcome=RawOutcome(1.5))
    assert store.fetch("r", at(1)).outcome.known_at == at(1)


def test_an_outcome_known_before_its_record_is_refused(store):
    with pytest.raises(ValueError, match="known_at"):
        write(store, outcome=RawOutcome(1.5, at(-1)))
