"""What a memory of agents was worth, counted by hand and by the analytics."""

import json
from datetime import timedelta

import pytest
from statsmodels.stats.proportion import proportion_confint
from typer.testing import CliRunner

from builders import day
from nt_memory import Filter, MarkovAgent, MemorySystem, TradingAnalytics, WyckoffAgent
from nt_memory.cli.app import app

SPRING = {"ad_line": 0.0, "accumulation": 0.0, "range_low": 9.0, "range_high": 11.0}
SPRING |= {"spring": True, "upthrust": False}
UP = {"state": "up", "probability_up": 0.6, "probability_down": 0.2, "samples": 60}
FEATURES = {"wyckoff": SPRING, "markov": UP}


@pytest.fixture
def filled(memory):
    """Two agents: springs on days 0 to 2 that won, lost and won, one bet on day 3 that lost."""
    wyckoff, markov = WyckoffAgent(memory), MarkovAgent(memory)
    for n, pnl in enumerate((1.5, -0.5, 2.0)):
        decide(wyckoff, n, pnl, "QUIET" if n < 2 else "CRISIS")
    decide(markov, 3, -1.0, "QUIET")
    return memory


def decide(agent, n, pnl, regime):
    act = agent.act_with_memory("SPY", day(n), FEATURES, regime)
    trade = act.context["trade_id"]
    agent.remember_outcome("SPY", trade, pnl, 100.0, 101.0, known_at=day(n) + timedelta(hours=1))


def test_win_rates_are_by_what_decisions_share(filled):
    found = TradingAnalytics(filled)
    told = [(rate.group, rate.n, rate.wins, rate.mean_pnl) for rate in found.win_rates()]
    assert told == [
        (("wyckoff", "QUIET"), 2, 1, 0.5),
        (("markov", "QUIET"), 1, 0, -1.0),
        (("wyckoff", "CRISIS"), 1, 1, 2.0),
    ]
    assert next((rate.group, rate.n) for rate in found.win_rates(["event"])) == (("spring",), 3)
    assert [rate.n for rate in found.win_rates([])] == [4]


def test_win_rates_of_the_past_know_no_later_outcome(filled):
    found = TradingAnalytics(filled)
    assert [rate.n for rate in found.win_rates(["agent"], as_of=day(1))] == [1]
    assert found.win_rates(["agent"], as_of=day(0)) == []


def test_the_interval_is_that_of_wilson(filled):
    (rate,) = TradingAnalytics(filled).win_rates([])
    expected = proportion_confint(rate.wins, rate.n, method="wilson")
    assert (rate.low, rate.high) == pytest.approx(expected, abs=1e-6)
    assert rate.rate == 0.5


def test_growth_counts_what_there_was_at_the_end_of_each_spell(filled):
    told = TradingAnalytics(filled).growth(timedelta(days=2))
    assert [at for at, _ in told] == [day(2), day(4)]
    assert [counts["signal"] for _, counts in told] == [3, 4]
    assert [counts["outcome"] for _, counts in told] == [2, 4]


def test_recalls_are_held_to_what_came(filled):
    quality = TradingAnalytics(filled).recall_quality([timedelta(hours=30)])
    # The second spring recalled the first one's win and lost; the third recalled both and won.
    assert quality.decisions == 2
    young, old = quality.curve
    assert (young.n, young.agreed, young.oldest) == (2, 0, timedelta(hours=30))
    assert (old.n, old.agreed, old.oldest) == (1, 1, None)
    assert quality.share == pytest.approx(1 / 3)


def test_an_empty_memory_has_nothing_to_tell(memory):
    found = TradingAnalytics(memory)
    assert (found.win_rates(), found.growth()) == ([], [])
    quality = found.recall_quality()
    assert (quality.decisions, quality.share, quality.curve[0].share) == (0, None, None)


def test_a_forgotten_decision_is_left_out_of_the_recalls(filled):
    wanted = Filter(kind="signal", agent_id="wyckoff", event_time=day(1))
    (decided,) = filled.records(filter=wanted)
    filled.forget(decided.id)
    assert TradingAnalytics(filled).recall_quality().decisions == 1


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda found: found.win_rates(["colour"]), "by="),
        (lambda found: found.win_rates("agent"), "by="),
        (lambda found: found.growth(0.0), "every="),
        (lambda found: found.recall_quality([2.0, 1.0]), "ages="),
    ],
)
def test_what_cannot_be_asked_is_refused(memory, ask, told):
    with pytest.raises(ValueError, match=told):
        ask(TradingAnalytics(memory))


def test_the_command_tells_it(tmp_path):
    path = str(tmp_path / "store")
    with MemorySystem(path) as memory:
        decide(WyckoffAgent(memory), 0, 1.0, "QUIET")

    def run(*more):
        return CliRunner().invoke(app, ["analytics", path, *more])

    (told,) = json.loads(run("--json").stdout)["win_rates"]
    assert {name: told[name] for name in ("agent", "regime", "n", "rate", "mean_pnl")} == {
        "agent": "wyckoff",
        "regime": "QUIET",
        "n": 1,
        "rate": 1.0,
        "mean_pnl": 1.0,
    }
    assert "wyckoff" in run().stdout
    found = run("--by", "colour")
    assert (found.exit_code, "colour" in found.output) == (2, True)
