"""``ntm backtest``, ``check-lookahead``, ``runs`` and ``compare``."""

import json
from contextlib import contextmanager

import numpy as np
import pytest

from markets import random_bars, thinned, written
from nt_memory import Stance
from nt_memory.backtest import Analogues
from nt_memory.cli import backtest


class Rule:
    """Follows the last move; or, given all bars, the next one."""

    def __init__(self, bars=None):
        self.bars = bars

    def decide(self, past):
        closes = past["aaa"].close
        ahead = 0.0 if self.bars is None else self.bars.close[min(len(closes), len(self.bars) - 1)]
        move = (ahead or closes[-1]) - (closes[-1] if ahead else closes[max(len(closes) - 2, 0)])
        return Stance({"aaa": float(np.sign(move))})


@contextmanager
def honest(stage):
    yield {"memory": Rule(), "no memory": Rule()}


@contextmanager
def peeking(stage):
    yield {"memory": Rule(stage.market["aaa"]), "no memory": Rule()}


class Made:
    """Stands in for the analogue agent, which takes long."""

    about = Analogues().about

    def __init__(self, strategies):
        self.strategies = strategies

    def __call__(self, stage=None):
        return self if stage is None else self.strategies(stage)


@pytest.fixture
def ntm(ntm, monkeypatch):
    """Run the command, with a rule in place of the analogue agent."""
    monkeypatch.setitem(backtest.AGENTS, "analogue", Made(honest))
    return ntm


@pytest.fixture
def prices(tmp_path):
    """Two files of bars, the second with gaps."""
    bars = random_bars(160)
    gaps = thinned(random_bars(160, 1), "bbb", [n for n in range(160) if n % 5])
    return written(tmp_path / "aaa.csv", bars), written(tmp_path / "bbb.csv", gaps)


def test_gaps_are_told_beside_what_came_of_it(ntm, prices):
    code, out, err = ntm("backtest", *prices, "--windows", "30", "--json")
    assert code == 0
    assert "aaa.csv" not in err
    assert "bbb.csv: 31 bars may be missing in 31 gaps, 1 of them after" in err
    assert json.loads(out)


def test_a_backtest_writes_its_folder_and_prints_the_verdict(ntm, prices, tmp_path):
    code, out, err = ntm("backtest", *prices, "--windows", "60", "--output", "mine")
    assert code == 0
    assert [line for line in err.splitlines() if "holidays count" not in line] == []
    assert "aaa, bbb, 100 bars" in out
    assert "no evidence that memory helps" in out
    assert {path.name for path in (tmp_path / "mine").iterdir()} == {
        "report.html",
        "run_card.json",
        "returns.csv",
    }


def test_the_same_command_twice_writes_the_same_bytes(ntm, prices, tmp_path):
    for name in ("one", "two"):
        assert ntm("backtest", prices[0], "--windows", "60:30:40:2", "--output", name)[0] == 0
    for name in ("report.html", "run_card.json", "returns.csv"):
        one, two = (tmp_path / folder / name for folder in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_what_was_asked_for_is_in_the_card(ntm, prices):
    options = ["--seed", 3, "--windows", "60:30:40:2", "--holding", 4, "--fee", 2, "--slippage", 0]
    options += ["--fraction", 0.5, "--volatility", 12]
    code, out, _ = ntm("backtest", prices[0], *options, "--json")
    asked = json.loads(out)["parameters"]
    assert code == 0
    assert (asked["seed"], asked["train"], asked["test"], asked["step"]) == (3, 60, 30, 40)
    assert (asked["embargo"], asked["holding"]) == (2, 4)
    assert asked["costs"] == {"fee": pytest.approx(0.0002), "slippage": 0.0}
    assert (asked["sizing"]["fraction"], asked["sizing"]["volatility"]) == (0.5, 0.12)
    assert json.loads(out)["folder"] == "runs/backtest-1"


@pytest.mark.parametrize("windows", ["a", "60:", "60:1:1:1:1", "-5", ""])
def test_windows_that_cannot_be_read_are_a_usage_error(ntm, prices, windows):
    code, _, err = ntm("backtest", prices[0], f"--windows={windows}")
    assert code == 2
    assert "629:252" in err


def test_too_short_a_file_is_one_line_with_what_is_needed(ntm, prices, tmp_path):
    code, _, err = ntm("backtest", prices[0])
    assert (code, err.count("\n")) == (1, 1)
    assert "bars: 160 are too few, give 650" in err
    assert not (tmp_path / "runs").exists()


def test_a_folder_that_is_not_empty_is_left_alone(ntm, prices, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note").write_text("mine", encoding="utf-8")
    code, _, err = ntm("backtest", prices[0], "--windows", "60", "--output", "mine")
    assert (code, "is not empty" in err) == (1, True)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["note"]


def test_a_missing_file_is_one_line(ntm):
    code, _, err = ntm("backtest", "none.csv")
    assert (code, err.count("\n")) == (1, 1)
    assert "none.csv" in err


def test_the_same_symbol_twice_is_told(ntm, prices):
    code, _, err = ntm("backtest", prices[0], prices[0])
    assert (code, "twice" in err) == (1, True)


def test_a_clean_strategy_passes_the_check(ntm, prices):
    code, out, _ = ntm("check-lookahead", prices[0], "--cuts", 4)
    assert (code, out) == (0, "no decision changed with what came after it: 160 bars, 4 cuts\n")


def test_a_strategy_that_peeks_fails_the_check(ntm, prices, monkeypatch):
    monkeypatch.setitem(backtest.AGENTS, "analogue", Made(peeking))
    code, out, _ = ntm("check-lookahead", prices[0], "--cuts", 9, "--bars", 120)
    assert code == 1
    assert "memory: weights changed with later bars" in out
    code, out, _ = ntm("check-lookahead", prices[0], "--cuts", 9, "--json")
    assert code == 1
    assert {leak["arm"] for leak in json.loads(out)["leaks"]} == {"memory"}


def test_runs_are_listed(ntm, prices):
    for _ in range(2):
        ntm("backtest", prices[0], "--windows", "60")
    code, out, _ = ntm("runs")
    assert code == 0
    assert "backtest-1" in out
    assert "backtest-2" in out
    listed = json.loads(ntm("runs", "runs", "--json")[1])
    assert [run["folder"] for run in listed] == ["runs/backtest-1", "runs/backtest-2"]


def test_no_runs_are_told(ntm, tmp_path):
    (tmp_path / "runs").mkdir()
    assert ntm("runs")[:2] == (0, "no run under runs: ntm demo makes one\n")
    code, _, err = ntm("runs", "elsewhere")
    assert (code, "no folder elsewhere" in err) == (1, True)


def test_a_damaged_run_is_told_beside_the_others(ntm, prices, tmp_path):
    ntm("backtest", prices[0], "--windows", "60")
    (tmp_path / "runs" / "bad").mkdir()
    (tmp_path / "runs" / "bad" / "run_card.json").write_text("{", encoding="utf-8")
    code, out, err = ntm("runs")
    assert code == 0
    assert "backtest-1" in out
    assert "bad/run_card.json" in err


def test_runs_are_compared(ntm, prices):
    for seed in (0, 1):
        ntm("backtest", prices[0], "--windows", "60", "--seed", seed, "--output", f"s{seed}")
    code, out, _ = ntm("compare", "s0", "s1")
    assert code == 0
    assert "parameters.seed" in out
    assert "Sharpe, s0 - s1: +0.00, 95% interval +0.00 to +0.00" in out
    told = json.loads(ntm("compare", "s0", "s1", "--json")[1])
    assert told["differing"] == {"parameters.seed": [0, 1]}
    assert told["sharpe_differences"]["s0 - s1"]["difference"] == 0.0


def test_runs_on_other_bars_are_compared_without_intervals(ntm, prices):
    for windows in (60, 70):
        ntm("backtest", prices[0], "--windows", windows, "--output", f"w{windows}")
    code, out, _ = ntm("compare", "w60", "w70")
    assert (code, "did not trade the same bars" in out) == (0, True)
