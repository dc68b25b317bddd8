"""The composer: votes become one decision."""

import math

import pytest

from builders import day
from nt_memory import AgentVote, Composer, Ledger
from trading import outcome

LONG, SHORT = ("long", 0.6, "a"), ("short", 0.4, "b")


def wrote(memory, agent, won, lost, regime="CALM", symbol="SPY"):
    for n, pnl in enumerate([1.0] * won + [-1.0] * lost):
        name = f"{agent}{regime}{symbol}{n}"
        outcome(memory, agent, day(1 + n / 100), pnl, symbol, name, regime)


def test_without_records_the_score_is_the_mean_of_the_votes():
    made = Composer().decide([LONG, SHORT, ("neutral", 0.4, "c")])
    assert made.signal == "neutral"  # 0.2 / 3 lies below the threshold
    assert (made.score, made.confidence) == (0.0, pytest.approx(0.2 / 3))
    assert made.contributions == {"a": 0.0, "b": 0.0, "c": 0.0}
    sure = Composer(threshold=0.05).decide([LONG, SHORT, ("neutral", 0.4, "c")])
    assert (sure.signal, sure.score) == ("long", pytest.approx(0.2 / 3))
    assert sure.contributions == {"a": pytest.approx(0.2), "b": pytest.approx(-0.4 / 3), "c": 0.0}


def test_the_threshold_itself_is_enough():
    assert Composer(threshold=0.5).decide([("long", 0.5, "a")]).signal == "long"
    assert Composer(threshold=0.5).decide([("short", 0.5, "a")]).score == -0.5
    assert Composer(threshold=0.51).decide([("long", 0.5, "a")]).signal == "neutral"


def test_no_votes_are_a_neutral_decision():
    for votes in ([], [("neutral", 0.0, "a")], [("neutral", 1.0, "a")]):
        made = Composer(threshold=0.0).decide(votes)
        assert (made.signal, made.score) == ("neutral", 0.0)
    assert Composer().decide([]).why == "no votes"


def test_who_has_nothing_to_say_takes_nothing_from_the_others():
    assert Composer().decide([LONG, ("neutral", 0.0, "b")]).score == 0.6
    assert Composer().decide([LONG, ("neutral", 0.4, "b")]).score == 0.3


def test_who_did_well_weighs_more_and_who_did_badly_less(memory):
    wrote(memory, "a", 9, 1)
    wrote(memory, "b", 1, 9)
    made = Composer(Ledger(memory)).decide([LONG, SHORT], regime="CALM", at=day(9))
    good, bad = made.records["a"], made.records["b"]
    assert (good.n, good.wins, bad.n, bad.wins) == (10, 9, 10, 1)
    # Beta(9 + 10, 1 + 10) over the mean of all, one half.
    assert good.posterior == pytest.approx(19 / 30)
    assert good.standard_error == pytest.approx(math.sqrt(19 / 30 * 11 / 30 / 31))
    assert good.weight == pytest.approx(19 / 15)
    assert bad.weight == pytest.approx(11 / 15)
    assert made.score == pytest.approx((0.6 * 19 / 15 - 0.4 * 11 / 15) / 2)
    assert "a long 0.60 x1.27, 9 of 10 won" in made.why


def test_a_weight_has_a_floor_and_a_cap(memory):
    wrote(memory, "a", 100, 0)
    wrote(memory, "b", 0, 100)
    records = Composer(Ledger(memory)).records(["a", "b"], at=day(9))
    assert (records["a"].weight, records["b"].weight) == (1.3, 0.7)


def test_few_outcomes_weigh_nothing(memory):
    wrote(memory, "a", 4, 0)
    assert Composer(Ledger(memory)).records(["a", "b"], at=day(9))["a"].weight == 1.0
    wrote(memory, "b", 0, 5)
    records = Composer(Ledger(memory)).records(["a", "b"], at=day(9))
    assert records["a"].weight == 1.0 > records["b"].weight


def test_without_a_prior_and_without_wins_all_are_alike(memory):
    composer = Composer(Ledger(memory), prior=0.0)
    assert composer.records(["a"], at=day(9))["a"].posterior == 0.5
    wrote(memory, "a", 0, 9)
    assert composer.records(["a", "b"], at=day(9))["a"].weight == 1.0


def test_only_outcomes_of_this_regime_symbol_and_time_count(memory):
    wrote(memory, "a", 9, 0, "WILD")
    wrote(memory, "a", 0, 9, "CALM")
    wrote(memory, "a", 0, 9, "WILD", "QQQ")
    composer = Composer(Ledger(memory))

    def seen(**of):
        record = composer.records(["a"], **{"at": day(9), **of})["a"]
        return record.wins, record.n

    assert seen(regime="WILD", symbol="SPY") == (9, 9)
    assert seen(regime="CALM") == (0, 9)
    assert seen() == (9, 27)
    assert seen(at=day(0)) == (0, 0)


def test_the_window_holds_the_latest_outcomes(memory):
    wrote(memory, "a", 5, 3)
    record = Composer(Ledger(memory), window=4).records(["a"], at=day(9))["a"]
    assert (record.n, record.wins) == (4, 1)


def test_what_memory_did_to_a_vote_already_counts_with_its_weight(memory):
    wrote(memory, "a", 100, 0)
    wrote(memory, "b", 0, 100)
    made = Composer(Ledger(memory), threshold=0.0).decide(
        [AgentVote("long", 0.6, "a", 1.2), AgentVote("long", 0.35, "b", 0.7)], at=day(9)
    )
    # Both had 0.5 before their memory: 30 % more and 30 % less of it.
    assert made.contributions == {"a": pytest.approx(0.325), "b": pytest.approx(0.175)}


def test_no_vote_counts_more_than_one(memory):
    wrote(memory, "a", 100, 0)
    wrote(memory, "b", 0, 100)
    assert Composer(Ledger(memory)).decide([("long", 1.0, "a")], at=day(9)).score <= 1.0


def test_only_the_best_of_a_regime_are_heard(memory):
    wrote(memory, "a", 1, 9)
    wrote(memory, "b", 9, 1)
    composer = Composer(Ledger(memory), top=1)
    made = composer.decide([LONG, SHORT], regime="CALM", at=day(9))
    assert made.signal == "short"
    assert made.contributions["a"] == 0.0
    assert [each.agent for each in composer.best(["a", "b", "c"], 2, at=day(9))] == ["b", "c"]
    # One that has nothing to say is not the best of those that have.
    made = composer.decide([LONG, ("neutral", 0.0, "b")], regime="CALM", at=day(9))
    assert made.signal == "long"


@pytest.mark.parametrize(
    ("vote", "named"),
    [
        (("up", 0.5, "a"), "signal='up': give one of long, short, neutral"),
        ((["long"], 0.5, "a"), "signal="),
        (("long", 1.5, "a"), r"confidence=1\.5"),
        (("long", float("nan"), "a"), "confidence=nan"),
        (("long", 0.5, ""), "agent=''"),
        (("long", 0.5, "a", 2.0), r"factor=2\.0"),
        (("long", 0.5), "is no \\(signal, confidence, agent\\)"),
        (7, "votes: 7"),
    ],
)
def test_a_bad_vote_is_named(vote, named):
    with pytest.raises(ValueError, match=named):
        Composer().decide([("long", 0.6, "z"), vote])


def test_an_agent_votes_once():
    with pytest.raises(ValueError, match="'a' votes twice"):
        Composer().decide([LONG, ("short", 0.1, "a")])


def test_a_ledger_needs_a_time(memory):
    with pytest.raises(ValueError, match="at=None"):
        Composer(Ledger(memory)).decide([LONG])
    with pytest.raises(ValueError, match="at="):
        Composer(Ledger(memory)).decide([LONG], at=day(1).replace(tzinfo=None))


@pytest.mark.parametrize(
    "bad",
    [
        {"prior": -1.0},
        {"prior": float("inf")},
        {"fewest": 0},
        {"window": 1.5},
        {"threshold": 1.5},
        {"top": 0},
        {"top": True},
    ],
)
def test_a_bad_setting_is_named(bad):
    with pytest.raises(ValueError, match=f"{next(iter(bad))}="):
        Composer(**bad)


def test_agents_are_a_list():
    with pytest.raises(TypeError, match="agents='ab'"):
        Composer().records("ab")
    with pytest.raises(ValueError, match="n=0"):
        Composer().best(["a"], 0)


def test_what_is_no_ledger_is_refused():
    with pytest.raises(TypeError, match="ledger='it'"):
        Composer("it")
