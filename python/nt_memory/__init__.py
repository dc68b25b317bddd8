"""A memory for trading agents: they store, recall at a point in time, and explain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nt_memory.clock import Bars, Clock, ManualClock, SystemClock
from nt_memory.config import CacheConfig, MemoryConfig, VectorConfig, VectorSpace
from nt_memory.coordination import (
    AgentRegistry,
    Approved,
    ConsensusEngine,
    ConsensusResult,
    Expired,
    Pending,
    Proposal,
    RegisteredAgent,
    Rejected,
    Vote,
)
from nt_memory.embedding import EmbeddingProvider, HashingEmbedding
from nt_memory.errors import (
    AgentNotFoundError,
    CacheError,
    ClosedError,
    ConflictError,
    ConsensusError,
    CoordinationError,
    CorruptionError,
    DimensionMismatchError,
    ForgottenError,
    ForkError,
    HorizonError,
    InternalError,
    InvalidEmbeddingError,
    NamespaceError,
    NtMemoryError,
    RecordNotFoundError,
    SerializationError,
    SettledError,
    SignalError,
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
    from nt_memory._native import Namespace
    from nt_memory.aio import AsyncMemorySystem

__all__ = [
    "AgentNotFoundError",
    "AgentRegistry",
    "Approved",
    "AsyncMemorySystem",
    "Bars",
    "CacheConfig",
    "CacheError",
    "Clock",
    "ClosedError",
    "Condition",
    "ConflictError",
    "ConsensusEngine",
    "ConsensusError",
    "ConsensusResult",
    "CoordinationError",
    "CorruptionError",
    "DimensionMismatchError",
    "EmbeddingProvider",
    "Expired",
    "Filter",
    "ForgottenError",
    "ForkError",
    "HashingEmbedding",
    "Hit",
    "HorizonError",
    "InternalError",
    "InvalidEmbeddingError",
    "ManualClock",
    "MemoryConfig",
    "MemorySystem",
    "Namespace",
    "NamespaceError",
    "NtMemoryError",
    "Outcome",
    "Pending",
    "Proposal",
    "Provenance",
    "Recall",
    "Record",
    "RecordNotFoundError",
    "RegisteredAgent",
    "Rejected",
    "SerializationError",
    "SettledError",
    "SignalError",
    "StorageError",
    "StorageFullError",
    "StoreLockedError",
    "SystemClock",
    "VectorConfig",
    "VectorError",
    "VectorSpace",
    "Vote",
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
    if name == "Namespace":
        from nt_memory._native import Namespace

        return Namespace
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
