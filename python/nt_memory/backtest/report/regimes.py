"""Regimes behind a chart: which held when, as bands of colour, and a legend."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from nt_memory.backtest.report import charts, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nt_memory.backtest.experiment import Experiment

# Calm to wild; other labels follow by name.
KNOWN = ("quiet", "trending", "mean reverting", "volatile", "crisis")
COLOURS = 8


def name(label: str) -> str:
    """Return a label as words: MEAN_REVERTING is mean reverting."""
    return label.replace("_", " ").lower()


def traded_labels(experiment: Experiment) -> list[str | None]:
    """Return the label of each traded step, as words; empty without labels."""
    told = experiment.regimes[experiment.start :]
    return [None if label is None else name(label) for label in told]


def styles(labels: Sequence[str | None]) -> dict[str, str]:
    """Return the style of each regime that occurs."""
    found = {label for label in labels if label is not None}
    others = sorted(found - set(KNOWN))
    ordered = [*KNOWN, *others]
    return {label: f"r-{ordered.index(label) % COLOURS}" for label in ordered if label in found}


def bands(labels: Sequence[str | None], runs: Sequence[tuple[int, int]]) -> str:
    """Draw what held at the end of each run of steps, as rectangles of the full height."""
    if not labels:
        return ""
    css = styles(labels)
    drawn, width = [], charts.WIDTH / max(len(runs) - 1, 1)
    begun = 0
    for place, (_, stop) in enumerate(runs):
        label = labels[stop - 1]
        after = labels[runs[place + 1][1] - 1] if place + 1 < len(runs) else None
        if place + 1 < len(runs) and after == label:
            continue
        if label is not None:
            left = max(begun - 0.5, 0.0) * width
            right = min((place + 0.5) * width, charts.WIDTH)
            drawn.append(
                f'<rect class="regime {css[label]}" x="{left:.1f}" y="0" '
                f'width="{right - left:.1f}" height="{charts.HEIGHT:.0f}"/>'
            )
        begun = place + 1
    return "".join(drawn)


def legend(labels: Sequence[str | None]) -> str:
    """Name the regimes, with the share of the steps in which they held."""
    if not labels:
        return ""
    parts = [
        f'<span><i class="swatch {css}"></i>{escape(label)} '
        f"<b>{words.percent(labels.count(label) / len(labels), 0)}</b></span>"
        for label, css in styles(labels).items()
    ]
    return f'<div class="legend">{"".join(parts)}</div>'
