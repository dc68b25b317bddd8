"""Settle: an outcome is a new version, visible from when it was known."""

import pytest

from conformance.builders import HOUR, at, axis, do, forget, record, settle, write
from nt_memory.errors import ForgottenError, RecordNotFoundError, SettledError
from nt_memory.store import RawOutcome, Settle, Write


def test_a_settled_record_has_its_outcome(store):
    write(store)
    settle(store, reward=-2.0, payload=b"o")
    assert store.fetch("r").outcome == RawOutcome(-2.0, at(0), b"o")


def test_the_result_is_the_version_number(store):
    write(store)
    assert settle(store) == 1


def test_an_outcome_is_hidden_before_it_was_known(store):
    write(store)
    settle(store, known_at=at(2))
    assert store.fetch("r", at(2) - 1).outcome is None


def test_an_outcome_is_visible_from_when_it_was_known(store):
    write(store)
    settle(store, reward=3.0, known_at=at(2))
    assert store.fetch("r", at(2)).outcome.reward == 3.0


def test_an_outcome_without_a_time_is_known_at_the_commit(store, clock):
    write(store)
    clock.advance_us(HOUR)
    settle(store)
    assert store.fetch("r").outcome.known_at == at(1)


def test_an_outcome_without_a_time_is_not_known_before_its_record(store):
    write(store, known_at=at(5))
    settle(store)
    assert store.fetch("r", at(5)).outcome.known_at == at(5)


def test_everything_else_is_kept(store):
    write(store, text="why", tags=("t",), embeddings={"state": axis(2)}, payload=b"p")
    settle(store)
    kept = store.fetch("r")
    assert (kept.text, list(kept.tags), kept.payload) == ("why", ["t"], b"p")
    assert kept.embeddings["state"].tolist() == [0, 0, 1, 0]
    assert kept.known_at == at(0)


def test_a_settlement_is_stamped_with_its_own_commit(store, clock):
    write(store)
    clock.advance_us(HOUR)
    settle(store)
    kept = store.fetch("r")
    assert (kept.recorded_at, kept.commit) == (at(1), 2)


def test_a_second_outcome_is_refused(store):
    write(store)
    settle(store)
    with pytest.raises(SettledError, match="revise=True"):
        settle(store)


def test_a_second_outcome_is_refused_within_a_batch(store):
    write(store)
    with pytest.raises(SettledError):
        do(store, Settle("r", RawOutcome(1.0)), Settle("r", RawOutcome(2.0)))


def test_an_outcome_that_is_not_visible_yet_counts_too(store):
    write(store)
    settle(store, known_at=at(9))
    with pytest.raises(SettledError):
        settle(store, known_at=at(1))


def test_a_revision_replaces_the_outcome(store):
    write(store)
    settle(store, reward=1.0, known_at=at(1))
    settle(store, reward=2.0, known_at=at(2), revise=True)
    rewards = [store.fetch("r", at(hour)).outcome.reward for hour in (1, 2)]
    assert rewards == [1.0, 2.0]


def test_a_revision_at_the_same_time_wins(store):
    write(store)
    settle(store, reward=1.0, known_at=at(1))
    settle(store, reward=2.0, known_at=at(1), revise=True)
    assert store.fetch("r", at(1)).outcome.reward == 2.0


def test_a_revision_needs_no_outcome_to_revise(store):
    write(store)
    assert settle(store, revise=True) == 1


def test_a_revision_known_before_what_it_corrects_is_refused(store):
    write(store)
    settle(store, known_at=at(2))
    with pytest.raises(ValueError, match="later known_at"):
        settle(store, known_at=at(1), revise=True)


def test_an_outcome_known_before_its_record_is_refused(store):
    write(store)
    with pytest.raises(ValueError, match="known_at"):
        settle(store, known_at=at(-1))


@pytest.mark.parametrize("reward", [float("nan"), float("inf"), float("-inf")])
def test_a_reward_is_finite(store, reward):
    write(store)
    with pytest.raises(ValueError, match="reward"):
        settle(store, reward=reward)


def test_a_record_is_settled_in_the_batch_that_writes_it(store):
    assert do(store, Write(record("r")), Settle("r", RawOutcome(1.0))) == 1


def test_an_unknown_record_cannot_be_settled(store):
    with pytest.raises(RecordNotFoundError, match="check the id"):
        settle(store, "nobody")


def test_a_forgotten_record_cannot_be_settled(store):
    write(store)
    forget(store, "r")
    with pytest.raises(ForgottenError):
        settle(store)


def test_a_version_written_after_an_outcome_can_be_settled(store):
    write(store)
    settle(store, known_at=at(0))
    write(store, known_at=at(1))
    assert settle(store, known_at=at(2)) == 3


def test_the_greatest_version_is_settled_not_the_last_written(store):
    write(store, known_at=at(5), text="late")
    write(store, known_at=at(1), text="early")
    settle(store, known_at=at(6))
    assert store.fetch("r", at(6)).text == "late"
