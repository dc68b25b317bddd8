"""Builders of episodes and knowledge, so that a test names only what it is about."""

from datetime import timedelta

from builders import START, axis, day
from nt_memory import Action, EpisodicMemory, EpisodicStore, SemanticMemory

AGENT = "hedge"
HOUR = timedelta(hours=1)


def episode(**fields):
    """Return an episode of day 0, changed as told."""
    told = {
        "agent_id": AGENT,
        "timestamp": START,
        "state_vector": axis(0),
        "action": Action("BUY", 0.5),
        "product_id": "SPY",
    }
    return EpisodicMemory(**{**told, **fields})


def stored(memory, **fields):
    """Store an episode; return its id."""
    return EpisodicStore(memory).add(episode(**fields))


def regime(name="TRENDING", **fields):
    """Return an entry of a regime."""
    return entry("REGIME", **{"regime_name": name, **fields})


def strategy(name="momentum", sharpe=2.0, **fields):
    """Return an entry of a strategy that applies to TRENDING."""
    told = {"strategy_name": name, "applicable_regimes": ["TRENDING"], "sharpe_ratio": sharpe}
    return entry("STRATEGY", **{**told, **fields})


def entry(memory_type="PATTERN", **fields):
    """Return an entry of day 0."""
    return SemanticMemory(**{"memory_type": memory_type, "created_at": day(0), **fields})
