"""What the labelled regimes of a memory say of a bar."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from nt_memory._values import unpack
from nt_memory.clock import to_micros
from nt_memory.experience import semantic
from nt_memory.experience.semantic_store import namespace_of
from nt_memory.filters import Filter
from nt_memory.regime.features import FEATURES
from nt_memory.regime.labels import Regime
from nt_memory.regime.rules import Judgement
from nt_memory.store import Query

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from nt_memory.market import Floats
    from nt_memory.regime.features import RegimeFeatures
    from nt_memory.store import RawRecord
    from nt_memory.system import MemorySystem

_Labelled: TypeAlias = "tuple[Floats, Regime, float]"

_MOST = 10_000
_LEAST_VOLATILITY = 1e-12
_NAMES = frozenset(regime.value for regime in Regime)


class Vote:
    """The nearest labelled regimes in a memory, each with its likeness times its confidence.

    Labelled are the REGIME entries of the shared knowledge, and of the agent in whose
    hands the memory is, that name one of the five regimes and have all six features.
    Each feature is standardised over those that were known at the time; the logarithm
    stands for the volatility, and for a half-life h the share 2^(-1/h) that a bar leaves.
    With d the distance, the likeness is 1 / (1 + d^2 / 6).  All are looked at, the latest
    10,000 of them.

    Parameters
    ----------
    memory
        Where the labelled regimes are.
    neighbours
        How many of the nearest vote; with fewer labelled regimes none does.
    """

    def __init__(self, memory: MemorySystem, neighbours: int) -> None:
        self._memory = memory
        self._neighbours = neighbours
        self._read: tuple[datetime, list[_Labelled]] | None = None

    def forget(self) -> None:
        """Let go of what was read: the next vote reads the memory anew."""
        self._read = None

    def __call__(self, found: RegimeFeatures, at: datetime) -> Judgement | None:
        """Return the vote on features as of a time; None where too few are labelled."""
        labelled = self._labelled(at)
        if len(labelled) < self._neighbours:
            return None
        points = np.array([point for point, _, _ in labelled])
        deviation = points.std(axis=0)
        deviation[deviation == 0.0] = 1.0
        gaps = (points - _point([getattr(found, name) for name in FEATURES])) / deviation
        squares = (gaps * gaps).sum(axis=1)
        votes: dict[Regime, float] = {}
        # Those that are equally near come as they were found: the latest first, then by id.
        for place in np.argsort(squares, kind="stable")[: self._neighbours]:
            _, regime, confidence = labelled[place]
            weight = confidence / (1.0 + float(squares[place]) / len(FEATURES))
            votes[regime] = votes.get(regime, 0.0) + weight
        total = sum(votes.values())
        if total <= 0.0:
            return None
        shares = {regime: weight / total for regime, weight in votes.items()}
        return Judgement(max(shares, key=shares.__getitem__), shares, 1)

    def _labelled(self, at: datetime) -> list[_Labelled]:
        # The bars of one snapshot are all judged as of the same time.
        if self._read is None or self._read[0] != at:
            told = map(_labelled, self._entries(at))
            self._read = (at, [one for one in told if one is not None])
        return self._read[1]

    def _entries(self, at: datetime) -> list[RawRecord]:
        agent = self._memory.agent_id
        scope = [namespace_of(None)] + ([] if agent is None else [namespace_of(agent)])
        wanted = Filter(kind=semantic.KIND, attributes={"memory_type": "REGIME"})
        query = Query(
            filter=wanted.tree(),
            within=scope,
            as_of=to_micros(at, "at"),
            order_by="-known_at",
            top_k=_MOST,
            exact=True,
        )
        found = self._memory.store.vector_search(query)
        return [match.record for match in found.matches if match.record is not None]


def _labelled(raw: RawRecord) -> _Labelled | None:
    """Return the features, the regime and the confidence of an entry; None without them."""
    name = raw.regime
    features: Mapping[str, Any] = unpack(raw.payload or b"").get("regime_features") or {}
    told = [features.get(feature) for feature in FEATURES]
    if name not in _NAMES or not all(isinstance(value, (int, float)) for value in told):
        return None
    point = _point([float(value) for value in told if value is not None])
    if not np.isfinite(point).all():
        return None
    return point, Regime(name), 1.0 if raw.confidence is None else raw.confidence


def _point(features: list[float]) -> Floats:
    """Return features as numbers between which a distance says something."""
    volatility, trend, half_life, *others = features
    left = 0.0 if half_life <= 0.0 else 2.0 ** (-1.0 / half_life)
    return np.array([math.log(max(volatility, _LEAST_VOLATILITY)), trend, left, *others])
