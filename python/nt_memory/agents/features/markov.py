"""States of returns, and what tends to follow each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nt_memory.agents.features._trailing import log_returns

if TYPE_CHECKING:
    import numpy.typing as npt

    from nt_memory.agents.features.settings import FeatureSettings
    from nt_memory.market import BarSeries, Floats

State: TypeAlias = Literal["down", "flat", "up"]
STATES: tuple[State, ...] = ("down", "flat", "up")
_DOWN, _FLAT, _UP = range(3)
# Windows that are sorted at a time.
_BLOCK = 4096


def return_states(bars: BarSeries, window: int) -> Floats:
    """Return 0, 1 or 2: below, within or above the terciles of the ``window`` returns before.

    Terciles are quantiles with linear interpolation; a return that equals one
    is within.  NaN before the window is full.
    """
    returns = log_returns(bars.close)
    states = np.full(len(bars), np.nan)
    for first in range(window + 1, len(bars), _BLOCK):
        stop = min(first + _BLOCK, len(bars))
        before = sliding_window_view(returns[first - window : stop - 1], window)
        lower, upper = np.quantile(before, (1 / 3, 2 / 3), axis=-1)
        here = returns[first:stop]
        states[first:stop] = _FLAT + (here > upper) * 1.0 - (here < lower) * 1.0
    return states


def transition_counts(states: Floats, window: int) -> npt.NDArray[np.int64]:
    """Count the last ``window`` transitions up to each bar: (bars, from 3, to 3)."""
    pairs = np.zeros((len(states), 3, 3), dtype=np.int64)
    known = np.flatnonzero(~np.isnan(states[:-1])) + 1
    pairs[known, states[known - 1].astype(int), states[known].astype(int)] = 1
    counts = np.cumsum(pairs, axis=0)
    counts[window:] -= counts[:-window].copy()
    return counts


def markov_columns(bars: BarSeries, settings: FeatureSettings) -> dict[str, Floats]:
    """Compute the state and the chances of the next one, one value a bar."""
    states = return_states(bars, settings.state_window)
    counts = transition_counts(states, settings.transition_window)
    told = ~np.isnan(states)
    here = np.where(told, states, 0.0).astype(int)
    nexts = counts[np.arange(len(bars)), here]
    samples = nexts.sum(axis=1)
    chances = (nexts + settings.transition_prior) / (
        samples[:, None] + 3 * settings.transition_prior
    )
    columns = {
        "probability_up": chances[:, _UP],
        "probability_down": chances[:, _DOWN],
        "samples": samples * 1.0,
    }
    return {
        "state": states,
        **{name: np.where(told, values, np.nan) for name, values in columns.items()},
    }
