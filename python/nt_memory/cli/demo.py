"""``ntm demo``: run, show, and say where the report is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from nt_memory.backtest import Settings, load_sp500
from nt_memory.backtest.demo import REPORT, new_folder, run_demo
from nt_memory.policy import StateEncoder

if TYPE_CHECKING:
    from pathlib import Path

    from nt_memory.backtest.demo import Demo


def demo(*, seed: int, count: int | None, out: Path, as_json: bool) -> None:
    """Run the demo into a new folder under ``out`` and print what came of it."""
    settings = Settings(seed=seed)
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
        task = progress.add_task("bars", total=max(len(bars) - StateEncoder.warm_up, 0))
        made = run_demo(new_folder(out), settings, bars, lambda: progress.advance(task))
    if as_json:
        typer.echo(json.dumps({"folder": str(made.folder), **made.card}, indent=2))
    else:
        _show(made)


def _show(made: Demo) -> None:
    experiment = made.experiment
    bars, start = experiment.bars, experiment.settings.start
    console = Console()
    span = f"{bars.closed_at(start).date()} to {bars.closed_at(-1).date()}"
    console.print(f"\nS&P 500, {len(bars) - start:,} days, {span}, after costs\n")
    console.print(_table(made))
    for name, interval in experiment.intervals.items():
        console.print(
            f"Sharpe, memory - {name}: {interval.difference:+.2f}, "
            f"{interval.level:.0%} interval {interval.low:+.2f} to {interval.high:+.2f}",
            highlight=False,
        )
    console.print(f"\n[bold]{experiment.verdict}[/bold]\n")
    console.print(f"report  {made.folder / REPORT}", highlight=False, soft_wrap=True)
    console.print(f"store   {made.folder / 'store'}", highlight=False, soft_wrap=True)


def _table(made: Demo) -> Table:
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
