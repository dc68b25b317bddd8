"""What a run leaves behind: a report to read and a card to repeat it by."""

from nt_memory.backtest.report.card import run_card
from nt_memory.backtest.report.page import render

__all__ = ["render", "run_card"]
