"""What a market is like: features of a bar, and the regime that they tell."""

from nt_memory.regime.detector import RegimeDetectionAgent
from nt_memory.regime.features import (
    FEATURES,
    FeatureWindow,
    RegimeFeatures,
    feature_table,
    regime_features,
)
from nt_memory.regime.knowledge import RegimeStatistics
from nt_memory.regime.labels import Regime, Regimes, Spell, Told
from nt_memory.regime.snapshot import MarketSnapshot, OrderBook

__all__ = [
    "FEATURES",
    "FeatureWindow",
    "MarketSnapshot",
    "OrderBook",
    "Regime",
    "RegimeDetectionAgent",
    "RegimeFeatures",
    "RegimeStatistics",
    "Regimes",
    "Spell",
    "Told",
    "feature_table",
    "regime_features",
]
