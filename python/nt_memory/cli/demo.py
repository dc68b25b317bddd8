"""``ntm demo``: run, show, and say where the report is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

from nt_memory.backtest import load_sp500
from nt_memory.backtest._memories import STORE
from nt_memory.backtest.demo import demo_settings, run_demo
from nt_memory.backtest.runs import new_folder
from nt_memory.cli.showing import show, walking

if TYPE_CHECKING:
    from pathlib import Path


def demo(*, seed: int, count: int | None, out: Path, as_json: bool) -> None:
    """Run the demo into a new folder under ``out`` and print what came of it."""
    bars = load_sp500()
    bars = bars if count is None else bars.head(count)
    with walking(len(bars)) as step:
        made = run_demo(new_folder(out, "demo"), demo_settings(seed), bars, step)
    if as_json:
        typer.echo(json.dumps({"folder": str(made.folder), **made.card}, indent=2))
        return
    show(made, "S&P 500")
    typer.echo(f"store   {made.folder / STORE}\n")
