"""The guard: less after losses."""

from datetime import timedelta

import pytest

from builders import day
from nt_memory import Bars, RiskGuard, RiskLimits, RiskState
from nt_memory.errors import ConflictError, SerializationError

LIMITS = RiskLimits(losses=3, pause=timedelta(days=2))


def told(guard, *pnls, start=0):
    """Tell outcomes, one a day; return what the guard did about each."""
    return [guard.outcome(pnl, day(start + n)) for n, pnl in enumerate(pnls)]


def test_a_streak_of_losses_pauses_for_a_time():
    guard = RiskGuard(limits=LIMITS)
    assert told(guard, -1.0, -1.0, -1.0)[-1] == "paused after 3 losses in succession"
    assert guard.exposure(day(2)) == 0.0
    assert guard.exposure(day(4) - timedelta(microseconds=1)) == 0.0
    assert guard.exposure(day(4)) == 1.0


@pytest.mark.parametrize("between", [1.0, 0.0])
def test_what_is_no_loss_ends_a_streak(between):
    guard = RiskGuard(limits=LIMITS)
    assert told(guard, -1.0, -1.0, between, -1.0, -1.0) == [None] * 5
    assert guard.state.streak == 2


def test_losses_within_a_pause_do_not_count_for_the_next():
    guard = RiskGuard(limits=LIMITS)
    told(guard, -1.0, -1.0, -1.0, -1.0)
    assert guard.state.streak == 0
    assert told(guard, -1.0, -1.0, start=4) == [None, None]
    assert guard.outcome(-1.0, day(6)) is not None


def test_exposure_falls_in_a_straight_line_between_two_drawdowns():
    exposures = []
    for equity in (1.0, 0.95, 0.875, 0.80, 0.5):
        guard = RiskGuard()
        guard.outcome(-1.0, day(0), equity=equity)
        exposures.append(guard.exposure(day(1)))
    assert exposures == pytest.approx([1.0, 1.0, 0.625, 0.25, 0.25])


def test_both_ways_over_the_limit_are_told_and_the_rest_is_not():
    guard = RiskGuard()
    assert guard.outcome(-1.0, day(0), equity=0.9) == "holds less: 10.0% below the peak"
    assert guard.outcome(-1.0, day(1), equity=0.85) is None
    assert guard.outcome(1.0, day(2), equity=0.99) == "holds all again: 1.0% below the peak"
    assert guard.outcome(1.0, day(3), equity=1.2) is None
    assert (guard.state.equity, guard.state.peak) == (1.2, 1.2)


def test_each_step_is_written_with_its_reason(memory):
    guard = RiskGuard(memory, name="desk", limits=LIMITS)
    told(guard, -1.0, -1.0, -1.0)
    guard.reset(day(5), "after a talk")
    steps = list(memory.records(namespace="shared/risk"))
    assert [step.text for step in steps] == [
        "desk paused after 3 losses in succession",
        "desk reset after a talk",
    ]
    assert [step.event_time for step in steps] == [day(2), day(5)]
    assert steps[0].payload["streak"] == 0


def test_a_guard_made_anew_goes_on(memory):
    guard = RiskGuard(memory, limits=LIMITS)
    told(guard, -1.0, -1.0)
    again = RiskGuard(memory, limits=LIMITS)
    assert again.state == guard.state
    assert again.outcome(-1.0, day(2)) is not None
    assert RiskGuard(memory, limits=LIMITS).exposure(day(3)) == 0.0
    assert RiskGuard(memory, name="another").state == RiskState()


def test_a_reset_begins_anew_from_the_equity_of_now(memory):
    guard = RiskGuard(memory, limits=LIMITS)
    guard.outcome(-1.0, day(0), equity=0.5)
    told(guard, -1.0, -1.0, start=1)
    assert guard.exposure(day(3)) == 0.0
    guard.reset(day(3))
    assert guard.exposure(day(3)) == 1.0
    assert guard.state == RiskState(outcomes=3, equity=0.5, peak=0.5)


def test_a_guard_does_not_undo_what_another_of_its_name_took_in(memory):
    one, other = RiskGuard(memory, limits=LIMITS), RiskGuard(memory, limits=LIMITS)
    one.outcome(-1.0, day(0))
    with pytest.raises(ConflictError):
        other.outcome(-1.0, day(1))
    assert other.state == one.state
    other.outcome(-1.0, day(1))
    assert RiskGuard(memory).state.streak == 2


@pytest.mark.parametrize(
    "bad",
    [
        {"losses": 0},
        {"losses": 1.5},
        {"pause": -1.0},
        {"drawdown": -0.1},
        {"deepest": 1.5},
        {"deepest": 0.05},
        {"least": float("nan")},
    ],
)
def test_a_bad_limit_is_named(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        RiskLimits(**bad)


def test_a_pause_in_bars_needs_their_length():
    with pytest.raises(ValueError, match="how long is a bar"):
        RiskLimits(pause=Bars(5))


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        ({"pnl": float("nan")}, "pnl=nan"),
        ({"pnl": "1"}, "pnl='1'"),
        ({"equity": 0.0}, r"equity=0\.0: give a value above 0"),
        ({"equity": float("inf")}, "equity=inf"),
        ({"at": day(1).replace(tzinfo=None)}, "at="),
    ],
)
def test_a_bad_outcome_changes_nothing(memory, bad, named):
    guard = RiskGuard(memory, limits=LIMITS)
    told(guard, -1.0, -1.0)
    before = guard.state
    with pytest.raises(ValueError, match=named):
        guard.outcome(**{"pnl": -1.0, "at": day(3), **bad})
    assert guard.state == before == RiskGuard(memory).state


def test_a_bad_question_or_name_is_refused(memory):
    guard = RiskGuard(memory)
    with pytest.raises(ValueError, match="at="):
        guard.exposure(day(1).replace(tzinfo=None))
    with pytest.raises(ValueError, match="why=''"):
        guard.reset(day(1), "")
    with pytest.raises(ValueError, match="name=''"):
        RiskGuard(memory, name="")
    with pytest.raises(TypeError, match="limits="):
        RiskGuard(memory, limits={"losses": 3})


def test_a_row_that_is_no_state_is_told_by_its_key(memory):
    memory.put("shared/risk", "desk", b"\x80")
    with pytest.raises(SerializationError, match="key 'desk': holds no state"):
        RiskGuard(memory, name="desk")


def test_a_place_that_could_not_be_read_again_is_refused(memory):
    guard = RiskGuard(memory)
    with pytest.raises(TypeError, match="told=5"):
        guard.outcome(-1.0, day(1), told=5)
    assert RiskGuard(memory).state == RiskState()
