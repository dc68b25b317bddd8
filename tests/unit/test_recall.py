"""Recall: what is found as of a time, how it is ranked, explained and logged."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from builders import axis, day, record
from nt_memory import (
    Bars,
    CorruptionError,
    DimensionMismatchError,
    Filter,
    ForgottenError,
    HorizonError,
    InvalidEmbeddingError,
    ManualClock,
    MemorySystem,
    Outcome,
    Provenance,
    RecordNotFoundError,
    VectorError,
    VectorSpace,
    Weights,
    ge,
)
from nt_memory._native import pack, unpack

NAIVE = datetime(2024, 1, 2)  # noqa: DTZ001 (bad on purpose)
SIMILARITY = Weights(1.0, 0.0, 0.0, 0.0)


def ids(recall):
    return [hit.id for hit in recall]


def test_the_most_similar_record_comes_first(memory):
    memory.remember_many([record(id="x", embedding=axis(0)), record(id="y", embedding=axis(1))])
    assert ids(memory.recall(embedding=axis(1))) == ["y", "x"]


def test_similarity_is_the_cosine_mapped_to_zero_to_one(memory):
    memory.remember(record(embedding=axis(0)))
    assert memory.recall(embedding=[-1.0, 0, 0, 0]).hits[0].similarity == pytest.approx(0.0)


def test_a_text_finds_texts(memory):
    memory.remember_many(
        [record(id="fed", text="fed hikes rates"), record(id="gold", text="gold falls")]
    )
    assert ids(memory.recall(text="rate hike by the fed", top_k=1)) == ["fed"]


def test_an_embedding_in_another_space_searches_that_space(open_on, clock):
    spaces = {"state": VectorSpace(dim=4), "news": VectorSpace(dim=2)}
    with open_on(clock, spaces=spaces) as memory:
        memory.remember_many(
            [record(id="x", embeddings={"news": [1, 0]}), record(id="y", embedding=axis(0))]
        )
        assert ids(memory.recall(embedding=[1, 0], space="news")) == ["x"]


def test_embedding_and_text_exclude_each_other(memory):
    with pytest.raises(ValueError, match="embedding and text"):
        memory.recall(embedding=axis(0), text="gold")


def test_a_text_is_not_compared_in_another_space(memory):
    with pytest.raises(ValueError, match="space='news'"):
        memory.recall(text="gold", space="news")


def test_a_text_needs_a_space_for_text(open_on, clock):
    with (
        open_on(clock, spaces={"state": VectorSpace(dim=4)}) as memory,
        pytest.raises(VectorError, match="no space 'text'"),
    ):
        memory.recall(text="gold")


def test_a_query_of_another_length_is_refused(memory):
    with pytest.raises(DimensionMismatchError):
        memory.recall(embedding=[1.0])


@pytest.mark.parametrize("vector", [[0, 0, 0, 0], [float("nan"), 0, 0, 1], ["a"], [[1, 2, 3, 4]]])
def test_a_query_that_points_nowhere_is_refused(memory, vector):
    with pytest.raises(InvalidEmbeddingError):
        memory.recall(embedding=vector)


@pytest.mark.parametrize("top_k", [0, -1, 10_001, 1.5, "ten"])
def test_top_k_out_of_range_is_refused(memory, top_k):
    with pytest.raises(ValueError, match=rf"top_k={top_k!r}.* from 1 to 10,000"):
        memory.recall(top_k=top_k)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("diversity", -0.1),
        ("diversity", 1.1),
        ("min_trust", 1.1),
        ("min_trust", float("nan")),
        ("half_life", 0),
        ("half_life", timedelta(seconds=-1)),
        ("exact", "yes"),
        ("order_by", "sharpe"),
        ("order_by", "attributes."),
        ("as_of", NAIVE),
        ("recorded_by", NAIVE),
        ("recorded_by", -1),
    ],
)
def test_an_argument_out_of_range_is_refused_by_name(memory, argument, value):
    with pytest.raises(ValueError, match=f"{argument}="):
        memory.recall(**{argument: value})


def test_a_half_life_in_bars_needs_their_interval(memory):
    with pytest.raises(ValueError, match="interval"):
        memory.recall(half_life=Bars(60))


def test_a_weight_is_not_negative():
    with pytest.raises(ValueError, match=r"weights\.recency=-1"):
        Weights(recency=-1)


def test_a_filter_is_a_filter(memory):
    with pytest.raises(TypeError, match="give a Filter"):
        memory.recall(filter={"kind": "trade"})


def test_a_filter_runs_inside_the_search(memory):
    memory.remember_many(
        [record(id=f"{n:02}", embedding=axis(0), attributes={"n": n}) for n in range(30)]
    )
    found = memory.recall(embedding=axis(0), filter=Filter(attributes={"n": ge(25)}), top_k=5)
    assert sorted(ids(found)) == ["25", "26", "27", "28", "29"]


def test_a_namespace_means_itself_and_those_below(memory):
    memory.remember_many(
        [
            record(id="a", namespace="swarm/a"),
            record(id="b", namespace="swarm/a/trades"),
            record(id="c", namespace="swarm/ab"),
        ]
    )
    assert sorted(ids(memory.recall(namespace="swarm/a"))) == ["a", "b"]


def test_what_was_not_known_yet_is_not_found(memory):
    memory.remember_many([record(id="early", known_at=day(1)), record(id="late", known_at=day(3))])
    assert ids(memory.recall(as_of=day(2))) == ["early"]


def test_as_of_is_the_clocks_now_by_default(memory):
    assert memory.recall().as_of == day(10)


def test_what_was_written_later_is_left_out_on_request(memory):
    memory.remember(record(id="first"))
    memory.remember(record(id="second"))
    assert ids(memory.recall(recorded_by=1)) == ["first"]


def test_what_was_recorded_later_is_left_out_on_request(memory, clock):
    memory.remember(record(id="first"))
    clock.advance(1)
    memory.remember(record(id="second"))
    assert ids(memory.recall(recorded_by=day(10))) == ["first"]


def test_records_of_little_trust_are_left_out_on_request(memory):
    memory.remember_many(
        [
            record(id="a", provenance=Provenance(trust=0.9)),
            record(id="b", provenance=Provenance(trust=0.1)),
        ]
    )
    assert ids(memory.recall(min_trust=0.5)) == ["a"]


def test_recency_halves_with_each_half_life(memory):
    memory.remember(record(event_time=day(4), known_at=day(4)))
    found = memory.recall(half_life=timedelta(days=3))
    assert found.hits[0].recency == pytest.approx(0.25)


def test_a_half_life_may_be_counted_in_bars(memory):
    memory.remember(record(event_time=day(4), known_at=day(4)))
    found = memory.recall(half_life=Bars(3, interval=timedelta(days=1)))
    assert found.hits[0].recency == pytest.approx(0.25)


def test_parts_that_do_not_apply_are_left_out_of_the_score(memory):
    memory.remember(record(importance=1.0))
    hit = memory.recall().hits[0]
    assert (hit.similarity, hit.recency, hit.outcome) == (None, None, None)
    assert hit.score == pytest.approx(1 - np.exp(-1.0))


def test_a_good_outcome_ranks_above_a_bad_one(memory):
    memory.remember_many(
        [record(id="bad", outcome=Outcome(-1.0)), record(id="good", outcome=Outcome(1.0))]
    )
    assert ids(memory.recall()) == ["good", "bad"]


def test_weights_decide_what_counts(memory):
    memory.remember_many(
        [
            record(id="near", embedding=axis(0), importance=0.0),
            record(id="weighty", embedding=axis(1), importance=9.0),
        ]
    )
    found = memory.recall(embedding=axis(0), weights=Weights(0.1, 0.0, 0.9, 0.0))
    assert ids(found) == ["weighty", "near"]


def test_an_attribute_gives_the_order_without_a_query(memory):
    memory.remember_many([record(id=name, attributes={"rank": n}) for n, name in enumerate("abc")])
    assert ids(memory.recall(order_by="-attributes.rank")) == ["c", "b", "a"]


def test_a_time_gives_the_order_without_a_query(memory):
    memory.remember_many([record(id="a", event_time=day(2)), record(id="b", event_time=day(1))])
    assert ids(memory.recall(order_by="event_time")) == ["b", "a"]


def test_an_order_and_a_query_exclude_each_other(memory):
    with pytest.raises(ValueError, match="order_by='event_time' with a query"):
        memory.recall(embedding=axis(0), order_by="event_time")


def test_diversity_prefers_what_is_unlike_better_hits(memory):
    memory.remember_many(
        [
            record(id="best", embedding=[1, 0, 0, 0]),
            record(id="twin", embedding=[1, 0.01, 0, 0]),
            record(id="other", embedding=[0.6, 0.8, 0, 0]),
        ]
    )
    found = memory.recall(embedding=axis(0), weights=SIMILARITY, top_k=2, diversity=0.7)
    assert ids(found) == ["best", "other"]


@pytest.mark.parametrize("exact", [None, True, False])
def test_every_candidate_is_scored(memory, exact):
    memory.remember(record(embedding=axis(0)))
    assert memory.recall(embedding=axis(0), exact=exact).exact is True


def test_a_recall_tells_how_many_candidates_there_were(memory):
    memory.remember_many([record() for _ in range(5)])
    found = memory.recall(top_k=2)
    assert (len(found), found.matched) == (2, 5)


def test_a_recall_tells_the_last_commit_it_saw(memory):
    memory.remember(record())
    memory.put("risk", "limit", b"5")
    assert memory.recall().commit == 2


def test_a_recall_tells_what_was_forgotten(memory):
    memory.remember_many([record(id="a"), record(id="b")])
    memory.forget(["a"])
    found = memory.recall()
    assert (ids(found), found.complete, found.forgotten) == (["b"], False, 1)


def test_a_recall_that_nothing_forgotten_concerns_is_complete(memory):
    memory.remember_many([record(id="a", symbol="SPY"), record(id="b", symbol="QQQ")])
    memory.forget(["a"])
    assert memory.recall(filter=Filter(symbol="QQQ")).complete


def test_a_strict_recall_raises_where_something_was_forgotten(memory):
    memory.remember(record(id="a"))
    memory.forget(["a"])
    with pytest.raises(ForgottenError, match="1 records in scope"):
        memory.recall(strict=True)


def test_a_time_before_the_horizon_cannot_be_recalled(memory):
    memory.configure_namespace("trades", retention=timedelta(days=5))
    with pytest.raises(HorizonError):
        memory.recall(as_of=day(4))


def test_search_similar_gives_ids_and_similarities(memory):
    memory.remember_many([record(id="x", embedding=axis(0)), record(id="y", embedding=axis(1))])
    assert memory.search_similar("trades", axis(0)) == [
        ("x", pytest.approx(1.0)),
        ("y", pytest.approx(0.5)),
    ]


def test_search_similar_stops_at_top_k(memory):
    memory.remember_many([record(embedding=axis(0)) for _ in range(3)])
    assert len(memory.search_similar("trades", axis(0), top_k=2)) == 2


def test_search_similar_refuses_top_k_out_of_range(memory):
    with pytest.raises(ValueError, match="top_k=0"):
        memory.search_similar("trades", axis(0), top_k=0)


def test_search_batch_gives_for_each_row_what_search_similar_gives(memory):
    memory.remember_many([record(id="x", embedding=axis(0)), record(id="y", embedding=axis(1))])
    rows = [axis(0), axis(1), [1.0, 0.0, 1.0, 0.0]]
    assert memory.search_batch("trades", rows, top_k=1) == [
        memory.search_similar("trades", row, top_k=1) for row in rows
    ]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (axis(0), r"embeddings has shape \(4,\): give two dimensions"),
        (np.zeros((0, 4)), "give two dimensions"),
        ([["a"]], "embeddings has dtype"),
        (np.zeros((1, 3)), "has 3 dimensions; the space has 4"),
        (np.full((1, 4), np.nan), "every value must be finite"),
    ],
)
def test_search_batch_refuses_what_is_no_batch(memory, rows, told):
    with pytest.raises((InvalidEmbeddingError, DimensionMismatchError), match=told):
        memory.search_batch("trades", rows)


# --- explaining ---


def explained(memory):
    memory.remember(record(id="a", embedding=axis(0), importance=1.0, outcome=Outcome(2.0)))
    return memory.recall(embedding=axis(0), half_life=timedelta(days=10)).hits[0].explain()


def test_an_explanation_has_every_part(memory):
    assert set(explained(memory)["parts"]) == {"similarity", "recency", "importance", "outcome"}


def test_the_weights_of_an_explanation_add_up_to_one(memory):
    parts = explained(memory)["parts"].values()
    assert sum(part["weight"] for part in parts) == pytest.approx(1.0)


def test_the_contributions_of_an_explanation_add_up_to_the_score(memory):
    explanation = explained(memory)
    total = sum(part["contribution"] for part in explanation["parts"].values())
    assert total == pytest.approx(explanation["score"])


def test_an_explanation_leaves_out_what_does_not_apply(memory):
    memory.remember(record())
    assert set(memory.recall().hits[0].explain()["parts"]) == {"importance"}


def test_an_explanation_gives_the_reason(memory):
    assert explained(memory)["reason"].startswith("similarity 1.000 x 0.60")


def test_an_explanation_names_the_tier(memory):
    assert explained(memory)["tier"] == "L2"


def test_an_explanation_of_an_order_names_it(memory):
    memory.remember(record(importance=2.5))
    hit = memory.recall(order_by="-importance").hits[0]
    assert hit.explain()["reason"] == "ordered by -importance: 2.5"


def test_nothing_weighs_anything_without_weights(memory):
    memory.remember(record())
    hit = memory.recall(weights=Weights(0, 0, 0, 0)).hits[0]
    assert (hit.score, hit.explain()["reason"]) == (0.0, "no part has a weight")


def test_the_table_has_a_row_for_each_hit(memory):
    memory.remember_many([record(id="first"), record(id="second")])
    lines = memory.recall().explain().splitlines()
    assert [line.split()[1] for line in lines[:3]] == ["id", "first", "second"]


def test_the_table_ends_with_how_the_answer_was_made(memory):
    memory.remember(record())
    assert memory.recall().explain().splitlines()[-1] == (
        "1 of 1 candidates, exact, as of 2024-01-12T00:00:00+00:00, commit 1, 0 forgotten"
    )


# --- replaying ---


def test_a_recall_is_replayed(memory):
    memory.remember_many([record(embedding=axis(n)) for n in range(4)])
    asked = memory.recall(embedding=axis(2), filter=Filter(kind="trade"), half_life=60.0)
    assert memory.replay(asked.id) == asked


def test_later_writes_do_not_change_a_replay(memory, clock):
    memory.remember(record(id="a", embedding=axis(0)))
    asked = memory.recall(embedding=axis(0))
    memory.remember(record(id="b", embedding=axis(0), known_at=day(1)))
    memory.settle("a", Outcome(5.0, known_at=day(2)))
    clock.advance(timedelta(days=1))
    assert memory.replay(asked.id) == asked


@pytest.mark.parametrize("recorded_by", [1, day(9), day(10), day(11)])
def test_later_writes_do_not_change_a_replay_of_a_bound_recall(memory, clock, recorded_by):
    clock.set(day(10))
    memory.remember(record(id="a"))
    asked = memory.recall(recorded_by=recorded_by)
    memory.remember(record(id="b"))
    clock.advance(timedelta(days=3))
    memory.remember(record(id="c"))
    assert memory.replay(asked.id) == asked


def test_a_past_bound_is_kept_in_a_replay(memory, clock):
    memory.remember(record(id="a"))
    clock.advance(timedelta(days=1))
    memory.remember(record(id="b"))
    asked = memory.recall(recorded_by=day(10))
    assert ids(memory.replay(asked.id)) == ["a"]


def test_a_replay_after_a_forget_is_not_complete(memory):
    memory.remember_many([record(id="a"), record(id="b")])
    asked = memory.recall()
    memory.forget(["a"])
    again = memory.replay(asked.id)
    assert (ids(again), again.complete) == (["b"], False)


def test_a_replay_of_an_incomplete_recall_is_compared(memory):
    memory.remember_many([record(id="a"), record(id="b")])
    memory.forget(["a"])
    asked = memory.recall()
    assert memory.replay(asked.id) == asked


def test_an_unknown_recall_cannot_be_replayed(memory):
    with pytest.raises(RecordNotFoundError, match="no recall 'nothing'"):
        memory.replay("nothing")


def test_a_recall_from_before_the_horizon_is_in_the_log_no_more(memory, clock):
    memory.configure_namespace("trades", retention=timedelta(days=1))
    early, elsewhere = memory.recall(namespace="trades"), memory.recall(namespace="notes")
    clock.advance(timedelta(days=2))
    late = memory.recall(namespace="trades")
    assert memory.replay(late.id) == late
    assert memory.replay(elsewhere.id) == elsewhere
    with pytest.raises(RecordNotFoundError, match="retention erases those"):
        memory.replay(early.id)


def test_a_recall_that_is_not_logged_has_no_id(memory):
    assert memory.recall(log=False).id == ""


def test_recalls_have_ids_of_their_own(memory):
    assert memory.recall().id != memory.recall().id


class Altered:
    """A store whose logged recalls claim another score."""

    def __init__(self, store):
        self._store = store

    def __getattr__(self, name):
        return getattr(self._store, name)

    def recall_log(self, id_, /):
        entry = unpack(self._store.recall_log(id_))
        entry["hits"][0][2] += 0.125
        return pack(entry)


def test_a_replay_that_differs_from_the_log_is_an_error(memory):
    memory.remember(record(id="a"))
    asked = memory.recall()
    altered = MemorySystem(memory.config, store=Altered(memory.store))
    with pytest.raises(CorruptionError, match=r"hit 1 is \['a', 0, .*instead of \['a', 0, "):
        altered.replay(asked.id)


def test_a_log_of_another_format_is_an_error(memory):
    memory.store.log_recall("one", pack({"format": 0}))
    with pytest.raises(CorruptionError, match="unknown format"):
        memory.replay("one")


def test_a_recall_changes_nothing_that_a_recall_sees(memory):
    memory.remember(record())
    before = memory.recall(log=False)
    memory.recall()
    memory.flush()
    after = memory.recall(log=False)
    assert ids(before) == ids(after)


def test_the_same_seed_and_clock_give_the_same_ids(open_on):
    def made():
        with open_on(ManualClock(day(1))) as memory:
            return [memory.remember(record(event_time=day(0))), memory.recall().id]

    assert made() == made()
