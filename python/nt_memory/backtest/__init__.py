"""Walk-forward runs on real prices, and whether memory helped."""

from nt_memory.backtest.analogue import Analogues
from nt_memory.backtest.data import load_sp500
from nt_memory.backtest.engine import Costs
from nt_memory.backtest.experiment import Experiment
from nt_memory.backtest.lookahead import Leak, check_lookahead
from nt_memory.backtest.market import Market
from nt_memory.backtest.run import Backtest, run_backtest
from nt_memory.backtest.settings import Settings
from nt_memory.backtest.sizing import Sizing
from nt_memory.backtest.strategy import (
    About,
    Remembered,
    Stage,
    Stance,
    Strategy,
    StrategyFactory,
)
from nt_memory.backtest.swarm import Swarms
from nt_memory.backtest.windows import Window, walk_forward

__all__ = [
    "About",
    "Analogues",
    "Backtest",
    "Costs",
    "Experiment",
    "Leak",
    "Market",
    "Remembered",
    "Settings",
    "Sizing",
    "Stage",
    "Stance",
    "Strategy",
    "StrategyFactory",
    "Swarms",
    "Window",
    "check_lookahead",
    "load_sp500",
    "run_backtest",
    "walk_forward",
]
