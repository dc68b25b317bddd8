"""Walk-forward runs on real prices, and whether memory helped."""

from nt_memory.backtest.data import load_sp500
from nt_memory.backtest.experiment import Experiment, Settings, run_experiment

__all__ = ["Experiment", "Settings", "load_sp500", "run_experiment"]
