"""vector_search: the parts of a score, the order of matches, diversity."""

import math

import numpy as np
import pytest

from conformance.builders import HOUR, at, axis, do, found, only, record, search, settle, vector, write
from nt_memory.store import Write

ALONE = {
    "similarity": (1.0, 0.0, 0.0, 0.0),
    "recency": (0.0, 1.0, 0.0, 0.0),
    "importance": (0.0, 0.0, 1.0, 0.0),
    "outcome": (0.0, 0.0, 0.0, 1.0),
}


def embedded(store, id_, *numbers, **fields):
    write(store, id_, embeddings={"state": vector(*numbers)}, **fields)


# similarity


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


def sum_left(terms):
    total = 0.0
    for term in terms:
        total += term
    return total


# recency


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


# importance


@pytest.mark.parametrize("importance", [0.0, 0.5, 1.0, 1000.0])
def test_importance_is_mapped_to_zero_to_one(store, importance):
    write(store, importance=importance)
    assert only(store).importance == 1.0 - math.exp(-importance)


# outcome


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


# score


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


# order


def test_the_greatest_score_comes_first(store):
    for name, importance in [("a", 0.1), ("b", 3.0), ("c", 1.0)]:
        write(store, name, importance=importance)
    assert found(store) == ["b", "c", "a"]


def test_equal_scores_are_ordered_by_the_bytes_of_their_ids(store):
    for name in ["b", "a", "B", "10", "9"]:
        write(store, name)
    assert found(store) == ["10", "9", "B", "a", "b"]


def test_the_best_of_many_come_first(store):
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((500, 4)).astype(np.float32)
    do(store, *(Write(record(f"{n:03}", embeddings={"state": v})) for n, v in enumerate(vectors)))
    everything = search(store, vector=axis(0), top_k=500).matches
    best = search(store, vector=axis(0), top_k=7).matches
    assert [m.id for m in best] == [m.id for m in everything[:7]]
    scores = [match.score for match in everything]
    assert scores == sorted(scores, reverse=True)


# order_by


@pytest.mark.parametrize(
    ("order_by", "field"),
    [
        ("event_time", "event_time"),
        ("known_at", "known_at"),
        ("importance", "importance"),
        ("confidence", "confidence"),
    ],
)
def test_matches_are_ordered_by_a_field(store, order_by, field):
    values = {"event_time": (at(-2), at(-1)), "known_at": (at(-2), at(-1))}.get(field, (0.25, 0.5))
    write(store, "a", **{field: values[1]})
    write(store, "b", **{field: values[0]})
    assert found(store, order_by=order_by) == ["b", "a"]
    assert found(store, order_by="-" + order_by) == ["a", "b"]


def test_matches_are_ordered_by_when_they_were_recorded(store, clock):
    write(store, "b")
    clock.advance_us(1)
    write(store, "a")
    assert found(store, order_by="recorded_at") == ["b", "a"]


def test_matches_are_ordered_by_reward_as_known(store):
    write(store, "a")
    settle(store, "a", 1.0, known_at=at(0))
    settle(store, "a", 9.0, known_at=at(2), revise=True)
    write(store, "b")
    settle(store, "b", 5.0, known_at=at(0))
    orders = [found(store, order_by="-reward", as_of=at(hour)) for hour in (0, 2)]
    assert orders == [["b", "a"], ["a", "b"]]


def test_matches_are_ordered_by_an_attribute(store):
    write(store, "a", attributes={"size": 3.0})
    write(store, "b", attributes={"size": -1.0})
    assert found(store, order_by="attributes.size") == ["b", "a"]


@pytest.mark.parametrize("order_by", ["confidence", "-confidence"])
def test_records_without_the_value_come_last_by_id(store, order_by):
    for name, confidence in [("d", None), ("c", 0.5), ("b", None), ("a", 0.5)]:
        write(store, name, confidence=confidence)
    assert found(store, order_by=order_by) == ["a", "c", "b", "d"]


def test_an_attribute_that_is_no_number_is_no_value(store):
    write(store, "a", attributes={"size": "big"})
    write(store, "b", attributes={"size": 1.0})
    assert found(store, order_by="attributes.size") == ["b", "a"]


def test_the_score_of_an_order_is_the_value(store):
    write(store, "a", event_time=at(-1))
    assert only(store, order_by="-event_time").score == float(at(-1))


def test_the_score_of_an_order_without_a_value_is_zero(store):
    write(store)
    assert only(store, order_by="confidence").score == 0.0


# diversity


def spread(store):
    """Write two twins and one unlike them."""
    embedded(store, "a", 1, 0.1, 0, 0)
    embedded(store, "b", 1, 0.11, 0, 0)
    embedded(store, "c", 0.6, -0.8, 0, 0)


def test_without_diversity_the_most_similar_come_first(store):
    spread(store)
    assert found(store, vector=axis(0)) == ["a", "b", "c"]


def test_diversity_prefers_what_is_unlike_better_matches(store):
    spread(store)
    assert found(store, vector=axis(0), diversity=0.5) == ["a", "c", "b"]


def test_diversity_leaves_the_best_match_first(store):
    spread(store)
    assert found(store, vector=axis(0), diversity=0.9, top_k=1) == ["a"]


def test_diversity_leaves_scores_as_they_are(store):
    spread(store)
    plain = {match.id: match.score for match in search(store, vector=axis(0)).matches}
    diverse = {m.id: m.score for m in search(store, vector=axis(0), diversity=0.5).matches}
    assert diverse == plain


def test_diversity_works_on_an_order_too(store):
    spread(store)
    write(store, "d")
    assert found(store, order_by="event_time", diversity=1.0)[0] == "a"


def test_what_has_no_embedding_is_unlike_everything(store):
    embedded(store, "a", 1, 0, 0, 0)
    embedded(store, "b", 1, 0, 0, 0)
    write(store, "c")
    assert found(store, diversity=0.5) == ["a", "c", "b"]


def test_only_the_best_hundred_are_chosen_among(store):
    near = [Write(record(f"n{n:03}", embeddings={"state": vector(1, n / 1e3, 0, 0)})) for n in range(100)]
    do(store, *near, Write(record("z", embeddings={"state": vector(-1, 0, 0, 0)})))
    assert "z" not in found(store, vector=axis(0), diversity=1.0, top_k=10)
