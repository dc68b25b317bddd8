"""Records: validated when they are made, frozen, and carried to a store and back whole."""

import dataclasses
from datetime import datetime

import numpy as np
import pytest

from builders import START, axis, day, record
from nt_memory import InvalidEmbeddingError, Outcome, Provenance, Record

NAIVE = datetime(2024, 1, 2)  # noqa: DTZ001 (bad on purpose)


def test_known_at_is_the_event_time_by_default():
    assert record().known_at == START


def test_known_at_may_be_earlier_than_the_event():
    assert record(event_time=day(3), known_at=day(1)).known_at == day(1)


@pytest.mark.parametrize("field", ["event_time", "known_at", "expires_at"])
def test_a_naive_time_is_refused_by_name(field):
    with pytest.raises(ValueError, match=rf"{field}=.*naive"):
        record(**{field: NAIVE})


def test_a_naive_time_of_an_outcome_is_refused_by_name():
    with pytest.raises(ValueError, match=r"known_at=.*naive"):
        Outcome(1.0, known_at=NAIVE)


@pytest.mark.parametrize("importance", [-0.1, float("nan"), float("inf"), "high", None])
def test_importance_is_at_least_zero(importance):
    with pytest.raises(ValueError, match="importance="):
        record(importance=importance)


@pytest.mark.parametrize("confidence", [-0.1, 1.1, float("nan"), "0.5"])
def test_confidence_lies_between_zero_and_one(confidence):
    with pytest.raises(ValueError, match=r"confidence=.* from 0 to 1"):
        record(confidence=confidence)


@pytest.mark.parametrize("trust", [-0.1, 1.1, float("nan")])
def test_trust_lies_between_zero_and_one(trust):
    with pytest.raises(ValueError, match=r"trust=.* from 0 to 1"):
        Provenance(trust=trust)


@pytest.mark.parametrize("reward", [float("nan"), float("-inf"), "much", None])
def test_a_reward_is_finite(reward):
    with pytest.raises(ValueError, match="reward="):
        Outcome(reward)


@pytest.mark.parametrize(
    "field", ["namespace", "kind", "id", "agent_id", "symbol", "regime", "text"]
)
def test_a_text_field_takes_a_string(field):
    with pytest.raises(ValueError, match=f"{field}=5"):
        record(**{field: 5})


def test_a_kind_is_not_empty():
    with pytest.raises(ValueError, match="kind=''"):
        record(kind="")


def test_a_writer_is_not_empty():
    with pytest.raises(ValueError, match="writer=''"):
        Provenance(writer="")


def test_an_outcome_is_an_outcome():
    with pytest.raises(TypeError, match=r"outcome=.*give an Outcome"):
        record(outcome={"reward": 1.0})


def test_a_provenance_is_a_provenance():
    with pytest.raises(TypeError, match=r"provenance=.*give a Provenance"):
        record(provenance="feed")


@pytest.mark.parametrize("value", [None, True, float("nan"), float("inf"), [1.0], {"a": 1}])
def test_an_attribute_is_a_string_a_finite_number_or_strings(value):
    with pytest.raises(ValueError, match=r"attributes\['x'\]="):
        record(attributes={"x": value})


def test_a_whole_number_attribute_becomes_a_float():
    assert type(record(attributes={"lots": 3}).attributes["lots"]) is float


def test_a_numpy_number_attribute_becomes_a_float():
    assert type(record(attributes={"vol": np.float32(0.5)}).attributes["vol"]) is float


def test_a_lone_string_is_no_list_of_tags():
    with pytest.raises(TypeError, match=r"tags='abc'.*\['abc'\]"):
        record(tags="abc")


def test_a_lone_string_is_no_list_of_parents():
    with pytest.raises(TypeError, match="parents='abc'"):
        Provenance(parents="abc")


def test_embedding_is_the_vector_of_the_space_state():
    made = record(embedding=axis(1))
    assert np.array_equal(made.embeddings["state"], axis(1))


def test_the_vector_of_the_space_state_is_the_embedding():
    assert np.array_equal(record(embeddings={"state": axis(1)}).embedding, axis(1))


def test_two_different_vectors_for_the_space_state_are_refused():
    with pytest.raises(ValueError, match="give one of them"):
        record(embedding=axis(0), embeddings={"state": axis(1)})


def test_a_record_with_an_embedding_can_be_replaced_in_part():
    made = dataclasses.replace(record(embedding=axis(0)), importance=2.0)
    assert np.array_equal(made.embedding, axis(0))


def test_an_embedding_becomes_float32():
    assert record(embedding=np.arange(4)).embedding.dtype == np.float32


def test_an_embedding_is_copied():
    source = np.ones(4, dtype=np.float32)
    made = record(embedding=source)
    source[0] = 9.0
    assert made.embedding[0] == 1.0


def test_an_embedding_is_read_only():
    with pytest.raises(ValueError, match="read-only"):
        record(embedding=axis(0)).embedding[0] = 2.0


@pytest.mark.parametrize(
    "value",
    [["a", "b"], [True, False], [1j], np.array([None]), np.ones((2, 2)), 1.0, [], [[1.0], [1, 2]]],
)
def test_what_is_no_flat_array_of_numbers_is_no_embedding(value):
    with pytest.raises(InvalidEmbeddingError, match="embedding"):
        record(embedding=value)


def test_a_record_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        record().kind = "other"


def test_attributes_are_copied():
    source = {"a": 1.0}
    made = record(attributes=source)
    source["b"] = 2.0
    assert made.attributes == {"a": 1.0}


def full_record():
    return Record(
        id="one",
        namespace="swarm/hedge/trades",
        kind="trade",
        event_time=day(1),
        known_at=day(2),
        agent_id="hedge",
        symbol="SPY",
        regime="QUIET",
        expires_at=day(30),
        importance=2.0,
        confidence=0.5,
        text="bought the dip",
        embeddings={"state": axis(0), "text": np.ones(3)},
        attributes={"sharpe": 1.5, "venue": "ARCA", "signals": ["a", "b"]},
        payload={"fills": [1, 2.5, None], "path": np.arange(6).reshape(2, 3)},
        outcome=Outcome(1.25, {"exit": 101.5}, day(3)),
        tags=["dip", "long"],
        provenance=Provenance("hedge", "replay", 0.9, ["zero"]),
    )


def test_every_field_survives_the_way_to_a_store_and_back():
    made = full_record()
    back = Record.from_raw(made.to_raw())
    assert dataclasses.replace(back, recorded_at=None) == made


def test_records_with_equal_arrays_are_equal():
    assert full_record() == full_record()


def test_records_with_different_arrays_differ():
    assert record(payload={"a": np.arange(3)}) != record(payload={"a": np.arange(4)})


def test_a_record_differs_from_something_else():
    assert record() != "record"
