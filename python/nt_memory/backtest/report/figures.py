"""The figures of the report."""

from __future__ import annotations

import itertools
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from nt_memory import metrics
from nt_memory.backtest.report import charts, cursor, regimes, words
from nt_memory.backtest.settings import HOLD

if TYPE_CHECKING:
    from datetime import datetime

    from nt_memory.backtest.experiment import Arm, Experiment
    from nt_memory.backtest.report.recalled import Day

# The logarithmic scale ends here; what lost everything is drawn at its foot.
LEAST = 1e-3
# Further arms take these in turn.
OTHERS = ("shuffled", "other-1", "other-2", "other-3", "other-4")


def classes(experiment: Experiment) -> dict[str, str]:
    """Return the style of each arm: what the report is about, its baseline, and the others."""
    others = itertools.cycle(OTHERS)
    fixed = {experiment.main: "memory", experiment.settings.baseline: "plain", HOLD: "hold"}
    return {name: fixed.get(name) or next(others) for name in experiment.arms}


def intervals(experiment: Experiment) -> str:
    """Draw each difference with its interval around a common zero."""
    found = experiment.intervals
    reach = 1.1 * max(max(abs(i.low), abs(i.high)) for i in found.values()) or 1.0
    rows = []
    for (left, right), interval in found.items():
        low, mid, high = (
            50.0 + 50.0 * value / reach
            for value in (interval.low, interval.difference, interval.high)
        )
        told = (
            f"{words.number(interval.difference, sign=True)} "
            f"<span>{words.number(interval.low, sign=True)} to "
            f"{words.number(interval.high, sign=True)}</span>"
        )
        rows.append(
            f'<div class="versus"><div class="name">{escape(left)} {words.MINUS} {escape(right)}'
            f'</div><div class="told">{told}</div><div class="track"><i class="zero"></i>'
            f'<i class="reach" style="left:{low:.2f}%;width:{high - low:.2f}%"></i>'
            f'<i class="point" style="left:{mid:.2f}%"></i></div></div>'
        )
    sides = '<div class="sides"><span>left worse</span><span>left better</span></div>'
    return "".join(rows) + sides


def equity(experiment: Experiment) -> str:
    """Draw the value of 1 in each arm on a logarithmic scale, labelled at its end."""
    runs, at = _steps(experiment)
    css = classes(experiment)
    curves = {
        # Drawn from the back to the front: what the report is about lies on top.
        name: np.concatenate([[1.0], metrics.equity_curve(arm.run.returns)])
        for name, arm in reversed(list(experiment.arms.items()))
    }
    values = {name: [float(curve[stop - 1]) for _, stop in runs] for name, curve in curves.items()}
    every = [max(value, LEAST) for line in values.values() for value in line]
    scale = charts.Scale(0.96 * min(every), 1.04 * max(every), log=True)
    ticks = charts.log_ticks(scale.low, scale.high)
    years = charts.year_ticks(at)
    labels_told = regimes.traded_labels(experiment)
    body = regimes.bands(labels_told, runs)
    body += "".join(charts.rule(scale, tick, "one" if tick == 1.0 else "grid") for tick in ticks)
    body += "".join(
        f'<path class="line {css[name]}" d="{charts.line(np.maximum(line, LEAST), scale)}"/>'
        for name, line in values.items()
    )
    read = [
        {"name": name, "values": [f"{value:.2f}" for value in values[name]]}
        for name in experiment.arms
    ]
    heights = [scale.share(max(line[-1], LEAST)) for line in values.values()]
    ends = charts.spread_out(heights, 0.055)
    labels = "".join(
        f'<span class="end {css[name]}" style="top:{100 * top:.2f}%">{escape(name)} '
        f"<b>{words.number(line[-1])}</b></span>"
        for (name, line), top in zip(values.items(), ends, strict=True)
    )
    return (
        '<div class="chart equity" id="equity"><div class="plot">'
        f"{charts.svg(body, 'Value of 1 in each arm over time')}"
        f"{charts.y_labels(scale, [(tick, f'{tick:g}') for tick in ticks])}"
        f'{charts.x_labels(years)}<div class="cursor" hidden></div></div>'
        f'<div class="ends">{labels}</div></div>{regimes.legend(labels_told)}'
        f'<div class="readout" aria-live="polite"></div>{cursor.readings(at, read)}'
    )


def _steps(experiment: Experiment) -> tuple[list[tuple[int, int]], list[datetime]]:
    """Return the runs of traded steps that are drawn as one point, and when each ends."""
    market, start = experiment.market, experiment.start
    runs = charts.buckets(len(market) - start)
    return runs, [market.closed_at(start + stop - 1) for _, stop in runs]


def drawdowns(experiment: Experiment) -> str:
    """Draw how far each arm was below its peak, one strip an arm, all on one scale."""
    arms = list(experiment.arms.values())
    deepest = min(arm.metrics.max_drawdown for arm in arms)
    scale = charts.Scale(min(1.05 * deepest, -0.01), 0.0)
    runs, at = _steps(experiment)
    css = classes(experiment)
    strips = "".join(_strip(arm, css[arm.name], scale, runs) for arm in arms)
    years = charts.x_labels(charts.year_ticks(at))
    return f'<div class="strips">{strips}<div class="years">{years}</div></div>'


def _strip(arm: Arm, css: str, scale: charts.Scale, runs: list[tuple[int, int]]) -> str:
    below = np.concatenate([[0.0], metrics.drawdowns(arm.run.returns)])
    values = [float(below[start:stop].min()) for start, stop in runs]
    body = (
        f'<path class="fill {css}" d="{charts.area(values, scale)}"/>'
        f'<path class="line {css}" d="{charts.line(values, scale)}"/>'
    )
    drawing = charts.svg(body, f"Drawdown of {escape(arm.name)}")
    return (
        f'<div class="strip"><div class="name {css}">{escape(arm.name)} '
        f"<b>{words.percent(arm.metrics.max_drawdown, 0)}</b></div>"
        f'<div class="plot">{drawing}</div></div>'
    )


def paths(day: Day, holding: int) -> str:
    """Draw the closes around a day (bold) over those around its analogues, joined at the day."""
    every = np.concatenate([day.path, *day.paths])
    low, high = float(every.min()), float(every.max())
    if high == low:
        low, high = low - 0.01, high + 0.01
    margin = 0.05 * (high - low)
    scale = charts.Scale(low - margin, high + margin)
    after = charts.WIDTH * (len(day.path) - 1 - holding) / (len(day.path) - 1)
    body = (
        f'<rect class="after" x="{after:.1f}" y="0" width="{charts.WIDTH - after:.1f}" '
        f'height="{charts.HEIGHT:.0f}"/>{charts.rule(scale, 0.0)}'
    )
    body += "".join(f'<path class="line past" d="{charts.line(p, scale)}"/>' for p in day.paths)
    known, met = day.path[: len(day.path) - holding], day.path[-holding - 1 :]
    body += f'<path class="line today" d="{charts.line(known, scale, right=after)}"/>'
    body += f'<path class="line next" d="{charts.line(met, scale, left=after)}"/>'
    labels = charts.y_labels(
        scale,
        [(value, words.percent(value, 0, sign=True)) for value in charts.round_ticks(low, high)],
    )
    drawing = charts.svg(body, "Closes around the day and around the states it recalled")
    return f'<div class="chart paths"><div class="plot">{drawing}{labels}</div></div>'
