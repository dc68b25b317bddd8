"""Trajectories in the store: as they were known."""

import asyncio

import pytest

from builders import axis, day
from nt_memory import (
    AsyncMemorySystem,
    DimensionMismatchError,
    Filter,
    ForgottenError,
    MemorySystem,
    NamespaceError,
    Trajectory,
    TrajectoryTracker,
)
from trajectories import decided


@pytest.fixture
def tracker(memory):
    return TrajectoryTracker(memory)


def ids(trajectories):
    return [each.id for each in trajectories]


def test_what_is_tracked_comes_back(tracker):
    made = decided(reward=0.03, metadata={"why": "gap"}, regime="QUIET")
    made.cite("01ABC")
    assert tracker.get(tracker.track(made)) == made


def test_the_memory_tracks_as_well(memory):
    made = decided(reward=0.03)
    assert TrajectoryTracker(memory).get(memory.track_trajectory(made)) == made
    assert memory.stats()["total_trajectories"] == 1


def test_a_loop_that_waits_tracks_as_well(memory):
    async def use():
        async with AsyncMemorySystem(memory) as opened:
            id_ = await opened.track_trajectory(decided())
            return id_, (await opened.stats())["total_trajectories"]

    id_, count = asyncio.run(use())
    assert id_
    assert count == 1


def test_outcomes_are_known_at_their_own_times(tracker):
    made = Trajectory("hedge", start_time=day(0))
    for n in (1.0, 2.0):
        made.add_action("buy", predicted_outcome=n, at=day(0))
    made.complete(day(1))
    made.add_outcome(10.0, known_at=day(2))
    made.add_outcome(20.0, known_at=day(4))
    id_ = tracker.track(made)
    known = {n: tracker.get(id_, as_of=day(n)) for n in range(6)}
    assert known[0] is None
    values = {n: [o.value for o in found.outcomes] for n, found in known.items() if found}
    assert values == {1: [], 2: [10.0], 3: [10.0], 4: [10.0, 20.0], 5: [10.0, 20.0]}
    assert [known[n].score() for n in (1, 3, 5)] == [None, 10.0, 15.0]


def test_steps_are_known_from_when_they_were_tracked(tracker):
    made = Trajectory("hedge", start_time=day(0))
    made.add_observation({"a": 1}, at=day(0))
    id_ = tracker.track(made)
    made.add_action("buy", predicted_outcome=1.0, at=day(2))
    tracker.track(made)
    made.add_outcome(5.0, known_at=day(3))
    tracker.track(made)
    made.complete(day(4))
    tracker.track(made)
    shapes = [tracker.get(id_, as_of=day(n)) for n in range(6)]
    told = [(len(t.observations), len(t.actions), len(t.outcomes), t.is_complete) for t in shapes]
    assert (
        told
        == [(1, 0, 0, False)] * 2 + [(1, 1, 0, False), (1, 1, 1, False)] + [(1, 1, 1, True)] * 2
    )
    assert shapes[5] == made


def test_an_outcome_told_in_advance_stays_with_steps_that_come_before_it(tracker):
    made = Trajectory("hedge", start_time=day(0))
    made.add_action("buy", predicted_outcome=1.0, at=day(0))
    made.add_outcome(5.0, known_at=day(5))
    id_ = tracker.track(made)
    made.add_observation({"late": 1}, at=day(2))
    made.add_action("sell", predicted_outcome=1.0, at=day(3))
    made.add_outcome(6.0, known_at=day(7))
    made.complete(day(4))
    tracker.track(made)
    told = [tracker.get(id_, as_of=day(n)) for n in (1, 4, 5, 7)]
    assert [len(each.outcomes) for each in told] == [0, 0, 1, 2]
    assert [each.is_complete for each in told] == [False, True, True, True]
    assert told[-1] == made


def test_tracking_again_without_news_writes_nothing(memory, tracker):
    made = decided(reward=1.0)
    id_ = tracker.track(made)
    before = memory.recall().commit
    assert tracker.track(made) == id_
    assert memory.recall().commit == before


def test_one_that_was_read_goes_on_where_it_was(tracker):
    made = tracker.start("hedge", symbol="SPY")
    again = tracker.get(made.id)
    assert again.add_action("buy", predicted_outcome=1.0) == 0
    assert again.actions[0].at == day(10)
    tracker.complete(again, day(11))
    assert tracker.get(made.id, as_of=day(12)) == again
    (listed,) = tracker.completed(as_of=day(12))
    listed.add_outcome(1.0, known_at=day(11))
    assert tracker.get(tracker.track(listed), as_of=day(12)).score() == 1.0


def test_several_are_tracked_in_one_batch(memory, tracker):
    before = memory.recall().commit
    many = [decided(n, reward=1.0) for n in range(5)]
    kept = tracker.track_many(many)
    assert memory.recall().commit == before + 1
    assert [tracker.get(id_) for id_ in kept] == many
    assert tracker.track_many([]) == []


def test_they_are_listed_by_agent_time_and_state(tracker):
    tracker.track_many([decided(n, reward=float(n), agent=a) for n in range(4) for a in ("x", "y")])
    open_one = tracker.start("x")
    assert ids(tracker.active()) == ids(tracker.active("x")) == [open_one.id]
    assert ids(tracker.active("y")) == []
    assert [t.start_time for t in tracker.completed("x")] == [day(n) for n in range(4)]
    between = tracker.completed(since=day(1), until=day(2))
    assert [(t.start_time, t.agent_id) for t in between].count((day(1), "y")) == 1
    assert len(list(tracker.completed(since=day(2)))) == 4
    assert len(list(tracker.completed("x", until=day(1)))) == 2
    assert [t.score() for t in tracker.completed("y", least_score=2.0)] == [2.0, 3.0]
    assert (tracker.count(), tracker.count("x")) == (9, 5)


def test_lists_are_as_of_a_time(tracker):
    made = decided(3, reward=1.0)
    tracker.track(made)
    assert ids(tracker.completed(as_of=day(2))) == []
    (early,) = tracker.completed(as_of=day(3))
    assert early.outcomes == []
    assert ids(tracker.completed(as_of=day(3), least_score=0.0)) == []


def test_no_list_holds_all_of_them(tracker):
    tracker.track_many([decided(n % 9, reward=1.0) for n in range(2100)])
    found = tracker.completed()
    first = next(found)
    assert first.start_time == day(0)
    assert sum(1 for _ in found) == 2099


def test_it_is_found_by_what_was_seen(memory, tracker):
    tracker.track(decided(1, vector=axis(2), reward=1.0, symbol="SPY"))
    (hit,) = memory.recall(embedding=axis(2), filter=Filter(kind="trajectory", symbol="SPY")).hits
    assert hit.similarity == pytest.approx(1.0)
    assert hit.record.provenance.writer == "hedge"


@pytest.mark.parametrize("agent", ["a/b", "..", "a b"])
def test_an_agent_is_one_segment(tracker, agent):
    with pytest.raises(NamespaceError):
        decided(agent=agent)
    with pytest.raises(NamespaceError):
        tracker.start(agent)
    assert tracker.count() == 0


def test_a_vector_that_does_not_fit_keeps_all_out(tracker):
    bad = decided(vector=[1.0, 2.0])
    with pytest.raises(DimensionMismatchError):
        tracker.track_many([decided(), bad])
    assert tracker.count() == 0
    good = decided()
    assert tracker.get(tracker.track(good)) == good


def test_only_trajectories_are_tracked(tracker):
    with pytest.raises(TypeError, match="give a Trajectory"):
        tracker.track({"agent_id": "hedge"})


def test_another_record_is_no_trajectory(memory, tracker):
    from builders import record

    assert tracker.get(memory.remember(record())) is None


def test_what_was_forgotten_is_gone(tracker):
    id_ = tracker.track(decided(reward=1.0))
    assert tracker.forget([id_]) == 1
    with pytest.raises(ForgottenError):
        tracker.get(id_)
    assert tracker.count() == 0


def test_an_agent_tracks_its_own(clock):
    with MemorySystem(":memory:", clock=clock) as memory:
        own = TrajectoryTracker(memory.agent("hedge"))
        made = decided(vector=None)
        assert own.get(own.track(made)) == made
        with pytest.raises(PermissionError):
            own.track(decided(vector=None, agent="other"))
        assert TrajectoryTracker(memory).get(made.id) == made


def test_they_are_there_after_a_restart(tmp_path, clock):
    made = decided(reward=1.0, vector=None)
    with MemorySystem(tmp_path / "m", clock=clock) as memory:
        TrajectoryTracker(memory).track(made)
    with MemorySystem(tmp_path / "m", clock=clock) as memory:
        assert TrajectoryTracker(memory).get(made.id) == made


def test_what_is_cited_after_it_was_tracked_is_kept(tracker):
    made = decided(0, reward=1.0)
    id_ = tracker.track(made)
    made.cite("01RECALL")
    tracker.track(made)
    assert tracker.get(id_) == made
    assert tracker.get(id_).recalls == ["01RECALL"]


def test_nobody_changes_what_was_observed(tracker):
    seen = {"close": 1.0, "book": [1, 2]}
    made = Trajectory("hedge", start_time=day(0))
    made.add_observation(seen, at=day(0))
    made.add_action("buy", seen, at=day(0))
    seen["close"] = 2.0
    seen["book"].append(3)
    kept = {"close": 1.0, "book": [1, 2]}
    assert made.observations[0].data == made.actions[0].parameters == kept
    assert tracker.get(tracker.track(made)) == made


def test_an_outcome_that_comes_while_it_is_written_comes_with_the_next(memory, monkeypatch):
    tracker, made = TrajectoryTracker(memory), decided(0, predicted=1.0)
    commit = memory.store.commit

    class Slow:
        """A store that hears of an outcome while it writes."""

        def __getattr__(self, name):
            return getattr(memory.store, name)

        def commit(self, ops):
            made.add_outcome(5.0, known_at=day(1))
            return commit(ops)

    monkeypatch.setattr(tracker, "_memory", type("M", (), {"store": Slow()})())
    tracker.track(made)
    monkeypatch.undo()
    assert tracker.get(made.id).outcomes == []
    tracker.track(made)
    assert tracker.get(made.id) == made


def test_a_record_that_only_says_it_is_a_trajectory_is_none(memory, tracker):
    from builders import record

    forged = record(namespace="swarm/mallory/x", kind="trajectory", agent_id="hedge", id="forged")
    memory.remember(forged)
    memory.remember(record(namespace="swarm/hedge/trajectories", kind="trajectory", id="empty"))
    assert tracker.get("forged") is None
    assert tracker.get("empty") is None
    assert ids(tracker.completed()) == ids(tracker.active()) == []
