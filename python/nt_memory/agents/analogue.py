"""Asks what happened the last times the market looked like this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nt_memory._shown import shown
from nt_memory.agents._checks import bounded
from nt_memory.agents.base import MemoryAwareAgent
from nt_memory.agents.evidence import Analogue, weigh
from nt_memory.agents.opinion import Opinion
from nt_memory.agents.outcomes import SETTLED, STATE, decision_id, states_of
from nt_memory.filters import Filter
from nt_memory.recall import Weights
from nt_memory.records import Provenance, Record

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from nt_memory.agents.features import AgentFeatures, AnalogueFeatures
    from nt_memory.recall import Hit, Recall
    from nt_memory.system import MemorySystem

ON_SIMILARITY = Weights(1.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class AnalogueLimits:
    """When what earlier states led to is worth a side.

    Parameters
    ----------
    top_k
        States that are recalled, those most alike; with fewer it stays neutral.
    threshold
        It is neutral where the |t| of what they led to is below.
    confidence, rise, most
        Confidence at the threshold, what each further standard error adds, and the most.
    """

    top_k: int = 10
    threshold: float = 1.0
    confidence: float = 0.45
    rise: float = 0.1
    most: float = 0.8

    def __post_init__(self) -> None:
        share = (0.0, 1.0)
        bounded(self, ("top_k",), confidence=share, rise=share, most=share)
        if self.top_k < 2:
            msg = f"top_k={self.top_k}: give at least 2; one outcome says nothing of its error"
            raise ValueError(msg)


class AnalogueAgent(MemoryAwareAgent):
    """Takes the side that the most similar earlier states led to.

    It remembers the state of each bar that it is asked about, whichever side it takes, in
    ``swarm/<agent_id>/states``; once its bars have ended, a state is settled with what the
    market did: the return from the next open to the close ``holding`` bars later.  It
    recalls those whose outcome is known at the close, exactly, on similarity alone.

    Its opinion is what it remembers: without a memory it has none.  The memory needs a
    space "state" of the length of the embeddings.
    """

    name = "analogue"
    limits: AnalogueLimits = AnalogueLimits()

    def __init__(self, memory: MemorySystem, **options: Any) -> None:
        if STATE not in memory.config.spaces:
            names = ", ".join(memory.config.spaces)
            msg = f'spaces={shown(names)}: the analogue agent needs one called "{STATE}"'
            raise ValueError(msg)
        super().__init__(memory, **options)
        self.states = states_of(self.agent_id)

    def opinion(self, symbol: str, bar_time: datetime, features: AgentFeatures) -> Opinion:
        """Weigh what like states led to."""
        told = features.get("analogue")
        if told is None:
            return Opinion("neutral", 0.0, "there is no state yet")
        found = self._recalled(symbol, bar_time, told)
        rewards = self.rewards(symbol, bar_time, found.hits)
        analogues = tuple(
            Analogue(hit.id, hit.record.event_time, hit.score, reward)
            for hit, reward in zip(found.hits, rewards, strict=True)
        )
        limits = self.limits
        if len(analogues) < limits.top_k:
            words = f"{len(analogues)} states and what they led to are known, of {limits.top_k}"
            return Opinion("neutral", 0.0, words, recall_id=found.id)
        evidence = weigh(rewards, [each.similarity for each in analogues])
        words = (
            f"{len(analogues)} states like this led to {evidence.mean:+.2%} (t {evidence.t:.1f})"
        )
        direction = evidence.direction(limits.threshold)
        # Outcomes that are one and the same leave no doubt: t is infinite.
        beyond = min(abs(evidence.t), 1e9) - limits.threshold
        return Opinion(
            "long" if direction > 0 else "short" if direction < 0 else "neutral",
            min(limits.confidence + limits.rise * beyond, limits.most) if direction else 0.0,
            words,
            recall_id=found.id,
            precedents=analogues,
        )

    def rewards(
        self,
        symbol: str,  # noqa: ARG002 (for a placebo)
        bar_time: datetime,  # noqa: ARG002
        hits: Sequence[Hit],
    ) -> list[float]:
        """Return what recalled states led to."""
        return [hit.record.outcome.reward for hit in hits if hit.record.outcome is not None]

    def notes(self, symbol: str, bar_time: datetime, features: AgentFeatures) -> list[Record]:
        """Return what `perceive` would write: the state, beside what is remarkable."""
        found = super().notes(symbol, bar_time, features)
        told = features.get("analogue")
        return found if told is None else [*found, self.state(symbol, bar_time, told)]

    def state(self, symbol: str, bar_time: datetime, told: AnalogueFeatures) -> Record:
        """Return the record of a state."""
        return Record(
            namespace=self.states,
            kind=STATE,
            id=f"state-{decision_id(self.agent_id, symbol, bar_time)}",
            agent_id=self.agent_id,
            symbol=symbol,
            event_time=bar_time,
            embedding=np.asarray(told["embedding"]),
            provenance=Provenance(writer=self.agent_id),
        )

    def _recalled(self, symbol: str, bar_time: datetime, told: AnalogueFeatures) -> Recall:
        return self._memory.recall(
            embedding=np.asarray(told["embedding"]),
            namespace=self.states,
            filter=Filter(kind=STATE, symbol=symbol) & SETTLED,
            as_of=bar_time,
            top_k=self.limits.top_k,
            weights=ON_SIMILARITY,
            exact=True,
        )
