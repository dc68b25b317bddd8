"""Knowledge: entries with versions, and how often they were retrieved."""

from dataclasses import replace
from datetime import timedelta

import pytest

from builders import axis, day
from experiences import AGENT, entry, regime, strategy
from nt_memory import (
    ConflictError,
    DimensionMismatchError,
    MemoryRetrievalService,
    NamespaceError,
    Record,
    RecordNotFoundError,
    SemanticMemory,
    SemanticStore,
    SerializationError,
)
from nt_memory.metrics import PerformanceMetrics

PERFORMANCE = PerformanceMetrics.of([0.01, -0.02, 0.03], [day(1), day(2), day(3)])
FULL = {
    "description": "prices rise after a quiet week",
    "concept_vector": axis(2),
    "agent_id": AGENT,
    "confidence": 0.6,
    "pattern_id": "quiet-week",
    "conditions": {"volatility": ["<", 0.1]},
    "expected_return": 0.004,
    "win_rate": 0.55,
    "historical_performance": PERFORMANCE,
    "tags": ["kept"],
}


def test_an_entry_comes_back_as_it_was_stored(memory):
    given = entry(**FULL)
    id_ = SemanticStore(memory).add(given)
    found = SemanticStore(memory).get(id_)
    assert found == replace(given, memory_id=id_, known_at=day(3))
    assert (found.sharpe_ratio, found.max_drawdown) == (
        PERFORMANCE.sharpe,
        PERFORMANCE.max_drawdown,
    )


@pytest.mark.parametrize(
    "given",
    [
        regime(
            regime_features={"volatility": 0.2},
            typical_duration=3600,
            transition_probability={"QUIET": 0.7, "CRISIS": 0.1},
        ),
        strategy(success_rate_by_regime={"TRENDING": 0.6}),
        entry("CORRELATION", description="bonds fall as shares rise", max_drawdown=-0.1),
    ],
    ids=lambda given: given.memory_type,
)
def test_each_type_comes_back(memory, given):
    id_ = SemanticStore(memory).add(given)
    assert SemanticStore(memory).get(id_) == replace(given, memory_id=id_, known_at=day(0))


def test_an_entry_is_a_record_that_filters_find(memory):
    record = memory.get_record(SemanticStore(memory).add(strategy(description="buy what rose")))
    assert (record.namespace, record.kind) == ("shared/knowledge", "semantic")
    assert record.text == "buy what rose"
    assert record.attributes == {
        "memory_type": "STRATEGY",
        "strategy_name": "momentum",
        "applicable_regimes": ["TRENDING"],
        "sharpe_ratio": 2.0,
        "max_drawdown": 0.0,
    }
    own = memory.get_record(SemanticStore(memory).add(entry(**FULL)))
    assert (own.namespace, own.agent_id) == ("swarm/hedge/knowledge", AGENT)


def test_descriptions_are_found_by_their_words(memory):
    store = SemanticStore(memory)
    store.add_many([entry(description="gold falls"), entry(description="oil rises")])
    found = memory.recall(text="oil rise", namespace="shared/knowledge", top_k=1)
    assert found.hits[0].record.text == "oil rises"


def test_an_update_is_a_new_version(memory, clock):
    store = SemanticStore(memory)
    id_ = store.add(regime(typical_duration=60))
    first = store.get(id_)
    clock.advance(timedelta(days=1))
    assert store.update(replace(first, typical_duration=90)) == id_
    assert store.get(id_, as_of=day(10)) == first
    assert store.get(id_).typical_duration == 90
    assert (store.get(id_).known_at, store.get(id_).created_at) == (day(11), day(0))
    store.update(replace(first, typical_duration=120), known_at=day(12))
    assert store.get(id_).typical_duration == 90
    assert store.get(id_, as_of=day(12)).typical_duration == 120


def test_an_entry_is_known_from_when_it_is_told(memory):
    store = SemanticStore(memory)
    id_ = store.add(regime(), known_at=day(3))
    assert store.get(id_, as_of=day(2)) is None
    assert store.get(id_, as_of=day(3)).known_at == day(3)


def test_what_it_came_to_is_not_known_before(memory):
    store = SemanticStore(memory)
    learned = entry(historical_performance=PERFORMANCE)
    id_ = store.add(learned)
    assert store.get(id_, as_of=day(2.9)) is None
    assert store.get(id_, as_of=day(3)).historical_performance == PERFORMANCE
    assert store.get(store.add(replace(learned, created_at=day(5)))).known_at == day(5)
    for write in (store.add, store.update):
        with pytest.raises(ValueError, match="known_at="):
            write(replace(store.get(id_), memory_id=id_), day(2))
    assert len(memory.store.versions(id_)) == 1


def test_several_are_one_batch(memory):
    store = SemanticStore(memory)
    ids = store.add_many([regime(memory_id="a"), strategy(), regime("QUIET", memory_id="c")])
    assert (ids[0], ids[2], len(ids[1])) == ("a", "c", 26)
    with pytest.raises(ConflictError):
        store.add_many([regime(memory_id="d"), regime(memory_id="a")])
    assert store.get("d") is None
    assert store.add_many([]) == []


def test_all_entries_come_by_their_beginning(memory):
    store = SemanticStore(memory)
    store.add_many([regime(memory_id="r", created_at=day(2)), strategy(memory_id="s")])
    store.add(entry(agent_id=AGENT, memory_id="p"))

    def ids(*args, **options):
        return "".join(found.memory_id for found in store.entries(*args, **options))

    assert (ids(), ids("REGIME"), ids(as_of=day(1))) == ("sr", "r", "s")
    assert (ids(agent_id=AGENT), ids("REGIME", AGENT)) == ("p", "")
    assert (store.count(), store.count("STRATEGY"), store.count(agent_id=AGENT)) == (2, 1, 1)


def test_the_commit_bounds_what_was_held(memory):
    store = SemanticStore(memory)
    id_ = store.add(regime(typical_duration=60))
    commit = memory.recall().commit
    store.update(replace(store.get(id_), typical_duration=90), known_at=day(1))
    assert store.get(id_, recorded_by=commit).typical_duration == 60
    assert [e.typical_duration for e in store.entries(recorded_by=commit)] == [60]


def test_retrievals_are_counted_by_days(memory, clock):
    store, service = SemanticStore(memory), MemoryRetrievalService(memory)
    id_ = store.add(regime(concept_vector=axis(0)))
    for _ in range(3):
        service.retrieve_similar_regimes(axis(0))
    clock.advance(timedelta(days=40))
    service.retrieve_regime_knowledge("TRENDING")
    assert (store.accesses(id_), store.accesses(id_, 30), store.accesses(id_, 41)) == (4, 1, 4)
    found = store.get(id_)
    assert (found.access_count, found.last_accessed) == (4, day(50))


def test_as_of_a_time_a_day_counts_when_it_is_over(memory, clock):
    store, service = SemanticStore(memory), MemoryRetrievalService(memory)
    id_ = store.add(regime(concept_vector=axis(0)))
    service.retrieve_similar_regimes(axis(0))
    assert store.accesses(id_, as_of=day(10)) == 0
    assert store.accesses(id_, as_of=day(99)) == 0
    clock.advance(timedelta(days=3))
    assert store.accesses(id_, as_of=day(10.9)) == 0
    assert store.accesses(id_, as_of=day(11)) == 1
    assert store.accesses(id_, 1, as_of=day(11)) == 1
    assert store.accesses(id_, 1, as_of=day(12)) == 0
    assert store.get(id_, as_of=day(10)).access_count == 0
    assert store.get(id_, as_of=day(11)).access_count == 1


def test_a_question_about_the_past_is_not_counted(memory):
    store, service = SemanticStore(memory), MemoryRetrievalService(memory)
    id_ = store.add(regime(concept_vector=axis(0)))
    service.retrieve_similar_regimes(axis(0), as_of=day(9))
    service.retrieve_similar_regimes(axis(0), recorded_by=1)
    service.retrieve_regime_knowledge("TRENDING", as_of=day(10))
    service.find_similar_pattern(axis(0))
    store.get(id_)
    assert store.accesses(id_) == 0


def test_ids_that_begin_alike_are_counted_apart(memory):
    store, service = SemanticStore(memory), MemoryRetrievalService(memory)
    store.add_many(
        [
            regime("A", memory_id="a", concept_vector=axis(0)),
            regime("B", memory_id="a/2024-01-12", concept_vector=axis(1)),
        ]
    )
    service.retrieve_regime_knowledge("B")
    assert (store.accesses("a"), store.accesses("a/2024-01-12")) == (0, 1)


@pytest.mark.parametrize(
    ("fields", "error", "told"),
    [
        ({"memory_type": "OTHER"}, ValueError, "memory_type='OTHER'"),
        ({"memory_type": "REGIME"}, ValueError, "regime_name=None"),
        ({"memory_type": "STRATEGY"}, ValueError, "strategy_name=None"),
        ({"memory_type": "STRATEGY", "strategy_name": "s"}, ValueError, "applicable_regimes="),
        ({"created_at": None}, TypeError, "created_at=None"),
        ({"description": None}, ValueError, "description=None"),
        ({"concept_vector": "x"}, ValueError, "concept_vector"),
        ({"agent_id": 3}, ValueError, "agent_id=3"),
        ({"confidence": 2}, ValueError, "confidence=2"),
        ({"win_rate": -0.1}, ValueError, "win_rate=-0.1"),
        ({"typical_duration": -1}, ValueError, "typical_duration=-1"),
        ({"expected_return": float("nan")}, ValueError, "expected_return=nan"),
        ({"sharpe_ratio": "good"}, ValueError, "sharpe_ratio='good'"),
        ({"max_drawdown": float("inf")}, ValueError, "max_drawdown=inf"),
        ({"historical_performance": {}}, TypeError, "historical_performance="),
        ({"applicable_regimes": "TRENDING"}, TypeError, "applicable_regimes='TRENDING'"),
        ({"transition_probability": {"A": 1.2}}, ValueError, r"transition_probability\['A'\]=1.2"),
        ({"transition_probability": {"A": 0.6, "B": 0.6}}, ValueError, "adds up to 1.2"),
        ({"transition_probability": [1]}, TypeError, "transition_probability="),
        ({"transition_probability": {3: 0.1}}, ValueError, "transition_probability="),
        ({"success_rate_by_regime": {"A": -1}}, ValueError, "success_rate_by_regime"),
        ({"conditions": 3}, TypeError, "conditions=3"),
        ({"conditions": {"x": object()}}, SerializationError, "object"),
        ({"tags": "kept"}, TypeError, "tags='kept'"),
    ],
)
def test_a_bad_entry_is_told(fields, error, told):
    with pytest.raises(error, match=told):
        entry(**fields)


@pytest.mark.parametrize(
    ("use", "error", "told"),
    [
        (lambda store: store.add({}), TypeError, "entry="),
        (lambda store: store.add(entry(agent_id="a/b")), NamespaceError, "agent_id='a/b'"),
        (lambda store: store.add(entry(concept_vector=[1.0])), DimensionMismatchError, "1 dim"),
        (lambda store: store.add(entry(), known_at=3), TypeError, "known_at=3"),
        (lambda store: store.update(entry()), RecordNotFoundError, "memory_id=''"),
        (lambda store: store.update(entry(memory_id="x")), RecordNotFoundError, "x"),
        (lambda store: store.update(3), TypeError, "entry=3"),
        (lambda store: store.entries("OTHER"), ValueError, "memory_type='OTHER'"),
        (lambda store: store.count(agent_id=""), NamespaceError, "agent_id=''"),
        (lambda store: store.accesses("x", 0), ValueError, "days=0"),
        (lambda store: store.accesses("x", 1.5), ValueError, "days=1.5"),
        (lambda store: store.accesses("x", as_of=3), TypeError, "as_of=3"),
    ],
)
def test_bad_input_changes_nothing(memory, use, error, told):
    with pytest.raises(error, match=told):
        use(SemanticStore(memory))
    assert memory.recall().commit == 0


def test_an_entry_stays_where_it_is(memory):
    store = SemanticStore(memory)
    id_ = store.add(regime())
    with pytest.raises(ValueError, match="namespace"):
        store.update(replace(store.get(id_), agent_id=AGENT))


def test_another_kind_of_record_is_no_entry(memory):
    id_ = memory.remember(Record(namespace="shared/knowledge", kind="note", event_time=day(0)))
    assert SemanticStore(memory).get(id_) is None
    assert SemanticStore(memory).count() == 0


def test_entries_are_compared_by_value():
    assert regime() == regime()
    assert regime() != regime("QUIET")
    assert regime() != 3
    assert isinstance(regime(), SemanticMemory)
    with pytest.raises(AttributeError):
        regime().confidence = 0.5
