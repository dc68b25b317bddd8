"""Trading agents that decide from what they remember."""

from nt_memory.agents.analogue import Analogue, AnalogueAgent, Decision, Evidence, weigh

__all__ = ["Analogue", "AnalogueAgent", "Decision", "Evidence", "weigh"]
