"""``ntm tune-decay``: how fast memory should fade on a series."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table

from nt_memory.backtest.data import load_sp500
from nt_memory.backtest.decay import HALF_LIVES, Tuning, tune_decay
from nt_memory.cli.showing import walking
from nt_memory.policy import StateEncoder

if TYPE_CHECKING:
    from pathlib import Path

    from nt_memory.cli.reading import Reading


def decay(
    file: Path | None, half_lives: str | None, bars: int | None, reading: Reading, *, as_json: bool
) -> None:
    """Print what half-lives were worth, and whether choosing one by the past helped."""
    series = load_sp500() if file is None else reading.bars(file)
    series = series.head(len(series) if bars is None else min(bars, len(series)))
    given = HALF_LIVES if half_lives is None else _parsed(half_lives)
    with walking(max(len(series) - StateEncoder.warm_up, 0)) as step:
        tuning = tune_decay(series, given, on_bar=step)
    if as_json:
        typer.echo(json.dumps(_told(tuning, series.symbol), indent=2, allow_nan=False))
        return
    table = Table("half-life", "IC", "chosen", title=f"{series.symbol}, {len(series):,} bars")
    for row in tuning.rows:
        table.add_row(_bars(row.half_life), f"{row.ic:+.3f}", str(row.chosen))
    Console().print(table)
    typer.echo(
        f"chosen on the bars before each of {len(tuning.windows)} windows, IC against memory "
        f"that lasts: {tuning.gain:+.3f} (standard error {tuning.standard_error:.3f})"
    )
    typer.echo(tuning.verdict)


def _parsed(text: str) -> list[float | None]:
    try:
        return [*(float(part) for part in text.split(",")), None]
    except ValueError as error:
        msg = f"--half-lives {text!r}: write bars with commas between, such as 10,60,250"
        raise typer.BadParameter(msg) from error


def _told(tuning: Tuning, symbol: str) -> dict[str, object]:
    error = tuning.standard_error
    return {
        "symbol": symbol,
        "half_lives": [
            {"half_life": row.half_life, "ic": row.ic, "chosen": row.chosen} for row in tuning.rows
        ],
        "windows": len(tuning.windows),
        "gain": tuning.gain,
        "standard_error": error if len(tuning.windows) > 1 else None,
        "verdict": tuning.verdict,
    }


def _bars(half_life: float | None) -> str:
    return "lasting" if half_life is None else f"{half_life:g} bars"
