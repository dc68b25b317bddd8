"""Scores and order; every sum runs from left to right in double precision."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nt_memory.errors import DimensionMismatchError, InvalidEmbeddingError
from nt_memory.store import Match

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nt_memory.store import Query, Vector
    from nt_memory.testing._version import Version

KEYS = (
    "event_time",
    "known_at",
    "recorded_at",
    "visible_at",
    "importance",
    "confidence",
    "reward",
)


@dataclass(frozen=True)
class Space:
    """A vector space."""

    name: str
    dim: int
    quantization: str
    encoder: str | None

    def unit(self, embedding: Vector) -> list[float]:
        """Check an embedding and bring it to unit length."""
        numbers = [float(x) for x in embedding]
        if len(numbers) != self.dim:
            msg = (
                f"embedding for space {self.name!r} has {len(numbers)} dimensions; "
                f"the space has {self.dim}"
            )
            raise DimensionMismatchError(msg)
        for at, number in enumerate(numbers):
            if not math.isfinite(number):
                msg = (
                    f"embedding for space {self.name!r} holds {number} at position {at}; "
                    "every value must be finite"
                )
                raise InvalidEmbeddingError(msg)
        squares = total(x * x for x in numbers)
        if squares <= 0.0:
            msg = f"embedding for space {self.name!r} is all zero; leave it out where there is none"
            raise InvalidEmbeddingError(msg)
        norm = math.sqrt(squares)
        return [float(np.float32(x / norm)) for x in numbers]

    def code(self, embedding: Vector) -> list[float]:
        """Return the code that is stored of an embedding."""
        unit = np.array(self.unit(embedding), dtype=np.float32)
        stored = unit.astype(np.float16) if self.quantization == "f16" else unit
        return [float(x) for x in stored]


def total(terms: Iterable[float]) -> float:
    """Sum from left to right (the built-in sum compensates)."""
    result = 0.0
    for term in terms:
        result += term
    return result


def cosine(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the dot product of two unit vectors, kept within -1..1."""
    return min(max(total(x * y for x, y in zip(a, b, strict=True)), -1.0), 1.0)


def similarity(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the cosine mapped to 0..1."""
    return (1.0 + cosine(a, b)) / 2.0


def check_key(order_by: str) -> None:
    """Raise ValueError for an order that there is not."""
    name = order_by.removeprefix("-")
    if name not in KEYS and not name.startswith("attributes."):
        msg = (
            f"order_by is {order_by!r}; use {', '.join(KEYS)} or attributes.NAME, "
            "with a leading '-' for the greatest first"
        )
        raise ValueError(msg)


def _key(name: str, version: Version) -> float | None:
    record = version.record
    if name == "visible_at":
        return float(version.visible_at)
    if name == "reward":
        return None if record.outcome is None else record.outcome.reward
    if name.startswith("attributes."):
        value = record.attributes.get(name.removeprefix("attributes."))
        return float(value) if isinstance(value, (int, float)) else None
    value = getattr(record, name)
    return None if value is None else float(value)


class Ranking:
    """Ranks the candidates of one query."""

    def __init__(
        self, query: Query, as_of: int, unit: list[float] | None, candidates: list[Version]
    ) -> None:
        self._query = query
        self._as_of = as_of
        self._unit = unit
        self._candidates = candidates
        sizes = [
            abs(version.record.outcome.reward) for version in candidates if version.record.outcome
        ]
        self._scale = _median(sizes) or 1.0

    def matches(self) -> list[Match]:
        """Return the best matches, best first, without records."""
        ranked = self._by_key() if self._query.order_by else self._by_score()
        if self._query.diversity > 0.0:
            return self._diverse(ranked)
        return [match for match, _ in ranked[: self._query.top_k]]

    def _by_score(self) -> list[tuple[Match, Version]]:
        ranked = [(self._match(version), version) for version in self._candidates]
        return sorted(ranked, key=lambda pair: (-pair[0].score, pair[0].id))

    def _by_key(self) -> list[tuple[Match, Version]]:
        order = self._query.order_by or ""
        name, sign = order.removeprefix("-"), -1.0 if order.startswith("-") else 1.0

        def place(version: Version) -> tuple[bool, float, str]:
            value = _key(name, version)
            return value is None, sign * (value or 0.0), version.record.id

        ordered = sorted(self._candidates, key=place)
        if self._query.after is not None:
            value, id_ = self._query.after
            passed = (value is None, sign * (value or 0.0), id_)
            ordered = [version for version in ordered if place(version) > passed]
        return [(self._match(version, _key(name, version) or 0.0), version) for version in ordered]

    def _diverse(self, ranked: list[tuple[Match, Version]]) -> list[Match]:
        """Choose by maximal marginal relevance (Carbonell and Goldstein 1998)."""
        diversity, top_k = self._query.diversity, self._query.top_k
        pool = ranked[: max(10 * top_k, 100)]
        taken: list[tuple[Match, Version]] = []
        while pool and len(taken) < top_k:
            values = []
            for match, version in pool:
                nearest = max((self._between(version, other) for _, other in taken), default=0.0)
                values.append((1.0 - diversity) * match.score - diversity * nearest)
            taken.append(pool.pop(values.index(max(values))))
        return [match for match, _ in taken]

    def _between(self, a: Version, b: Version) -> float:
        one, other = a.codes.get(self._query.space), b.codes.get(self._query.space)
        return similarity(one, other) if one and other else 0.0

    def _match(self, version: Version, score: float | None = None) -> Match:
        record = version.record
        half_life = self._query.half_life
        age = float(max(self._as_of - record.event_time, 0))
        parts = (
            None
            if self._unit is None
            else similarity(self._unit, version.codes[self._query.space]),
            None if half_life is None else _exp2(-age / half_life),
            1.0 - math.exp(-record.importance),
            None
            if record.outcome is None
            else 0.5 + 0.5 * math.tanh(record.outcome.reward / self._scale),
        )
        if score is None:
            score = self._score(parts)
        return Match(record.id, record.version, score, *parts, record=None)

    def _score(self, parts: tuple[float | None, ...]) -> float:
        summed = weight = 0.0
        for part_weight, part in zip(self._query.weights, parts, strict=True):
            if part is not None and part_weight > 0.0:
                summed += part_weight * part
                weight += part_weight
        return summed / weight if weight > 0.0 else 0.0


def _median(sizes: list[float]) -> float:
    """Return the median, 0 of nothing; of two middle ones the mean, however large they are."""
    low = statistics.median_low(sizes or [0.0])
    high = statistics.median_high(sizes or [0.0])
    return (low + high) / 2 if math.isfinite(low + high) else low / 2 + high / 2


def _exp2(x: float) -> float:
    # math.exp2 is there from Python 3.11 on.
    return float(getattr(math, "exp2", lambda power: 2.0**power)(x))
