"""``ntm paper``: a swarm on the bars of files, as if they came, in a store that goes on."""

from __future__ import annotations

import json
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from nt_memory.agents.risk import RiskGuard
from nt_memory.agents.swarm import ON_BARS, Swarm
from nt_memory.clock import ManualClock, from_micros
from nt_memory.config import MemoryConfig
from nt_memory.paper import PaperTrader, ReplayFeed, SimulatedBroker, journal
from nt_memory.paper.state import STATE, PaperState, namespace_of
from nt_memory.system import MemorySystem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nt_memory.cli.reading import Reading
    from nt_memory.config import ColdEngine
    from nt_memory.paper import PaperStep

FOLDER = Path("runs/paper")
COLUMNS = ("symbol", "closed", "close", "regime", "signal", "target", "position", "worth")


@dataclass(slots=True)
class Shown:
    """What the terminal shows while bars come."""

    name: str
    total: int
    bars: int = 0
    fills: int = 0
    refused: int = 0
    latest: dict[str, PaperStep] = field(default_factory=dict)

    def take(self, step: PaperStep) -> None:
        """Take in a step."""
        self.bars += 1
        self.fills += len(step.fills)
        self.refused += step.refused is not None
        self.latest[step.symbol] = step

    def __rich__(self) -> Group:
        """Return a row a symbol, and what there is."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for column in COLUMNS:
            table.add_column(column, justify="left" if column in COLUMNS[:2] else "right")
        for symbol, step in sorted(self.latest.items()):
            table.add_row(
                Text(symbol),
                f"{step.at:%Y-%m-%d %H:%M}",
                f"{step.close:,.2f}",
                step.regime or "-",
                step.signal,
                f"{step.target:+.1%}",
                f"{step.position:+,.2f}",
                f"{step.position * step.close:+,.0f}",
            )
        latest = max(self.latest.values(), key=lambda step: step.at, default=None)
        worth = "" if latest is None else f"equity {latest.equity:,.2f}, cash {latest.cash:,.2f}, "
        told = f"{worth}{self.bars:,} of {self.total:,} bars, {self.fills:,} fills"
        return Group(Text(f"paper trader {self.name}", style="bold"), table, Text(told))


def paper(
    files: Sequence[Path],
    store: Path,
    name: str,
    speed: float | None,
    reading: Reading,
    *,
    as_json: bool,
) -> None:
    """Trade the bars that were not handled yet, and print what came of it."""
    namespace = namespace_of(name)
    series = [reading.bars(file) for file in files]
    clock = ManualClock(min(bars.closed_at(0) for bars in series))
    feed = ReplayFeed(series, speed, clock=clock)
    engine: ColdEngine = "sled" if (store / "store.sled").is_dir() else "redb"
    config = MemoryConfig(storage_path=store, cold_engine=engine, clock=clock)
    with MemorySystem(config) as memory:
        swarm = Swarm(memory, ON_BARS, guard=RiskGuard(memory, name=name))
        trader = PaperTrader(memory, feed, SimulatedBroker(memory, name), swarm, name=name)
        before = trader.state
        shown = Shown(name, len(feed) - before.bars)
        console = Console(stderr=True)
        live = Live(shown, console=console) if console.is_terminal else nullcontext()
        with live, suppress(KeyboardInterrupt):  # what was handled is kept; the same call goes on
            for step in trader.run():
                shown.take(step)
        # As it is kept: a bar that was stopped in its middle may be.
        state = PaperState.of(memory.get(namespace, STATE) or b"")
        told = {
            "name": name,
            "store": str(store),
            "resumed": before.at and before.at.isoformat(),
            "bars": state.bars - before.bars,
            **_told(state, journal.equity(memory, namespace)),
            "refused": shown.refused,
            "left_out": dict(trader.skipped),
        }
    if as_json:
        typer.echo(json.dumps(told, indent=2))
    else:
        _print(told)


def _told(state: PaperState, equity: list[tuple[int, float]]) -> dict[str, Any]:
    """Return what there is after the last bar, and what came of it since the first."""
    values = np.array([value for _, value in equity] or [state.cash])
    first = from_micros(equity[0][0]).isoformat() if equity else None
    return {
        "symbols": list(state.symbols),
        "all_bars": state.bars,
        "first": first,
        "last": state.at and state.at.isoformat(),
        "equity": state.equity,
        "cash": state.cash,
        "positions": state.positions,
        "total_return": float(values[-1] / values[0] - 1.0),
        "max_drawdown": float((1.0 - values / np.maximum.accumulate(values)).max()),
        "fills": state.fills,
    }


def _print(told: dict[str, Any]) -> None:
    begun = f"went on after {told['resumed']}" if told["resumed"] else "began anew"
    typer.echo(f"paper trader {told['name']} {begun}: {told['bars']:,} bars")
    if told["first"] is None:
        return
    typer.echo(f"{told['first']} to {told['last']}, {told['all_bars']:,} bars, after costs")
    typer.echo(
        f"equity {told['equity']:,.2f} ({told['total_return']:+.2%}, deepest fall "
        f"{told['max_drawdown']:.2%}), cash {told['cash']:,.2f}, {told['fills']:,} fills"
    )
    for symbol, count in sorted(told["positions"].items()):
        typer.echo(f"holds {count:+,.4f} {symbol}")
    for why, count in sorted(told["left_out"].items()):
        typer.echo(f"left out {count:,} {why} bars")
    typer.echo(f"store {told['store']}")
