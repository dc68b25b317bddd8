"""How agents agree, warn each other, and are known."""

from nt_memory.coordination.consensus import ConsensusEngine
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

__all__ = [
    "AgentRegistry",
    "Approved",
    "ConsensusEngine",
    "ConsensusResult",
    "Expired",
    "Pending",
    "Proposal",
    "RegisteredAgent",
    "Rejected",
    "Vote",
]
