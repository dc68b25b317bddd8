"""Signals: what one agent tells others, and what each of them made of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from nt_memory._shown import shown
from nt_memory._values import finite, mapping, pack, segment, texts, unpack
from nt_memory.clock import from_micros, micros, to_micros

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from nt_memory.clock import Duration

Severity: TypeAlias = Literal["low", "medium", "high", "critical"]
Status: TypeAlias = Literal["PENDING", "PROCESSED", "FAILED"]

STATUSES: tuple[Status, ...] = get_args(Status)
_SEVERITIES = get_args(Severity)
_DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Processing:
    """What a target has made of a signal: when, and which decision it led to."""

    status: Status = "PENDING"
    processed_at: datetime | None = None
    decision_id: str | None = None

    def packed(self) -> bytes:
        """Return the row of the store; the status is in its key."""
        at = None if self.processed_at is None else to_micros(self.processed_at)
        return pack({"processed_at": at, "decision_id": self.decision_id})

    @classmethod
    def unpacked(cls, status: Status, row: bytes) -> Processing:
        """Return what `packed` wrote."""
        fields = unpack(row)
        at = fields["processed_at"]
        return cls(status, None if at is None else from_micros(at), fields["decision_id"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """What one agent tells others.

    Parameters
    ----------
    signal_type
        For example ``"WHALE_ACTIVITY"``.
    source_agent
        Who tells it.
    target_agents
        Whom; each has to be registered when the signal is published.
    severity
        ``"low"``, ``"medium"``, ``"high"`` or ``"critical"``.
    confidence
        0 to 1.
    data, context
        What was seen, and in which market: JSON types, bytes and NumPy arrays
        by name.
    recommended_action
        Words, or None.
    signal_id
        One level of a namespace; empty asks for a fresh ULID.
    timestamp
        When it was seen; None takes the time of publishing.
    ttl
        How long after publishing it is gone.
    processing_status
        What each target has made of it; filled in where a signal is read, and
        not looked at where one is published.

    Raises
    ------
    ValueError
        A field is out of its range.
    NamespaceError
        An id is not one level of a namespace.
    """

    signal_type: str
    source_agent: str
    target_agents: tuple[str, ...]
    severity: Severity
    confidence: float
    data: Mapping[str, Any] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)
    recommended_action: str | None = None
    signal_id: str = ""
    timestamp: datetime | None = None
    ttl: Duration = _DAY
    processing_status: Mapping[str, Processing] = field(default_factory=dict)

    def __post_init__(self) -> None:
        text("signal_type", self.signal_type)
        if self.recommended_action is not None:
            text("recommended_action", self.recommended_action)
        segment("source_agent", self.source_agent)
        object.__setattr__(self, "target_agents", _targets(self.target_agents))
        if self.severity not in _SEVERITIES:
            msg = f"severity={shown(self.severity)}: give one of {', '.join(_SEVERITIES)}"
            raise ValueError(msg)
        object.__setattr__(self, "confidence", finite("confidence", self.confidence, 0.0, 1.0))
        for name in ("data", "context"):
            object.__setattr__(self, name, dict(mapping(name, getattr(self, name))))
        if self.signal_id:
            segment("signal_id", self.signal_id)
        if self.timestamp is not None:
            to_micros(self.timestamp, "timestamp")
        if micros(self.ttl, "ttl") == 0:
            msg = f"ttl={shown(self.ttl)}: give a duration above 0"
            raise ValueError(msg)

    def packed(self, now: int) -> bytes:
        """Return the row of the store; what is made of the signal is not in it."""
        at = now if self.timestamp is None else to_micros(self.timestamp)
        ttl = micros(self.ttl)
        kept = (
            "signal_type",
            "source_agent",
            "severity",
            "confidence",
            "data",
            "context",
            "recommended_action",
        )
        row = {name: getattr(self, name) for name in kept}
        times = {"timestamp": at, "ttl": ttl, "gone_at": now + ttl}
        return pack({**row, "target_agents": list(self.target_agents), **times})


def text(name: str, value: object) -> None:
    """Check a text that says something.

    Raises
    ------
    ValueError
        It is no string, or empty.
    """
    if not (isinstance(value, str) and value):
        msg = f"{name}={shown(value)}: give a non-empty string"
        raise ValueError(msg)


def _targets(value: object) -> tuple[str, ...]:
    targets = texts("target_agents", value)  # type: ignore[arg-type]
    for target in targets:
        segment("target_agents", target)
    if not targets or len(set(targets)) != len(targets):
        msg = f"target_agents={shown(value)}: give at least one agent, and each once"
        raise ValueError(msg)
    return targets
