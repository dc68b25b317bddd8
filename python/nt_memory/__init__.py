"""A memory for trading agents: they store, recall at a point in time, and explain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nt_memory.clock import Bars, Clock, ManualClock, SystemClock
from nt_memory.config import CacheConfig, MemoryConfig, VectorConfig, VectorSpace
from nt_memory.coordination.messages import AgentMemoryMessage, Message, MessageType
from nt_memory.coordination.subscription import Subscription, SubscriptionCounts
from nt_memory.embedding import EmbeddingProvider, HashingEmbedding
from nt_memory.errors import (
    CacheError,
    ClosedError,
    ConflictError,
    CoordinationError,
    CorruptionError,
    DimensionMismatchError,
    ForgottenError,
    ForkError,
    HorizonError,
    InternalError,
    InvalidEmbeddingError,
    LaggedError,
    NamespaceError,
    NtMemoryError,
    RecordNotFoundError,
    RecvTimeoutError,
    SerializationError,
    SettledError,
    StorageError,
    StorageFullError,
    StoreLockedError,
    VectorError,
)
from nt_memory.filters import (
    Condition,
    Filter,
    between,
    contains,
    ge,
    gt,
    le,
    lt,
    ne,
    not_in,
)
from nt_memory.recall import Hit, Recall, Weights
from nt_memory.records import Outcome, Provenance, Record
from nt_memory.system import MemorySystem

if TYPE_CHECKING:
    from nt_memory._listening import AsyncSubscription
    from nt_memory._native import Namespace
    from nt_memory.aio import AsyncMemorySystem

__all__ = [
    "AgentMemoryMessage",
    "AsyncMemorySystem",
    "AsyncSubscription",
    "Bars",
    "CacheConfig",
    "CacheError",
    "Clock",
    "ClosedError",
    "Condition",
    "ConflictError",
    "CoordinationError",
    "CorruptionError",
    "DimensionMismatchError",
    "EmbeddingProvider",
    "Filter",
    "ForgottenError",
    "ForkError",
    "HashingEmbedding",
    "Hit",
    "HorizonError",
    "InternalError",
    "InvalidEmbeddingError",
    "LaggedError",
    "ManualClock",
    "MemoryConfig",
    "MemorySystem",
    "Message",
    "MessageType",
    "Namespace",
    "NamespaceError",
    "NtMemoryError",
    "Outcome",
    "Provenance",
    "Recall",
    "Record",
    "RecordNotFoundError",
    "RecvTimeoutError",
    "SerializationError",
    "SettledError",
    "StorageError",
    "StorageFullError",
    "StoreLockedError",
    "Subscription",
    "SubscriptionCounts",
    "SystemClock",
    "VectorConfig",
    "VectorError",
    "VectorSpace",
    "Weights",
    "between",
    "contains",
    "ge",
    "gt",
    "le",
    "lt",
    "ne",
    "not_in",
]


def __getattr__(name: str) -> object:
    """Load what pulls in asyncio or the extension when it is first named."""
    if name == "AsyncMemorySystem":
        from nt_memory.aio import AsyncMemorySystem

        return AsyncMemorySystem
    if name == "AsyncSubscription":
        from nt_memory._listening import AsyncSubscription

        return AsyncSubscription
    if name == "Namespace":
        from nt_memory._native import Namespace

        return Namespace
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
