"""Bars of a market from files: read, or refused with the line that is wrong."""

from nt_memory.bars.gaps import Gap
from nt_memory.bars.reading import BarReport, check_bars, read_bars

__all__ = ["BarReport", "Gap", "check_bars", "read_bars"]
