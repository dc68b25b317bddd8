"""How a market state becomes a vector."""

from nt_memory.policy.encoder import StateEncoder

__all__ = ["StateEncoder"]
