"""What the episodes of a window say, as entries of knowledge."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from nt_memory._intake import visible_at
from nt_memory.clock import from_micros
from nt_memory.clustering import NO_GROUP, cluster
from nt_memory.experience.semantic import SemanticMemory
from nt_memory.metrics import LARGEST, PerformanceMetrics
from nt_memory.records import STATE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    import numpy.typing as npt

    from nt_memory.store import RawRecord

# Cosine from which two episodes are alike.
ALIKE = 0.8
_MOST_EXAMPLES = 20
_COUNTED = ("symbol", "regime", "market_phase")


def groups(raws: Sequence[RawRecord], least: int) -> list[list[RawRecord]]:
    """Return clusters of episodes in which the same was done, in the order of their first."""
    by_action: dict[str, list[RawRecord]] = {}
    for raw in raws:
        action = raw.attributes.get("action")
        if STATE in raw.embeddings and isinstance(action, str) and _is_sound(raw):
            by_action.setdefault(action, []).append(raw)
    found = []
    for action in sorted(by_action):
        members = by_action[action]
        labels = cluster(_vectors(members), similarity=ALIKE, least=least)
        found += [
            [members[row] for row in np.flatnonzero(labels == number).tolist()]
            for number in range(int(labels.max(initial=NO_GROUP)) + 1)
        ]
    return found


def created(
    group: Sequence[RawRecord], namespace: str, agent_id: str | None, at: datetime
) -> SemanticMemory:
    """Return the entry of a pattern that is not known yet.

    Its id follows from where it lies and its first member: whenever the window is worked
    through, it is the same.
    """
    digest = sha256(f"{namespace}/{group[0].id}".encode()).hexdigest()
    id_ = f"pattern-{digest[:32]}"
    nothing = SemanticMemory(
        memory_type="PATTERN",
        created_at=at,
        agent_id=agent_id,
        memory_id=id_,
        pattern_id=id_,
        conditions={"action": group[0].attributes["action"], "examples": []},
        concept_vector=np.ones(1, dtype=np.float32),
    )
    return updated(nothing, group)


def updated(entry: SemanticMemory, group: Sequence[RawRecord]) -> SemanticMemory:
    """Return an entry with a cluster more in it."""
    known = dict(entry.conditions or {})
    units = _vectors(group).astype(np.float64)
    total = _sum_of(entry, known) + units.sum(axis=0)
    ordered = sorted(group, key=lambda raw: (visible_at(raw), raw.id))
    rewards = [raw.outcome.reward for raw in ordered if raw.outcome is not None]
    times = [from_micros(visible_at(raw)) for raw in ordered]
    performance = entry.historical_performance.merge(PerformanceMetrics.of(rewards, times))
    nearest = np.argsort(-(units @ total), kind="stable").tolist()
    examples = examples_of(entry)
    room = _MOST_EXAMPLES - len(examples)
    return replace(
        entry,
        concept_vector=(total / np.linalg.norm(total)).astype(np.float32),
        conditions={
            **known,
            "vector_sum": total,
            "counts": _counted(known.get("counts", {}), group),
            "examples": examples + [group[row].id for row in nearest[: max(room, 0)]],
        },
        expected_return=performance.mean_return,
        win_rate=performance.win_rate,
        historical_performance=performance,
        sharpe_ratio=performance.sharpe,
        max_drawdown=performance.max_drawdown,
        description=_words(str(known["action"]), performance, group),
    )


def home_of(
    group: Sequence[RawRecord], there: Sequence[SemanticMemory], least: float
) -> int | None:
    """Return the place of the pattern about the same action that a cluster belongs to."""
    total = _vectors(group).sum(axis=0)
    middle = total / np.linalg.norm(total)
    best, place = least, None
    for number, entry in enumerate(there):
        vector = entry.concept_vector
        same = (entry.conditions or {}).get("action") == group[0].attributes["action"]
        if entry.memory_type != "PATTERN" or not same or vector is None:
            continue
        alike = float(middle @ (vector / np.linalg.norm(vector)))
        if alike >= best:
            best, place = alike, number
    return place


def examples_of(entry: SemanticMemory) -> list[str]:
    """Return the episodes that an entry holds."""
    held = (entry.conditions or {}).get("examples", ())
    return [id_ for id_ in held if isinstance(id_, str)] if isinstance(held, (list, tuple)) else []


def _sum_of(entry: SemanticMemory, known: dict[str, Any]) -> npt.NDArray[np.float64]:
    """Return the sum of a pattern's vectors; of one that others wrote, as if all were alike."""
    total: npt.NDArray[np.float64] = known.get("vector_sum", np.zeros(0))
    if len(total):
        return total
    n, vector = entry.historical_performance.n, entry.concept_vector
    if not n or vector is None:
        return np.zeros(1)
    wide = vector.astype(np.float64)
    return np.asarray(n * wide / np.linalg.norm(wide))


def _is_sound(raw: RawRecord) -> bool:
    """Whether an episode lies where its agent's do, and its reward can be reckoned with."""
    mine = raw.namespace == f"swarm/{raw.agent_id}/episodes"
    return mine and raw.outcome is not None and abs(raw.outcome.reward) <= LARGEST


def _vectors(raws: Sequence[RawRecord]) -> npt.NDArray[np.float32]:
    rows = np.array([raw.embeddings[STATE] for raw in raws])
    units: npt.NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return units


def _counted(known: dict[str, dict[str, int]], group: Iterable[RawRecord]) -> dict[str, Any]:
    """Return how often each symbol, regime and phase was there, with some more episodes."""
    counts = {name: dict(values) for name, values in known.items()}
    for raw in group:
        for name in _COUNTED:
            value = raw.attributes.get(name) or getattr(raw, name, None)
            if isinstance(value, str):
                seen = counts.setdefault(name, {})
                seen[value] = seen.get(value, 0) + 1
    return counts


def _words(action: str, performance: PerformanceMetrics, group: Sequence[RawRecord]) -> str:
    regimes = sorted({raw.regime for raw in group if raw.regime})
    where = f" in {', '.join(regimes)}" if regimes else ""
    return (
        f"{action}{where}: {performance.n} episodes, mean {performance.mean_return:+.4g}, "
        f"{performance.win_rate or 0.0:.0%} above zero"
    )
