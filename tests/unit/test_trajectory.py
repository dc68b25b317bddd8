"""Trajectories: steps in order, outcomes of their own time."""

import math

import numpy as np
import pytest

from builders import axis, day
from nt_memory import (
    DimensionMismatchError,
    InvalidEmbeddingError,
    SerializationError,
    Trajectory,
)


@pytest.fixture
def trajectory():
    return Trajectory("hedge", start_time=day(0), symbol="SPY")


def test_what_was_added_is_there(trajectory):
    trajectory.add_observation({"price": 100.0}, axis(1), at=day(0))
    place = trajectory.add_action("buy", {"quantity": 10}, 110.0, confidence=0.7, at=day(1))
    trajectory.add_outcome(105.0, known_at=day(3))
    trajectory.complete(day(2))
    (seen,), (action,), (outcome,) = (
        trajectory.observations,
        trajectory.actions,
        trajectory.outcomes,
    )
    assert (seen.data, seen.at, seen.embedding.tolist()) == ({"price": 100.0}, day(0), axis(1))
    assert (place, action.type, action.parameters) == (0, "buy", {"quantity": 10})
    assert (action.predicted_outcome, action.confidence, action.at) == (110.0, 0.7, day(1))
    assert (outcome.value, outcome.known_at, outcome.action) == (105.0, day(3), 0)
    assert (trajectory.end_time, trajectory.last_time) == (day(2), day(2))


def test_the_score_is_the_mean_of_the_outcomes(trajectory):
    assert trajectory.score() is None
    for value in (0.8, 0.6, 0.7):
        trajectory.add_action("buy", at=day(0))
        trajectory.add_outcome(value, known_at=day(1))
    assert trajectory.score() == pytest.approx(0.7)


def test_an_outcome_goes_to_the_first_action_that_predicted_and_waits(trajectory):
    for predicted in (None, 1.0, 2.0):
        trajectory.add_action("buy", predicted_outcome=predicted, at=day(0))
    for value in (10.0, 20.0, 30.0):
        trajectory.add_outcome(value, known_at=day(1))
    assert [outcome.action for outcome in trajectory.outcomes] == [1, 2, 0]
    assert trajectory.outcome_of(2).value == 20.0


def test_an_outcome_goes_to_the_action_that_is_named(trajectory):
    for _ in range(2):
        trajectory.add_action("buy", at=day(0))
    trajectory.add_outcome(5.0, known_at=day(1), action=1)
    assert trajectory.outcome_of(0) is None
    assert trajectory.outcome_of(1).value == 5.0
    assert trajectory.outcome_of(1, as_of=day(0)) is None


def test_it_is_final_when_it_ended_and_every_prediction_has_its_outcome(trajectory):
    trajectory.add_action("look", at=day(0))
    trajectory.add_action("buy", predicted_outcome=1.0, at=day(0))
    assert not trajectory.is_final
    trajectory.add_outcome(2.0, known_at=day(1))
    assert not trajectory.is_final
    trajectory.complete(day(1))
    assert trajectory.is_final


def test_one_without_any_outcome_is_never_final(trajectory):
    trajectory.add_action("buy", at=day(0))
    trajectory.complete(day(0))
    assert not trajectory.is_final


def test_the_vector_is_the_mean_direction_of_what_was_seen(trajectory):
    assert trajectory.embedding() is None
    trajectory.add_observation({}, [2.0, 0.0], at=day(0))
    assert trajectory.embedding().tolist() == [2.0, 0.0]
    trajectory.add_observation({}, [0.0, 0.5], at=day(0))
    assert trajectory.embedding().tolist() == [0.5, 0.5]


def test_vectors_that_cancel_out_leave_the_last_one(trajectory):
    for vector in ([1.0, 0.0], [-3.0, 0.0]):
        trajectory.add_observation({}, vector, at=day(0))
    assert trajectory.embedding().tolist() == [-3.0, 0.0]


def test_steps_without_a_time_are_of_the_clocks_now(clock):
    made = Trajectory("hedge", clock=clock)
    clock.advance(5.0)
    made.add_observation({})
    assert made.observations[0].at == clock.now()
    assert made.start_time < clock.now()


def test_a_recall_is_cited_once(trajectory):
    for id_ in ("a", "b", "a"):
        trajectory.cite(id_)
    assert trajectory.recalls == ["a", "b"]


def test_equal_means_all_of_it():
    def made(price=1.0):
        each = Trajectory("hedge", start_time=day(0), metadata={"a": [1]})
        each.add_observation({"price": price, "book": np.arange(3)}, axis(0), at=day(0))
        return each

    assert made() == made()
    assert made() != made(2.0)
    assert made() != 5


REFUSED = {
    "no agent": lambda t: Trajectory(""),
    "an agent that is no text": lambda t: Trajectory(5),
    "a naive start": lambda t: Trajectory("a", start_time=day(0).replace(tzinfo=None)),
    "a step before the last": lambda t: t.add_observation({}, at=day(-1)),
    "an action before the last step": lambda t: t.add_action("buy", at=day(-1)),
    "an end before the last step": lambda t: t.complete(day(-1)),
    "an action without a name": lambda t: t.add_action("", at=day(0)),
    "parameters that are no mapping": lambda t: t.add_action("buy", [1], at=day(0)),
    "a prediction that is no number": lambda t: t.add_action(
        "buy", predicted_outcome=math.nan, at=day(0)
    ),
    "a confidence beyond one": lambda t: t.add_action("buy", confidence=1.5, at=day(0)),
    "an outcome before any action": lambda t: t.add_outcome(1.0, known_at=day(1)),
    "a recall without an id": lambda t: t.cite(""),
    "metadata that is no mapping": lambda t: Trajectory("a", metadata=[1]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_and_changes_nothing(trajectory, name):
    trajectory.add_observation({"a": 1}, axis(0), at=day(0))
    with pytest.raises((ValueError, TypeError), match=r"=|no action"):
        REFUSED[name](trajectory)
    assert (trajectory.steps, trajectory.outcomes, trajectory.recalls) == (1, [], [])


@pytest.mark.parametrize("reward", [math.nan, math.inf, -math.inf, "1", None])
def test_rewards_are_finite_numbers(trajectory, reward):
    trajectory.add_action("buy", at=day(0))
    with pytest.raises(ValueError, match="value="):
        trajectory.add_outcome(reward, known_at=day(1))
    assert trajectory.outcomes == []


def test_what_is_not_done_has_no_outcome(trajectory):
    trajectory.add_action("buy", at=day(2))
    with pytest.raises(ValueError, match="what is not done has no outcome"):
        trajectory.add_outcome(1.0, known_at=day(1))


def test_an_action_has_one_outcome(trajectory):
    trajectory.add_action("buy", at=day(0))
    trajectory.add_outcome(1.0, known_at=day(1))
    with pytest.raises(ValueError, match="all 1 actions have their outcome"):
        trajectory.add_outcome(2.0, known_at=day(1))
    with pytest.raises(ValueError, match="action 0 has its outcome"):
        trajectory.add_outcome(2.0, known_at=day(1), action=0)


@pytest.mark.parametrize("action", [1, -1, True, "0"])
def test_an_outcome_names_an_action_that_is_there(trajectory, action):
    trajectory.add_action("buy", at=day(0))
    with pytest.raises((ValueError, TypeError), match="action="):
        trajectory.add_outcome(1.0, known_at=day(1), action=action)


def test_what_is_complete_takes_no_more_steps_and_still_learns_its_outcome(trajectory):
    trajectory.add_action("buy", at=day(0))
    trajectory.complete(day(1))
    for step in (trajectory.complete, lambda: trajectory.add_observation({}, at=day(2))):
        with pytest.raises(ValueError, match="was completed at"):
            step()
    trajectory.add_outcome(1.0, known_at=day(5))
    assert trajectory.is_final


def test_all_vectors_have_one_length(trajectory):
    trajectory.add_observation({}, axis(0), at=day(0))
    with pytest.raises(DimensionMismatchError, match="3 numbers"):
        trajectory.add_observation({}, [1.0, 2.0, 3.0], at=day(0))


@pytest.mark.parametrize("vector", [[0.0, 0.0], [math.nan, 1.0], [math.inf, 1.0]])
def test_a_vector_has_a_direction(trajectory, vector):
    with pytest.raises(InvalidEmbeddingError):
        trajectory.add_observation({}, vector, at=day(0))
    assert trajectory.observations == []


def test_what_cannot_be_stored_is_refused_at_once(trajectory):
    with pytest.raises((SerializationError, TypeError)):
        trajectory.add_observation({"a": object()}, at=day(0))
    assert trajectory.observations == []
