"""vector_search: who is a candidate, and what a result tells."""

from dataclasses import replace

import numpy as np
import pytest

from conformance.builders import (
    HOUR,
    at,
    axis,
    do,
    found,
    only,
    record,
    search,
    settle,
    vector,
    write,
)
from nt_memory.errors import (
    DimensionMismatchError,
    InvalidEmbeddingError,
    NamespaceError,
    VectorError,
)
from nt_memory.store import Query, Write


def test_an_empty_store_has_no_matches(store):
    result = search(store, vector=axis(0))
    assert (result.matches, result.matched, result.forgotten) == ([], 0, 0)


def test_all_matches_are_counted_and_top_k_returned(store):
    for name in "abc":
        write(store, name)
    result = search(store, top_k=2)
    assert (len(result.matches), result.matched) == (2, 3)


def test_a_search_that_need_not_be_exact_finds_the_nearest(store):
    rng = np.random.default_rng(3)
    points = rng.normal(size=(60, 4)).astype(np.float32)
    for number, point in enumerate(points):
        write(store, f"{number}", embeddings={"state": point})
    weights = (1.0, 0.0, 0.0, 0.0)
    query = Query(vector=vector(1, 2, 3, 4), top_k=3, weights=weights)
    exact, walked = (
        [match.id for match in store.vector_search(replace(query, exact=exact)).matches]
        for exact in (True, False)
    )
    assert walked == exact


def told(match):
    """Return a match so that it can be compared: its record by what names it."""
    raw = match.record
    return replace(match, record=None), raw and (raw.id, raw.version, raw.recorded_at)


def test_many_searches_give_what_each_gives(store):
    for name, at_axis in (("a", 0), ("b", 1)):
        write(store, name, embeddings={"state": axis(at_axis)})
    queries = [Query(vector=axis(0), top_k=1), Query(vector=axis(1), bodies=False), Query(top_k=1)]
    together, alone = store.vector_searches(queries), map(store.vector_search, queries)
    for one, other in zip(together, alone, strict=True):
        assert [told(match) for match in one.matches] == [told(match) for match in other.matches]
        assert replace(one, matches=[]) == replace(other, matches=[])
    assert store.vector_searches([]) == []


def test_one_bad_query_of_many_refuses_all(store):
    write(store, embeddings={"state": axis(0)})
    with pytest.raises(ValueError, match="top_k is 0"):
        store.vector_searches([Query(vector=axis(0)), Query(top_k=0)])


def test_a_small_search_is_exact(store):
    assert search(store).exact is True


def test_a_result_names_the_last_commit(store):
    write(store)
    write(store)
    assert search(store).commit == 2


def test_a_bound_result_names_its_bound(store):
    write(store)
    write(store)
    assert [search(store, recorded_by_commit=n).commit for n in (0, 1, 9)] == [0, 1, 2]


def test_a_result_names_its_time(store, clock):
    clock.advance_us(7)
    assert [search(store).as_of, search(store, as_of=at(0)).as_of] == [at(0) + 7, at(0)]


def test_a_match_brings_its_record(store):
    write(store, text="t", payload=b"p", embeddings={"state": axis(1)})
    match = only(store)
    assert (match.record.text, match.record.payload) == ("t", b"p")
    assert match.record.embeddings["state"].tolist() == [0, 1, 0, 0]


def test_a_match_brings_the_version_that_was_visible(store):
    write(store, text="old")
    write(store, text="new", known_at=at(1))
    match = only(store, as_of=at(0))
    assert (match.version, match.record.text, match.record.version) == (0, "old", 0)


def test_bodies_are_left_out_on_request(store):
    write(store)
    assert only(store, bodies=False).record is None


def test_only_records_with_an_embedding_in_the_space_are_candidates(store):
    write(store, "none")
    write(store, "state", embeddings={"state": axis(0)})
    write(store, "alt", embeddings={"alt": axis(0, 3)})
    write(store, "both", embeddings={"state": axis(1), "alt": axis(1, 3)})
    assert found(store, vector=axis(0)) == ["state", "both"]
    assert found(store, vector=axis(1, 3), space="alt") == ["both", "alt"]


def test_without_a_vector_all_records_are_candidates(store):
    write(store, "none")
    write(store, "state", embeddings={"state": axis(0)})
    assert sorted(found(store)) == ["none", "state"]


def test_the_embedding_of_the_visible_version_counts(store):
    write(store, "r", embeddings={"state": axis(0)})
    write(store, "r", embeddings={"state": axis(1)}, known_at=at(1))
    similarities = [only(store, vector=axis(0), as_of=at(h)).similarity for h in (0, 1)]
    assert similarities == [1.0, 0.5]


def test_a_version_without_an_embedding_is_no_candidate(store):
    write(store, "r", embeddings={"state": axis(0)})
    write(store, "r", known_at=at(1))
    assert [found(store, vector=axis(0), as_of=at(h)) for h in (0, 1)] == [["r"], []]


def test_an_embedding_is_kept_by_a_settlement(store):
    write(store, embeddings={"state": axis(0)})
    settle(store)
    assert only(store, vector=axis(0)).similarity == 1.0


def test_a_namespace_means_itself_and_those_below(store):
    for name, namespace in enumerate(["a", "a/b", "a/b/c", "ab", "b/a"]):
        write(store, str(name), namespace=namespace)
    assert found(store, namespace="a") == ["0", "1", "2"]
    assert found(store, namespace="a/b") == ["1", "2"]


def test_what_was_not_known_yet_is_no_candidate(store):
    write(store, known_at=at(1))
    assert [found(store, as_of=at(1) - 1), found(store, as_of=at(1))] == [[], ["r"]]


def test_what_has_expired_is_no_candidate(store):
    write(store, expires_at=at(1))
    assert [found(store, as_of=at(1) - 1), found(store, as_of=at(1))] == [["r"], []]


def test_as_of_is_the_clocks_now_by_default(store, clock):
    write(store, known_at=at(1))
    before = found(store)
    clock.advance_us(HOUR)
    assert (before, found(store)) == ([], ["r"])


def test_what_was_recorded_later_is_no_candidate_by_time(store, clock):
    write(store, "r")
    clock.advance_us(HOUR)
    write(store, "s")
    bounds = (at(0) - 1, at(0), at(1))
    assert [found(store, recorded_by_time=bound) for bound in bounds] == [[], ["r"], ["r", "s"]]


def test_what_was_recorded_later_is_no_candidate_by_commit(store):
    write(store, "r")
    write(store, "s")
    assert [found(store, recorded_by_commit=n) for n in (0, 1, 2)] == [[], ["r"], ["r", "s"]]


def test_a_filter_leaves_top_k_matches(store):
    do(store, *(Write(record(f"{n:03}", symbol="AB"[n % 10 == 0])) for n in range(100)))
    only_b = {"test": {"field": "symbol", "op": "eq", "value": "B"}}
    assert found(store, filter=only_b, top_k=10) == [f"{n:03}" for n in range(0, 100, 10)]


def test_trust_has_a_floor(store):
    write(store, "high", trust=0.5)
    write(store, "low", trust=0.49)
    assert found(store, min_trust=0.5) == ["high"]


def test_a_vector_in_an_unknown_space_is_refused(store):
    with pytest.raises(VectorError, match="other"):
        search(store, vector=axis(0), space="other")


def test_a_vector_of_another_length_is_refused(store):
    with pytest.raises(DimensionMismatchError, match="3"):
        search(store, vector=axis(0, 3))


@pytest.mark.parametrize("first", [float("nan"), float("inf"), 0.0])
def test_a_vector_that_points_nowhere_is_refused(store, first):
    with pytest.raises(InvalidEmbeddingError):
        search(store, vector=vector(first, 0.0, 0.0, 0.0))


def test_an_ill_formed_namespace_is_refused(store):
    with pytest.raises(NamespaceError):
        search(store, namespace="a b")


def test_time_and_commit_exclude_each_other(store):
    with pytest.raises(ValueError, match="not both"):
        search(store, recorded_by_time=at(0), recorded_by_commit=1)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("top_k", 0),
        ("top_k", -1),
        ("half_life", 0.0),
        ("half_life", -1.0),
        ("half_life", float("nan")),
        ("half_life", float("inf")),
        ("diversity", -0.1),
        ("diversity", 1.1),
        ("diversity", float("nan")),
        ("weights", (-1.0, 0.0, 0.0, 0.0)),
        ("weights", (float("nan"), 0.0, 0.0, 0.0)),
        ("order_by", "text"),
        ("order_by", "-"),
        ("order_by", ""),
    ],
)
def test_an_argument_out_of_its_range_is_refused_by_name(store, argument, value):
    with pytest.raises(ValueError, match=argument):
        search(store, **{argument: value})


def test_an_order_and_a_vector_exclude_each_other(store):
    with pytest.raises(ValueError, match="order_by"):
        search(store, vector=axis(0), order_by="event_time")
