"""What an agent has in mind while an episode lasts."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np

from nt_memory._shown import shown
from nt_memory._values import as_vector, finite, mapping, pack
from nt_memory.clock import from_micros, to_micros
from nt_memory.errors import DimensionMismatchError, InvalidEmbeddingError
from nt_memory.experience._places import agent_namespace
from nt_memory.experience.actions import Action, AgentSnapshot
from nt_memory.records import STATE
from nt_memory.store import Op, RawOutcome, RawRecord, Write

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import numpy.typing as npt

    from nt_memory.store import Vector
    from nt_memory.system import MemorySystem

KIND = "working"
WORKING = "working"
# Steps that are in mind.
RECENT = 100


class WorkingMemory:
    """The context of an agent in one episode; in process until the episode is complete.

    Parameters
    ----------
    memory
        Where it is written to in the end: a `MemorySystem`.
    agent_id
        Whose; one segment of a namespace.

    Examples
    --------
    >>> import numpy as np
    >>> from nt_memory import Action, MemorySystem, WorkingMemory
    >>> with MemorySystem(":memory:") as memory:
    ...     working = WorkingMemory(memory, "hedge")
    ...     working.set_regime("TRENDING", 0.8)
    ...     for reward in (0.03, -0.05, 0.01):
    ...         working.step(np.ones(256, dtype=np.float32), Action("BUY"), reward)
    ...     round(working.cumulative_reward, 2), round(working.episode_max_drawdown, 2)
    (-0.01, -0.05)
    """

    def __init__(self, memory: MemorySystem, agent_id: str) -> None:
        self._store = memory.store
        self._clock = memory.clock
        self._namespace = agent_namespace(agent_id, WORKING)
        self.agent_id = agent_id
        self.recent_states: deque[Vector] = deque(maxlen=RECENT)
        self.recent_actions: deque[Action] = deque(maxlen=RECENT)
        self.recent_rewards: deque[float] = deque(maxlen=RECENT)
        self.begin()

    def begin(self) -> None:
        """Begin an episode, at the clock's time, with nothing in mind."""
        self.episode_id = self._store.new_id()
        self.episode_start = self._clock.now()
        self.episode_length = 0
        for recent in (self.recent_states, self.recent_actions, self.recent_rewards):
            recent.clear()
        self.current_regime: str | None = None
        self.regime_confidence: float | None = None
        self.regime_start_time: datetime | None = None
        self.pattern_confidences: dict[str, float] = {}
        self.other_agent_states: dict[str, AgentSnapshot] = {}
        self.cumulative_reward = 0.0
        self.episode_max_drawdown = 0.0
        self._peak = 0.0

    @property
    def active_patterns(self) -> list[str]:
        """Ids of the patterns that match, in the order in which they began to."""
        return list(self.pattern_confidences)

    def step(self, state: npt.ArrayLike, action: Action, reward: float) -> None:
        """Take in a state, what was done in it, and what came of that.

        Raises
        ------
        DimensionMismatchError, InvalidEmbeddingError
            The state has another length than those before it, or is not finite.
        TypeError, ValueError
            The action is none, or the reward not finite; nothing was taken in.
        """
        vector = as_vector(state, "state")
        if not np.isfinite(vector).all():
            msg = "state is not finite: give finite numbers"
            raise InvalidEmbeddingError(msg)
        if self.recent_states and len(self.recent_states[-1]) != len(vector):
            before = len(self.recent_states[-1])
            msg = f"state has {len(vector)} numbers, those before it have {before}: give as many"
            raise DimensionMismatchError(msg)
        if not isinstance(action, Action):
            msg = f"action={shown(action)}: give an Action, as in Action('HOLD')"
            raise TypeError(msg)
        gained = finite("reward", reward)
        self.recent_states.append(vector)
        self.recent_actions.append(action)
        self.recent_rewards.append(gained)
        self.episode_length += 1
        self.cumulative_reward += gained
        # Rewards add up; the start counts as a peak, so that a loss at once is a fall.
        self._peak = max(self._peak, self.cumulative_reward)
        fall = self.cumulative_reward - self._peak
        self.episode_max_drawdown = min(self.episode_max_drawdown, fall)

    def set_regime(self, regime: str, confidence: float) -> None:
        """Go by a regime; one that goes on keeps the time at which it began."""
        if not isinstance(regime, str) or not regime:
            msg = f"regime={shown(regime)}: give the name of a regime"
            raise ValueError(msg)
        self.regime_confidence = finite("confidence", confidence, 0.0, 1.0)
        if regime != self.current_regime:
            self.current_regime = regime
            self.regime_start_time = self._clock.now()

    def set_pattern(self, pattern_id: str, confidence: float | None) -> None:
        """Note how sure it is that a pattern matches; None: it does no more."""
        if not isinstance(pattern_id, str) or not pattern_id:
            msg = f"pattern_id={shown(pattern_id)}: give the id of a pattern"
            raise ValueError(msg)
        if confidence is None:
            self.pattern_confidences.pop(pattern_id, None)
        else:
            self.pattern_confidences[pattern_id] = finite("confidence", confidence, 0.0, 1.0)

    def see_agent(self, agent_id: str, snapshot: AgentSnapshot) -> None:
        """Note what is known of another agent."""
        if not isinstance(agent_id, str) or not isinstance(snapshot, AgentSnapshot):
            msg = f"{shown(agent_id)}: {shown(snapshot)}: give an AgentSnapshot by an agent's id"
            raise TypeError(msg)
        self.other_agent_states[agent_id] = snapshot

    def complete(self) -> str:
        """Write the episode to the store as one record, and begin another; return its id.

        The record is of kind ``"working"`` in ``swarm/<agent_id>/working``, has what
        `to_json` gives as its payload and the sum of rewards as its outcome, and is known
        from the clock's now on.
        """
        episode_id = self.episode_id
        self._store.commit(self.ending())
        self.begin()
        return episode_id

    def ending(self) -> list[Op]:
        """Return what writes the episode, for a batch that holds more."""
        now = to_micros(self._clock.now())
        last = self.recent_states[-1] if self.recent_states else None
        record = RawRecord(
            id=self.episode_id,
            namespace=self._namespace,
            kind=KIND,
            event_time=to_micros(self.episode_start),
            known_at=now,
            agent_id=self.agent_id,
            regime=self.current_regime,
            embeddings={} if last is None or not last.any() else {STATE: last},
            attributes={
                "episode_length": float(self.episode_length),
                "episode_max_drawdown": self.episode_max_drawdown,
            },
            payload=pack(self.to_json()),
            outcome=RawOutcome(self.cumulative_reward, now),
            writer=self.agent_id,
        )
        return [Write(record)]

    def to_json(self) -> dict[str, Any]:
        """Return all that it has in mind: JSON types and arrays, times in microseconds."""
        began = self.regime_start_time
        return {
            "episode_id": self.episode_id,
            "episode_start": to_micros(self.episode_start),
            "episode_length": self.episode_length,
            "recent_states": np.array(self.recent_states, dtype=np.float32),
            "recent_actions": [action.to_json() for action in self.recent_actions],
            "recent_rewards": list(self.recent_rewards),
            "current_regime": self.current_regime,
            "regime_confidence": self.regime_confidence,
            "regime_start_time": None if began is None else to_micros(began),
            "pattern_confidences": dict(self.pattern_confidences),
            "other_agent_states": {
                name: snapshot.to_json() for name, snapshot in self.other_agent_states.items()
            },
            "cumulative_reward": self.cumulative_reward,
            "episode_max_drawdown": self.episode_max_drawdown,
            "peak": self._peak,
        }

    def restore(self, told: Mapping[str, Any]) -> None:
        """Have in mind what `to_json` gave."""
        told = mapping("told", told)
        self.episode_id = told["episode_id"]
        self.episode_start = from_micros(told["episode_start"])
        self.episode_length = told["episode_length"]
        rows = told["recent_states"]
        self.recent_states = deque((as_vector(row) for row in rows), maxlen=RECENT)
        self.recent_actions = deque(map(Action.from_json, told["recent_actions"]), maxlen=RECENT)
        self.recent_rewards = deque(told["recent_rewards"], maxlen=RECENT)
        self.current_regime = told["current_regime"]
        self.regime_confidence = told["regime_confidence"]
        began = told["regime_start_time"]
        self.regime_start_time = None if began is None else from_micros(began)
        self.pattern_confidences = dict(told["pattern_confidences"])
        self.other_agent_states = {
            name: AgentSnapshot.from_json(fields)
            for name, fields in told["other_agent_states"].items()
        }
        self.cumulative_reward = told["cumulative_reward"]
        self.episode_max_drawdown = told["episode_max_drawdown"]
        self._peak = told["peak"]
