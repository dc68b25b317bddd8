"""Trading agents that decide from what they remember."""

from nt_memory.agents.analogue import AnalogueAgent
from nt_memory.agents.evidence import Analogue, Evidence, weigh

__all__ = ["Analogue", "AnalogueAgent", "Evidence", "weigh"]
