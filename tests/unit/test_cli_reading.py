"""How files are to be read, told to every command that reads them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from markets import random_bars
from nt_memory.cli import reading
from nt_memory.cli.app import app
from nt_memory.cli.reading import Reading

COMMANDS = ("regimes", "backtest", "check-lookahead", "tune-decay", "paper")
TYPED = ("--timezone", "America/New_York", "--close-time", "16:00", "--label", "open", "--sort")


class Seen(Exception):  # noqa: N818 (it is no error)
    """What was asked of `read_bars`."""


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Run a command up to where it reads its file; return how it would."""
    monkeypatch.chdir(tmp_path)

    def read(path, symbol, *how, label, sort):
        raise Seen(path, *how, label, sort)

    monkeypatch.setattr(reading, "read_bars", read)

    def run(*arguments):
        found = CliRunner().invoke(app, arguments).exception
        assert isinstance(found, Seen), found
        return found.args

    return run


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_typed_is_how_files_are_read(asked, command):
    wanted = (Path("x.csv"), "America/New_York", "16:00", "open", True)
    assert asked(command, "x.csv", *TYPED) == wanted


@pytest.mark.parametrize("command", COMMANDS)
def test_without_options_files_are_read_as_read_bars_does(asked, command):
    assert asked(command, "x.csv") == (Path("x.csv"), "UTC", None, None, False)


@pytest.mark.parametrize("command", COMMANDS)
def test_another_label_is_a_usage_error(command):
    assert CliRunner().invoke(app, [command, "x.csv", "--label", "middle"]).exit_code == 2


def test_a_file_with_the_newest_row_first_has_its_regimes_told(tmp_path):
    bars = random_bars(60)
    rows = [
        f"{bars.closed_at(n).date()},{bars.open[n]},{bars.high[n]},{bars.low[n]},{bars.close[n]}"
        for n in reversed(range(60))
    ]
    file = tmp_path / "aaa.csv"
    file.write_text("\n".join(["Date,Open,High,Low,Close", *rows]))
    typed = ["regimes", str(file), "--lookback", "40", "--json"]
    assert "give --sort" in str(CliRunner().invoke(app, typed).exception)
    how = ["--sort", "--timezone", "America/New_York", "--close-time", "16:00"]
    found = CliRunner().invoke(app, [*typed, *how])
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["to"][10:] in {"T20:00:00+00:00", "T21:00:00+00:00"}


def test_what_helps_is_told_as_it_is_typed(tmp_path):
    file = tmp_path / "a.csv"
    rows = ("2024-01-03,1,1,1,1", "2024-01-02,1,1,1,1")
    file.write_text("\n".join(("date,open,high,low,close", *rows)) + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match="give --sort"):
        Reading().bars(file)
    assert len(Reading(sort=True).bars(file)) == 2
