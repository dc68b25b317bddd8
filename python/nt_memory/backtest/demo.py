"""A run from the shipped prices to a folder with a report, a run card and the store."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nt_memory.backtest.data import load_sp500
from nt_memory.backtest.experiment import Experiment, Settings, run_experiment
from nt_memory.backtest.report import render, run_card
from nt_memory.clock import ManualClock
from nt_memory.config import MemoryConfig, VectorSpace
from nt_memory.policy import StateEncoder
from nt_memory.system import MemorySystem

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nt_memory.market import BarSeries

REPORT, CARD, STORE = "report.html", "run_card.json", "store"


@dataclass(frozen=True, slots=True, eq=False)
class Demo:
    """A finished run and where its files are."""

    folder: Path
    experiment: Experiment
    card: dict[str, Any]


def new_folder(parent: Path) -> Path:
    """Make ``demo-1``, or the first number after those that are there."""
    parent.mkdir(parents=True, exist_ok=True)
    taken = [path.name.removeprefix("demo-") for path in parent.glob("demo-*")]
    number = max((int(name) for name in taken if name.isdigit()), default=0) + 1
    folder = parent / f"demo-{number}"
    folder.mkdir()
    return folder


def run_demo(
    folder: Path,
    settings: Settings,
    bars: BarSeries | None = None,
    on_bar: Callable[[], None] = lambda: None,
) -> Demo:
    """Run the experiment and write ``report.html``, ``run_card.json`` and ``store/``.

    Report and card hold nothing but what follows from the bars, the settings,
    the build and the machine: the same again gives the same bytes.

    Parameters
    ----------
    folder
        An empty directory.
    settings
        See `Settings`.
    bars
        The first bars of `load_sp500`, or None for all.
    on_bar
        Called after each bar that the agent has decided on.
    """
    from nt_memory import _native  # the extension is loaded when it is first used

    market = load_sp500() if bars is None else bars
    clock = ManualClock(market.closed_at(0))
    config = MemoryConfig(
        storage_path=folder / STORE,
        spaces={"state": VectorSpace(StateEncoder.dim, encoder=StateEncoder.id)},
        clock=clock,
        seed=settings.seed,
    )
    with MemorySystem(config) as memory:
        experiment = run_experiment(market, memory, clock, settings, on_bar)
    card = run_card(experiment, _native.distance_kernel())
    (folder / CARD).write_text(
        json.dumps(card, indent=2, allow_nan=False) + "\n", encoding="utf-8", newline="\n"
    )
    (folder / REPORT).write_text(render(experiment, card), encoding="utf-8", newline="\n")
    return Demo(folder, experiment, card)
