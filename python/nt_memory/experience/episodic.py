"""Episodes: what an agent saw and did, and, from when it was known, what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nt_memory._shown import shown
from nt_memory._values import as_vector, finite, mapping, pack, same, texts, unpack
from nt_memory.clock import from_micros, to_micros
from nt_memory.errors import DimensionMismatchError, InvalidEmbeddingError
from nt_memory.experience.actions import Action
from nt_memory.metrics import LARGEST
from nt_memory.records import STATE
from nt_memory.store import RawOutcome, RawRecord

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import numpy.typing as npt

    from nt_memory.store import Attribute, Vector

KIND = "episode"
PINNED = "pinned"
PHASES = ("OPEN", "MIDDAY", "CLOSE")
# What is known later than the episode itself.
_LATER = ("next_state_vector", "terminal", "cumulative_return", "outcome_known_at")


@dataclass(frozen=True, kw_only=True, eq=False)
class EpisodicMemory:
    """One experience of an agent: a state, what it did in it, and what came of that.

    An episode is known from its ``timestamp`` on.  What came of it (``reward``,
    ``next_state_vector``, ``terminal``, ``cumulative_return``) is known from
    ``outcome_known_at`` on, and is None as of any earlier time.

    Parameters
    ----------
    agent_id
        Whose it is; one segment of a namespace.
    timestamp
        When it acted; aware.
    state_vector
        The state that it saw, of shape ``(dim,)``, in the space "state".
    action
        What it did.
    product_id
        What it traded, for example ``"BTC-USD"``.
    reward
        What came of it at once, in the unit of its kind; None while that is open.
    next_state_vector
        The state that it led to.
    regime
        The regime that it went by.
    market_phase
        ``"OPEN"``, ``"MIDDAY"`` or ``"CLOSE"``; None where there are no phases.
    pattern_ids
        Patterns that called for the action.
    confidence
        How sure the agent was, 0 to 1.
    other_agent_actions
        What others did, by their ids.
    terminal
        Whether the state that it led to was the last.
    cumulative_return
        All that came of the action in the end.
    outcome_known_at
        From when the reward could be known; ``timestamp`` by default.
    quality
        0 to 1, as `EpisodicStore` judged it when it was stored.
    tags
        Indexed; ``"pinned"`` is never pruned.
    memory_id
        Empty takes a fresh one.

    Examples
    --------
    >>> import numpy as np
    >>> from datetime import datetime, timezone
    >>> episode = EpisodicMemory(
    ...     agent_id="hedge",
    ...     timestamp=datetime(2024, 1, 8, tzinfo=timezone.utc),
    ...     state_vector=np.ones(256, dtype=np.float32),
    ...     action=Action("BUY", 0.5),
    ...     product_id="SPY",
    ... )
    >>> episode.is_open
    True
    """

    agent_id: str
    timestamp: datetime
    state_vector: Vector
    action: Action
    product_id: str
    reward: float | None = None
    next_state_vector: Vector | None = None
    regime: str | None = None
    market_phase: str | None = None
    pattern_ids: tuple[str, ...] = ()
    confidence: float = 1.0
    other_agent_actions: Mapping[str, Action] = field(default_factory=dict)
    terminal: bool | None = None
    cumulative_return: float | None = None
    outcome_known_at: datetime | None = None
    quality: float | None = None
    tags: tuple[str, ...] = ()
    memory_id: str = ""

    def __post_init__(self) -> None:
        set_ = self.__dict__.update  # it is frozen for everybody else
        to_micros(self.timestamp, "timestamp")
        _check_texts(self)
        set_(
            state_vector=as_vector(self.state_vector, "state_vector"),
            pattern_ids=texts("pattern_ids", self.pattern_ids),
            tags=texts("tags", self.tags),
            confidence=finite("confidence", self.confidence, 0.0, 1.0),
            other_agent_actions=_actions(self.other_agent_actions),
        )
        if self.quality is not None:
            set_(quality=finite("quality", self.quality, 0.0, 1.0))
        if self.is_open:
            _check_open(self)
        else:
            set_(**_checked_outcome(self))

    @property
    def is_open(self) -> bool:
        """Whether nothing was known of what came of it."""
        return self.reward is None

    @property
    def is_pinned(self) -> bool:
        """Whether it is never pruned."""
        return PINNED in self.tags

    def opened(self) -> EpisodicMemory:
        """Return what was known of it when the agent acted."""
        at = self.outcome_known_at
        if at is not None and at <= self.timestamp:
            return self
        return replace(
            self,
            reward=None,
            next_state_vector=None,
            terminal=None,
            cumulative_return=None,
            outcome_known_at=None,
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, EpisodicMemory):
            return NotImplemented
        return same(self.__dict__, other.__dict__)

    __hash__ = None  # type: ignore[assignment]


def outcome_of(
    reward: float,
    next_state_vector: npt.ArrayLike | None,
    cumulative_return: float | None,
    known_at: datetime | None,
    *,
    terminal: bool,
) -> RawOutcome:
    """Return what came of an episode, as the outcome of its record."""
    body = {
        "next_state_vector": next_state_vector,
        "terminal": terminal,
        "cumulative_return": cumulative_return,
    }
    at = None if known_at is None else to_micros(known_at, "known_at")
    return RawOutcome(reward, at, pack(body))


def to_raw(episode: EpisodicMemory, namespace: str, kind: str = KIND) -> RawRecord:
    """Return an episode as a record."""
    at = to_micros(episode.timestamp)
    attributes: dict[str, Attribute] = {
        "action": episode.action.kind,
        "action_size": episode.action.size,
    }
    if episode.market_phase is not None:
        attributes["market_phase"] = episode.market_phase
    if episode.pattern_ids:
        attributes["pattern_ids"] = list(episode.pattern_ids)
    if episode.quality is not None:
        attributes["quality"] = episode.quality
    outcome = None
    if episode.reward is not None:
        outcome = outcome_of(
            episode.reward,
            episode.next_state_vector,
            episode.cumulative_return,
            episode.outcome_known_at,
            terminal=bool(episode.terminal),
        )
    return RawRecord(
        id=episode.memory_id,
        namespace=namespace,
        kind=kind,
        event_time=at,
        known_at=at,
        agent_id=episode.agent_id,
        symbol=episode.product_id,
        regime=episode.regime,
        confidence=episode.confidence,
        embeddings={STATE: episode.state_vector},
        attributes=attributes,
        payload=_body(episode),
        outcome=outcome,
        tags=episode.tags,
        writer=episode.agent_id,
    )


def from_raw(raw: RawRecord) -> EpisodicMemory:
    """Return the episode of a record, as its version has it."""
    made = object.__new__(EpisodicMemory)
    attributes = raw.attributes
    parameters: dict[str, Any] = {}
    others: dict[str, Any] = {}
    if raw.payload is not None:
        body = unpack(raw.payload)
        parameters, others = body["parameters"], body["others"]
    # What is stored was checked when it was made: none of it is checked again, as
    # this is done for each hit of a recall.
    made.__dict__.update(
        agent_id=raw.agent_id,
        timestamp=from_micros(raw.event_time),
        state_vector=raw.embeddings[STATE],
        action=_action(attributes["action"], attributes["action_size"], parameters),
        product_id=raw.symbol,
        reward=None,
        next_state_vector=None,
        regime=raw.regime,
        market_phase=attributes.get("market_phase"),
        pattern_ids=tuple(attributes.get("pattern_ids", ())),  # type: ignore[arg-type]
        confidence=raw.confidence,
        other_agent_actions={name: _action(*told) for name, told in others.items()},
        terminal=None,
        cumulative_return=None,
        outcome_known_at=None,
        quality=attributes.get("quality"),
        tags=tuple(raw.tags),
        memory_id=raw.id,
    )
    outcome = raw.outcome
    if outcome is not None and outcome.known_at is not None:
        later = {} if outcome.payload is None else unpack(outcome.payload)
        at = from_micros(later.pop("known_at", outcome.known_at))
        made.__dict__.update(reward=outcome.reward, outcome_known_at=at, **later)
    return made


def pinned(raw: RawRecord, now: int) -> RawRecord:
    """Return the version of an episode that is pinned from now on."""
    known_at, outcome = max(raw.known_at, now), raw.outcome
    if outcome is not None and outcome.known_at is not None:
        later = {} if outcome.payload is None else unpack(outcome.payload)
        # It shows with this version, and says since when it was known.
        told = pack({"known_at": outcome.known_at, **later})
        outcome = replace(outcome, known_at=max(outcome.known_at, known_at), payload=told)
    tags = raw.tags if PINNED in raw.tags else [*raw.tags, PINNED]
    return replace(raw, known_at=known_at, outcome=outcome, tags=tags)


def _body(episode: EpisodicMemory) -> bytes | None:
    """Return what no filter asks for; None where there is nothing."""
    parameters, others = episode.action.parameters, episode.other_agent_actions
    if not parameters and not others:
        return None
    told = {name: [it.kind, it.size, dict(it.parameters)] for name, it in others.items()}
    return pack({"parameters": dict(parameters), "others": told})


def _action(kind: Any, size: Any, parameters: dict[str, Any]) -> Action:
    made = object.__new__(Action)
    set_ = object.__setattr__
    set_(made, "kind", kind)
    set_(made, "size", size)
    set_(made, "parameters", parameters)
    return made


def _check_texts(episode: EpisodicMemory) -> None:
    for name in ("agent_id", "product_id", "regime", "memory_id"):
        value = getattr(episode, name)
        if not isinstance(value, str) and (name != "regime" or value is not None):
            msg = f"{name}={shown(value)}: give a string"
            raise ValueError(msg)
    if not episode.product_id:
        msg = "product_id='': say what was traded, as in 'BTC-USD'"
        raise ValueError(msg)
    if episode.market_phase is not None:
        checked_phase(episode.market_phase)
    if not isinstance(episode.action, Action):
        msg = f"action={shown(episode.action)}: give an Action, as in Action('BUY')"
        raise TypeError(msg)


def _actions(given: object) -> dict[str, Action]:
    actions = dict(mapping("other_agent_actions", given))
    for name, action in actions.items():
        if not isinstance(name, str) or not isinstance(action, Action):
            msg = f"other_agent_actions[{shown(name)}]={shown(action)}: give actions by agent id"
            raise TypeError(msg)
    return actions


def _check_open(episode: EpisodicMemory) -> None:
    for name in _LATER:
        if getattr(episode, name) is not None:
            msg = f"{name}={shown(getattr(episode, name))} without a reward: give it to settle()"
            raise ValueError(msg)


def _checked_outcome(episode: EpisodicMemory) -> dict[str, Any]:
    """Return the fields of what came of an episode, with what follows where one is left out."""
    known_at = episode.outcome_known_at
    if known_at is None:
        known_at = episode.timestamp
    elif to_micros(known_at, "outcome_known_at") < to_micros(episode.timestamp):
        msg = (
            f"outcome_known_at={shown(known_at)} is before timestamp={shown(episode.timestamp)}: "
            "what is not done has no outcome"
        )
        raise ValueError(msg)
    total, after = episode.cumulative_return, episode.next_state_vector
    return {
        "reward": finite("reward", episode.reward, -LARGEST, LARGEST),
        "outcome_known_at": known_at,
        "terminal": checked_flag("terminal", episode.terminal or False),
        "cumulative_return": None if total is None else finite("cumulative_return", total),
        "next_state_vector": None
        if after is None
        else state_after(after, len(episode.state_vector)),
    }


def checked_phase(phase: str) -> str:
    """Return a phase of the market; anything else is a ValueError."""
    if phase in PHASES:
        return phase
    msg = f"market_phase={shown(phase)}: give one of {', '.join(PHASES)} or None"
    raise ValueError(msg)


def checked_flag(name: str, value: object) -> bool:
    """Return True or False; anything else is a TypeError."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    msg = f"{name}={shown(value)}: give True or False"
    raise TypeError(msg)


def state_after(given: npt.ArrayLike, dim: int) -> Vector:
    """Return a state that an action led to, checked against the space that it comes from."""
    vector = as_vector(given, "next_state_vector")
    if len(vector) != dim:
        msg = f"next_state_vector has {len(vector)} numbers, states have {dim}: encode it as those"
        raise DimensionMismatchError(msg)
    if not np.isfinite(vector).all():
        msg = "next_state_vector is not finite: leave it out where it is not known"
        raise InvalidEmbeddingError(msg)
    return vector
