"""What a finished run looks like in a terminal, and how far one has come."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from nt_memory.backtest.runs import REPORT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from nt_memory.backtest import Backtest

MEASURES = ("return", "a year", "Sharpe", "drawdown", "win rate", "turnover")


@contextmanager
def walking(steps: int) -> Iterator[Callable[[], None]]:
    """Show how many steps are done, where somebody looks; call what is given after each."""
    console = Console(stderr=True)
    columns = (
        TextColumn("walking forward"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("bars"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("bars", total=steps)
        yield lambda: progress.advance(task)


def show(made: Backtest, traded: str) -> None:
    """Print the arms, the intervals, the verdict and where the report is."""
    experiment = made.experiment
    market, start = experiment.market, experiment.start
    console = Console()
    span = f"{market.closed_at(start).date()} to {market.closed_at(-1).date()}"
    console.print(f"\n{traded}, {len(market) - start:,} bars, {span}, after costs\n", markup=False)
    table = measures_table("arm")
    for name in experiment.arms:
        table.add_row(name, *measures(made.card["arms"][name]))
    console.print(table)
    for (left, right), interval in experiment.intervals.items():
        console.print(
            f"Sharpe, {left} - {right}: {interval.difference:+.2f}, "
            f"{interval.level:.0%} interval {interval.low:+.2f} to {interval.high:+.2f}",
            highlight=False,
            markup=False,
        )
    if len(experiment.intervals) > 1:
        console.print(f"(the {len(experiment.intervals)} intervals hold together)")
    console.print(f"\n[bold]{experiment.verdict}[/bold]\n")
    console.print(f"report  {made.folder / REPORT}", highlight=False, soft_wrap=True)


def measures_table(first: str) -> Table:
    """Return an empty table of measures; rows have a name and `measures`."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(first, no_wrap=True)
    for name in MEASURES:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def measures(row: Mapping[str, float | None]) -> list[str]:
    """Return the measures of one arm, as a run card has them, for a table."""
    return [
        _told(row["total_return"], "+.1%"),
        _told(row["annual_return"], "+.1%"),
        _told(row["sharpe"], ".2f"),
        _told(row["max_drawdown"], ".1%"),
        _told(row["win_rate"], ".1%"),
        _told(row["turnover"], ".1f") + "x",
    ]


def _told(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
