"""The tables of the report: months, falls, windows, and who earned what when."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from nt_memory import metrics
from nt_memory.backtest import periods
from nt_memory.backtest.attribution import attribution
from nt_memory.backtest.report import regimes, words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from nt_memory.backtest.experiment import Experiment
    from nt_memory.market import Floats

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def months(experiment: Experiment) -> str:
    """Return the main arm's returns by month and year, beside the baseline's year."""
    main, baseline = (
        experiment.arms[name].run.returns
        for name in (experiment.main, experiment.settings.baseline)
    )
    times = experiment.market.times[experiment.start + 1 :]
    made = periods.monthly_returns(times, main)
    years = periods.annual_returns(times, main)
    other = periods.annual_returns(times, baseline)
    reach = max(map(abs, made.values()), default=0.0)
    rows = []
    for year, total in years.items():
        cells = "".join(_heat(made.get((year, month)), reach) for month in range(1, 13))
        rows.append(
            f'<tr><th scope="row">{year}</th>{cells}<td class="sum">{_short(total)}</td>'
            f'<td class="other">{_short(other[year])}</td></tr>'
        )
    head = "".join(f'<th scope="col">{month}</th>' for month in MONTHS)
    return _scrolled(
        f'<table class="months"><thead><tr><td></td>{head}<th scope="col">year</th>'
        f'<th scope="col">{escape(experiment.settings.baseline)}</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def falls(experiment: Experiment) -> str:
    """Return the worst falls of the main arm."""
    times = experiment.market.times[experiment.start + 1 :]
    begun = experiment.market.closed_at(experiment.start)
    found = periods.worst_falls(times, experiment.arms[experiment.main].run.returns, begun)
    if not found:
        return '<p class="note">It never was below its peak.</p>'
    rows = "".join(
        f"<tr><td>{words.percent(fall.depth)}</td><td>{_date(fall.peak)}</td>"
        f"<td>{_date(fall.trough)}</td><td>{_date(fall.recovered)}</td><td>{fall.bars:,}</td></tr>"
        for fall in found
    )
    head = "".join(
        f'<th scope="col">{name}</th>' for name in ("Depth", "Peak", "Trough", "Recovered", "Bars")
    )
    return _scrolled(
        f'<table class="falls"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    )


def _sharpe(returns: Floats) -> float | None:
    """Return the Sharpe ratio of a window; None of fewer returns than two."""
    return metrics.sharpe_ratio(returns) if len(returns) > 1 else None


def windows(experiment: Experiment) -> str:
    """Return the Sharpe ratio of the main arm and the baseline in each window; empty for one."""
    if len(experiment.windows) < 2:
        return ""
    names = (experiment.main, experiment.settings.baseline)
    rows = []
    for number, window in enumerate(experiment.windows, 1):
        first, last = (
            experiment.market.closed_at(step) for step in (window.test[0], window.test[-1])
        )
        # What a window decides is filled from the bar after its first on.
        part = slice(window.test.start - experiment.start, window.test.stop - experiment.start)
        left, right = (_sharpe(experiment.arms[name].run.returns[part]) for name in names)
        gap = None if left is None or right is None else left - right
        rows.append(
            f'<tr><th scope="row">{number}</th><td>{_date(first)}</td><td>{_date(last)}</td>'
            f"<td>{words.number(left)}</td><td>{words.number(right)}</td>"
            f"<td>{words.number(gap, sign=True)}</td></tr>"
        )
    titles = ("From", "To", *(escape(name) for name in names), "Difference")
    head = "".join(f'<th scope="col">{title}</th>' for title in titles)
    return _scrolled(
        f'<table class="windows"><thead><tr><td></td>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def contributions(experiment: Experiment) -> str:
    """Return what each agent earned in each regime as a heat map; empty where nobody told."""
    earned = attribution(experiment, experiment.main)
    if not earned:
        return ""
    labels = list(_regime_order(earned))
    reach = max(abs(value) for row in earned.values() for value in row.values())
    rows = []
    for agent, row in earned.items():
        cells = "".join(_heat(row[label], reach, digits=1) for label in labels)
        rows.append(
            f'<tr><th scope="row">{escape(agent)}</th>{cells}'
            f'<td class="sum">{_points(sum(row.values()))}</td></tr>'
        )
    sums = [sum(row[label] for row in earned.values()) for label in labels]
    total = "".join(f"<td>{_points(value)}</td>" for value in (*sums, sum(sums)))
    head = "".join(f'<th scope="col">{escape(regimes.name(label))}</th>' for label in labels)
    return _scrolled(
        f'<table class="earned"><thead><tr><td></td>{head}<th scope="col">sum</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody>"
        f'<tfoot><tr><th scope="row">all</th>{total}</tr></tfoot></table>'
    )


def _regime_order(earned: dict[str, dict[str, float]]) -> Iterator[str]:
    """Yield the labels as the legend has them, calm to wild, those without one last."""
    found = list(next(iter(earned.values())))
    ranks = [*regimes.KNOWN, *sorted(regimes.name(label) for label in found)]
    yield from sorted(found, key=lambda label: (label == "none", ranks.index(regimes.name(label))))


def _heat(value: float | None, reach: float, digits: int = 1) -> str:
    """Return a cell whose shade tells how large a value is beside the largest."""
    if value is None:
        return "<td></td>"
    depth = abs(value) / reach if reach else 0.0
    css = "gain" if value >= 0 else "loss"
    shade = f'<i class="{css}" style="opacity:{0.6 * np.sqrt(depth):.2f}"></i>'
    return f'<td class="heat">{shade}<span>{_short(value, digits)}</span></td>'


def _short(value: float, digits: int = 1) -> str:
    return words.number(100.0 * value, digits)


def _points(value: float) -> str:
    return words.number(100.0 * value, 1, sign=True)


def _date(at: datetime | None) -> str:
    return "not yet" if at is None else at.date().isoformat()


def _scrolled(table: str) -> str:
    return f'<div class="scroll">{table}</div>'
