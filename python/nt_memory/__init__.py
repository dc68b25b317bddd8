"""A memory for trading agents: they store, recall at a point in time, and explain."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from nt_memory.clock import Bars, Clock, ManualClock, SystemClock
from nt_memory.config import CacheConfig, MemoryConfig, VectorConfig, VectorSpace
from nt_memory.embedding import CallableEmbedding, EmbeddingProvider, HashingEmbedding
from nt_memory.errors import (
    AccessDeniedError,
    AgentNotFoundError,
    CacheError,
    ClosedError,
    ConflictError,
    ConsensusError,
    CoordinationError,
    CorruptionError,
    DeadlockError,
    DimensionMismatchError,
    ForgottenError,
    ForkError,
    HorizonError,
    InternalError,
    InvalidEmbeddingError,
    LaggedError,
    LockTimeoutError,
    NamespaceError,
    NtMemoryError,
    RecordNotFoundError,
    RecvTimeoutError,
    SerializationError,
    SettledError,
    SignalError,
    StaleTokenError,
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
from nt_memory.locks import LockToken
from nt_memory.messages import AgentMemoryMessage, Message, MessageType
from nt_memory.recall import Hit, Recall, Weights
from nt_memory.records import Outcome, Provenance, Record
from nt_memory.subscription import Subscription, SubscriptionCounts
from nt_memory.system import MemorySystem

if TYPE_CHECKING:
    from nt_memory._listening import AsyncSubscription
    from nt_memory._native import Namespace
    from nt_memory.aio import AsyncMemorySystem
    from nt_memory.coordination import (
        AgentRegistry,
        AgentState,
        AgentStates,
        Approved,
        ConsensusEngine,
        ConsensusResult,
        Expired,
        MultiAgentCoordinator,
        Pending,
        Processing,
        Proposal,
        RegisteredAgent,
        Rejected,
        Signal,
        SourceMetrics,
        StoredState,
        Vote,
    )
    from nt_memory.text import SentenceEmbedding, reembed

__all__ = [
    "AccessDeniedError",
    "AgentMemoryMessage",
    "AgentNotFoundError",
    "AgentRegistry",
    "AgentState",
    "AgentStates",
    "Approved",
    "AsyncMemorySystem",
    "AsyncSubscription",
    "Bars",
    "CacheConfig",
    "CacheError",
    "CallableEmbedding",
    "Clock",
    "ClosedError",
    "Condition",
    "ConflictError",
    "ConsensusEngine",
    "ConsensusError",
    "ConsensusResult",
    "CoordinationError",
    "CorruptionError",
    "DeadlockError",
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
    "LaggedError",
    "LockTimeoutError",
    "LockToken",
    "ManualClock",
    "MemoryConfig",
    "MemorySystem",
    "Message",
    "MessageType",
    "MultiAgentCoordinator",
    "Namespace",
    "NamespaceError",
    "NtMemoryError",
    "Outcome",
    "Pending",
    "Processing",
    "Proposal",
    "Provenance",
    "Recall",
    "Record",
    "RecordNotFoundError",
    "RecvTimeoutError",
    "RegisteredAgent",
    "Rejected",
    "SentenceEmbedding",
    "SerializationError",
    "SettledError",
    "Signal",
    "SignalError",
    "SourceMetrics",
    "StaleTokenError",
    "StorageError",
    "StorageFullError",
    "StoreLockedError",
    "StoredState",
    "Subscription",
    "SubscriptionCounts",
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
    "reembed",
]


# What takes its time to import, or needs the extension.
_LATER = {
    "AsyncMemorySystem": "nt_memory.aio",
    "AsyncSubscription": "nt_memory._listening",
    "Namespace": "nt_memory._native",
    "AgentRegistry": "nt_memory.coordination",
    "AgentState": "nt_memory.coordination",
    "AgentStates": "nt_memory.coordination",
    "Approved": "nt_memory.coordination",
    "ConsensusEngine": "nt_memory.coordination",
    "ConsensusResult": "nt_memory.coordination",
    "Expired": "nt_memory.coordination",
    "MultiAgentCoordinator": "nt_memory.coordination",
    "Pending": "nt_memory.coordination",
    "Processing": "nt_memory.coordination",
    "Proposal": "nt_memory.coordination",
    "SentenceEmbedding": "nt_memory.text",
    "RegisteredAgent": "nt_memory.coordination",
    "Rejected": "nt_memory.coordination",
    "Signal": "nt_memory.coordination",
    "SourceMetrics": "nt_memory.coordination",
    "StoredState": "nt_memory.coordination",
    "Vote": "nt_memory.coordination",
    "reembed": "nt_memory.text",
}


def __getattr__(name: str) -> object:
    """Load what is imported when it is first named."""
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
