"""``ntm backtest`` and ``ntm check-lookahead``: strategies over the bars of files."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import Progress

from nt_memory.agents import swarm
from nt_memory.backtest import (
    Analogues,
    Costs,
    Market,
    Settings,
    Sizing,
    Swarms,
    check_lookahead,
    load_sp500,
    run_backtest,
)
from nt_memory.backtest.labels import regime_labels
from nt_memory.backtest.runs import new_folder
from nt_memory.cli.showing import show, walking
from nt_memory.policy import StateEncoder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nt_memory.cli.reading import Reading

AGENTS: dict[str, Callable[[], Analogues | Swarms]] = {
    "analogue": Analogues,
    "swarm": Swarms,
    **{
        agent.name: partial(Swarms, (agent,)) for agent in swarm.ON_BARS if agent.name != "analogue"
    },
}
"""The strategies by the name that is typed."""
TRAIN = StateEncoder.warm_up + 252
"""A year of states beyond what the encoder needs before the first."""
LEAKS_SHOWN = 20
PARENT = Path("runs")


@dataclass(frozen=True, slots=True)
class Asked:
    """A backtest as it was typed; costs in basis points, volatility in percent a year."""

    files: Sequence[Path]
    agents: str
    seed: int
    windows: str
    holding: int
    fee: float
    slippage: float
    fraction: float
    volatility: float | None
    reading: Reading

    @property
    def settings(self) -> Settings:
        """The terms of the backtest."""
        sized = None if self.volatility is None else self.volatility / 100.0
        return replace(
            windows_of(self.windows),
            seed=self.seed,
            holding=self.holding,
            costs=Costs(fee=1e-4 * self.fee, slippage=1e-4 * self.slippage),
            sizing=Sizing(fraction=self.fraction, volatility=sized),
        )


def windows_of(text: str) -> Settings:
    """Read ``TRAIN[:TEST[:STEP[:EMBARGO]]]``, in bars."""
    parts = text.split(":")
    if len(parts) > 4 or not all(part.isdecimal() for part in parts):
        msg = f"--windows {text!r}: write TRAIN[:TEST[:STEP[:EMBARGO]]] in bars, such as 629:252"
        raise typer.BadParameter(msg)
    counts: list[int | None] = [int(part) for part in parts]
    train, test, step, embargo = counts + [None] * (4 - len(parts))
    return Settings(train=train or 0, test=test, step=step, embargo=embargo or 0)


def market_of(files: Sequence[Path], reading: Reading) -> Market:
    """Read one series a file; without files, the shipped S&P 500."""
    return Market([reading.bars(file) for file in files] or [load_sp500()])


def backtest(asked: Asked, output: Path | None, *, as_json: bool) -> None:
    """Run into a folder and print what came of it."""
    settings, market = asked.settings, market_of(asked.files, asked.reading)
    windows = settings.windows(len(market))
    folder = new_folder(PARENT, "backtest") if output is None else output
    strategies = AGENTS[asked.agents]()
    with walking(sum(len(w.train) + len(w.test) for w in windows)) as step:
        made = run_backtest(
            market,
            strategies,
            settings,
            folder,
            about=strategies.about,
            regimes=regime_labels(market),
            on_step=step,
        )
    if as_json:
        typer.echo(json.dumps({"folder": str(made.folder), **made.card}, indent=2))
    else:
        show(made, ", ".join(market.symbols))


def lookahead(
    files: Sequence[Path],
    agents: str,
    cuts: int,
    bars: int | None,
    reading: Reading,
    *,
    as_json: bool,
) -> None:
    """Print what reads the future; exit with 1 if anything does."""
    market = market_of(files, reading)
    if bars is not None:
        market = market.head(min(bars, len(market)))
        # What begins later is none of it.
        market = Market([market[name] for name in market.symbols if len(market[name])])
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("runs", total=cuts + 2)
        leaks = check_lookahead(
            market,
            AGENTS[agents](),
            Settings(),
            cuts=cuts,
            on_walk=lambda done, _: progress.update(task, completed=done),
        )
    if as_json:
        told = [
            {"arm": leak.arm, "at": leak.at.isoformat(), "cut": leak.cut, "parts": leak.parts}
            for leak in leaks
        ]
        typer.echo(json.dumps({"bars": len(market), "cuts": cuts, "leaks": told}, indent=2))
    elif not leaks:
        typer.echo(
            f"no decision changed with what came after it: {len(market):,} bars, {cuts} cuts"
        )
    else:
        for leak in leaks[:LEAKS_SHOWN]:
            parts = ", ".join(leak.parts)
            typer.echo(f"{leak.at:%Y-%m-%d %H:%M}  {leak.arm}: {parts} changed with later bars")
        typer.echo(f"{len(leaks)} decisions read the future")
    if leaks:
        raise typer.Exit(1)
