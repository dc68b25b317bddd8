"""Two agents learn from twenty years of the S&P 500, and know at each time what was known then.

    python examples/reasoning_on_prices.py [--path DIR] [--until 2010] [--json]

A momentum agent follows the last twenty days, a mean-reversion agent goes against
the last five.  Every five days each looks at what it has learnt about states
like this one, says what it expects, and acts.  Each quarter it learns: verdicts
on what it expected, lessons in words, patterns over similar decisions; and what
it had recalled is weighed by what came of it.  At the end the patterns are told,
and what was recalled in March 2009 is asked again.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import numpy as np

from nt_memory import (
    DistilledPattern,
    Filter,
    ManualClock,
    MemoryDistiller,
    MemorySystem,
    ReasoningBank,
    Recall,
    Trajectory,
    VerdictJudge,
)
from nt_memory.backtest import load_sp500
from nt_memory.policy import StateEncoder

if TYPE_CHECKING:
    from nt_memory.market import BarSeries

AGENTS = {"momentum": (20, 1.0), "reversion": (5, -1.0)}
HOLDING = 5
QUARTER = 63
# What an agent expects of itself before it has learnt anything: a fifth of a day's usual move.
NAIVE = 0.002
# Decisions in states as alike as this are told apart by chance only.
ALIKE = 0.45
LOOK_BACK = datetime(2009, 3, 9, 21, tzinfo=timezone.utc)


@dataclass
class Agent:
    """One of the two, its bank, and the decisions whose outcome is not known yet."""

    name: str
    bank: ReasoningBank
    waiting: list[tuple[int, float, Trajectory]] = field(default_factory=list)
    decided: int = 0


def regime(bars: BarSeries, bar: int) -> str:
    """Name the state of the market by a month's volatility and a quarter's drift."""
    returns = np.diff(np.log(bars.close[bar - 63 : bar + 1]))
    volatility = float(returns[-20:].std() * np.sqrt(252))
    if volatility > 0.35:
        return "CRISIS"
    if volatility > 0.20:
        return "VOLATILE"
    drift = float(returns.sum() / (returns.std() * np.sqrt(63)))
    return "TRENDING" if abs(drift) > 1.0 else "QUIET"


def expect(
    memory: MemorySystem, agent: Agent, state: np.ndarray, action: str
) -> tuple[float, Recall]:
    """Return what the agent expects, and the recall of the patterns that it stands on."""
    asked = memory.recall(
        embedding=state,
        namespace=agent.bank.distiller.namespace,
        filter=Filter(kind="pattern", attributes={"pattern_type": action}),
        top_k=1,
    )
    known = [hit for hit in asked.hits if hit.similarity and 2 * hit.similarity - 1 >= ALIKE]
    if not known or known[0].record.outcome is None:
        return NAIVE, asked
    return known[0].record.outcome.reward, asked


def decide(
    memory: MemorySystem, agent: Agent, bars: BarSeries, bar: int, state: np.ndarray
) -> None:
    """Look, recall, act, and keep the trajectory."""
    window, sign = AGENTS[agent.name]
    at = bars.closed_at(bar)
    drift = float(bars.close[bar] / bars.close[bar - window] - 1.0)
    direction = float(np.sign(drift) * sign) or 1.0
    action = "buy" if direction > 0 else "sell"
    expected, asked = expect(memory, agent, state, action)
    made = Trajectory(agent.name, start_time=at, symbol=bars.symbol, regime=regime(bars, bar))
    made.add_observation({"close": float(bars.close[bar]), "drift": round(drift, 6)}, state, at=at)
    made.add_action(action, {"holding": HOLDING}, predicted_outcome=expected, at=at)
    if asked.hits:
        made.cite(asked.id)
    made.complete(at)
    agent.bank.tracker.track(made)
    agent.waiting.append((bar, direction, made))
    agent.decided += 1


def settle(agent: Agent, bars: BarSeries, bar: int) -> None:
    """Tell what the decisions came to whose five days are over."""
    over = [each for each in agent.waiting if each[0] + HOLDING <= bar]
    agent.waiting = [each for each in agent.waiting if each[0] + HOLDING > bar]
    for begun, direction, made in over:
        reward = direction * bars.outcome(begun, HOLDING)
        made.add_outcome(reward, known_at=bars.closed_at(begun + HOLDING))
    agent.bank.tracker.track_many(made for *_, made in over)


def live(memory: MemorySystem, clock: ManualClock, bars: BarSeries, agents: list[Agent]) -> None:
    """Go through the bars, each known at its close and not before."""
    encoder = StateEncoder()
    states = encoder.encode_all(bars)
    for bar in range(encoder.warm_up, len(bars)):
        clock.set(bars.closed_at(bar))
        for agent in agents:
            settle(agent, bars, bar)
            if (bar - encoder.warm_up) % HOLDING == 0:
                decide(memory, agent, bars, bar, states[bar])
        if (bar - encoder.warm_up) % QUARTER == QUARTER - 1:
            for agent in agents:
                agent.bank.learn()


def pattern_row(pattern: DistilledPattern) -> dict[str, object]:
    """Return a pattern as it is printed."""
    return {
        "words": pattern.describe(),
        "n": pattern.n,
        "expected": pattern.expected_outcome,
        "standard_error": pattern.standard_error,
        "regime": pattern.regime,
        "known_at": pattern.known_at.isoformat(),
    }


def look_back(agent: Agent, at: datetime) -> dict[str, object]:
    """Return what was recalled at the low of 2009, and what the same question finds today."""
    (state,) = (
        seen.observations[-1].embedding
        for seen in [next(agent.bank.tracker.completed(agent.name, since=at))]
    )
    then = agent.bank.retrieve(embedding=state, as_of=at, top_k=3)
    now = agent.bank.retrieve(embedding=state, top_k=3)
    learnt = [item.known_at for item in then if item.known_at is not None]
    return {
        "asked_as_of": at.isoformat(),
        "then": [[item.title, str(item.known_at)] for item in then],
        "newest_lesson_then": max(learnt).isoformat() if learnt else None,
        "nothing_later": all(known <= at for known in learnt),
        "patterns_then": sum(1 for _ in agent.bank.distiller.patterns(as_of=at)),
        "patterns_now": sum(1 for _ in agent.bank.distiller.patterns()),
        "now": [[item.title, str(item.known_at)] for item in now],
    }


def run(path: str, until: int) -> dict[str, object]:
    """Let both live through the bars; return what they have learnt."""
    bars = load_sp500()
    end = datetime(until, 1, 1, tzinfo=timezone.utc)
    bars = bars.head(sum(bars.closed_at(bar) < end for bar in range(len(bars))))
    clock = ManualClock(bars.closed_at(0))
    begun = time.perf_counter()
    with MemorySystem(path, clock=clock) as memory:
        # A prediction is good that is off by half, and neutral that has the right sign.
        judge = VerdictJudge(0.5, 1.0, eps=1e-4, clock=clock)
        agents = [
            Agent(
                name,
                ReasoningBank(
                    memory,
                    agent_id=name,
                    judge=judge,
                    distiller=MemoryDistiller(
                        memory, agent_id=name, similarity=ALIKE, min_trajectories=5
                    ),
                ),
            )
            for name in AGENTS
        ]
        live(memory, clock, bars, agents)
        found = {}
        for agent in agents:
            patterns = sorted(agent.bank.distiller.patterns(), key=lambda each: -each.n)
            calibration = agent.bank.feedback.calibration(agent.name)
            found[agent.name] = {
                "decisions": agent.decided,
                "hit_rate": calibration.hit_rate,
                "patterns": [pattern_row(pattern) for pattern in patterns],
                "in_2009": look_back(agent, LOOK_BACK) if until > LOOK_BACK.year else None,
            }
        return {
            "bars": len(bars),
            "seconds": round(time.perf_counter() - begun, 1),
            "agents": found,
            "problems": memory.verify(),
        }


def show(found: dict[str, object]) -> None:
    """Print it for people."""
    print(f"{found['bars']} days in {found['seconds']} s; problems: {found['problems'] or 'none'}")
    agents = found["agents"]
    assert isinstance(agents, dict)
    for name, told in agents.items():
        print(f"\n{name}: {told['decisions']} decisions, {told['hit_rate']:.1%} of them right")
        for row in told["patterns"][:5]:
            print(f"  {row['words']}")
        then = told["in_2009"]
        if then is not None:
            print(f"  as of {then['asked_as_of'][:10]} it had {then['patterns_then']} patterns")
            print(f"  (now {then['patterns_now']}), and recalled, nothing later than that day:")
            for title, known_at in then["then"]:
                print(f"    learnt {known_at[:10]}  {title}")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--path", help="a directory for the memory; a temporary one by default")
    parser.add_argument("--until", type=int, default=2019, help="the year to stop before")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = run(arguments.path or folder, arguments.until)
    if arguments.json:
        print(json.dumps(found))
    else:
        show(found)


if __name__ == "__main__":
    main()
