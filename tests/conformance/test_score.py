"""vector_search: the parts of a score, and the score."""

import math

import numpy as np
import pytest

from conformance.builders import HOUR, at, axis, only, search, settle, vector, write

ALONE = {
    "similarity": (1.0, 0.0, 0.0, 0.0),
    "recency": (0.0, 1.0, 0.0, 0.0),
    "importance": (0.0, 0.0, 1.0, 0.0),
    "outcome": (0.0, 0.0, 0.0, 1.0),
}


def embedded(store, id_, *numbers, **fields):
    write(store, id_, embeddings={"state": vector(*numbers)}, **fields)


def sum_left(terms):
    total = 0.0
    for term in terms:
        total += term
    return total


@pytest.mark.parametrize(
    ("numbers", "similarity"),
    [((5, 0, 0, 0), 1.0), ((0, 2, 0, 0), 0.5), ((-0.1, 0, 0, 0), 0.0)],
)
def test_similarity_is_the_cosine_mapped_to_zero_to_one(store, numbers, similarity):
    embedded(store, "r", *numbers)
    assert only(store, vector=axis(0)).similarity == similarity


def test_similarity_is_absent_without_a_vector(store):
    embedded(store, "r", 1, 0, 0, 0)
    assert only(store).similarity is None


def test_similarity_comes_from_the_stored_half_precision_code(store):
    embedded(store, "r", 0.3, 0.5, -0.2, 0.7)
    unit = [0.3, 0.5, -0.2, 0.7]
    unit = [float(np.float32(x)) for x in unit]
    norm = math.sqrt(sum_left(x * x for x in unit))
    query = [float(np.float32(x / norm)) for x in unit]
    code = [float(np.float16(np.float32(x / norm))) for x in unit]
    cosine = sum_left(q * c for q, c in zip(query, code, strict=True))
    expected = (1.0 + min(cosine, 1.0)) / 2.0
    assert only(store, vector=vector(0.3, 0.5, -0.2, 0.7)).similarity == expected


def test_similarity_comes_from_the_stored_single_precision_code(store):
    numbers = [float(np.float32(x)) for x in (0.3, 0.5, -0.2)]
    write(store, embeddings={"alt": vector(*numbers)})
    norm = math.sqrt(sum_left(x * x for x in numbers))
    code = [float(np.float32(x / norm)) for x in numbers]
    expected = (1.0 + min(sum_left(x * x for x in code), 1.0)) / 2.0
    assert only(store, vector=vector(*numbers), space="alt").similarity == expected


@pytest.mark.parametrize(("age", "recency"), [(0, 1.0), (2, 0.5), (4, 0.25), (-3, 1.0)])
def test_recency_halves_with_each_half_life(store, age, recency):
    write(store, event_time=at(-age))
    assert only(store, half_life=2.0 * HOUR).recency == recency


def test_the_age_is_counted_from_the_time_asked_for(store):
    write(store)
    assert only(store, as_of=at(2), half_life=2.0 * HOUR).recency == 0.5


def test_recency_is_absent_without_a_half_life(store):
    write(store)
    assert only(store).recency is None


def test_decay_orders_and_never_hides(store):
    write(store, event_time=at(-1e6))
    assert only(store, half_life=1.0, weights=ALONE["recency"]).score == 0.0


@pytest.mark.parametrize("importance", [0.0, 0.5, 1.0, 1000.0])
def test_importance_is_mapped_to_zero_to_one(store, importance):
    write(store, importance=importance)
    assert only(store).importance == 1.0 - math.exp(-importance)


def outcomes(store, **query):
    return {match.id: match.outcome for match in search(store, **query).matches}


def test_outcome_is_absent_without_one(store):
    write(store)
    assert only(store).outcome is None


def test_outcome_is_absent_before_it_was_known(store):
    write(store)
    settle(store, known_at=at(1))
    assert only(store, as_of=at(0)).outcome is None


def test_a_reward_is_measured_by_the_median_size(store):
    for name, reward in [("a", -1.0), ("b", 2.0), ("c", 8.0)]:
        write(store, name)
        settle(store, name, reward)
    expected = {name: 0.5 + 0.5 * math.tanh(r / 2.0) for name, r in [("a", -1), ("b", 2), ("c", 8)]}
    assert outcomes(store) == expected


def test_the_median_of_an_even_number_lies_between(store):
    for name, reward in [("a", -1.0), ("b", 4.0)]:
        write(store, name)
        settle(store, name, reward)
    assert outcomes(store) == {n: 0.5 + 0.5 * math.tanh(r / 2.5) for n, r in [("a", -1), ("b", 4)]}


def test_rewards_of_zero_are_measured_by_one(store):
    for name, reward in [("a", 0.0), ("b", 0.0), ("c", 3.0)]:
        write(store, name)
        settle(store, name, reward)
    assert outcomes(store) == {"a": 0.5, "b": 0.5, "c": 0.5 + 0.5 * math.tanh(3.0)}


def test_only_candidates_make_the_scale(store):
    for name, reward, symbol in [("a", 1.0, "SPY"), ("b", 100.0, "QQQ")]:
        write(store, name, symbol=symbol)
        settle(store, name, reward)
    spy = {"test": {"field": "symbol", "op": "eq", "value": "SPY"}}
    assert outcomes(store, filter=spy) == {"a": 0.5 + 0.5 * math.tanh(1.0)}


def test_a_reward_known_later_makes_no_scale(store):
    write(store, "a")
    settle(store, "a", 1.0)
    write(store, "b")
    settle(store, "b", 100.0, known_at=at(1))
    assert outcomes(store, as_of=at(0))["a"] == 0.5 + 0.5 * math.tanh(1.0)


def test_a_score_is_the_weighted_mean_of_its_parts(store):
    embedded(store, "r", 0, 1, 0, 0, event_time=at(-2), importance=0.5)
    settle(store, "r", 3.0)
    match = only(store, vector=axis(0), half_life=2.0 * HOUR, weights=(4.0, 2.0, 1.0, 1.0))
    parts = (match.similarity, match.recency, match.importance, match.outcome)
    total = sum_left(w * part for w, part in zip((4.0, 2.0, 1.0, 1.0), parts, strict=True))
    assert match.score == total / 8.0


def test_absent_parts_do_not_weigh(store):
    write(store, importance=0.5)
    match = only(store)
    assert match.score == 0.1 * match.importance / 0.1


def test_without_any_weight_the_score_is_zero(store):
    write(store)
    assert only(store, weights=(0.0, 0.0, 0.0, 0.0)).score == 0.0


@pytest.mark.parametrize("part", sorted(ALONE))
def test_one_weight_alone_gives_that_part(store, part):
    embedded(store, "r", 1, 1, 0, 0, event_time=at(-1))
    settle(store, "r", 2.0)
    match = only(store, vector=axis(0), half_life=2.0 * HOUR, weights=ALONE[part])
    assert match.score == getattr(match, part)
