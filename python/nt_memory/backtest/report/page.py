"""The report as one HTML file that needs nothing else."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

from nt_memory.backtest.report import cursor, days, decay, figures, how, tables, words
from nt_memory.backtest.report.recalled import chosen_days
from nt_memory.backtest.settings import SHUFFLED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nt_memory.backtest.experiment import Experiment, Metrics


def render(experiment: Experiment, card: Mapping[str, object]) -> str:
    """Return the report of an experiment; ``card`` is its run card."""
    folder = files(__package__)

    def read(name: str) -> str:
        return folder.joinpath(name).read_text(encoding="utf-8")

    holding = experiment.settings.holding
    told = "".join(days.card(day, holding) for day in chosen_days(experiment))
    return Template(read("page.html")).substitute(
        _settings(experiment),
        headline=f"{escape(experiment.verdict.capitalize())}.",
        lede=lede(experiment),
        intervals=figures.intervals(experiment),
        table=table(experiment),
        equity=figures.equity(experiment),
        drawdowns=figures.drawdowns(experiment),
        falls=tables.falls(experiment),
        months=tables.months(experiment),
        further=further(experiment),
        days=told or '<p class="note">No decision in this span rests on enough memories.</p>',
        facts="".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in _facts(card)),
        style=read("style.css"),
        script=cursor.script(),
    )


def further(experiment: Experiment) -> str:
    """Return the sections that not every run has."""
    parts = (
        (
            "windows",
            "Window by window",
            "Sharpe ratios of what was traded in each window, by strategies that had learnt on "
            "the bars before it alone.",
            tables.windows(experiment),
        ),
        (
            "earned",
            "Who earned what",
            f"What each agent brought {escape(experiment.main)}, in percent of the equity at the "
            "start, by the regime known when it was decided. After costs; the sum is the total "
            "return.",
            tables.contributions(experiment),
        ),
        (
            "decay",
            "How memories age",
            "What a memory is worth by its age in bars.",
            decay.curves(experiment.decay),
        ),
    )
    return "".join(
        f'<section aria-labelledby="{name}"><h2 id="{name}">{title}</h2>'
        f'<p class="note">{note}</p>{body}</section>'
        for name, title, note, body in parts
        if body
    )


def lede(experiment: Experiment) -> str:
    """Say what was compared and what came out, in a paragraph."""
    market, start, interval = experiment.market, experiment.start, experiment.decisive
    above = "above" if interval.difference >= 0 else "below"
    spans = "which spans zero" if interval.spans_zero else "which leaves out zero"
    traded = experiment.about.market or ", ".join(market.symbols)
    return (
        f"{len(market) - start:,} bars of {escape(traded)}, "
        f"{words.month(market.closed_at(start))} to {words.month(market.closed_at(-1))}. "
        f"{escape(experiment.about.does)} had a Sharpe ratio "
        f"<b>{words.number(abs(interval.difference))}</b> {above} that without memory. "
        f"The {words.percent(interval.level, 0)} interval of that difference runs from "
        f"<b>{words.number(interval.low)}</b> to <b>{words.number(interval.high)}</b>, {spans}."
        f"{_placebo(experiment)}"
    )


def _placebo(experiment: Experiment) -> str:
    """Say how the same memories did with each other's outcomes, where an arm tried it."""
    interval = experiment.intervals.get((experiment.main, SHUFFLED))
    if interval is None:
        return ""
    told = (
        f" Against shuffled memory, the placebo, the difference is "
        f"{words.number(interval.difference)} ({words.number(interval.low)} to "
        f"{words.number(interval.high)})."
    )
    if experiment.decisive.low > 0.0 and interval.spans_zero:
        told += " So what helped need not be what was remembered."
    return told


def table(experiment: Experiment) -> str:
    """Return measures by arm."""
    css = figures.classes(experiment)
    head = "".join(
        f'<th scope="col"><i class="key {css[name]}"></i>{escape(name)}</th>'
        for name in experiment.arms
    )
    columns = [dict(_rows(arm.metrics)) for arm in experiment.arms.values()]
    rows = []
    for label in columns[0]:
        cells = "".join(f"<td>{column[label]}</td>" for column in columns)
        rows.append(f'<tr><th scope="row">{label}</th>{cells}</tr>')
    # More arms than a small screen holds are scrolled to, not squeezed.
    wide = f' style="min-width:{6 + 5 * len(columns)}rem"' if len(columns) > 4 else ""
    return (
        f'<div class="scroll"><table class="arms"{wide}><thead><tr><td></td>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _rows(m: Metrics) -> list[tuple[str, str]]:
    return [
        ("Total return", words.percent(m.total_return, sign=True)),
        ("Return a year", words.percent(m.annual_return, sign=True)),
        ("Sharpe ratio", words.number(m.sharpe)),
        ("Sortino ratio", words.number(m.sortino)),
        ("Max drawdown", words.percent(m.max_drawdown)),
        ("Win rate", words.percent(m.win_rate)),
        ("Turnover a year", f"{words.number(m.turnover, 1)}{words.THIN}{words.TIMES}"),
        ("Mean exposure", words.percent(m.exposure, 0)),
    ]


def _settings(experiment: Experiment) -> dict[str, str]:
    """Return what the prose of the page names."""
    s, interval = experiment.settings, experiment.decisive
    return {
        "main": escape(experiment.main),
        "baseline": escape(s.baseline),
        "shaded": " Shaded: the regime known at each close." if experiment.regimes else "",
        "arms_told": escape(experiment.about.arms),
        "level": words.percent(interval.level, 0),
        "holding": str(s.holding),
        "how": "".join(
            f"<li><b>{escape(term)}.</b> {escape(told)}</li>"
            for term, told in how.points(experiment)
        ),
    }


def _facts(card: Mapping[str, object]) -> list[tuple[str, str]]:
    """Flatten the parts of the run card that say how to repeat the run."""
    found: list[tuple[str, str]] = []
    for name in ("data", "parameters", "strategy", "distance_kernel", "versions"):
        found += _flat(name, card[name])
    return found


def _flat(name: str, value: object) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [fact for key, item in value.items() for fact in _flat(f"{name} {key}", item)]
    return [(name.replace("_", " "), _plainly(value))]


def _plainly(value: object) -> str:
    """Write a setting as a reader would, not as Python does."""
    if value is None or value == ():
        return words.NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
