"""Sessions: checkpointed, resumed by their id, and never overwritten by a stale one."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from builders import axis, day
from experiences import AGENT, HOUR
from nt_memory import (
    AccessDeniedError,
    Action,
    AsyncMemorySystem,
    ConflictError,
    ManualClock,
    MemoryConfig,
    MemorySystem,
    NamespaceError,
    SerializationError,
    VectorSpace,
)
from nt_memory.experience.session import Session
from nt_memory.reasoning.tracker import TrajectoryTracker


def busy(memory):
    """Return a session with something of everything."""
    session = memory.session(AGENT, "monday")
    session.working.step(axis(0), Action("BUY", 0.5, {"limit": 3}), 0.5)
    session.working.set_regime("QUIET", 0.9)
    trajectory = session.start_trajectory(symbol="SPY")
    trajectory.add_observation({"price": 3}, axis(1))
    trajectory.add_action("buy", predicted_outcome=0.1)
    session.cursors["ticks"] = 1042
    session.cursors["news"] = {"page": "a"}
    return session


def state(session):
    trajectories = [session.trajectories[id_] for id_ in sorted(session.trajectories)]
    return repr(session.working.to_json()), session.cursors, trajectories


def test_a_session_goes_on_as_it_was_at_its_checkpoint(memory):
    session = busy(memory)
    assert session.is_new
    session.checkpoint()
    again = memory.session(AGENT, "monday")
    assert not again.is_new
    assert state(again) == state(session)


def test_what_came_after_the_checkpoint_is_gone(memory):
    session = busy(memory)
    session.checkpoint()
    before = state(memory.session(AGENT, "monday"))
    session.cursors["ticks"] = 2000
    session.working.step(axis(1), Action("SELL"), 1.0)
    next(iter(session.trajectories.values())).add_action("sell")
    assert state(memory.session(AGENT, "monday")) == before
    session.checkpoint()
    assert state(memory.session(AGENT, "monday")) == state(session)


def test_sessions_and_agents_are_apart(memory):
    busy(memory).checkpoint()
    assert memory.session(AGENT, "tuesday").is_new
    assert memory.session("wyckoff", "monday").is_new


def test_a_session_survives_a_restart(tmp_path):
    config = MemoryConfig(
        storage_path=tmp_path / "store",
        spaces={"state": VectorSpace(dim=4)},
        clock=ManualClock(day(0)),
    )
    with MemorySystem(config) as memory:
        session = busy(memory)
        session.checkpoint()
        before = state(session)
    with MemorySystem(config) as memory:
        again = memory.session(AGENT, "monday")
        assert state(again) == before
        memory.clock.advance(HOUR)
        (trajectory,) = again.trajectories.values()
        trajectory.add_action("sell")
        assert trajectory.actions[-1].at == day(0) + HOUR


def check_that_the_stale_is_refused(memory, kind=Session):
    busy(memory).checkpoint()
    first, second = (kind(memory, AGENT, "monday") for _ in range(2))
    first.cursors["ticks"] = 1
    first.checkpoint()
    second.cursors["ticks"] = 2
    (trajectory,) = second.trajectories.values()
    trajectory.add_action("sell")
    for _ in range(2):
        with pytest.raises(ConflictError, match=r"monday.*resume"):
            second.checkpoint()
    with pytest.raises(ConflictError):
        second.complete_episode()
    assert state(memory.session(AGENT, "monday")) == state(first)
    assert len(TrajectoryTracker(memory).get(trajectory.id).actions) == 1
    assert second.working.episode_length == 1


def test_what_is_stale_is_refused_and_writes_nothing(memory):
    check_that_the_stale_is_refused(memory)


class Overwrites(Session):
    def _commit(self, ops, row):
        super()._commit(ops[1:], row)


def test_the_check_catches_a_session_that_overwrites(memory):
    with pytest.raises(pytest.fail.Exception):
        check_that_the_stale_is_refused(memory, Overwrites)


def test_of_two_that_begin_one_goes_on(memory):
    first, second = memory.session(AGENT, "monday"), memory.session(AGENT, "monday")
    second.checkpoint()
    with pytest.raises(ConflictError):
        first.checkpoint()


def test_of_many_at_the_same_time_one_goes_on(memory):
    busy(memory).checkpoint()
    sessions = [memory.session(AGENT, "monday") for _ in range(8)]
    for number, session in enumerate(sessions):
        session.cursors["ticks"] = number

    def checkpoint(session):
        try:
            session.checkpoint()
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(checkpoint, sessions))
    assert sum(done) == 1
    assert memory.session(AGENT, "monday").cursors["ticks"] == done.index(True)


def test_trajectories_are_let_go_of_when_they_are_complete(memory):
    session = busy(memory)
    (trajectory,) = session.trajectories.values()
    trajectory.complete()
    session.checkpoint()
    assert session.trajectories == memory.session(AGENT, "monday").trajectories == {}
    assert TrajectoryTracker(memory).get(trajectory.id).is_complete


def test_a_trajectory_that_was_forgotten_does_not_go_on(memory):
    session = busy(memory)
    session.checkpoint()
    memory.forget(list(session.trajectories))
    assert memory.session(AGENT, "monday").trajectories == {}


def test_an_episode_ends_with_a_checkpoint(memory):
    session = busy(memory)
    id_ = session.complete_episode()
    assert memory.get_record(id_).outcome.reward == 0.5
    again = memory.session(AGENT, "monday")
    assert again.working.episode_id == session.working.episode_id != id_
    assert again.working.episode_length == 0


def test_a_cursor_that_cannot_be_stored_writes_nothing(memory):
    session = busy(memory)
    session.checkpoint()
    session.cursors["ticks"] = object()
    with pytest.raises(SerializationError):
        session.checkpoint()
    assert memory.session(AGENT, "monday").cursors["ticks"] == 1042


@pytest.mark.parametrize("session_id", ["", None, 3])
def test_a_session_has_a_name(memory, session_id):
    with pytest.raises(ValueError, match="session_id="):
        memory.session(AGENT, session_id)


def test_an_agent_has_an_id_of_one_segment(memory):
    with pytest.raises(NamespaceError, match="agent_id="):
        memory.session("a/b", "monday")


def test_an_agent_has_its_own_sessions_only():
    with MemorySystem(":memory:") as memory:
        session = memory.agent(AGENT).session(AGENT, "monday")
        session.cursors["x"] = 1
        session.checkpoint()
        assert memory.session(AGENT, "monday").cursors == {"x": 1}
        with pytest.raises(AccessDeniedError):
            memory.agent("wyckoff").session(AGENT, "monday")


def test_a_loop_resumes_sessions_as_well(memory):
    busy(memory).checkpoint()

    async def use():
        async with AsyncMemorySystem(memory) as opened:
            return await opened.session(AGENT, "monday")

    session = asyncio.run(use())
    assert isinstance(session, Session)
    assert session.cursors["ticks"] == 1042
