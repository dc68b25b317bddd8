"""``ntm demo``: run, show, and say where the report is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from nt_memory.backtest import load_sp500
from nt_memory.backtest.analogue import STORE
from nt_memory.backtest.demo import demo_settings, run_demo
from nt_memory.backtest.runs import REPORT, new_folder

if TYPE_CHECKING:
    from pathlib import Path

    from nt_memory.backtest import Backtest


def demo(*, seed: int, count: int | None, out: Path, as_json: bool) -> None:
    """Run the demo into a new folder under ``out`` and print what came of it."""
    settings = demo_settings(seed)
    bars = load_sp500()
    bars = bars if count is None else bars.head(count)
    console = Console(stderr=True)
    columns = (
        TextColumn("walking forward"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("bars"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("bars", total=len(bars))
        made = run_demo(new_folder(out, "demo"), settings, bars, lambda: progress.advance(task))
    if as_json:
        typer.echo(json.dumps({"folder": str(made.folder), **made.card}, indent=2))
    else:
        _show(made)


def _show(made: Backtest) -> None:
    experiment = made.experiment
    market, start = experiment.market, experiment.start
    console = Console()
    span = f"{market.closed_at(start).date()} to {market.closed_at(-1).date()}"
    console.print(f"\nS&P 500, {len(market) - start:,} days, {span}, after costs\n")
    console.print(_table(made))
    for (left, right), interval in experiment.intervals.items():
        console.print(
            f"Sharpe, {left} - {right}: {interval.difference:+.2f}, "
            f"{interval.level:.0%} interval {interval.low:+.2f} to {interval.high:+.2f}",
            highlight=False,
        )
    console.print(f"\n[bold]{experiment.verdict}[/bold]\n")
    console.print(f"report  {made.folder / REPORT}", highlight=False, soft_wrap=True)
    console.print(f"store   {made.folder / STORE}", highlight=False, soft_wrap=True)


def _table(made: Backtest) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    table.add_column("arm", no_wrap=True)
    for name in ("return", "a year", "Sharpe", "drawdown", "win rate", "turnover"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, arm in made.experiment.arms.items():
        m = arm.metrics
        table.add_row(
            name,
            f"{m.total_return:+.1%}",
            f"{m.annual_return:+.1%}",
            f"{m.sharpe:.2f}",
            f"{m.max_drawdown:.1%}",
            "-" if m.win_rate is None else f"{m.win_rate:.1%}",
            f"{m.turnover:.1f}x",
        )
    return table
