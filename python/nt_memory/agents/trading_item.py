"""What a trading memory is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from dataclasses import fields as dataclass_fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nt_memory._shown import shown
from nt_memory._values import finite, mapping
from nt_memory.agents._checks import text
from nt_memory.clock import to_micros

if TYPE_CHECKING:
    from nt_memory.records import Record


@dataclass(frozen=True, slots=True)
class TradingMemoryItem:
    """Something worth remembering, in words.

    Parameters
    ----------
    kind
        What it is: ``"trade"``, ``"signal"``, ``"regime"``, ``"agent_vote"``,
        ``"outcome"``, ``"market_event"``, ``"sentiment_extreme"``, ``"pattern"`` or
        whatever else one calls it.
    content
        It in words; what `TradingMemoryStore.search` compares.
    score
        How much it matters: 1 is normal, 2 is critical.
    symbol
        Of the instrument.
    metadata
        Anything more, JSON types; texts and numbers on its first level are indexed.
    timestamp
        When it happened and was known; the clock's now by default.
    id
        Given by the store.

    Raises
    ------
    ValueError, TypeError
        A field has no value that can be kept; it is named.
    """

    kind: str
    content: str
    score: float = 1.0
    symbol: str = "SPY"
    metadata: Mapping[str, Any] = field(default_factory=dict)
    timestamp: datetime | None = None
    id: str = ""

    def __post_init__(self) -> None:
        for name in ("kind", "content", "symbol"):
            text(name, getattr(self, name))
        if not isinstance(self.id, str):
            msg = f"id={shown(self.id)}: give a text"
            raise TypeError(msg)
        object.__setattr__(self, "score", finite("score", self.score, 0.0))
        object.__setattr__(self, "metadata", dict(mapping("metadata", self.metadata)))
        if self.timestamp is not None:
            to_micros(self.timestamp, "timestamp")

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON types, the time in ISO 8601."""
        at = None if self.timestamp is None else self.timestamp.isoformat()
        names = ("kind", "content", "score", "symbol", "metadata", "id")
        return {**{name: getattr(self, name) for name in names}, "timestamp": at}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> TradingMemoryItem:
        """Return what `to_json` gave."""
        told = dict(mapping("item", fields))
        for name in told:
            if name not in _FIELDS:
                msg = f"{shown(name)} is no field of an item: give some of {', '.join(_FIELDS)}"
                raise ValueError(msg)
        at = told.get("timestamp")
        try:
            told["timestamp"] = None if at is None else datetime.fromisoformat(at)
        except (TypeError, ValueError) as error:
            msg = f"timestamp={shown(at)}: give a time in ISO 8601, or None"
            raise ValueError(msg) from error
        return cls(**told)

    @classmethod
    def from_record(cls, record: Record) -> TradingMemoryItem:
        """Return the item that a record of a `TradingMemoryStore` holds."""
        metadata = record.payload if isinstance(record.payload, Mapping) else {}
        # What somebody else wrote there may have no words, or those of nobody.
        words, symbol = record.text or "", record.symbol or ""
        return cls(
            kind=record.kind if record.kind.strip() else "other",
            content=words if words.strip() else record.kind.strip() or "other",
            score=record.importance,
            symbol=symbol if symbol.strip() else "SPY",
            metadata=metadata,
            timestamp=record.event_time,
            id=record.id,
        )


_FIELDS = tuple(each.name for each in dataclass_fields(TradingMemoryItem))


@dataclass(frozen=True, slots=True)
class TradingSummary:
    """What a `TradingMemoryStore` holds of a symbol.

    Parameters
    ----------
    total_memories
        How many are shown.
    recent_count
        How many of them happened in the last hours.
    by_kind
        How many of the recent ones are of each kind.
    avg_score
        Mean score of the recent ones; None without any.
    """

    total_memories: int
    recent_count: int
    by_kind: Mapping[str, int]
    avg_score: float | None
