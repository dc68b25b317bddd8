"""The run on the shipped prices: whether remembering helps the swarm."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nt_memory.backtest.data import load_sp500
from nt_memory.backtest.labels import regime_labels
from nt_memory.backtest.market import Market
from nt_memory.backtest.run import Backtest, run_backtest
from nt_memory.backtest.settings import Settings
from nt_memory.backtest.swarm import Swarms
from nt_memory.policy import StateEncoder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nt_memory.market import BarSeries

CHOICE = "Nothing was fitted, and no parameter was chosen by its result."
DATA = (
    "A price index: dividends are missing, and nobody could trade it. Until 2006 its published "
    "open mostly repeats the close before, so those fills are kinder than life."
)


def demo_settings(seed: int = 0) -> Settings:
    """Return the terms of the demo: a year of states is remembered before any arm trades."""
    return Settings(seed=seed, train=StateEncoder.warm_up + 252)


def run_demo(
    folder: Path,
    settings: Settings,
    bars: BarSeries | None = None,
    on_step: Callable[[], None] = lambda: None,
) -> Backtest:
    """Run the swarm on the S&P 500 into a folder; see `run_backtest`.

    Parameters
    ----------
    folder
        An empty directory.
    settings
        See `demo_settings`.
    bars
        The first bars of `load_sp500`, or None for all.
    on_step
        Called after each bar.
    """
    strategies = Swarms()
    told = strategies.about
    how = (*told.how, ("Choice", CHOICE), ("Data", DATA))
    about = replace(told, market="the S&P 500", how=how)
    market = Market([load_sp500() if bars is None else bars])
    return run_backtest(
        market,
        strategies,
        settings,
        folder,
        about=about,
        regimes=regime_labels(market),
        on_step=on_step,
    )
