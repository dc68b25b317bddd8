"""Charts as inline SVG that stretches, with labels as text that does not."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from nt_memory.market import Floats

# The drawing is as wide as this in its own units, whatever the screen.
WIDTH = 1000.0
HEIGHT = 400.0
POINTS = 1000


@dataclass(frozen=True, slots=True)
class Scale:
    """Where a value lies between the bottom (``low``) and the top (``high``) of a plot."""

    low: float
    high: float
    log: bool = False

    def share(self, value: float) -> float:
        """Return the distance from the top as a share of the height."""
        low, high, at = (
            (np.log(self.low), np.log(self.high), np.log(value))
            if self.log
            else (self.low, self.high, value)
        )
        return float((high - at) / (high - low))


def buckets(count: int) -> list[tuple[int, int]]:
    """Split bars into at most `POINTS` runs of equal length: (start, stop)."""
    step = max(1, -(-count // POINTS))
    return [(start, min(start + step, count)) for start in range(0, count, step)]


def line(
    values: Sequence[float] | Floats, scale: Scale, left: float = 0.0, right: float = WIDTH
) -> str:
    """Return the path data of values spread evenly from ``left`` to ``right``."""
    step = (right - left) / max(len(values) - 1, 1)
    points = (
        f"{left + place * step:.1f},{scale.share(float(value)) * HEIGHT:.1f}"
        for place, value in enumerate(values)
    )
    return "M" + "L".join(points)


def area(values: Sequence[float] | Floats, scale: Scale) -> str:
    """Return the path data of the area between values and zero."""
    zero = scale.share(0.0) * HEIGHT
    return f"{line(values, scale)}L{WIDTH:.1f},{zero:.1f}L0.0,{zero:.1f}Z"


def svg(body: str, label: str) -> str:
    """Wrap drawing elements; ``label`` is what a screen reader says."""
    return (
        f'<svg viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" preserveAspectRatio="none" '
        f'role="img" aria-label="{label}">{body}</svg>'
    )


def rule(scale: Scale, value: float, css: str = "grid") -> str:
    """Return a horizontal line at a value."""
    y = scale.share(value) * HEIGHT
    return f'<path class="{css}" d="M0,{y:.1f}H{WIDTH:.0f}"/>'


def y_labels(scale: Scale, ticks: Sequence[tuple[float, str]]) -> str:
    """Return the labels of values, placed at their height."""
    return "".join(
        f'<span class="y" style="top:{100 * scale.share(value):.2f}%">{text}</span>'
        for value, text in ticks
    )


def year_ticks(times: Sequence[datetime]) -> list[tuple[float, int]]:
    """Return the first bar of each year as a share of the width, with the year."""
    last = max(len(times) - 1, 1)
    return [
        (place / last, at.year)
        for place, at in enumerate(times)
        if place and at.year != times[place - 1].year
    ]


def x_labels(ticks: Sequence[tuple[float, int]]) -> str:
    """Return the labels of years; narrow screens hide those that are marked minor."""
    step = max(1, -(-len(ticks) // 9))
    wanted = [tick for tick in ticks if tick[1] % step == 0]
    return "".join(
        f'<span class="x{"" if order % 2 == 0 else " minor"}" style="left:{100 * place:.2f}%">'
        f"{year}</span>"
        for order, (place, year) in enumerate(wanted)
    )


def log_ticks(low: float, high: float) -> list[float]:
    """Return round values between two bounds on a logarithmic scale."""
    steps = (0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0, 20.0, 50.0)
    return [step for step in steps if low <= step <= high]


def round_ticks(low: float, high: float) -> list[float]:
    """Return zero and about four more round values between two bounds."""
    rough = (high - low) / 4.0
    unit = 10.0 ** np.floor(np.log10(rough))
    step = float(unit * min((1.0, 2.0, 5.0, 10.0), key=lambda factor: abs(factor * unit - rough)))
    return [step * place for place in range(int(np.ceil(low / step)), int(high // step) + 1)]


def spread_out(shares: Sequence[float], gap: float) -> list[float]:
    """Move heights apart so that labels at them are at least ``gap`` from each other."""
    order = sorted(range(len(shares)), key=lambda place: shares[place])
    moved = list(shares)
    for _ in range(50):  # each pass halves what is still too close
        for above, below in pairwise(order):
            short = gap - (moved[below] - moved[above])
            if short > 0.0:
                moved[above] -= short / 2.0
                moved[below] += short / 2.0
    return moved
