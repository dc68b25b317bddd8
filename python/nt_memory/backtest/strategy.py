"""What decides: the protocol that a backtest asks at every close."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from nt_memory.agents import Analogue, Evidence
    from nt_memory.backtest.market import Market
    from nt_memory.backtest.settings import Settings
    from nt_memory.clock import ManualClock
    from nt_memory.policy import StateEncoder


@dataclass(frozen=True, slots=True)
class Remembered:
    """What one recall brought at a close, and what was made of it.

    The report tells of days by their ``evidence``; None: there was too little
    to tell of (`nt_memory.agents.weigh` makes it of two outcomes or more).
    """

    symbol: str
    recall_id: str
    analogues: tuple[Analogue, ...]
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True)
class Stance:
    """What a strategy wants to hold from the next open on, and why.

    Parameters
    ----------
    weights
        By symbol, the share of the equity to hold, -1 (short) to 1 (long).  A
        symbol that is not named is not held.  One without a bar that closes at
        this step is not asked about: what was decided at its last one stands.
    why
        A short explanation, a line at most.
    remembered
        The recalls that it rests on.
    contributions
        By agent, and in it by symbol, the part of the weight that is due to
        this agent.  What the agents leave of a weight is nobody's.
    regime
        What it takes the market to be in, for the report; None: it does not say.
    """

    weights: Mapping[str, float]
    why: str = ""
    remembered: tuple[Remembered, ...] = ()
    contributions: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    regime: str | None = None


class Strategy(Protocol):
    """Decides at each close; what it keeps between two of them is its own."""

    def decide(self, past: Market) -> Stance:
        """Decide at the close of the last step of ``past``, which holds nothing later."""


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """What strategies are made from.

    Parameters
    ----------
    market
        All bars, so that columns can be computed once for the whole series.
        They must be causal: what is told about a bar reads bars up to it
        (`check_lookahead` catches those that are not).
    clock
        For the memories of the strategies; it is moved to each close.
    settings
        Of the backtest; seeds come from ``settings.seed``.
    folder
        An empty directory for what is kept, or None: keep nothing.
    """

    market: Market
    clock: ManualClock
    settings: Settings
    folder: Path | None


class StrategyFactory(Protocol):
    """Makes the strategies of all arms, by name, asked at each close in this order.

    The first is what the others are compared with.  They may share a memory, or
    have one each; leaving the context closes what they keep.  It is called once
    a window.
    """

    def __call__(self, stage: Stage, /) -> AbstractContextManager[Mapping[str, Strategy]]:
        """Open what the strategies keep, and make them."""


@dataclass(frozen=True, slots=True)
class About:
    """What a report tells of the strategies; every part may be left out.

    Parameters
    ----------
    strategy
        A name for the run card.
    parameters
        Of the strategies, as JSON types, for the run card.
    does
        What the first arm does, as the subject of a sentence: "An agent that ...".
    arms
        A sentence or two on what tells the arms apart.
    how
        Further points on how it was done: (term, explanation).
    market
        What was traded, as a reader calls it; the symbols without it.
    encoder
        Whose vectors the recalls compared: then the report tells in which
        features the recalled bars were alike.
    """

    strategy: str = "strategy"
    parameters: Mapping[str, object] = field(default_factory=dict)
    does: str = "The strategy with memory"
    arms: str = ""
    how: tuple[tuple[str, str], ...] = ()
    market: str = ""
    encoder: StateEncoder | None = None
