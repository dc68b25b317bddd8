"""Trading memories: searched, faded, capped, reset, saved and loaded."""

import json
from datetime import timedelta

import pytest

from builders import day
from nt_memory import (
    HALF_LIVES,
    AccessDeniedError,
    Bars,
    LifecycleScheduler,
    MemoryConfig,
    MemorySystem,
    Record,
    TradingMemoryItem,
    TradingMemoryStore,
    VectorError,
    VectorSpace,
)
from nt_memory.clock import micros


def item(content="depth vanished", kind="market_event", **fields):
    return TradingMemoryItem(kind, content, **{"timestamp": day(9), **fields})


def contents(items):
    return [each.content for each in items]


def test_an_item_comes_back_as_it_was_added(memory):
    store = TradingMemoryStore(memory, agent_id="hedge")
    metadata = {"event": "gap", "size": 3, "deep": True, "levels": [1.5, {"a": None}]}
    made = item(score=1.5, symbol="QQQ", metadata=metadata)
    id_ = store.add(made)
    [found] = store.get_recent()
    assert (found.id, found.metadata, found.timestamp) == (id_, metadata, day(9))
    assert (found.kind, found.content, found.score, found.symbol) == (
        "market_event",
        "depth vanished",
        1.5,
        "QQQ",
    )
    record = memory.get_record(id_)
    assert record.attributes == {"event": "gap", "size": 3.0, "deep": 1.0}
    assert (record.namespace, record.agent_id) == ("swarm/hedge/trading", "hedge")


def test_time_is_the_clocks_where_an_item_has_none(memory, clock):
    store = TradingMemoryStore(memory)
    store.add(TradingMemoryItem("trade", "bought"))
    assert store.get_recent()[0].timestamp == clock.now()
    assert store.namespace == "shared/trading"


def test_a_search_ranks_by_words_age_and_score(memory):
    store = TradingMemoryStore(memory, half_life=timedelta(days=2))
    store.add(item("depth vanished at the open", timestamp=day(1)))
    store.add(item("depth vanished at the open", timestamp=day(9), symbol="QQQ"))
    store.add(item("earnings beat", timestamp=day(9)))
    assert [found.timestamp for found in store.search("depth at the open")][:2] == [day(9), day(1)]
    assert contents(store.search("depth at the open", symbol="SPY", topk=1)) == [
        "depth vanished at the open"
    ]
    assert contents(store.search("depth", kind="trade")) == []
    store.add(item("depth vanished at the open", timestamp=day(1), score=5.0))
    assert store.search("depth at the open", symbol="SPY")[0].score == 5.0


def test_a_search_of_the_past_finds_what_was_known_then(memory):
    store = TradingMemoryStore(memory)
    store.add(item("late", timestamp=day(8)))
    store.add(item("early", timestamp=day(2)))
    assert contents(store.search("early late", as_of=day(5))) == ["early"]
    assert contents(store.get_recent(as_of=day(5))) == ["early"]
    assert contents(store.get_recent(n=1)) == ["late"]


def test_the_recent_come_latest_first_by_kind_and_symbol(memory):
    store = TradingMemoryStore(memory)
    store.add_many(
        [
            item("a", timestamp=day(1)),
            item("b", timestamp=day(3), symbol="QQQ"),
            item("c", "trade", timestamp=day(2)),
        ]
    )
    assert contents(store.get_recent()) == ["b", "c", "a"]
    assert contents(store.get_recent("trade")) == ["c"]
    assert contents(store.get_recent(symbol="SPY", n=1)) == ["c"]


def test_cleanup_hides_what_has_faded_from_now_on(memory, clock):
    store = TradingMemoryStore(memory, half_life=timedelta(days=1))
    store.add(item("old", timestamp=day(1)))
    store.add(item("old and weighty", timestamp=day(5), score=4.0))
    store.add(item("new"))
    assert store.cleanup(0.1) == 1
    assert contents(store.get_recent()) == ["new", "old and weighty"]
    assert contents(store.get_recent(as_of=day(9))) == ["new", "old and weighty", "old"]
    clock.advance(timedelta(days=20))
    assert store.cleanup() == 2
    assert store.cleanup() == 0


def test_the_cap_hides_the_most_faded_of_a_symbol(memory):
    store = TradingMemoryStore(memory, max_items=3, half_life=timedelta(days=1))
    for n in range(6):
        store.add(item(f"{n}", timestamp=day(n)))
    store.add(item("another", symbol="QQQ"))
    assert contents(store.get_recent(symbol="SPY")) == ["5", "4", "3"]
    assert contents(store.get_recent(symbol="QQQ")) == ["another"]


def test_a_large_cap_is_kept_within_a_few_items(memory):
    store = TradingMemoryStore(memory, max_items=40)
    store.add_many(item(f"{n}", timestamp=day(n / 10)) for n in range(60))
    assert len(store.get_recent(n=100)) == 40
    for n in range(12):
        store.add(item(f"more {n}"))
        assert len(store.get_recent(n=100)) <= 44
    store.cleanup(0.0)
    assert len(store.get_recent(n=100)) == 40


def test_a_reset_hides_all_from_now_on_even_what_is_still_to_come(memory, clock):
    store = TradingMemoryStore(memory)
    store.add(item("now"))
    id_ = store.add(item("decided", "signal"))
    memory.settle(id_, {"reward": 1.0, "known_at": day(12)})
    assert store.reset() == 2
    clock.set(day(13))
    assert store.get_recent() == []
    assert sorted(contents(store.get_recent(as_of=day(9)))) == ["decided", "now"]


def test_the_scheduler_resets_at_fixed_times(memory, clock):
    store = TradingMemoryStore(memory)
    store.add(item())
    scheduler = LifecycleScheduler(memory)
    scheduler.add("reset", lambda at: store.reset(), every=86_400)
    scheduler.run_pending()
    clock.advance(timedelta(days=1))
    scheduler.run_pending()
    assert store.get_recent() == []


def test_what_was_forgotten_meanwhile_is_no_hindrance(memory):
    store = TradingMemoryStore(memory)
    ids = store.add_many([item("a"), item("b")])
    memory.forget(ids[0])
    store._hide_some(ids)
    assert store.get_recent() == []


def test_a_summary_counts(memory):
    store = TradingMemoryStore(memory)
    store.add_many(
        [
            item("a", timestamp=day(1)),
            item("b", timestamp=day(9.5), score=2.0),
            item("c", "trade", timestamp=day(9.9)),
            item("d", symbol="QQQ"),
        ]
    )
    told = store.summarize("SPY", lookback_hours=24.0)
    assert (told.total_memories, told.recent_count, told.avg_score) == (3, 2, 1.5)
    assert told.by_kind == {"market_event": 1, "trade": 1}
    assert store.summarize().total_memories == 4
    assert store.summarize("IWM").avg_score is None


def test_what_was_saved_is_loaded_with_its_times(memory, tmp_path):
    store = TradingMemoryStore(memory, agent_id="hedge")
    store.add(item("line\nand \u2028 more", metadata={"a": [1, "ü"]}, timestamp=day(2)))
    store.add(item("b", timestamp=day(3)))
    assert store.save(tmp_path / "items") == 2
    other = TradingMemoryStore(memory, agent_id="markov")
    assert other.load(tmp_path / "items") == 2
    plain = [(found.content, found.timestamp, found.metadata) for found in other.get_recent()]
    assert plain == [("b", day(3), {}), ("line\nand \u2028 more", day(2), {"a": [1, "ü"]})]
    assert {found.id for found in store.get_recent()}.isdisjoint(
        found.id for found in other.get_recent()
    )
    assert [file.name for file in tmp_path.iterdir()] == ["items"]


def test_an_empty_store_saves_an_empty_file(memory, tmp_path):
    store = TradingMemoryStore(memory)
    assert store.save(tmp_path / "none") == 0
    assert store.load(tmp_path / "none") == 0


GOOD = {"kind": "trade", "content": "bought", "timestamp": "2024-01-03T00:00:00+00:00"}


@pytest.mark.parametrize(
    "line",
    [
        "no json",
        "[1]",
        "7",
        json.dumps({**GOOD, "kind": ""}),
        json.dumps({**GOOD, "score": -1}),
        json.dumps({**GOOD, "score": float("nan")}),
        json.dumps({**GOOD, "more": 1}),
        json.dumps({**GOOD, "timestamp": "yesterday"}),
        json.dumps({**GOOD, "timestamp": 5}),
        json.dumps({**GOOD, "timestamp": "2024-01-03T00:00:00"}),
        json.dumps({**GOOD, "metadata": {"x": float("nan")}}),
        json.dumps({**GOOD, "metadata": {"x": 10**400}}),
        "[" * 100_000,
    ],
)
def test_a_bad_line_is_named_and_nothing_is_loaded(memory, tmp_path, line):
    store = TradingMemoryStore(memory)
    (tmp_path / "items").write_text(json.dumps(GOOD) + "\n" + line + "\n")
    with pytest.raises(ValueError, match="line 2: is no item"):
        store.load(tmp_path / "items")
    assert store.get_recent() == []


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        ({"kind": " "}, "kind=' '"),
        ({"content": ""}, "content=''"),
        ({"symbol": None}, "symbol=None"),
        ({"score": -0.1}, "score="),
        ({"score": float("inf")}, "score=inf"),
        ({"timestamp": day(1).replace(tzinfo=None)}, "timestamp="),
    ],
)
def test_a_bad_item_is_named(bad, named):
    with pytest.raises(ValueError, match=named):
        TradingMemoryItem(**{"kind": "trade", "content": "bought", **bad})


def test_an_item_has_a_mapping_and_a_text_for_an_id():
    with pytest.raises(TypeError, match="metadata="):
        item(metadata=[1])
    with pytest.raises(TypeError, match="id=5"):
        item(id=5)


@pytest.mark.parametrize("metadata", [{"x": float("nan")}, {"x": 10**400}, {"x": object()}])
def test_metadata_that_cannot_be_kept_refuses_all(memory, metadata):
    store = TradingMemoryStore(memory)
    with pytest.raises((ValueError, TypeError)):
        store.add_many([item(), item(metadata=metadata)])
    assert store.get_recent() == []


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda store: store.search(""), "query=''"),
        (lambda store: store.search(7), "query=7"),
        (lambda store: store.search("a", kind=""), "kind=''"),
        (lambda store: store.search("a", symbol=5), "symbol=5"),
        (lambda store: store.search("a", topk=0), "topk=0"),
        (lambda store: store.get_recent(n=True), "n=True"),
        (lambda store: store.cleanup(-1.0), "min_score="),
        (lambda store: store.cleanup(float("nan")), "min_score=nan"),
        (lambda store: store.summarize(lookback_hours=-1), "lookback_hours=-1"),
        (lambda store: store.summarize(lookback_hours=1e300), "lookback_hours="),
    ],
)
def test_a_bad_argument_is_named_and_changes_nothing(memory, call, named):
    store = TradingMemoryStore(memory)
    store.add(item())
    with pytest.raises(ValueError, match=named):
        call(store)
    assert len(store.get_recent()) == 1


def test_no_item_is_a_type_error(memory):
    with pytest.raises(TypeError, match="dict is no TradingMemoryItem"):
        TradingMemoryStore(memory).add({"kind": "trade"})


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        ({"half_life": 0.0}, r"half_life=0\.0: give a duration longer than zero"),
        ({"half_life": Bars(60)}, "how long is a bar"),
        ({"max_items": 0}, "max_items=0"),
        ({"agent_id": "a/b"}, "agent_id='a/b'"),
        ({"agent_id": ""}, "agent_id=''"),
    ],
)
def test_a_bad_setting_is_named(memory, bad, named):
    with pytest.raises(ValueError, match=named):
        TradingMemoryStore(memory, **bad)


def test_what_somebody_else_wrote_there_is_no_hindrance(memory):
    store = TradingMemoryStore(memory)
    memory.remember(Record(namespace=store.namespace, kind="note", event_time=day(1), text=" "))
    assert contents(store.get_recent()) == ["note"]


def test_a_memory_without_texts_says_so(clock):
    config = MemoryConfig(cold_engine="memory", spaces={"state": VectorSpace(dim=4)}, clock=clock)
    with MemorySystem(config) as memory:
        store = TradingMemoryStore(memory)
        store.add(item("kept"))
        with pytest.raises(VectorError, match="no space 'text'"):
            store.search("kept")
        assert contents(store.get_recent()) == ["kept"]


@pytest.mark.parametrize("store_kind", ["native"])
def test_an_agent_remembers_in_its_own_hands_and_reads_what_is_shared(memory):
    hedge = memory.agent("hedge")
    store = TradingMemoryStore(hedge)
    id_ = store.add(item())
    assert store.namespace == "swarm/hedge/trading"
    assert memory.get_record(id_).provenance.writer == "hedge"
    assert store.cleanup(100.0) == 1
    TradingMemoryStore(memory).add(item("for all"))
    found = hedge.recall(namespace="shared/trading", order_by="event_time")
    assert [hit.record.text for hit in found] == ["for all"]
    with pytest.raises(AccessDeniedError):
        TradingMemoryStore(hedge, agent_id="markov").add(item())


def test_a_daily_half_life_outlasts_the_next_bar():
    day_us = micros(timedelta(days=1))
    after_a_bar = {name: 0.5 ** (day_us / micros(life)) for name, life in HALF_LIVES.items()}
    assert after_a_bar["daily"] > 0.98
    # That of the source, of 4 to 8 hours, is below its own least score of 0.1 within two bars.
    assert 0.5 ** (2 * day_us / micros(timedelta(hours=8))) < 0.1
    assert after_a_bar["hourly"] < 0.001


def test_a_path_that_is_none_is_refused_and_nothing_is_written(memory, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in (5, None, ["a"]):
        with pytest.raises(TypeError):
            TradingMemoryStore(memory).save(path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_text_is_refused(memory, tmp_path):
    (tmp_path / "items").write_bytes(b"\xff\xff")
    with pytest.raises(ValueError, match="items: is no text in UTF-8"):
        TradingMemoryStore(memory).load(tmp_path / "items")


@pytest.mark.parametrize("fields", [{"x" * 5000: 1}, {"timestamp": "2024" * 5000}])
def test_what_is_wrong_with_a_line_is_told_in_short(memory, tmp_path, fields):
    (tmp_path / "items").write_text(json.dumps({**item().to_json(), **fields}))
    with pytest.raises(ValueError, match="line 1: is no item") as told:
        TradingMemoryStore(memory).load(tmp_path / "items")
    assert len(str(told.value)) < 1000


def test_half_a_character_is_no_text():
    with pytest.raises(ValueError, match="content="):
        item("\ud800")
