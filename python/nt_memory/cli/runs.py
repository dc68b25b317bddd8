"""``ntm runs`` and ``ntm compare``: what was run, and what tells runs apart."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table

from nt_memory.backtest.runs import compare_runs, find_runs
from nt_memory.cli.showing import measures, measures_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nt_memory.backtest.runs import Comparison, FinishedRun


SHORT = {
    "no evidence that memory helps": "no evidence",
    "memory helped": "helped",
    "memory hurt": "hurt",
}


def runs(parent: Path, *, as_json: bool) -> None:
    """Print the runs under a folder, one a line."""
    found, problems = find_runs(parent)
    for problem in problems:
        typer.echo(f"ntm: {problem}", err=True)
    if as_json:
        told = [{"folder": str(run.folder), **run.card} for run in found]
        typer.echo(json.dumps(told, indent=2))
        return
    if not found and not problems:
        typer.echo(f"no run under {parent}: ntm demo makes one")
        return
    _list(found)


def _list(found: Sequence[FinishedRun]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("run", "strategy", "symbols", "from", "to"):
        table.add_column(name, no_wrap=True)
    table.add_column("bars", justify="right", no_wrap=True)
    table.add_column("Sharpe", justify="right", no_wrap=True)
    table.add_column("memory", no_wrap=True)
    for run in found:
        sharpe, traded = run.metrics["sharpe"], run.traded
        table.add_row(
            run.folder.name,
            str(run.card.get("strategy", {}).get("name", "-")),
            ", ".join(run.card["data"]),
            traded["first"],
            traded["last"],
            f"{traded['bars']:,}",
            "-" if sharpe is None else f"{sharpe:.2f}",
            SHORT.get(str(run.card["verdict"]), "-"),
        )
    Console().print(table)


def compare(folders: Sequence[Path], *, as_json: bool) -> None:
    """Print runs side by side."""
    found = compare_runs(folders)
    names = [str(folder) for folder in folders]
    if as_json:
        told = {
            "runs": [
                {"folder": name, "main": run.main, "metrics": run.metrics}
                for name, run in zip(names, found.runs, strict=True)
            ],
            "differing": found.differing,
            "sharpe_differences": {
                f"{names[0]} - {name}": asdict(interval)
                for name, interval in zip(names[1:], found.intervals, strict=False)
            },
        }
        typer.echo(json.dumps(told, indent=2))
        return
    _show(found, names)


def _show(found: Comparison, names: Sequence[str]) -> None:
    console = Console()
    table = measures_table("run")
    for name, run in zip(names, found.runs, strict=True):
        table.add_row(f"{name} ({run.main})", *measures(run.metrics))
    console.print(table)
    if found.differing:
        differing = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        differing.add_column("what differs", no_wrap=True)
        for name in names:
            differing.add_column(name, overflow="fold")
        for name, values in found.differing.items():
            differing.add_row(name, *("-" if value is None else str(value) for value in values))
        console.print()
        console.print(differing)
    console.print()
    for name, interval in zip(names[1:], found.intervals, strict=False):
        console.print(
            f"Sharpe, {names[0]} - {name}: {interval.difference:+.2f}, {interval.level:.0%} "
            f"interval {interval.low:+.2f} to {interval.high:+.2f}",
            highlight=False,
            markup=False,
        )
    if not found.intervals:
        console.print("no intervals: the runs did not trade the same bars")
