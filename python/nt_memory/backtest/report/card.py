"""The run card: what has to be the same for the result to be the same, and the result."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from nt_memory.backtest.experiment import Experiment
    from nt_memory.backtest.market import Market
    from nt_memory.market import BarSeries


def run_card(experiment: Experiment, distance_kernel: str) -> dict[str, Any]:
    """Return the run card of an experiment, in JSON types.

    Parameters
    ----------
    experiment
        What was run.
    distance_kernel
        The code that compared the vectors; scores may differ in the last bit between kernels.
    """
    market, settings = experiment.market, experiment.settings
    return {
        "verdict": experiment.verdict,
        "main": experiment.main,
        "data": {symbol: _data(market[symbol]) for symbol in market.symbols},
        "split": {
            "windows": len(experiment.windows),
            "first_train": _span(market, experiment.windows[0].train),
            "traded": _span(market, range(experiment.start, len(market))),
        },
        "parameters": asdict(settings),
        "strategy": {"name": experiment.about.strategy, **experiment.about.parameters},
        "distance_kernel": distance_kernel,
        "versions": {
            "nt_memory": version("nt-memory"),
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "arms": {name: asdict(arm.metrics) for name, arm in experiment.arms.items()},
        "sharpe_differences": {
            f"{left} - {right}": asdict(interval)
            for (left, right), interval in experiment.intervals.items()
        },
    }


def fingerprint(bars: BarSeries) -> str:
    """Return the sha256 of a series: of its columns as little-endian bytes, one after another."""
    digest = hashlib.sha256()
    for name in ("times", "open", "high", "low", "close", "volume"):
        column = getattr(bars, name)
        digest.update(column.astype(column.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def _data(bars: BarSeries) -> dict[str, Any]:
    return {
        "sha256": fingerprint(bars),
        "bars": len(bars),
        "first": bars.closed_at(0).isoformat() if len(bars) else None,
        "last": bars.closed_at(-1).isoformat() if len(bars) else None,
    }


def _span(market: Market, steps: range) -> dict[str, Any]:
    first, last = (market.closed_at(step) for step in (steps[0], steps[-1]))
    return {
        "first": first.date().isoformat(),
        "last": last.date().isoformat(),
        "bars": len(steps),
    }
