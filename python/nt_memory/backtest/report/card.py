"""The run card: what has to be the same for the result to be the same, and the result."""

from __future__ import annotations

import platform
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from nt_memory.backtest.data import SP500_SHA256
from nt_memory.policy import StateEncoder

if TYPE_CHECKING:
    from nt_memory.backtest.experiment import Experiment


def run_card(experiment: Experiment, distance_kernel: str) -> dict[str, Any]:
    """Return the run card of an experiment on the shipped prices, in JSON types.

    Parameters
    ----------
    experiment
        What was run.
    distance_kernel
        The code that compared the vectors; scores may differ in the last bit between kernels.
    """
    bars, settings = experiment.bars, experiment.settings
    return {
        "verdict": experiment.verdict,
        "data": {
            "file": "sp500.csv.gz",
            "sha256": SP500_SHA256,
            "symbol": bars.symbol,
            "bars": len(bars),
        },
        "split": {
            "warm_up": _span(experiment, 0, StateEncoder.warm_up),
            "remembered_only": _span(experiment, StateEncoder.warm_up, settings.start),
            "traded": _span(experiment, settings.start, len(bars)),
        },
        "parameters": asdict(settings),
        "encoder": StateEncoder.id,
        "distance_kernel": distance_kernel,
        "versions": {
            "nt_memory": version("nt-memory"),
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "arms": {name: asdict(arm.metrics) for name, arm in experiment.arms.items()},
        "sharpe_differences": {
            f"memory - {name}": asdict(interval) for name, interval in experiment.intervals.items()
        },
    }


def _span(experiment: Experiment, start: int, stop: int) -> dict[str, Any]:
    first, last = (experiment.bars.closed_at(bar) for bar in (start, stop - 1))
    return {
        "first": first.date().isoformat(),
        "last": last.date().isoformat(),
        "bars": stop - start,
    }
