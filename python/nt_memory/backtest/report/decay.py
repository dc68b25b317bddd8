"""How what is remembered loses its worth with age."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from nt_memory.backtest.report import charts, words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CURVES = ("memory", "plain", "shuffled", "other-1", "other-2", "other-3", "other-4", "hold")


def curves(decay: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Draw values over ages in bars, a line a name; empty without any."""
    told = {name: sorted(points) for name, points in decay.items() if points}
    if not told:
        return ""
    oldest = max(points[-1][0] for points in told.values()) or 1.0
    values = [value for points in told.values() for _, value in points]
    low, high = min(0.0, *values), max(0.0, *values)
    margin = 0.05 * (high - low) or 1.0
    scale = charts.Scale(low - margin, high + margin)
    ticks = charts.round_ticks(scale.low, scale.high)
    body = "".join(charts.rule(scale, tick, "one" if tick == 0.0 else "grid") for tick in ticks)
    ends = []
    for place, (name, points) in enumerate(told.items()):
        css = CURVES[place % len(CURVES)]
        path = "L".join(
            f"{charts.WIDTH * age / oldest:.1f},{charts.HEIGHT * scale.share(value):.1f}"
            for age, value in points
        )
        body += f'<path class="line {css}" d="M{path}"/>'
        ends.append((css, name, scale.share(points[-1][1])))
    tops = charts.spread_out([top for _, _, top in ends], 0.07)
    labels = "".join(
        f'<span class="end {css}" style="top:{100 * top:.2f}%">{escape(name)}</span>'
        for (css, name, _), top in zip(ends, tops, strict=True)
    )
    ages = [age for age in charts.round_ticks(0.0, oldest) if age <= oldest]
    below = "".join(
        f'<span class="x" style="left:{100 * age / oldest:.2f}%">{age:g}</span>' for age in ages
    )
    y = charts.y_labels(scale, [(tick, words.number(tick)) for tick in ticks])
    return (
        f'<div class="chart decay"><div class="plot">'
        f"{charts.svg(body, 'Value by age in bars')}{y}{below}</div>"
        f'<div class="ends">{labels}</div></div>'
    )
