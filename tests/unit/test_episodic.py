"""Episodes: stored, settled, and shown as they were known."""

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import axis, day, record
from experiences import AGENT, HOUR, episode, stored
from nt_memory import (
    Action,
    AgentSnapshot,
    ConflictError,
    DimensionMismatchError,
    EpisodicMemory,
    EpisodicStore,
    ForgottenError,
    InvalidEmbeddingError,
    MemoryConfig,
    MemoryLifecycle,
    MemorySystem,
    NamespaceError,
    RecordNotFoundError,
    SerializationError,
    SettledError,
    VectorError,
    VectorSpace,
)

FULL = {
    "reward": 0.5,
    "next_state_vector": axis(1),
    "regime": "TRENDING",
    "market_phase": "OPEN",
    "pattern_ids": ["p", "q"],
    "confidence": 0.7,
    "other_agent_actions": {"wyckoff": Action("SELL", 0.2, {"at": 3})},
    "terminal": True,
    "cumulative_return": 1.5,
    "outcome_known_at": day(2),
    "tags": ["pinned"],
    "action": Action("CLOSE", 0.3, {"limit": 471.5, "why": ["stop"]}),
}


class Scaled:
    """An encoder of two numbers."""

    id = "scaled-v1"

    def __call__(self, state):
        return [state["price"], state["volume"], 0.0, 1.0]


kinds = st.sampled_from(["BUY", "SELL", "HOLD", "CLOSE"])
sizes = st.floats(0.0, 1.0)
parameters = st.dictionaries(
    st.text(max_size=5), st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5)
)


@given(kinds, sizes, parameters)
def test_an_action_is_read_as_it_was_told(kind, size, given_):
    action = Action(kind, size, given_)
    assert Action.from_json(action.to_json()) == action
    assert Action.from_index(action.index, size).kind == kind


def test_signals_are_actions():
    told = [Action.from_signal(signal).kind for signal in ("long", "short", "neutral")]
    assert told == ["BUY", "SELL", "HOLD"]


def test_an_action_can_be_counted():
    assert len({Action("BUY"), Action("BUY"), Action("SELL")}) == 2


@pytest.mark.parametrize(
    ("make", "error", "field"),
    [
        (lambda: Action("buy"), ValueError, "kind='buy'"),
        (lambda: Action(None), ValueError, "kind=None"),
        (lambda: Action([]), ValueError, r"kind=\[\]"),
        (lambda: Action("BUY", 1.5), ValueError, "size=1.5"),
        (lambda: Action("BUY", float("nan")), ValueError, "size=nan"),
        (lambda: Action("BUY", 1, [3]), TypeError, "parameters="),
        (lambda: Action("BUY", 1, {"x": object()}), SerializationError, "object"),
        (lambda: Action.from_index(4), ValueError, "index=4"),
        (lambda: Action.from_index(-1), ValueError, "index=-1"),
        (lambda: Action.from_index(True), TypeError, "index=True"),  # noqa: FBT003 (bad)
        (lambda: Action.from_index(1.0), TypeError, "index=1.0"),
        (lambda: Action.from_signal("up"), ValueError, "signal='up'"),
        (lambda: Action.from_signal([]), ValueError, "signal="),
        (lambda: Action.from_json({}), ValueError, "action="),
        (lambda: Action.from_json({"kind": "BUY", "price": 1}), ValueError, "action="),
        (lambda: Action.from_json(3), TypeError, "action=3"),
        (lambda: AgentSnapshot(datetime(2024, 1, 1)), ValueError, "at="),  # noqa: DTZ001 (naive)
        (lambda: AgentSnapshot(day(0), regime=3), TypeError, "regime=3"),
        (lambda: AgentSnapshot(day(0), position=float("inf")), ValueError, "position=inf"),
        (lambda: AgentSnapshot(day(0), last_action="BUY"), TypeError, "last_action="),
        (lambda: AgentSnapshot(day(0), confidence=2), ValueError, "confidence=2"),
    ],
)
def test_a_bad_action_is_told(make, error, field):
    with pytest.raises(error, match=field):
        make()


def test_a_snapshot_is_read_as_it_was_told():
    snapshot = AgentSnapshot(day(1), "QUIET", -2.5, Action("SELL"), 0.4)
    assert AgentSnapshot.from_json(snapshot.to_json()) == snapshot
    assert AgentSnapshot.from_json(AgentSnapshot(day(1)).to_json()) == AgentSnapshot(day(1))


def test_an_episode_comes_back_as_it_was_stored(memory):
    given_ = episode(**FULL)
    id_ = EpisodicStore(memory).add(given_)
    found = EpisodicStore(memory).get(id_)
    assert found == replace(given_, memory_id=id_, quality=0.7)
    assert found.is_pinned
    assert not found.is_open


def test_an_open_episode_comes_back_open(memory):
    id_ = stored(memory)
    found = EpisodicStore(memory).get(id_)
    assert found == replace(episode(), memory_id=id_, quality=1.0)
    assert found.is_open


def test_an_episode_is_a_record_that_filters_find(memory):
    id_ = stored(memory, **FULL)
    record = memory.get_record(id_)
    assert record.namespace == "swarm/hedge/episodes"
    assert (record.kind, record.agent_id, record.symbol) == ("episode", AGENT, "SPY")
    assert (record.regime, record.confidence, record.event_time) == ("TRENDING", 0.7, day(0))
    assert record.attributes == {
        "action": "CLOSE",
        "action_size": 0.3,
        "market_phase": "OPEN",
        "pattern_ids": ["p", "q"],
        "quality": 0.7,
    }
    assert record.tags == ("pinned",)


def test_what_came_of_it_shows_from_its_own_time(memory):
    id_ = stored(memory, **FULL)
    store = EpisodicStore(memory)
    before, after = store.get(id_, as_of=day(1)), store.get(id_, as_of=day(2))
    assert store.get(id_, as_of=day(-1)) is None
    later = ("reward", "next_state_vector", "terminal", "cumulative_return", "outcome_known_at")
    assert [getattr(before, name) for name in later] == [None] * 5
    assert (after.reward, after.terminal, after.cumulative_return) == (0.5, True, 1.5)
    assert after.outcome_known_at == day(2)
    assert after.opened() == before


def test_an_episode_that_was_open_is_settled_later(memory, clock):
    store = EpisodicStore(memory)
    id_ = stored(memory)
    version = store.settle(
        id_, 0.2, next_state_vector=axis(2), terminal=True, cumulative_return=0.3, known_at=day(4)
    )
    assert version == 1
    assert store.get(id_, as_of=day(3)).is_open
    found = store.get(id_)
    assert (found.reward, found.terminal, found.cumulative_return) == (0.2, True, 0.3)
    assert found.next_state_vector.tolist() == axis(2)
    with pytest.raises(SettledError):
        store.settle(id_, 0.4)
    clock.advance(HOUR)
    store.settle(id_, 0.4, revise=True)
    assert (store.get(id_).reward, store.get(id_).terminal) == (0.4, False)
    assert store.get(id_, as_of=day(10)).reward == 0.2


def test_without_a_time_an_outcome_is_known_when_it_is_told(memory):
    id_ = stored(memory)
    EpisodicStore(memory).settle(id_, 0.2)
    assert EpisodicStore(memory).get(id_).outcome_known_at == memory.clock.now()


def test_an_outcome_that_came_with_the_episode_was_known_with_it(memory):
    found = EpisodicStore(memory).get(stored(memory, reward=1.0), as_of=day(0))
    assert (found.reward, found.outcome_known_at, found.terminal) == (1.0, day(0), False)


def test_several_are_one_batch(memory):
    store = EpisodicStore(memory)
    ids = store.add_many([episode(memory_id="a"), episode(), episode(memory_id="c")])
    assert (ids[0], ids[2], len(ids[1])) == ("a", "c", 26)
    with pytest.raises(ConflictError):
        store.add_many([episode(memory_id="d"), episode(memory_id="a")])
    assert store.get("d") is None
    assert store.add_many([]) == []


def test_recent_ones_come_latest_first(memory):
    store = EpisodicStore(memory)
    store.add_many([episode(timestamp=day(n), memory_id=str(n)) for n in range(5)])
    store.add(episode(timestamp=day(5), memory_id="q", product_id="QQQ"))
    store.add(episode(timestamp=day(6), agent_id="other"))
    assert [e.memory_id for e in store.recent(AGENT, 3)] == ["q", "4", "3"]
    assert [e.memory_id for e in store.recent(AGENT, 1, product_id="SPY")] == ["4"]
    assert [e.memory_id for e in store.recent(AGENT, as_of=day(1))] == ["1", "0"]
    assert (store.count(), store.count(AGENT), store.count(AGENT, as_of=day(1))) == (7, 6, 2)


def test_all_of_a_spell_come_in_their_order(memory):
    store = EpisodicStore(memory)
    store.add_many([episode(timestamp=day(n), memory_id=str(n)) for n in (3, 1, 2, 0)])
    store.add(episode(agent_id="other", memory_id="o"))

    def ids(*args, **bounds):
        return "".join(found.memory_id for found in store.episodes(*args, **bounds))

    assert ids(AGENT) == "0123"
    assert ids() == "0o123"
    assert (ids(since=day(2)), ids(until=day(0))) == ("23", "0o")
    assert ids(since=day(1), until=day(2)) == "12"
    assert ids(AGENT, as_of=day(1)) == "01"


def test_the_commit_bounds_what_was_held(memory):
    store = EpisodicStore(memory)
    id_ = stored(memory)
    commit = memory.recall().commit
    store.settle(id_, 1.0, known_at=day(1))
    stored(memory)
    assert store.get(id_, recorded_by=commit).is_open
    assert store.count(AGENT, recorded_by=commit) == 1
    assert len(store.recent(AGENT, recorded_by=commit)) == 1


def test_what_is_not_good_enough_is_not_stored(memory):
    store = EpisodicStore(memory, least_quality=0.5)
    assert store.add_many([episode(confidence=0.4), episode(confidence=0.5)])[0] is None
    assert store.add(episode(confidence=0.1)) is None
    assert store.count() == 1


def test_quality_is_judged_by_what_was_known_at_the_time(memory):
    def by_reward(seen):
        return 0.25 if seen.is_open else 0.75

    store = EpisodicStore(memory, quality=by_reward)
    late, known = store.add_many([episode(reward=1.0, outcome_known_at=day(1)), episode(reward=1)])
    assert store.get(late).quality == 0.25
    assert store.get(known).quality == 0.75


def test_an_episode_is_hidden_after_its_lifetime(memory):
    store = EpisodicStore(memory, ttl=3 * 86_400.0)
    id_ = store.add(episode(reward=1.0, outcome_known_at=day(1)))
    assert store.get(id_, as_of=day(2)).reward == 1.0
    assert store.get(id_, as_of=day(3)) is None
    assert store.count(as_of=day(2)) == 1
    assert store.count() == 0


def shown(found):
    return found and replace(found, tags=())


def test_an_episode_is_pinned_from_now_on(memory, clock):
    store = EpisodicStore(memory)
    ids = [
        stored(memory),
        stored(memory, reward=1.0, outcome_known_at=day(2)),
        stored(memory, reward=1.0, outcome_known_at=day(12)),
        stored(memory, timestamp=day(11), reward=1.0, outcome_known_at=day(12)),
        stored(memory, reward=1.0, outcome_known_at=day(2), tags=["kept"]),
    ]
    store.settle(ids[4], 2.0, known_at=day(12), revise=True)
    store.settle(ids[4], 3.0, known_at=day(13), revise=True)
    times = [day(n / 2) for n in range(30)]
    before = [[shown(store.get(id_, as_of=at)) for at in times] for id_ in ids]
    for id_ in ids:
        store.pin(id_)
        count = len(memory.store.versions(id_))
        store.pin(id_)
        if id_ != ids[3]:  # what shows later is pinned as often as one likes
            assert len(memory.store.versions(id_)) == count
    after = [[shown(store.get(id_, as_of=at)) for at in times] for id_ in ids]
    assert after == before
    for id_ in ids:
        told = [store.get(id_, as_of=at) for at in times]
        assert [found.is_pinned for found in told if found] == [
            at >= day(10) for at, found in zip(times, told, strict=True) if found
        ]
    assert store.get(ids[4]).tags == ("kept", "pinned")


def test_what_is_hidden_by_its_ttl_can_be_pinned(memory, clock):
    store = EpisodicStore(memory, ttl=86_400.0)
    id_ = store.add(episode())
    store.pin(id_)
    assert "pinned" in memory.store.versions(id_)[-1].tags
    clock.set(day(200))
    assert MemoryLifecycle(memory).prune().episodes == 0


def test_an_outcome_that_is_told_after_a_pin_says_since_when_it_was_known(memory):
    store = EpisodicStore(memory)
    id_ = store.add(episode(reward=None))
    store.pin(id_)
    store.settle(id_, 0.5, known_at=day(3))
    found = store.get(id_)
    assert (found.reward, found.outcome_known_at, found.is_pinned) == (0.5, day(3), True)


def test_states_are_encoded(clock):
    spaces = {"state": VectorSpace(dim=4, encoder="scaled-v1")}
    with MemorySystem(MemoryConfig(cold_engine="memory", spaces=spaces, clock=clock)) as memory:
        store = EpisodicStore(memory, encoder=Scaled())
        state = store.encode({"price": 2.0, "volume": 3.0})
        assert state.tolist() == [2.0, 3.0, 0.0, 1.0]
        assert store.get(store.add(episode(state_vector=state))).state_vector.tolist() == [
            2,
            3,
            0,
            1,
        ]
        with pytest.raises(VectorError, match="scaled-v2"):
            EpisodicStore(memory, encoder=type("Other", (Scaled,), {"id": "scaled-v2"})())
        with pytest.raises(VectorError, match="no encoder"):
            EpisodicStore(memory).encode({})
        for bad in (3, lambda state: state):
            with pytest.raises(TypeError, match="encoder="):
                EpisodicStore(memory, encoder=bad)


def test_states_need_a_space(clock):
    spaces = {"other": VectorSpace(dim=4)}
    with MemorySystem(MemoryConfig(cold_engine="memory", spaces=spaces, clock=clock)) as memory:
        with pytest.raises(VectorError, match="no space 'state'"):
            EpisodicStore(memory, encoder=Scaled())
        with pytest.raises(VectorError, match="no space 'state'"):
            EpisodicStore(memory).settle("x", 1.0, next_state_vector=axis(0))
        with pytest.raises(VectorError, match="state"):
            EpisodicStore(memory).add(episode())


@pytest.mark.parametrize(
    ("fields", "error", "told"),
    [
        ({"agent_id": 3}, ValueError, "agent_id=3"),
        ({"timestamp": datetime(2024, 1, 1)}, ValueError, "timestamp="),  # noqa: DTZ001 (naive)
        ({"timestamp": None}, TypeError, "timestamp=None"),
        ({"state_vector": [[1.0]]}, InvalidEmbeddingError, "state_vector"),
        ({"state_vector": ["a"]}, InvalidEmbeddingError, "state_vector"),
        ({"action": "BUY"}, TypeError, "action='BUY'"),
        ({"product_id": ""}, ValueError, "product_id=''"),
        ({"product_id": None}, ValueError, "product_id=None"),
        ({"regime": 3}, ValueError, "regime=3"),
        ({"market_phase": "NIGHT"}, ValueError, "market_phase='NIGHT'"),
        ({"pattern_ids": "p"}, TypeError, "pattern_ids='p'"),
        ({"pattern_ids": [3]}, ValueError, "pattern_ids="),
        ({"confidence": 1.1}, ValueError, "confidence=1.1"),
        ({"quality": -1}, ValueError, "quality=-1"),
        ({"other_agent_actions": {"a": "BUY"}}, TypeError, "other_agent_actions"),
        ({"other_agent_actions": 3}, TypeError, "other_agent_actions=3"),
        ({"reward": float("nan")}, ValueError, "reward=nan"),
        ({"terminal": True}, ValueError, "terminal=True without a reward"),
        ({"cumulative_return": 0.0}, ValueError, "cumulative_return=0.0 without"),
        ({"outcome_known_at": day(1)}, ValueError, "outcome_known_at="),
        ({"reward": 1, "terminal": 3}, TypeError, "terminal=3"),
        ({"reward": 1, "cumulative_return": "x"}, ValueError, "cumulative_return='x'"),
        ({"reward": 1, "outcome_known_at": day(-1)}, ValueError, "outcome_known_at="),
        ({"reward": 1, "next_state_vector": [1.0]}, DimensionMismatchError, "next_state_vector"),
        (
            {"reward": 1, "next_state_vector": [np.inf, 0, 0, 0]},
            InvalidEmbeddingError,
            "next_state_vector",
        ),
        ({"tags": "pinned"}, TypeError, "tags='pinned'"),
        ({"memory_id": None}, ValueError, "memory_id=None"),
    ],
)
def test_a_bad_episode_is_told(fields, error, told):
    with pytest.raises(error, match=told):
        episode(**fields)


@pytest.mark.parametrize(
    ("use", "error", "told"),
    [
        (lambda store: store.add({}), TypeError, "episode="),
        (lambda store: store.add(episode(agent_id="a/b")), NamespaceError, "agent_id='a/b'"),
        (
            lambda store: store.add(episode(state_vector=[1.0, 2.0])),
            DimensionMismatchError,
            "2 dimensions",
        ),
        (lambda store: store.add(episode(state_vector=[0.0] * 4)), InvalidEmbeddingError, "zero"),
        (lambda store: store.recent(AGENT, 0), ValueError, "limit=0"),
        (lambda store: store.recent(AGENT, True), ValueError, "limit=True"),  # noqa: FBT003 (bad)
        (lambda store: store.recent("", 1), NamespaceError, "agent_id=''"),
        (lambda store: store.count(3), NamespaceError, "agent_id=3"),
        (lambda store: store.count(as_of=3), TypeError, "as_of=3"),
        (lambda store: store.get("x", recorded_by=-1), ValueError, "recorded_by=-1"),
        (lambda store: store.pin("x"), RecordNotFoundError, "x"),
        (lambda store: store.settle("x", 1.0), RecordNotFoundError, "x"),
        (lambda store: store.settle("x", float("inf")), ValueError, "reward=inf"),
        (lambda store: store.settle("x", 1, terminal=1), TypeError, "terminal=1"),
        (lambda store: store.settle("x", 1, known_at=3), TypeError, "known_at=3"),
        (
            lambda store: store.settle("x", 1, next_state_vector=[1.0]),
            DimensionMismatchError,
            "next_state_vector",
        ),
    ],
)
def test_bad_input_changes_nothing(memory, use, error, told):
    with pytest.raises(error, match=told):
        use(EpisodicStore(memory))
    assert memory.recall().commit == 0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"least_quality": 2}, "least_quality=2"),
        ({"ttl": 0}, "ttl=0"),
        ({"ttl": -1}, "ttl=-1"),
    ],
)
def test_bad_options_are_told(memory, options, told):
    with pytest.raises(ValueError, match=told):
        EpisodicStore(memory, **options)


def test_a_quality_out_of_its_range_stores_nothing(memory):
    with pytest.raises(ValueError, match="quality=7"):
        EpisodicStore(memory, quality=lambda _: 7).add(episode())
    assert memory.recall().matched == 0


def test_an_outcome_is_not_known_before_its_episode(memory):
    id_ = stored(memory)
    with pytest.raises(ValueError, match="known"):
        EpisodicStore(memory).settle(id_, 1.0, known_at=day(-1))


def test_what_was_forgotten_is_told(memory):
    id_ = stored(memory)
    memory.forget(id_)
    with pytest.raises(ForgottenError):
        EpisodicStore(memory).get(id_)


def test_another_kind_of_record_is_no_episode(memory):
    from nt_memory import Record

    id_ = memory.remember(Record(namespace="swarm/hedge/episodes", kind="note", event_time=day(0)))
    assert EpisodicStore(memory).get(id_) is None
    assert EpisodicStore(memory).recent(AGENT) == []
    with pytest.raises(RecordNotFoundError, match="no such episode"):
        EpisodicStore(memory).pin(id_)


def test_episodes_are_compared_by_value():
    assert episode() == episode()
    assert episode() != episode(confidence=0.5)
    assert episode() != 3
    with pytest.raises(TypeError):
        hash(episode())
    with pytest.raises(AttributeError):
        episode().reward = 1.0
    assert isinstance(episode(), EpisodicMemory)


def test_only_episodes_are_settled_here(memory):
    id_ = memory.remember(record())
    with pytest.raises(RecordNotFoundError, match="no such episode"):
        EpisodicStore(memory).settle(id_, 1.0)
    assert memory.get_record(id_).outcome is None
