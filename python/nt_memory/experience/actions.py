"""What an agent did, and what is known of another agent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nt_memory._shown import shown
from nt_memory._values import finite, mapping, pack
from nt_memory.clock import from_micros, to_micros

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

KINDS = ("BUY", "SELL", "HOLD", "CLOSE")
_OF_SIGNAL = {"long": "BUY", "short": "SELL", "neutral": "HOLD"}


@dataclass(frozen=True, slots=True)
class Action:
    """A decision of an agent.

    Parameters
    ----------
    kind
        ``"BUY"``, ``"SELL"``, ``"HOLD"`` or ``"CLOSE"``.
    size
        Share of what the agent may put in, 0 to 1.
    parameters
        Anything more by name: JSON types.

    Examples
    --------
    >>> Action("BUY", 0.5).index
    0
    >>> Action.from_index(3)
    Action(kind='CLOSE', size=1.0, parameters={})
    """

    kind: str
    size: float = 1.0
    parameters: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            msg = f"kind={shown(self.kind)}: give one of {', '.join(KINDS)}"
            raise ValueError(msg)
        object.__setattr__(self, "size", finite("size", self.size, 0.0, 1.0))
        given = dict(mapping("parameters", self.parameters))
        if given:
            pack(given)  # what cannot be stored is refused here, where it can be told
        object.__setattr__(self, "parameters", given)

    @property
    def index(self) -> int:
        """Its place among BUY, SELL, HOLD and CLOSE, as a policy counts them."""
        return KINDS.index(self.kind)

    @classmethod
    def from_index(cls, index: int, size: float = 1.0) -> Action:
        """Return the action of a place.

        Raises
        ------
        ValueError
            It is no integer from 0 to 3.
        """
        if isinstance(index, bool) or not hasattr(index, "__index__"):
            msg = f"index={shown(index)}: give an integer from 0 to {len(KINDS) - 1}"
            raise TypeError(msg)
        if not 0 <= index < len(KINDS):
            msg = f"index={shown(index)}: give 0 to {len(KINDS) - 1} ({', '.join(KINDS)})"
            raise ValueError(msg)
        return cls(KINDS[index], size)

    @classmethod
    def from_signal(cls, signal: str, size: float = 1.0) -> Action:
        """Return BUY for ``"long"``, SELL for ``"short"``, HOLD for ``"neutral"``.

        Examples
        --------
        >>> Action.from_signal("short", 0.2).kind
        'SELL'
        """
        if not isinstance(signal, str) or signal not in _OF_SIGNAL:
            msg = f"signal={shown(signal)}: give one of {', '.join(_OF_SIGNAL)}"
            raise ValueError(msg)
        return cls(_OF_SIGNAL[signal], size)

    def to_json(self) -> dict[str, Any]:
        """Return the fields by name."""
        return {"kind": self.kind, "size": self.size, "parameters": dict(self.parameters)}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Action:
        """Return what `to_json` gave.

        Raises
        ------
        ValueError
            A field is missing, is none of an action's, or has a bad value.

        Examples
        --------
        >>> Action.from_json(Action("SELL", 0.2).to_json())
        Action(kind='SELL', size=0.2, parameters={})
        """
        given = mapping("action", fields)
        if not {"kind"} <= given.keys() <= {"kind", "size", "parameters"}:
            msg = f"action={shown(dict(given))}: give kind, and size and parameters if you like"
            raise ValueError(msg)
        return cls(**given)


@dataclass(frozen=True, slots=True)
class AgentSnapshot:
    """What is known of another agent at a time.

    Parameters
    ----------
    regime
        The regime that it goes by; None where that is not known.
    position
        What it holds, with its sign, in the unit of its kind.
    last_action
        What it did last.
    confidence
        How sure it is, 0 to 1.
    at
        When it was so; aware.
    """

    at: datetime
    regime: str | None = None
    position: float = 0.0
    last_action: Action | None = None
    confidence: float | None = None

    def __post_init__(self) -> None:
        to_micros(self.at, "at")
        if self.regime is not None and not isinstance(self.regime, str):
            msg = f"regime={shown(self.regime)}: give a string or None"
            raise TypeError(msg)
        object.__setattr__(self, "position", finite("position", self.position))
        if self.last_action is not None and not isinstance(self.last_action, Action):
            msg = f"last_action={shown(self.last_action)}: give an Action or None"
            raise TypeError(msg)
        if self.confidence is not None:
            confidence = finite("confidence", self.confidence, 0.0, 1.0)
            object.__setattr__(self, "confidence", confidence)

    def to_json(self) -> dict[str, Any]:
        """Return the fields by name, the time in microseconds."""
        return {
            "at": to_micros(self.at),
            "regime": self.regime,
            "position": self.position,
            "last_action": None if self.last_action is None else self.last_action.to_json(),
            "confidence": self.confidence,
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> AgentSnapshot:
        """Return what `to_json` gave."""
        told = dict(mapping("snapshot", fields))
        action = told.get("last_action")
        told["last_action"] = None if action is None else Action.from_json(action)
        return cls(**{**told, "at": from_micros(told["at"])})
