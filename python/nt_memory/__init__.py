"""A memory for trading agents: they store, recall at a point in time, and explain."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from nt_memory.clock import Bars, Clock, ManualClock, SystemClock
from nt_memory.config import CacheConfig, MemoryConfig, VectorConfig, VectorSpace
from nt_memory.embedding import EmbeddingProvider, HashingEmbedding
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
    from nt_memory.experience.actions import Action, AgentSnapshot
    from nt_memory.experience.episodic import EpisodicMemory
    from nt_memory.experience.episodic_store import EpisodicStore
    from nt_memory.experience.knowledge import RegimeKnowledge
    from nt_memory.experience.pool import SharedMemoryPool
    from nt_memory.experience.retrieval import (
        AsyncMemoryRetrievalService,
        MemoryRetrievalService,
        Retrieval,
    )
    from nt_memory.experience.semantic import SemanticMemory
    from nt_memory.experience.semantic_store import SemanticStore
    from nt_memory.experience.session import Session
    from nt_memory.experience.working import WorkingMemory

__all__ = [
    "AccessDeniedError",
    "Action",
    "AgentMemoryMessage",
    "AgentNotFoundError",
    "AgentRegistry",
    "AgentSnapshot",
    "AgentState",
    "AgentStates",
    "Approved",
    "AsyncMemoryRetrievalService",
    "AsyncMemorySystem",
    "AsyncSubscription",
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
    "DeadlockError",
    "DimensionMismatchError",
    "EmbeddingProvider",
    "EpisodicMemory",
    "EpisodicStore",
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
    "MemoryRetrievalService",
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
    "RegimeKnowledge",
    "RegisteredAgent",
    "Rejected",
    "Retrieval",
    "SemanticMemory",
    "SemanticStore",
    "SerializationError",
    "Session",
    "SettledError",
    "SharedMemoryPool",
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
    "WorkingMemory",
    "between",
    "contains",
    "ge",
    "gt",
    "le",
    "lt",
    "ne",
    "not_in",
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
    "RegisteredAgent": "nt_memory.coordination",
    "Rejected": "nt_memory.coordination",
    "Signal": "nt_memory.coordination",
    "SourceMetrics": "nt_memory.coordination",
    "StoredState": "nt_memory.coordination",
    "Vote": "nt_memory.coordination",
    "Action": "nt_memory.experience.actions",
    "AgentSnapshot": "nt_memory.experience.actions",
    "AsyncMemoryRetrievalService": "nt_memory.experience.retrieval",
    "EpisodicMemory": "nt_memory.experience.episodic",
    "EpisodicStore": "nt_memory.experience.episodic_store",
    "MemoryRetrievalService": "nt_memory.experience.retrieval",
    "RegimeKnowledge": "nt_memory.experience.knowledge",
    "Retrieval": "nt_memory.experience.retrieval",
    "SemanticMemory": "nt_memory.experience.semantic",
    "SemanticStore": "nt_memory.experience.semantic_store",
    "Session": "nt_memory.experience.session",
    "SharedMemoryPool": "nt_memory.experience.pool",
    "WorkingMemory": "nt_memory.experience.working",
}


def __getattr__(name: str) -> object:
    """Load what is imported when it is first named."""
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
