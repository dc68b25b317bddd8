"""What a swarm decided, and how a memory keeps it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from nt_memory.agents.composer import AgentRecord, Decision
from nt_memory.agents.evidence import Analogue
from nt_memory.agents.opinion import DIRECTIONS, Act, Opinion
from nt_memory.clock import from_micros

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from nt_memory.records import Record


@dataclass(frozen=True, slots=True)
class SwarmDecision:
    """What the swarm decided at a close, and how.

    Parameters
    ----------
    id
        Of the record that keeps it.
    symbol, at, regime
        About what, when, and in which regime.
    decision
        What the votes came to, and each agent's part.
    exposure
        Share of it that the guard lets through.
    acts
        What each agent said, by name.
    benched
        Agents that were not asked, because they had raised.
    """

    id: str
    symbol: str
    at: datetime
    regime: str | None
    decision: Decision
    exposure: float
    acts: dict[str, Act]
    benched: tuple[str, ...]

    @property
    def weight(self) -> float:
        """Share of the equity to hold from the next open on: -1 (short) to 1."""
        return self.decision.score * self.exposure

    @property
    def contributions(self) -> dict[str, float]:
        """Each agent's part of the weight; they add up to it."""
        parts = self.decision.contributions
        return {agent: part * self.exposure for agent, part in parts.items()}


def kept(made: SwarmDecision, bench: Mapping[str, int]) -> dict[str, Any]:
    """Return what a record keeps of a decision, and for how long agents sit out after it."""
    decision = made.decision
    return {
        "signal": decision.signal,
        "direction": float(DIRECTIONS[decision.signal]),
        "event": None,
        "score": decision.score,
        "confidence": decision.confidence,
        "exposure": made.exposure,
        "weight": made.weight,
        "contributions": made.contributions,
        "parts": dict(decision.contributions),
        "records": {name: asdict(record) for name, record in decision.records.items()},
        "benched": list(made.benched),
        "bench": dict(bench),
        "acts": {name: act.context["trade_id"] for name, act in made.acts.items()},
        "why": decision.why,
    }


def decision_of(record: Record, acts: dict[str, Act]) -> SwarmDecision:
    """Return the decision that a record keeps."""
    told = record.payload
    decision = Decision(
        signal=told["signal"],
        confidence=told["confidence"],
        score=told["score"],
        contributions=told["parts"],
        records={name: AgentRecord(**row) for name, row in told["records"].items()},
        why=told["why"],
    )
    return SwarmDecision(
        id=record.id,
        symbol=record.symbol or "",
        at=record.event_time,
        regime=record.regime,
        decision=decision,
        exposure=told["exposure"],
        acts=acts,
        benched=tuple(told["benched"]),
    )


def act_of(record: Record) -> Act:
    """Return what an agent said, of the record that keeps it."""
    told = record.payload
    base = Opinion(
        told["signal"],
        told["base_confidence"],
        told["why"],
        told["event"],
        told["recall_id"],
        tuple(
            Analogue(id_, from_micros(at), similarity, reward)
            for id_, at, similarity, reward in told["precedents"]
        ),
    )
    names = ("factor", "win_rate", "outcomes", "past_trades", "recalled")
    context = {
        "trade_id": record.id,
        "base": base,
        **{name: told[name] for name in names},
        "recall_id": record.provenance.parents[0],
    }
    return Act(base.signal, record.confidence or 0.0, context)
