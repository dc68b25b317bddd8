"""``ntm regimes``: what the market of a file was like, bar by bar."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nt_memory.cli.regimes_page import day_of, page
from nt_memory.regime import Regime, RegimeDetectionAgent

if TYPE_CHECKING:
    from nt_memory.cli.reading import Reading
    from nt_memory.market import BarSeries
    from nt_memory.regime import Regimes, Spell

# How many of the latest spells a terminal shows.
_LATEST = 8


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was typed."""

    path: Path
    symbol: str | None
    lookback: int
    plot: bool
    reading: Reading


def regimes(wanted: Wanted, *, as_json: bool) -> None:
    """Tell the regimes of a file's bars, and draw them where that is wanted."""
    bars = wanted.reading.bars(wanted.path, wanted.symbol)
    if len(bars) < wanted.lookback:
        msg = f"{wanted.path} has {len(bars)} bars: give {wanted.lookback}, or a smaller --lookback"
        raise ValueError(msg)
    found = RegimeDetectionAgent(lookback=wanted.lookback).predict(bars)
    rows = summary(bars, found)
    plot = None
    if wanted.plot:
        plot = Path(f"{bars.symbol.replace('/', '-')}-regimes.html")
        drawn = page(bars, found, rows, wanted.lookback)
        plot.write_text(drawn, encoding="utf-8", newline="\n")
    if as_json:
        told = _told(bars, found, rows)
        typer.echo(json.dumps({**told, "plot": None if plot is None else str(plot)}, indent=2))
    else:
        _show(bars, found, rows, plot)


def summary(bars: BarSeries, found: Regimes) -> list[dict[str, Any]]:
    """Return what each regime came to: shares, spells, and the returns a bar in it."""
    labels = np.array([None if label is None else label.value for label in found.labels])
    returns = np.diff(np.log(bars.close), prepend=np.log(bars.close[:1]))
    known = int((labels != None).sum())  # noqa: E711 (element by element)
    rows = []
    for regime in Regime:
        within = labels == regime.value
        count = int(within.sum())
        spells = sum(spell.regime is regime for spell in found.spells())
        rows.append(
            {
                "regime": regime.value,
                "bars": count,
                "share": count / known,
                "spells": spells,
                "mean_bars": count / spells if spells else None,
                "mean_return": float(returns[within].mean()) if count else None,
                "volatility": float(returns[within].std()) if count else None,
            }
        )
    return rows


def _told(bars: BarSeries, found: Regimes, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "symbol": bars.symbol,
        "bars": len(bars),
        "from": bars.closed_at(0).isoformat(),
        "to": bars.closed_at(-1).isoformat(),
        "regime": None if found.labels[-1] is None else found.labels[-1].value,
        "confidence": found.confidences[-1],
        "regimes": rows,
        "spells": [_spell(bars, spell) for spell in found.spells()],
    }


def _spell(bars: BarSeries, spell: Spell) -> dict[str, Any]:
    return {
        "regime": spell.regime.value,
        "from": bars.closed_at(spell.start).isoformat(),
        "to": bars.closed_at(spell.stop - 1).isoformat(),
        "bars": spell.stop - spell.start,
    }


def _show(bars: BarSeries, found: Regimes, rows: list[dict[str, Any]], plot: Path | None) -> None:
    console = Console()
    latest = found.spells()[-1]
    # As a text: what a file names its symbol is no markup.
    headline = Text(f"\n{bars.symbol} is {latest.regime.value}", style="bold")
    headline.append(
        f" since {day_of(bars, latest.start):%Y-%m-%d} "
        f"({latest.stop - latest.start:,} bars), confidence {found.confidences[-1]:.2f}\n",
        style="not bold",
    )
    console.print(headline)
    console.print(_regimes(rows))
    console.print()
    console.print(_spells(bars, found))
    if plot is not None:
        console.print(Text(f"\nplot  {plot}"), soft_wrap=True)


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for place, name in enumerate(names):
        table.add_column(name, justify="right" if place else "left", no_wrap=True)
    return table


def _regimes(rows: list[dict[str, Any]]) -> Table:
    table = _table("regime", "bars", "share", "spells", "mean bars", "mean return", "volatility")
    for row in rows:
        there = row["bars"] > 0
        table.add_row(
            row["regime"],
            f"{row['bars']:,}",
            f"{row['share']:.1%}",
            str(row["spells"]),
            f"{row['mean_bars']:.0f}" if there else "-",
            f"{row['mean_return']:+.3%}" if there else "-",
            f"{row['volatility']:.2%}" if there else "-",
        )
    return table


def _spells(bars: BarSeries, found: Regimes) -> Table:
    table = _table("latest", "from", "to", "bars")
    for spell in found.spells()[: -_LATEST - 1 : -1]:
        first, last = day_of(bars, spell.start), day_of(bars, spell.stop - 1)
        count = f"{spell.stop - spell.start:,}"
        table.add_row(spell.regime.value, f"{first:%Y-%m-%d}", f"{last:%Y-%m-%d}", count)
    return table
