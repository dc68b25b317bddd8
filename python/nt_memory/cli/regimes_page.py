"""The regimes of a series as one HTML file that needs nothing else."""

from __future__ import annotations

from datetime import timedelta
from html import escape
from importlib.resources import files
from itertools import pairwise
from string import Template
from typing import TYPE_CHECKING, Any

from nt_memory.backtest.report import charts, cursor, words
from nt_memory.regime import Regime

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from nt_memory.market import BarSeries
    from nt_memory.regime import Regimes, Spell

# From the loudest to the quietest, as the lanes lie.
ORDER = (
    Regime.CRISIS,
    Regime.VOLATILE,
    Regime.TRENDING,
    Regime.MEAN_REVERTING,
    Regime.QUIET,
)
_LABELS = 10
# Crises and turbulence are few, and what people look for; of them the table tells the longest.
_TOLD = 12
_YEAR = 366


def page(bars: BarSeries, found: Regimes, rows: Sequence[Mapping[str, Any]], lookback: int) -> str:
    """Return the page of a series; ``rows`` are what each regime came to."""
    style = files("nt_memory.backtest.report").joinpath("style.css")
    body = files(__package__).joinpath("regimes.html")
    spells = found.spells()
    last = spells[-1]
    symbol = escape(bars.symbol)
    return Template(body.read_text(encoding="utf-8")).substitute(
        headline=f"{symbol} is {name(last.regime)}.",
        lede=(
            f"{len(bars):,} bars, {words.day(day_of(bars, 0))} to "
            f"{words.day(day_of(bars, -1))}. The last "
            f"<b>{last.stop - last.start:,}</b> bars are {name(last.regime)}, with a confidence "
            f"of <b>{words.number(found.confidences[-1])}</b>. The regime changed "
            f"<b>{max(len(spells) - 1, 0):,}</b> times, once in "
            f"<b>{words.number(len(bars) / max(len(spells) - 1, 1), 0)}</b> bars."
        ),
        chart=_chart(bars, spells),
        lanes=_lanes(bars, spells, {row["regime"]: row["share"] for row in rows}),
        table=_table(rows),
        spells=_spells(bars, spells),
        lookback=str(lookback),
        readings=_readings(bars, found),
        script=cursor.script(),
        style=style.read_text(encoding="utf-8"),
    )


def name(regime: Regime) -> str:
    """Write a regime as a word."""
    return regime.value.lower().replace("_", " ")


def day_of(bars: BarSeries, bar: int) -> datetime:
    """Return when a bar closed; one that closed at midnight is of the day before."""
    return bars.closed_at(bar) - timedelta(microseconds=1)


def _css(regime: Regime) -> str:
    return regime.value.lower().replace("_", "-")


def _rectangle(spell: Spell, count: int) -> str:
    """Return the rectangle of a spell over the whole height, from its first bar to the next."""
    step = charts.WIDTH / max(count - 1, 1)
    left, right = spell.start * step, min(spell.stop * step, charts.WIDTH)
    return (
        f'<rect class="{_css(spell.regime)}" x="{left:.1f}" y="0" '
        f'width="{max(right - left, 0.6):.1f}" height="{charts.HEIGHT:.0f}"/>'
    )


def _chart(bars: BarSeries, spells: Sequence[Spell]) -> str:
    runs = charts.buckets(len(bars))
    values = [float(bars.close[stop - 1]) for _, stop in runs]
    low, high = min(values), max(values)
    room = (high / low) ** 0.04 if high > low else 1.01
    scale = charts.Scale(low / room, high * room, log=True)
    ticks = [tick for tick in charts.round_ticks(scale.low, scale.high) if tick > 0.0]
    body = "".join(_rectangle(spell, len(bars)) for spell in spells)
    body += "".join(charts.rule(scale, tick) for tick in ticks)
    body += f'<path class="line close" d="{charts.line(values, scale)}"/>'
    drawing = charts.svg(body, f"Close of {escape(bars.symbol)}, shaded by regime")
    labels = charts.y_labels(scale, [(tick, f"{tick:,.10g}") for tick in ticks])
    return (
        f'<div class="plot">{drawing}{labels}{_dates(bars)}<div class="cursor" hidden></div></div>'
    )


def _lanes(bars: BarSeries, spells: Sequence[Spell], shares: Mapping[str, float]) -> str:
    rows = []
    for regime in ORDER:
        body = "".join(_rectangle(spell, len(bars)) for spell in spells if spell.regime is regime)
        drawing = charts.svg(body, f"When it was {name(regime)}")
        rows.append(
            f'<div class="lane"><div class="name"><i class="{_css(regime)}"></i>{name(regime)} '
            f"<b>{words.percent(shares[regime.value], 0)}</b></div>"
            f'<div class="plot">{drawing}</div></div>'
        )
    return "".join(rows)


def _dates(bars: BarSeries) -> str:
    """Return the labels of the time axis: years, or months of a shorter series."""
    runs = charts.buckets(len(bars))
    at = [bars.closed_at(start) for start, _ in runs]
    if (at[-1] - at[0]).days > 2 * _YEAR:
        return charts.x_labels(charts.year_ticks(at))
    ticks = _months(at)
    step = max(1, -(-len(ticks) // _LABELS))
    return "".join(
        f'<span class="x{"" if order % 2 == 0 else " minor"}" style="left:{100 * place:.2f}%">'
        f"{label}</span>"
        for order, (place, label) in enumerate(ticks[::step])
    )


def _months(at: Sequence[datetime]) -> list[tuple[float, str]]:
    last = max(len(at) - 1, 1)
    return [
        (place / last, f"{after:%b %Y}" if after.month == 1 else f"{after:%b}")
        for place, (before, after) in enumerate(pairwise(at), 1)
        if (after.year, after.month) != (before.year, before.month)
    ]


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    by_name = {row["regime"]: row for row in rows}
    lines = []
    for regime in ORDER:
        row = by_name[regime.value]
        mean, length = row["mean_return"], row["mean_bars"]
        cells = (
            f"{row['bars']:,}",
            words.percent(row["share"]),
            str(row["spells"]),
            words.number(length, 0),
            words.percent(mean, 3, sign=True),
            words.percent(row["volatility"], 2),
        )
        told = "".join(f"<td>{cell}</td>" for cell in cells)
        lines.append(
            f'<tr><th scope="row"><i class="{_css(regime)}"></i>{name(regime)}</th>{told}</tr>'
        )
    return "".join(lines)


def _spells(bars: BarSeries, spells: Sequence[Spell]) -> str:
    loud = [spell for spell in spells if spell.regime in ORDER[:2]]
    longest = sorted(loud, key=lambda spell: spell.start - spell.stop)[:_TOLD]
    lines = []
    for spell in sorted(longest, key=lambda spell: spell.start):
        closes = bars.close[max(spell.start - 1, 0) : spell.stop]
        cells = (
            words.day(day_of(bars, spell.start)),
            words.day(day_of(bars, spell.stop - 1)),
            f"{spell.stop - spell.start:,}",
            words.percent(float(closes[-1] / closes[0] - 1.0), sign=True),
        )
        told = "".join(f"<td>{cell}</td>" for cell in cells)
        word = f'<i class="{_css(spell.regime)}"></i>{name(spell.regime)}'
        lines.append(f'<tr><th scope="row">{word}</th>{told}</tr>')
    return "".join(lines) or '<tr><th scope="row">none</th><td colspan="4"></td></tr>'


def _readings(bars: BarSeries, found: Regimes) -> str:
    """Return what the cursor reads, for the script."""
    last = [stop - 1 for _, stop in charts.buckets(len(bars))]
    labels = [found.labels[bar] for bar in last]
    told = [
        None if label is None else f"{found.confidences[bar]:.2f}"
        for bar, label in zip(last, labels, strict=True)
    ]
    return cursor.readings(
        [day_of(bars, bar) for bar in last],
        [
            {"name": "close", "values": [f"{bars.close[bar]:,.6g}" for bar in last]},
            {
                "names": ["" if label is None else name(label) for label in labels],
                "values": told,
            },
        ],
    )
