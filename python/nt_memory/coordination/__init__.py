"""How agents agree, warn each other, and are known."""

from nt_memory.coordination.consensus import ConsensusEngine
from nt_memory.coordination.coordinator import MultiAgentCoordinator
from nt_memory.coordination.proposals import (
    Approved,
    ConsensusResult,
    Expired,
    Pending,
    Proposal,
    Rejected,
    Vote,
)
from nt_memory.coordination.registry import AgentRegistry, RegisteredAgent
from nt_memory.coordination.signals import Processing, Signal
from nt_memory.coordination.state import (
    AgentState,
    AgentStates,
    SourceMetrics,
    StoredState,
)

__all__ = [
    "AgentRegistry",
    "AgentState",
    "AgentStates",
    "Approved",
    "ConsensusEngine",
    "ConsensusResult",
    "Expired",
    "MultiAgentCoordinator",
    "Pending",
    "Processing",
    "Proposal",
    "RegisteredAgent",
    "Rejected",
    "Signal",
    "SourceMetrics",
    "StoredState",
    "Vote",
]
