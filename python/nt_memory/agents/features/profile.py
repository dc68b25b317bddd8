"""The volume profile: at which prices the last bars were traded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nt_memory.agents.features._trailing import ratio, trailing_max, trailing_min

if TYPE_CHECKING:
    import numpy.typing as npt

    from nt_memory.agents.features.settings import FeatureSettings
    from nt_memory.market import BarSeries, Floats

NAMES = ("point_of_control", "value_area_low", "value_area_high", "position")
# Bars a block: rows times bars stay in the processor's cache over the passes of a window.
_BLOCK = 4096


def profile_columns(bars: BarSeries, settings: FeatureSettings) -> dict[str, Floats]:
    """Compute the profile of the window that ends at each bar.

    The window's prices are cut into equal rows.  A bar's volume is spread
    evenly over its range; one without a range falls into the row of its price,
    the upper one at an edge.  The value area grows from the row with the most
    volume (the lowest of equals) by the richer neighbour (the upper of equals)
    until it holds its share.  NaN where nothing was traded in the window.
    """
    out = {name: np.full(len(bars), np.nan) for name in NAMES}
    window = settings.profile_window
    for first in range(window - 1, len(bars), _BLOCK):
        stop = min(first + _BLOCK, len(bars))
        block = bars.window(first - window + 1, stop)
        for name, values in zip(NAMES, _profile(block, settings), strict=True):
            out[name][first:stop] = values
    return out


def _profile(block: BarSeries, settings: FeatureSettings) -> tuple[Floats, ...]:
    """Compute the four values of the bars of a block that have a full window in it."""
    window, rows = settings.profile_window, settings.profile_rows
    bottom = trailing_min(block.low, window)[window - 1 :]
    height = (trailing_max(block.high, window)[window - 1 :] - bottom) / rows
    volumes = _volumes(block, window, bottom + np.arange(1, rows)[:, None] * height)
    top = volumes.argmax(axis=0)
    low, high = _value_area(volumes, top, settings.value_area)
    area_low, area_high = bottom + low * height, bottom + (high + 1) * height
    position = ratio(block.close[window - 1 :] - area_low, area_high - area_low, 0.5)
    values = np.array([bottom + (top + 0.5) * height, area_low, area_high, position])
    values[:, volumes.sum(axis=0) <= 0.0] = np.nan
    return tuple(values)


def _volumes(block: BarSeries, window: int, edges: Floats) -> Floats:
    """Return the volume of each row, (rows, bars), between its inner edges (rows - 1, bars)."""
    size = edges.shape[1]
    total = np.zeros((len(edges) + 1, size))
    below = np.zeros((len(edges) + 2, size))  # share of a bar that lies below each edge
    below[-1] = 1.0
    for start in range(window):
        part = slice(start, start + size)
        low, high = block.low[part], block.high[part]
        span = high - low
        wide = span > 0.0
        share = np.clip((edges - low) / np.where(wide, span, 1.0), 0.0, 1.0)
        below[1:-1] = np.where(wide, share, edges > low)
        total += block.volume[part] * np.diff(below, axis=0)
    return total


def _value_area(
    volumes: Floats, top: npt.NDArray[np.intp], share: float
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the first and the last row of the value area of each bar."""
    rows, size = volumes.shape
    each = np.arange(size)
    # A row of -1 at each end: never richer than one with volume.
    padded = np.full((rows + 2, size), -1.0)
    padded[1:-1] = volumes
    low, high = top.copy(), top.copy()
    held = volumes[top, each].copy()
    wanted = share * volumes.sum(axis=0)
    for _ in range(rows - 1):
        above, under = padded[high + 2, each], padded[low, each]
        grows = held < wanted
        up = grows & (above >= under)
        down = grows & (above < under)
        held += np.where(up, np.maximum(above, 0.0), 0.0) + np.where(down, under, 0.0)
        high = np.where(up, np.minimum(high + 1, rows - 1), high)
        low = np.where(down, low - 1, low)
    return low, high
