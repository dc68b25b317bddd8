"""``ntm paper``: what it prints, and how it goes on."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from markets import random_bars, thinned, written
from nt_memory import PaperTrader
from nt_memory.cli import paper
from papers import SMALL

BARS = random_bars(30, 2)


@pytest.fixture
def ntm(ntm, monkeypatch):
    """Run ``ntm paper`` on features of few bars."""
    monkeypatch.setattr("nt_memory.paper.trader.FeatureSettings", lambda: SMALL)
    return partial(ntm, "paper")


def test_it_trades_and_tells_what_came_of_it(ntm, tmp_path):
    code, out, _ = ntm(written(tmp_path / "spy.csv", BARS), "--json")
    told = json.loads(out)
    assert code == 0
    assert told["bars"] == told["all_bars"] == 30
    assert told["resumed"] is None
    assert told["fills"] > 0
    worth = sum(told["positions"].values()) * BARS.close[-1]
    assert told["equity"] == pytest.approx(told["cash"] + worth)
    assert told["total_return"] == pytest.approx(told["equity"] / 100_000 - 1)


def test_it_goes_on_where_it_ended(ntm, tmp_path):
    file = tmp_path / "spy.csv"
    written(file, BARS.head(17))
    first = json.loads(ntm(file, "--store", "some/store", "--json")[1])
    written(file, BARS)
    second = json.loads(ntm(file, "--store", "some/store", "--json")[1])
    whole = json.loads(ntm(file, "--store", "other", "--json")[1])
    assert second["resumed"] == first["last"]
    assert (first["bars"], second["bars"], second["all_bars"]) == (17, 13, 30)
    own = {"bars", "store", "resumed", "refused"}
    assert {name: second[name] for name in second.keys() - own} == {
        name: whole[name] for name in whole.keys() - own
    }
    assert json.loads(ntm(file, "--store", "other", "--json")[1])["bars"] == 0


def test_traders_of_two_names_share_a_store(ntm, tmp_path):
    file = written(tmp_path / "spy.csv", BARS.head(5))
    for name in ("one", "two"):
        assert json.loads(ntm(file, "--name", name, "--json")[1])["bars"] == 5


def test_it_says_so_in_words(ntm, tmp_path):
    file = written(tmp_path / "spy.csv", BARS)
    other = written(tmp_path / "qqq.csv", thinned(BARS, "qqq", np.arange(3, 20)))
    code, out, _ = ntm(file, other, "--speed", "1000")
    assert code == 0
    assert out.startswith("paper trader paper began anew: 47 bars\n")
    assert "store runs/paper" in out
    assert ntm(file, other)[1].startswith("paper trader paper went on after 1970-02-01")


def test_ctrl_c_keeps_what_was_handled(ntm, tmp_path, monkeypatch):
    file = written(tmp_path / "spy.csv", BARS)
    take = paper.Shown.take

    def stop(self, step):
        take(self, step)
        if self.bars == 9:
            raise KeyboardInterrupt

    monkeypatch.setattr(paper.Shown, "take", stop)
    assert json.loads(ntm(file, "--json")[1])["all_bars"] == 9
    monkeypatch.setattr(paper.Shown, "take", take)
    assert json.loads(ntm(file, "--json")[1])["bars"] == 21


def test_ctrl_c_in_the_middle_of_a_bar_tells_what_is_kept(ntm, tmp_path, monkeypatch):
    file = written(tmp_path / "spy.csv", BARS)
    send = PaperTrader._send

    def stop(self):
        if self.state.bars == 9:
            self.state = replace(self.state, bars=8)  # as if it had not come to that
            raise KeyboardInterrupt
        return send(self)

    monkeypatch.setattr(PaperTrader, "_send", stop)
    assert json.loads(ntm(file, "--json")[1])["all_bars"] == 9
    monkeypatch.setattr(PaperTrader, "_send", send)
    assert json.loads(ntm(file, "--json")[1])["bars"] == 21


def test_a_terminal_is_shown_each_symbol(ntm, tmp_path, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    _, _, shown = ntm(written(tmp_path / "spy.csv", BARS.head(4)))
    assert "paper trader paper" in shown
    assert "4 of 4 bars" in shown
    assert "1970-01-0" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.csv"], "none.csv"),
        (["spy.csv", "--speed", "0"], "speed=0.0"),
        (["spy.csv", "--name", "a/b"], "name='a/b'"),
        (["spy.csv", "spy.csv"], "one series a symbol"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(ntm, tmp_path, arguments, said):
    written(tmp_path / "spy.csv", BARS.head(4))
    code, _, err = ntm(*arguments)
    assert code == 1
    assert said in err
    assert not (tmp_path / "runs").exists()
