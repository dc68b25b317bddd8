"""vector_search: the order of matches."""

import numpy as np
import pytest

from conformance.builders import at, axis, do, found, only, record, search, settle, write
from nt_memory.store import Write


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


def test_matches_are_ordered_by_when_they_became_visible(store):
    for name, hour in [("a", 0), ("b", -1), ("c", -2)]:
        write(store, name, known_at=at(hour), event_time=at(-3))
    settle(store, "c", 1.0, known_at=at(1))
    orders = [found(store, order_by="visible_at", as_of=at(hour)) for hour in (0, 1)]
    assert orders == [["c", "b", "a"], ["b", "a", "c"]]


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


def pages(store, order_by, size):
    """Go through all matches, a page at a time."""
    after, seen = None, []
    while True:
        page = search(store, order_by=order_by, after=after, top_k=size)
        seen += [match.id for match in page.matches]
        if len(page.matches) < size:
            return seen
        last = page.matches[-1]
        confidence = last.record.confidence
        after = (last.score if confidence is not None else None, last.id)


@pytest.mark.parametrize("order_by", ["confidence", "-confidence"])
@pytest.mark.parametrize("size", [1, 2, 3, 10])
def test_pages_in_an_order_are_the_whole(store, order_by, size):
    values = [0.5, None, 0.5, 0.25, None, 0.5, 0.0]
    for name, confidence in zip("gfedcba", values, strict=True):
        write(store, name, confidence=confidence)
    assert pages(store, order_by, size) == found(store, order_by=order_by)


def test_a_page_tells_how_many_there_are_in_all(store):
    for name in "abc":
        write(store, name)
    page = search(store, order_by="event_time", after=(float(at(0)), "b"))
    assert [match.id for match in page.matches] == ["c"]
    assert page.matched == 3


@pytest.mark.parametrize("asked", [{"order_by": None}, {"diversity": 0.5}])
def test_only_an_order_has_pages(store, asked):
    with pytest.raises(ValueError, match="after goes on behind a match"):
        search(store, **{"order_by": "event_time", "after": (0.0, "a"), **asked})
