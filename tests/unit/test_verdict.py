"""Verdicts: what was expected against what came."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import day
from nt_memory import Trajectory, Verdict, VerdictJudge
from trajectories import decided

JUDGE = VerdictJudge()
numbers = st.floats(-1e6, 1e6).filter(lambda x: x == 0.0 or abs(x) > 1e-6)


def judged(predicted, actual, judge=JUDGE, **more):
    return judge.judge(decided(reward=actual, predicted=predicted, **more), day(5))


@pytest.mark.parametrize(
    ("predicted", "actual", "expected"),
    [
        (110.0, 110.0, "good"),
        (100.0, 105.0, "good"),
        (100.0, 95.0, "good"),
        (110.0, 115.5, "good"),
        (100.0, 105.01, "neutral"),
        (100.0, 75.0, "neutral"),
        (100.0, 125.0, "neutral"),
        (100.0, 125.01, "bad"),
        (100.0, -100.0, "bad"),
        (0.1, -0.1, "bad"),
        (-0.02, -0.021, "good"),
        (0.02, 0.0, "bad"),
        (0.0, 0.0, "good"),
        (0.0, 0.01, "bad"),
        (0.0, -1e-12, "good"),
    ],
)
def test_a_verdict_is_by_relative_error_and_sign(predicted, actual, expected):
    assert judged(predicted, actual).verdict.value == expected


def test_what_was_compared_is_told():
    told = judged(0.02, 0.03, confidence=0.8)
    assert (told.predicted, told.actual, told.direction, told.confidence) == (0.02, 0.03, True, 0.8)
    assert (told.error, told.magnitude) == (pytest.approx(0.5), pytest.approx(0.5))
    assert told.brier == pytest.approx(0.04)
    assert judged(0.02, -0.03, confidence=0.8).brier == pytest.approx(0.64)


def test_a_prediction_of_zero_has_no_direction():
    told = judged(0.0, 1.0, confidence=0.9)
    assert (told.direction, told.brier) == (None, None)


def test_a_wrong_sign_is_bad_however_wide_the_limits_are():
    wide = VerdictJudge(good=5.0, neutral=10.0)
    assert judged(0.01, -0.01, wide).verdict is Verdict.BAD
    assert judged(0.01, 0.05, wide).verdict is Verdict.GOOD


def test_nothing_is_guessed():
    unknown = [
        decided(predicted=None, reward=1.0),
        decided(predicted=1.0),
        decided(predicted=1.0, reward=1.0, known=6),
        Trajectory("hedge"),
    ]
    verdicts = JUDGE.judge_batch(unknown, day(5))
    assert [each.verdict for each in verdicts] == [Verdict.UNKNOWN] * 4
    assert verdicts[0].error is None
    assert (verdicts.hit_rate, verdicts.brier_score) == (None, None)


def test_what_is_not_known_yet_does_not_count(clock):
    late = decided(predicted=1.0, reward=1.0, known=11)
    judge = VerdictJudge(clock=clock)
    assert judge.judge(late).verdict is Verdict.UNKNOWN
    clock.advance(86_400.0)
    assert judge.judge(late).verdict is Verdict.GOOD


def test_the_last_action_whose_outcome_is_known_is_judged():
    made = Trajectory("hedge", start_time=day(0))
    for predicted in (1.0, 2.0, None):
        made.add_action("buy", predicted_outcome=predicted, at=day(0))
    made.add_outcome(1.0, known_at=day(1), action=0)
    made.add_outcome(9.0, known_at=day(1), action=2)
    made.add_outcome(-2.0, known_at=day(3), action=1)
    told = [JUDGE.judge(made, day(n)) for n in (0, 2, 4)]
    assert [each.verdict.value for each in told] == ["unknown", "good", "bad"]


@given(st.lists(st.tuples(numbers, numbers, st.none() | st.floats(0, 1)), max_size=30))
def test_many_are_judged_as_each_is(rows):
    made = [decided(predicted=p, reward=a, confidence=c) for p, a, c in rows]
    verdicts = JUDGE.judge_batch(made, day(5))
    assert list(verdicts) == [JUDGE.judge(each, day(5)) for each in made]
    assert verdicts[:2] == list(verdicts)[:2]
    counted = verdicts.counts()
    assert sum(counted.values()) == len(verdicts) == len(rows)
    for each, (p, a, _) in zip(verdicts, rows, strict=True):
        error = abs(a - p) / max(abs(p), 1e-9)
        wrong = p * a < 0.0
        if wrong:
            assert each.verdict is Verdict.BAD
        elif not math.isclose(error, 0.05) and not math.isclose(error, 0.25):
            limits = [(0.05, Verdict.GOOD), (0.25, Verdict.NEUTRAL), (math.inf, Verdict.BAD)]
            assert each.verdict is next(name for limit, name in limits if error <= limit)


def test_scores_of_many_are_their_means():
    made = [decided(predicted=1.0, reward=r, confidence=0.75) for r in (1.0, 1.0, 1.0, -1.0)]
    verdicts = JUDGE.judge_batch(made, day(5))
    assert verdicts.hit_rate == 0.75
    assert verdicts.brier_score == pytest.approx(np.mean([0.0625] * 3 + [0.5625]))


def test_huge_errors_are_bad_and_no_warning():
    assert judged(1e-300, 1e100).verdict is Verdict.BAD


@pytest.mark.parametrize(
    "limits",
    [{"good": -0.1}, {"neutral": math.nan}, {"good": 0.3}, {"eps": 0.0}, {"eps": -1.0}],
)
def test_limits_are_in_order(limits):
    with pytest.raises(ValueError, match="="):
        VerdictJudge(**limits)
