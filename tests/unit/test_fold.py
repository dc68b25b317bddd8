"""What votes come to: every history of up to four voters, and folds that break a rule."""

from fractions import Fraction

import pytest

from broken_folds import BROKEN
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


@pytest.mark.parametrize("broken", BROKEN)
def test_a_fold_that_breaks_a_rule_is_caught(broken):
    with pytest.raises(AssertionError):  # noqa: PT012 (any of them may be the one)
        for weights in WEIGHTS.values():
            for quorum in QUORUMS:
                check(broken, weights, quorum)
