"""One chosen day as a card: the call, what was recalled, why, and what came of it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from nt_memory.backtest.report import figures, words

if TYPE_CHECKING:
    from nt_memory.backtest.report.recalled import Day
    from nt_memory.backtest.strategy import Remembered

FEATURES_SHOWN = 6


def card(day: Day, holding: int) -> str:
    """Return the card of one day."""
    call = day.call
    why = f"<div><h4>Why: alike in</h4>{_alike(day.alike)}</div>" if day.alike else ""
    return (
        f'<article><p class="kicker">{escape(day.reason)}</p>'
        f"<h3>{words.day(call.at)}: {words.side(call.direction)}</h3>"
        f"<p>{_story(day, holding)}</p>{figures.paths(day, holding)}"
        f'<div class="columns"><div><h4>Recalled</h4>{_recalled(call.remembered)}</div>{why}</div>'
        f'<p class="cite">Cites recall {escape(call.remembered.recall_id)}</p></article>'
    )


def _story(day: Day, holding: int) -> str:
    call, evidence = day.call, day.call.remembered.evidence
    if evidence is None:
        return ""
    gained = words.percent(call.outcome, sign=True)
    expected = words.percent(evidence.mean, sign=True)
    t = words.number(evidence.t, 1)
    if not call.direction:
        return (
            f"What it recalled led to {expected} on average (t {t}): no reason to take a side. "
            f"The market made <b>{gained}</b> in the {holding} bars after."
        )
    right = call.direction * call.outcome > 0
    # A rule of its own may take the other side.
    so = "so it went" if call.direction * evidence.mean > 0 else "and yet it went"
    return (
        f"What it recalled led to <b>{expected}</b> on average (t {t}), {so} "
        f"{words.side(call.direction)}. The market made <b>{gained}</b> in the {holding} "
        f"bars after: {'right' if right else 'wrong'}."
    )


def _recalled(remembered: Remembered) -> str:
    reach = max(abs(a.reward) for a in remembered.analogues) or 1.0
    rows = []
    for analogue in remembered.analogues:
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
