"""Votes of agents become one decision; who did well in this regime weighs more."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from nt_memory._shown import shown
from nt_memory._values import finite, optional, texts, whole
from nt_memory.agents._checks import text
from nt_memory.agents.ledger import Ledger
from nt_memory.agents.opinion import DIRECTIONS, LEAST_FACTOR, MOST_FACTOR
from nt_memory.clock import to_micros

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from nt_memory.agents.opinion import Signal


class AgentVote(NamedTuple):
    """What an agent says; ``factor`` is what memory has done to the confidence already."""

    signal: Signal
    confidence: float
    agent: str
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class AgentRecord:
    """How an agent did in a regime, as known at a time.

    Parameters
    ----------
    agent
        Whose.
    n, wins
        Decisions with a side whose outcome is known, and how many gained.
    posterior
        Mean of the Beta posterior of its chance to win: shrunk to that of all agents.
    standard_error
        Of that chance.
    weight
        What its votes count, 0.7 to 1.3; 1 where too little is known.
    """

    agent: str
    n: int
    wins: int
    posterior: float
    standard_error: float
    weight: float


@dataclass(frozen=True, slots=True)
class Decision:
    """What the votes come to.

    Parameters
    ----------
    signal, confidence
        Of all; the confidence is the size of what the votes come to, clear or not.
    score
        -1 (all short, surely) to 1; the position to take, 0 where it is not clear.
    contributions
        Of each agent to the score; they add up to it.
    records
        Of each agent that voted, which its weight is made of.
    why
        In words, a line.
    """

    signal: Signal
    confidence: float
    score: float
    contributions: Mapping[str, float]
    records: Mapping[str, AgentRecord]
    why: str


class Composer:
    """Weighs votes by what their agents' earlier ones led to in this regime.

    An agent's chance to win has a Beta prior with the mean of all agents' and the weight
    of ``prior`` outcomes; its weight is the posterior mean over that mean.  What memory has
    done to its confidence already counts with it: both together move a vote, and its part of
    the score, by no more than 30 %.

    The score is the mean of the votes, each with its weight; one that is neutral without any
    confidence is no vote.

    Parameters
    ----------
    ledger
        Outcomes; None weighs all votes alike.
    prior
        Outcomes that the prior counts for: the more, the slower weights move.
    fewest
        Outcomes in the regime without which an agent's weight is 1.
    window
        Latest outcomes of an agent in a regime that count.
    threshold
        Size of the score below which the decision is neutral.
    top
        Only the votes of so many agents, those that did best in the regime; None of all.

    Examples
    --------
    >>> composer = Composer()
    >>> decision = composer.decide([("long", 0.7, "wyckoff"), ("neutral", 0.4, "markov")])
    >>> decision.signal, decision.score
    ('long', 0.35)
    """

    def __init__(
        self,
        ledger: Ledger | None = None,
        *,
        prior: float = 20.0,
        fewest: int = 5,
        window: int = 100,
        threshold: float = 0.1,
        top: int | None = None,
    ) -> None:
        optional("ledger", ledger, Ledger)
        self._ledger = ledger
        self._prior = finite("prior", prior, 0.0)
        self._threshold = finite("threshold", threshold, 0.0, 1.0)
        self._fewest, self._window = whole("fewest", fewest), whole("window", window)
        self._top = None if top is None else whole("top", top)

    def decide(
        self,
        votes: Iterable[AgentVote | tuple[Signal, float, str]],
        *,
        symbol: str | None = None,
        regime: str | None = None,
        at: datetime | None = None,
    ) -> Decision:
        """Make one decision of votes.

        Parameters
        ----------
        votes
            ``(signal, confidence, agent)``, one an agent; see `AgentVote`.
        symbol, regime
            Records of this symbol, or of all, in this regime.
        at
            The time: outcomes known by then count.  Needed with a ledger.

        Raises
        ------
        ValueError
            A vote has an unknown signal or a confidence beyond 0 to 1, an agent votes
            twice, or there is a ledger and no time.
        """
        given = [checked_vote(vote) for vote in votes]
        agents = [vote.agent for vote in given]
        for agent in agents:
            if agents.count(agent) > 1:
                msg = f"votes: {shown(agent)} votes twice; give one vote an agent"
                raise ValueError(msg)
        records = self.records(agents, symbol=symbol, regime=regime, at=at)
        heard = self._heard(
            [vote for vote in given if DIRECTIONS[vote.signal] or vote.confidence], records
        )
        parts = {
            vote.agent: DIRECTIONS[vote.signal] * _counted(vote, records[vote.agent]) / len(heard)
            if vote.agent in heard
            else 0.0
            for vote in given
        }
        score = math.fsum(parts.values())
        if abs(score) < self._threshold or score == 0.0:
            # What is not taken is nobody's.
            return Decision(
                "neutral", abs(score), 0.0, dict.fromkeys(parts, 0.0), records, _why(given, records)
            )
        signal: Signal = "long" if score > 0.0 else "short"
        return Decision(signal, abs(score), score, parts, records, _why(given, records))

    def records(
        self,
        agents: Iterable[str],
        *,
        symbol: str | None = None,
        regime: str | None = None,
        at: datetime | None = None,
    ) -> dict[str, AgentRecord]:
        """Return how agents did in a regime, as known at a time."""
        wins = {agent: self._wins(agent, symbol, regime, at) for agent in texts("agents", agents)}
        n = sum(len(each) for each in wins.values())
        # One half counts as a prior of its own: one lucky outcome is no mean.
        won = sum(sum(each) for each in wins.values()) + 0.5 * self._prior
        pooled = won / (n + self._prior) if n + self._prior else 0.5
        return {agent: self._record(agent, each, pooled) for agent, each in wins.items()}

    def best(
        self,
        agents: Iterable[str],
        n: int = 3,
        *,
        symbol: str | None = None,
        regime: str | None = None,
        at: datetime | None = None,
    ) -> list[AgentRecord]:
        """Return the records of the agents that did best in a regime, best first."""
        records = self.records(agents, symbol=symbol, regime=regime, at=at).values()
        return _ranked(records)[: whole("n", n)]

    def _wins(
        self, agent: str, symbol: str | None, regime: str | None, at: datetime | None
    ) -> list[bool]:
        if self._ledger is None:
            return []
        if at is None:
            msg = "at=None: give the time of the decision; outcomes known by then count"
            raise ValueError(msg)
        to_micros(at, "at")
        of = {"agent": agent, "symbol": symbol, "regime": regime}
        told = {name: value for name, value in of.items() if value is not None}
        return [pnl > 0.0 for pnl in self._ledger.pnl(at, last=self._window, **told)]

    def _record(self, agent: str, wins: list[bool], pooled: float) -> AgentRecord:
        n, won = len(wins), sum(wins)
        a = won + self._prior * pooled
        b = n - won + self._prior * (1.0 - pooled)
        mean = a / (a + b) if a + b > 0.0 else pooled
        error = math.sqrt(mean * (1.0 - mean) / (a + b + 1.0))
        known = n >= self._fewest
        # Where nobody has ever won, all are alike.
        ratio = mean / pooled if known and pooled > 0.0 else 1.0
        weight = min(max(ratio, LEAST_FACTOR), MOST_FACTOR)
        return AgentRecord(agent, n, won, mean, error, weight)

    def _heard(self, votes: list[AgentVote], records: Mapping[str, AgentRecord]) -> set[str]:
        """Return the agents whose votes count."""
        ranked = _ranked(records[vote.agent] for vote in votes)
        return {record.agent for record in ranked[: self._top]}


def _ranked(records: Iterable[AgentRecord]) -> list[AgentRecord]:
    return sorted(records, key=lambda record: (-record.posterior, record.agent))


def _counted(vote: AgentVote, record: AgentRecord) -> float:
    """Return the confidence that counts: with what memory has done to it already, at most 30 %."""
    both = min(max(vote.factor * record.weight, LEAST_FACTOR), MOST_FACTOR)
    return min(vote.confidence * both / vote.factor, 1.0)


def checked_vote(vote: AgentVote | tuple[Signal, float, str]) -> AgentVote:
    """Return a vote.

    Raises
    ------
    ValueError
        It is none, or has an unknown signal or a number out of its range.
    """
    try:
        made = AgentVote(*vote)
    except TypeError as error:
        msg = f"votes: {shown(vote)} is no (signal, confidence, agent)"
        raise ValueError(msg) from error
    text("agent", made.agent)
    if not isinstance(made.signal, str) or made.signal not in DIRECTIONS:
        msg = f"signal={shown(made.signal)}: give one of {', '.join(DIRECTIONS)}"
        raise ValueError(msg)
    finite("confidence", made.confidence, 0.0, 1.0)
    finite("factor", made.factor, LEAST_FACTOR, MOST_FACTOR)
    return made


def _why(votes: list[AgentVote], records: Mapping[str, AgentRecord]) -> str:
    told = []
    for vote in votes:
        record = records[vote.agent]
        known = f", {record.wins} of {record.n} won" if record.n else ""
        told.append(f"{vote.agent} {vote.signal} {vote.confidence:.2f} x{record.weight:.2f}{known}")
    return "; ".join(told) or "no votes"
