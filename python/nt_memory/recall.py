"""What a recall gives back, and how it was ranked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nt_memory._values import finite
from nt_memory.clock import Bars, from_micros
from nt_memory.records import Record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from nt_memory.store import Match

__all__ = ["Bars", "Hit", "Recall", "Weights"]

TIMES = frozenset({"event_time", "known_at", "recorded_at", "visible_at"})
PARTS = ("similarity", "recency", "importance", "outcome")


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each part of a score counts; parts that do not apply are left out.

    Parameters
    ----------
    similarity
        Cosine mapped to 0..1; applies with a query.
    recency
        ``0.5 ** (age / half_life)``; applies with a half-life.
    importance
        ``1 - exp(-importance)``.
    outcome
        ``0.5 + 0.5 * tanh(reward / scale)``, scale being the median absolute
        reward of the candidates; applies where the outcome was known.
    """

    similarity: float = 0.6
    recency: float = 0.2
    importance: float = 0.1
    outcome: float = 0.1

    def __post_init__(self) -> None:
        for name in PARTS:
            object.__setattr__(self, name, finite(f"weights.{name}", getattr(self, name), 0.0))

    def as_tuple(self) -> tuple[float, float, float, float]:
        """Return the weights in the order in which they are summed."""
        return self.similarity, self.recency, self.importance, self.outcome


@dataclass(frozen=True, slots=True)
class Hit:
    """One remembered record and why it is here.

    ``score`` is the weighted mean of the parts that apply (None: does not),
    or the value that `Recall` was ordered by.
    """

    id: str
    version: int
    score: float
    similarity: float | None
    recency: float | None
    importance: float
    outcome: float | None
    record: Record
    weights: Weights
    order_by: str | None = None

    @classmethod
    def of(cls, match: Match, weights: Weights, order_by: str | None) -> Hit:
        """Return the hit of a match that carries its record."""
        if match.record is None:
            msg = f"the match {match.id!r} carries no record"
            raise ValueError(msg)
        return cls(
            id=match.id,
            version=match.version,
            score=match.score,
            similarity=match.similarity,
            recency=match.recency,
            importance=match.importance,
            outcome=match.outcome,
            record=Record.from_raw(match.record),
            weights=weights,
            order_by=order_by,
        )

    @property
    def told_score(self) -> str:
        """The score for people: a time as a time, all else as a number."""
        if self.order_by is None:
            return f"{self.score:.4f}"
        if self.order_by.removeprefix("-") in TIMES:
            return from_micros(int(self.score)).isoformat(sep=" ", timespec="minutes")
        return f"{self.score:g}"

    def explain(self) -> dict[str, Any]:
        """Return each part with its share of the weight, the tier and the reason.

        Returns
        -------
        dict
            ``id``, ``version``, ``score``, ``parts`` (by name: ``value``,
            ``weight``, the renormalised share, and ``contribution``, their
            product), ``tier`` and ``reason``.
        """
        values = {name: getattr(self, name) for name in PARTS}
        present = {name: value for name, value in values.items() if value is not None}
        total = sum(getattr(self.weights, name) for name in present)
        parts = {}
        for name, value in present.items():
            weight = 0.0 if not total or self.order_by else getattr(self.weights, name) / total
            parts[name] = {"value": value, "weight": weight, "contribution": weight * value}
        return {
            "id": self.id,
            "version": self.version,
            "score": self.score,
            "parts": parts,
            "tier": "L3" if self.similarity is None else "L2",
            "reason": self._reason(parts),
        }

    def _reason(self, parts: dict[str, dict[str, float]]) -> str:
        if self.order_by is not None:
            return f"ordered by {self.order_by}: {self.told_score}"
        told = sorted(parts.items(), key=lambda part: -part[1]["contribution"])
        shares = [
            f"{name} {part['value']:.3f} x {part['weight']:.2f}"
            for name, part in told
            if part["weight"] > 0
        ]
        return " + ".join(shares) or "no part has a weight"


@dataclass(frozen=True, slots=True)
class Recall:
    """The answer of a recall: its hits, best first, and what they were drawn from.

    Parameters
    ----------
    id
        For `MemorySystem.replay` and for decisions to cite; empty when it was not logged.
    hits
        Best first.
    as_of
        The time it was asked for.
    commit
        The number of the last batch it saw.
    exact
        Whether every candidate was scored.
    forgotten
        How many records would have been candidates but were forgotten.
    matched
        How many records were candidates.
    """

    id: str
    hits: tuple[Hit, ...]
    as_of: datetime
    commit: int
    exact: bool
    forgotten: int
    matched: int

    @property
    def complete(self) -> bool:
        """Whether nothing in scope was forgotten."""
        return self.forgotten == 0

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def explain(self) -> str:
        """Return a table of the hits with their parts, and how the answer was made."""
        header = ["#", "id", "score", *PARTS, "event time", "kind"]
        rows = [header]
        for place, hit in enumerate(self.hits, start=1):
            values = (getattr(hit, name) for name in PARTS)
            cells = ["-" if value is None else f"{value:.4f}" for value in values]
            at = hit.record.event_time.isoformat(sep=" ", timespec="minutes")
            rows.append([str(place), hit.id, hit.told_score, *cells, at, hit.record.kind])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        how = "exact" if self.exact else "approximate"
        lines.append(
            f"{len(self.hits)} of {self.matched} candidates, {how}, as of "
            f"{self.as_of.isoformat()}, commit {self.commit}, {self.forgotten} forgotten"
        )
        return "\n".join(lines)
