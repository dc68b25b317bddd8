"""One chosen day as a card: the call, what was recalled, why, and what came of it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from nt_memory.backtest.report import figures, words

if TYPE_CHECKING:
    from nt_memory.agents import Decision
    from nt_memory.backtest.report.recalled import Day

FEATURES_SHOWN = 6


def card(day: Day, holding: int) -> str:
    """Return the card of one day."""
    decision = day.decision
    return (
        f'<article><p class="kicker">{escape(day.reason)}</p>'
        f"<h3>{words.day(decision.at)}: {words.side(decision.direction)}</h3>"
        f"<p>{_story(day, holding)}</p>{figures.paths(day, holding)}"
        f'<div class="columns"><div><h4>Recalled</h4>{_recalled(decision)}</div>'
        f"<div><h4>Why: alike in</h4>{_alike(day.alike)}</div></div>"
        f'<p class="cite">Cites recall {escape(decision.recall_id)}</p></article>'
    )


def _story(day: Day, holding: int) -> str:
    evidence = day.decision.evidence
    if evidence is None:
        return ""
    gained = words.percent(day.outcome, sign=True)
    expected = words.percent(evidence.mean, sign=True)
    t = words.number(evidence.t, 1)
    if not day.decision.direction:
        return (
            f"What it recalled led to {expected} on average (t {t}): no reason to take a side. "
            f"The market made <b>{gained}</b> in the {holding} bars after."
        )
    right = day.decision.direction * day.outcome > 0
    return (
        f"What it recalled led to <b>{expected}</b> on average (t {t}), so it went "
        f"{words.side(day.decision.direction)}. The market made <b>{gained}</b> in the {holding} "
        f"bars after: {'right' if right else 'wrong'}."
    )


def _recalled(decision: Decision) -> str:
    reach = max(abs(a.reward) for a in decision.analogues) or 1.0
    rows = []
    for analogue in decision.analogues:
        width = 50.0 * abs(analogue.reward) / reach
        left = 50.0 if analogue.reward >= 0 else 50.0 - width
        css = "gain" if analogue.reward >= 0 else "loss"
        rows.append(
            f"<tr><td>{analogue.at.date().isoformat()}</td><td>{analogue.similarity:.3f}</td>"
            f'<td class="swing"><i class="{css}" style="left:{left:.1f}%;width:{width:.1f}%"></i>'
            f"</td><td>{words.percent(analogue.reward, sign=True)}</td></tr>"
        )
    head = "<tr><th>Day</th><th>Similar</th><th></th><th>Led to</th></tr>"
    return f'<table class="recalled"><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table>'


def _alike(shares: dict[str, float]) -> str:
    strongest = sorted(shares.items(), key=lambda share: -share[1])[:FEATURES_SHOWN]
    rest = sum(shares.values()) - sum(value for _, value in strongest)
    reach = max(abs(value) for _, value in strongest) or 1.0
    rows = "".join(
        f'<tr><td>{escape(name)}</td><td class="bar">'
        f'<i style="width:{100.0 * max(value, 0.0) / reach:.1f}%"></i></td>'
        f"<td>{words.number(value, 3)}</td></tr>"
        for name, value in strongest
    )
    others = len(shares) - len(strongest)
    total = words.number(sum(shares.values()), 3)
    return (
        f'<table class="alike"><tbody>{rows}<tr class="rest"><td>{others} others</td><td></td>'
        f"<td>{words.number(rest, 3)}</td></tr></tbody><tfoot><tr><td>mean cosine</td><td></td>"
        f"<td>{total}</td></tr></tfoot></table>"
    )
