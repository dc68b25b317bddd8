"""What agents say to each other, and what a subscriber gets."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field
from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from nt_memory._shown import shown
from nt_memory._values import finite, pack, unpack
from nt_memory.clock import from_micros, to_micros
from nt_memory.errors import SerializationError

if TYPE_CHECKING:
    from datetime import datetime

_MAX_AGENT = 128
_MAX_RECIPIENTS = 1024

Recipients: TypeAlias = "tuple[str, ...] | Literal['all']"


class MessageType(str, Enum):
    """What an `AgentMemoryMessage` is about."""

    EXPERIENCE = "EXPERIENCE"
    PATTERN = "PATTERN"
    REGIME_CHANGE = "REGIME_CHANGE"
    WARNING = "WARNING"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentMemoryMessage:
    """What one agent tells others.

    Parameters
    ----------
    sender_agent_id
        Who says it (1 to 128 bytes).
    recipient_agent_ids
        Who gets it: agents by name, or ``"all"``.
    message_type
        A `MessageType`, or its name.
    memory_id
        The record that it is about.
    insight
        What is said, in words.
    data
        What is said, as JSON.
    importance
        0 to 1.
    timestamp
        When it was said (aware; kept in UTC); None takes the time at which it
        is published.

    Raises
    ------
    ValueError
        A field is out of its range.
    SerializationError
        ``data`` is no JSON.

    Examples
    --------
    >>> message = AgentMemoryMessage(
    ...     sender_agent_id="wyckoff", message_type="WARNING", insight="volume dries up"
    ... )
    >>> message.message_type, message.recipient_agent_ids
    (<MessageType.WARNING: 'WARNING'>, 'all')
    """

    sender_agent_id: str
    recipient_agent_ids: Recipients = "all"
    message_type: MessageType
    memory_id: str | None = None
    insight: str = ""
    data: Any = field(default_factory=dict)
    importance: float = 1.0
    timestamp: datetime | None = None

    def __post_init__(self) -> None:
        _check_text("insight", self.insight)
        _agent("sender_agent_id", self.sender_agent_id)
        if self.memory_id is not None:
            _check_text("memory_id", self.memory_id)
        kept = {
            "recipient_agent_ids": _recipients(self.recipient_agent_ids),
            "message_type": _type(self.message_type),
            "data": _json(self.data),
            "importance": finite("importance", self.importance, 0.0, 1.0),
        }
        if self.timestamp is not None:
            kept["timestamp"] = from_micros(to_micros(self.timestamp, "timestamp"))
        for name, value in kept.items():
            object.__setattr__(self, name, value)

    def encode(self) -> bytes:
        """Return it as MessagePack, for `decode`."""
        at = self.timestamp
        fields = {
            "sender_agent_id": self.sender_agent_id,
            "recipient_agent_ids": _listed(self.recipient_agent_ids),
            "message_type": self.message_type.value,
            "memory_id": self.memory_id,
            "insight": self.insight,
            "data": self.data,
            "importance": self.importance,
            "timestamp": None if at is None else to_micros(at),
        }
        return pack(fields)

    @classmethod
    def decode(cls, payload: bytes) -> AgentMemoryMessage:
        """Return what `encode` made bytes of.

        Raises
        ------
        SerializationError
            It is something else.

        Examples
        --------
        >>> message = AgentMemoryMessage(
        ...     sender_agent_id="wyckoff", message_type=MessageType.PATTERN, data={"phase": "C"}
        ... )
        >>> AgentMemoryMessage.decode(message.encode()) == message
        True
        """
        try:
            fields = dict(unpack(payload))
            at = fields.pop("timestamp")
            return cls(**fields, timestamp=None if at is None else from_micros(at))
        except (KeyError, TypeError, ValueError) as error:
            msg = f"{len(payload)} bytes are no AgentMemoryMessage: {error}"
            raise SerializationError(msg) from error


@dataclass(frozen=True)
class Message:
    """What a subscriber gets.

    ``sequence`` grows from message to message of a subscription.  ``sender``
    and ``recipients`` are those of an `AgentMemoryMessage`; plain bytes have
    none, and are for everybody.
    """

    topic: str
    sequence: int
    payload: bytes
    sender: str | None = None
    recipients: tuple[str, ...] | None = None

    @functools.cached_property
    def content(self) -> AgentMemoryMessage | None:
        """The message of an agent; None where plain bytes were published."""
        return None if self.sender is None else AgentMemoryMessage.decode(self.payload)


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        msg = f"{name}={shown(value)}: give a string"
        raise TypeError(msg)


def _agent(name: str, value: object) -> str:
    if not isinstance(value, str):
        msg = f"{name}={shown(value)}: give the name of an agent"
        raise TypeError(msg)
    if not value or len(value.encode(errors="replace")) > _MAX_AGENT or value == "all":
        msg = f"{name}={shown(value)}: give 1 to {_MAX_AGENT} bytes, and not 'all'"
        raise ValueError(msg)
    return value


def _recipients(value: Any) -> Recipients:
    if isinstance(value, str) and value == "all":
        return "all"
    try:
        # The letters of a name are no agents; what never ends is not read to its end.
        agents = () if isinstance(value, str) else tuple(islice(value, _MAX_RECIPIENTS + 1))
    except TypeError as error:
        msg = f"recipient_agent_ids={shown(value)}: give a list of agents, or 'all'"
        raise TypeError(msg) from error
    if not 1 <= len(agents) <= _MAX_RECIPIENTS:
        msg = (
            f"recipient_agent_ids={shown(value)}: give a list of 1 to {_MAX_RECIPIENTS} agents, "
            "or 'all'"
        )
        raise ValueError(msg)
    return tuple(_agent("recipient_agent_ids", agent) for agent in agents)


def _listed(recipients: Recipients) -> list[str] | str:
    return recipients if isinstance(recipients, str) else list(recipients)


def _type(value: object) -> MessageType:
    kind = MessageType.__members__.get(value) if isinstance(value, str) else None
    if kind is None:
        names = ", ".join(MessageType.__members__)
        msg = f"message_type={shown(value)}: give one of {names}"
        raise ValueError(msg)
    return kind


def _json(value: object) -> object:
    """Return a copy that nobody else changes."""
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        msg = f"data is no JSON: {error}"
        raise SerializationError(msg) from error
