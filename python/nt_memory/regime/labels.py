"""The regimes that a market can be in, and those of a series."""

from __future__ import annotations

from enum import Enum
from itertools import groupby
from typing import NamedTuple


class Regime(str, Enum):
    """What a market is like; see `nt_memory.RegimeDetectionAgent` for when it is which."""

    TRENDING = "TRENDING"
    MEAN_REVERTING = "MEAN_REVERTING"
    VOLATILE = "VOLATILE"
    QUIET = "QUIET"
    CRISIS = "CRISIS"


class Told(NamedTuple):
    """The regime of a bar, and how sure that is, 0 to 1."""

    regime: Regime
    confidence: float


class Regimes(NamedTuple):
    """The regime of each bar of a series, and how sure that is.

    Parameters
    ----------
    labels
        A regime a bar; None before the look-back is full.
    confidences
        0 to 1; 0 where there is no label.
    """

    labels: tuple[Regime | None, ...]
    confidences: tuple[float, ...]

    def spells(self) -> list[Spell]:
        """Return the runs of bars of one regime, in their order.

        Examples
        --------
        >>> quiet, crisis = Regime.QUIET, Regime.CRISIS
        >>> [spell.start for spell in Regimes((None, quiet, quiet, crisis), (0, 1, 1, 1)).spells()]
        [1, 3]
        """
        spells, start = [], 0
        for regime, run in groupby(self.labels):
            stop = start + len(tuple(run))
            if regime is not None:
                spells.append(Spell(regime, start, stop))
            start = stop
        return spells


class Spell(NamedTuple):
    """Bars ``start`` up to but not including ``stop``, in one regime."""

    regime: Regime
    start: int
    stop: int
