"""What votes come to: every history of up to four voters, and folds that break a rule."""

from fractions import Fraction

import pytest

from nt_memory.coordination import Approved, Expired, Pending, Rejected
from nt_memory.coordination.proposals import Cast, fold
from polls import EXPIRES, QUORUMS, WEIGHTS, check, poll

THREE = WEIGHTS["three"]


def votes(text):
    """Return equal votes of a, b, c ...: "+" in favour, "-" against."""
    return [
        Cast(voter, sign == "+", Fraction(1), at)
        for at, (voter, sign) in enumerate(zip("abcd", text, strict=False))
    ]


@pytest.mark.parametrize(
    ("quorum", "text", "result"),
    [
        ("2/3", "++", Approved()),
        ("0.67", "++", Pending(Fraction(2), Fraction(0), Fraction(1), Fraction("2.01"))),
        ("0.67", "+++", Approved()),
        ("0.67", "-", Rejected()),
        ("2/3", "-", Pending(Fraction(0), Fraction(1), Fraction(2), Fraction(2))),
        ("2/3", "--", Rejected()),
        ("1", "++-", Rejected()),
        ("1/3", "--+", Approved()),
    ],
)
def test_three_equal_voters(quorum, text, result):
    assert fold(poll(THREE, Fraction(quorum)), votes(text), 5) == result


def test_a_vote_at_the_expiry_does_not_count():
    late = Cast("b", approve=True, weight=Fraction(1), at=EXPIRES)
    made = poll(THREE, Fraction(2, 3), EXPIRES)
    assert fold(made, [*votes("+"), late], EXPIRES) == Expired()


def test_a_decision_before_the_expiry_stays():
    assert fold(poll(THREE, Fraction(2, 3), EXPIRES), votes("++"), EXPIRES) == Approved()


@pytest.mark.parametrize("quorum", QUORUMS, ids=str)
@pytest.mark.parametrize("weights", WEIGHTS)
def test_every_history_keeps_the_rules(weights, quorum):
    check(fold, WEIGHTS[weights], quorum)


@pytest.mark.parametrize("quorum", QUORUMS, ids=str)
@pytest.mark.parametrize("weights", ["three", "thirds"])
def test_every_history_with_lowered_weights_keeps_the_rules(weights, quorum):
    check(fold, WEIGHTS[weights], quorum, lowered=[Fraction(1, 2)])


def sums(poll, votes):
    """Return the weights in favour, left and in all, of the votes that count."""
    counted = [vote for vote in votes if poll.expires_at is None or vote.at < poll.expires_at]
    favour = sum(vote.weight for vote in counted if vote.approve)
    voted = {vote.voter for vote in counted}
    left = sum(weight for voter, weight in poll.weights.items() if voter not in voted)
    return favour, left, sum(poll.weights.values())


def more_than_the_quorum(poll, votes, now):
    favour, _, total = sums(poll, votes)
    if favour == poll.quorum * total:
        votes = [vote for vote in votes if not vote.approve]
        return Pending(*map(Fraction, (favour, total, 0, total)))
    return fold(poll, votes, now)


def in_floats(poll, votes, now):
    counted = [vote for vote in votes if poll.expires_at is None or vote.at < poll.expires_at]
    favour = sum(float(vote.weight) for vote in counted if vote.approve)
    needed = float(poll.quorum) * sum(map(float, poll.weights.values()))
    exact = fold(poll, votes, now)
    if favour >= needed:
        return Approved()
    return exact if exact != Approved() else Pending(*map(Fraction, (favour, 0, 0, needed)))


def rejects_one_vote_late(poll, votes, now):
    result = fold(poll, votes, now)
    before = fold(poll, votes[:-1], now) if votes else result
    return before if result == Rejected() and before != Rejected() else result


def expires_though_decided(poll, votes, now):
    over = poll.expires_at is not None and now >= poll.expires_at
    return Expired() if over else fold(poll, votes, now)


def counts_late_votes(made, votes, now):
    result = fold(poll(made.weights, made.quorum), votes, now)
    return fold(made, votes, now) if isinstance(result, Pending) else result


def counts_only_who_voted(poll, votes, now):
    favour, left, total = sums(poll, votes)
    voted = total - left
    return Approved() if voted and favour >= poll.quorum * voted else fold(poll, votes, now)


def never_rejects(poll, votes, now):
    result = fold(poll, votes, now)
    return Expired() if result == Rejected() else result


def the_last_vote_decides(poll, votes, now):
    result = fold(poll, votes, now)
    if isinstance(result, Pending) and len(votes) == len(poll.weights) - 1 > 0:
        return Approved() if votes[-1].approve else Rejected()
    return result


@pytest.mark.parametrize(
    "broken",
    [
        more_than_the_quorum,
        in_floats,
        rejects_one_vote_late,
        expires_though_decided,
        counts_late_votes,
        counts_only_who_voted,
        never_rejects,
        the_last_vote_decides,
    ],
)
def test_a_fold_that_breaks_a_rule_is_caught(broken):
    with pytest.raises(AssertionError):  # noqa: PT012 (any of them may be the one)
        for weights in WEIGHTS.values():
            for quorum in QUORUMS:
                check(broken, weights, quorum)
