"""``ntm analytics``: what a memory of trading agents was worth."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table

from nt_memory.agents.analytics import TradingAnalytics
from nt_memory.cli.stores import open_store

if TYPE_CHECKING:
    from pathlib import Path

    from nt_memory.agents.analytics import AgeBucket


def analytics(path: Path, by: str, *, as_json: bool) -> None:
    """Print win rates by what decisions share, growth, and the quality of recalls."""
    names = [name.strip() for name in by.split(",")]
    with open_store(path) as memory:
        found = TradingAnalytics(memory)
        try:
            rates = found.win_rates(names)  # type: ignore[arg-type]
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
        growth, quality = found.growth(), found.recall_quality()
    if as_json:
        told = {
            "win_rates": [
                {
                    **dict(zip(names, rate.group, strict=True)),
                    "n": rate.n,
                    "rate": rate.rate,
                    "low": rate.low,
                    "high": rate.high,
                    "mean_pnl": rate.mean_pnl,
                }
                for rate in rates
            ],
            "growth": [{"at": at.isoformat(), "items": counts} for at, counts in growth],
            "recalls": {
                "decisions": quality.decisions,
                "agreed": quality.share,
                "by_age": [
                    {"up_to": _age(bucket), "n": bucket.n, "agreed": bucket.share}
                    for bucket in quality.curve
                ],
            },
        }
        typer.echo(json.dumps(told, indent=2))
        return
    console = Console()
    if not rates:
        typer.echo("no decision of an agent has an outcome here")
        return
    table = Table(*names, "outcomes", "gained", "95 %", "mean, %")
    for rate in rates:
        group = [part or "unknown" for part in rate.group]
        spread = f"{rate.low:.0%} to {rate.high:.0%}"
        table.add_row(*group, f"{rate.n:,}", f"{rate.rate:.0%}", spread, f"{rate.mean_pnl:+.2f}")
    console.print(table)
    kinds = growth[-1][1] if growth else {}
    items = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())
    typer.echo(f"items: {items}")
    table = Table("age of what was recalled", "pairs", "went the same way")
    for bucket in quality.curve:
        share = "" if bucket.share is None else f"{bucket.share:.1%}"
        table.add_row(_age(bucket), f"{bucket.n:,}", share)
    console.print(table)


def _age(bucket: AgeBucket) -> str:
    return "older" if bucket.oldest is None else f"up to {bucket.oldest.days:,} days"
