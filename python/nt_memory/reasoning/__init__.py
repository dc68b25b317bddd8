"""Trajectories, verdicts and what is distilled from them."""

from nt_memory.reasoning._compressing import Inflated
from nt_memory.reasoning.bank import Learnt, Lessons, ReasoningBank
from nt_memory.reasoning.blocks import Compression, WindowEncoder
from nt_memory.reasoning.calibration import AgentCalibration
from nt_memory.reasoning.distill import Distillation, MemoryDistiller
from nt_memory.reasoning.extraction import Extraction, ItemExtraction
from nt_memory.reasoning.feedback import Feedback, FeedbackLoop
from nt_memory.reasoning.items import Extractor, MemoryItem, RuleExtractor
from nt_memory.reasoning.pattern import Conditions, DistilledPattern
from nt_memory.reasoning.tracker import TrajectoryTracker
from nt_memory.reasoning.trajectory import (
    Observation,
    Trajectory,
    TrajectoryAction,
    TrajectoryOutcome,
)
from nt_memory.reasoning.usage import Usage
from nt_memory.reasoning.verdict import Verdict, VerdictJudge, VerdictResult, Verdicts

__all__ = [
    "AgentCalibration",
    "Compression",
    "Conditions",
    "Distillation",
    "DistilledPattern",
    "Extraction",
    "Extractor",
    "Feedback",
    "FeedbackLoop",
    "Inflated",
    "ItemExtraction",
    "Learnt",
    "Lessons",
    "MemoryDistiller",
    "MemoryItem",
    "Observation",
    "ReasoningBank",
    "RuleExtractor",
    "Trajectory",
    "TrajectoryAction",
    "TrajectoryOutcome",
    "TrajectoryTracker",
    "Usage",
    "Verdict",
    "VerdictJudge",
    "VerdictResult",
    "Verdicts",
    "WindowEncoder",
]
