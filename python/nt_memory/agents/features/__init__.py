"""What the trading agents are told about the market, causal and computed once."""

from nt_memory.agents.features.settings import FeatureSettings
from nt_memory.agents.features.table import FeatureTable
from nt_memory.agents.features.types import (
    AgentFeatures,
    AnalogueFeatures,
    HedgeFeatures,
    LiquidityFeatures,
    MarkovFeatures,
    SentimentFeatures,
    VolumeProfile,
    WyckoffFeatures,
)

__all__ = [
    "AgentFeatures",
    "AnalogueFeatures",
    "FeatureSettings",
    "FeatureTable",
    "HedgeFeatures",
    "LiquidityFeatures",
    "MarkovFeatures",
    "SentimentFeatures",
    "VolumeProfile",
    "WyckoffFeatures",
]
