"""An agent that asks what happened the last times the market looked like this."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nt_memory.filters import Filter, gt
from nt_memory.recall import Weights
from nt_memory.records import Outcome, Provenance, Record

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from nt_memory.market import BarSeries
    from nt_memory.policy.encoder import Vector
    from nt_memory.recall import Recall
    from nt_memory.system import MemorySystem

KIND = "state"
ON_SIMILARITY = Weights(1.0, 0.0, 0.0, 0.0)
# A return is never below -1, so this asks for any outcome that is known.
SETTLED = gt(-2.0)


@dataclass(frozen=True, slots=True)
class Evidence:
    """The weighted mean of outcomes, and how many of its standard errors it is from zero."""

    mean: float
    t: float

    def direction(self, threshold: float) -> int:
        """Return the sign of the mean, or 0 where |t| is below the threshold."""
        return int(np.sign(self.mean)) if abs(self.t) >= threshold else 0


@dataclass(frozen=True, slots=True)
class Analogue:
    """An earlier state that was recalled: how alike it is (0..1) and what it led to."""

    id: str
    at: datetime
    similarity: float
    reward: float


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided at a close, on which evidence, citing which recall.

    ``id`` names the record of the state and its decision.  ``evidence`` is
    None where too few outcomes were known; the direction is 0 then.
    """

    id: str
    at: datetime
    direction: int
    evidence: Evidence | None
    recall_id: str
    analogues: tuple[Analogue, ...]


def weigh(rewards: Sequence[float], weights: Sequence[float]) -> Evidence:
    """Weigh outcomes of at least two analogues.

    With weights w and outcomes r the mean is m = sum(w r) / sum(w), and its
    standard error sqrt(n / (n - 1) * sum(w^2 (r - m)^2)) / sum(w), which is
    the usual one where the weights are equal (Cochran 1977, for a ratio
    mean).  t is m over it; 0 where the mean is 0, infinite where all outcomes
    are one and the same.

    Examples
    --------
    >>> weigh([0.02, 0.04], [1.0, 1.0])
    Evidence(mean=0.03, t=3.0)
    """
    r, w = np.asarray(rewards), np.asarray(weights)
    mean = float((w * r).sum() / w.sum())
    spread = float(np.sqrt(len(r) / (len(r) - 1) * ((w * (r - mean)) ** 2).sum()) / w.sum())
    if mean == 0.0:
        return Evidence(0.0, 0.0)
    return Evidence(mean, mean / spread if spread > 0.0 else float(np.copysign(np.inf, mean)))


class AnalogueAgent:
    """Recall the most similar earlier states and follow what they led to.

    At each close it settles the states whose outcome ended there, recalls the
    ``top_k`` most similar ones whose outcome is known by then (as of that
    close, exact, on similarity alone), decides, and remembers the new state
    together with the decision, which cites the recall.  An outcome is the
    return from the next open to the close ``holding`` bars later.

    Parameters
    ----------
    memory
        Where the states are kept; its clock is moved to the close before each call.
    agent_id
        Owner of the namespace ``swarm/<agent_id>/states``.
    top_k
        States that are recalled; with fewer it stays flat.
    holding
        Bars from a decision to its outcome.
    threshold
        It is flat where |t| of the evidence is below.
    """

    def __init__(
        self,
        memory: MemorySystem,
        *,
        agent_id: str = "analogue",
        top_k: int = 10,
        holding: int = 5,
        threshold: float = 1.0,
    ) -> None:
        self.namespace = f"swarm/{agent_id}/states"
        self.agent_id = agent_id
        self.top_k = top_k
        self.holding = holding
        self.threshold = threshold
        self._memory = memory
        self._open: deque[tuple[int, str]] = deque()

    def decide(self, past: BarSeries, state: Vector) -> Decision:
        """Decide at the close of the last bar of ``past``, whose encoding is ``state``."""
        self._settle(past)
        at = past.closed_at(-1)
        recall = self._recall(past.symbol, at, state)
        analogues = tuple(
            Analogue(hit.id, hit.record.event_time, hit.score, hit.record.outcome.reward)
            for hit in recall.hits
            if hit.record.outcome is not None
        )
        evidence = self._evidence(analogues)
        direction = evidence.direction(self.threshold) if evidence else 0
        attributes = {"direction": float(direction)}
        if evidence is not None:
            attributes["expected"] = evidence.mean
        record = Record(
            namespace=self.namespace,
            kind=KIND,
            agent_id=self.agent_id,
            symbol=past.symbol,
            event_time=at,
            embedding=state,
            attributes=attributes,
            provenance=Provenance(writer=self.agent_id, parents=(recall.id,)),
        )
        kept = self._memory.remember(record)
        self._open.append((len(past) - 1, kept))
        return Decision(kept, at, direction, evidence, recall.id, analogues)

    def _settle(self, past: BarSeries) -> None:
        while self._open and self._open[0][0] + self.holding < len(past):
            bar, record_id = self._open.popleft()
            known_at = past.closed_at(bar + self.holding)
            outcome = Outcome(past.outcome(bar, self.holding), known_at=known_at)
            self._memory.settle(record_id, outcome)

    def _recall(self, symbol: str, at: datetime, state: Vector) -> Recall:
        return self._memory.recall(
            embedding=state,
            namespace=self.namespace,
            filter=Filter(kind=KIND, symbol=symbol, reward=SETTLED),
            as_of=at,
            top_k=self.top_k,
            weights=ON_SIMILARITY,
            exact=True,
        )

    def _evidence(self, analogues: Sequence[Analogue]) -> Evidence | None:
        if len(analogues) < max(self.top_k, 2):
            return None
        return weigh([a.reward for a in analogues], [a.similarity for a in analogues])
