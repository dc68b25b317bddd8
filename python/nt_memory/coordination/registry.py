"""Which agents there are, what they can do, and when they were last heard of."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

from nt_memory._shown import shown
from nt_memory._values import mapping, pack, segment, texts, unpack
from nt_memory.clock import from_micros, micros, to_micros
from nt_memory.coordination._checks import Exact, exact
from nt_memory.coordination._rows import every_key, until_unchanged
from nt_memory.errors import AgentNotFoundError
from nt_memory.store import Delete, Expect, Increment, Put

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from nt_memory.clock import Duration
    from nt_memory.coordination._memory import Memory

_AGENTS = "registry/agents"
_HEARTBEATS = "registry/heartbeats"
_Fields: TypeAlias = "dict[str, Any]"
# Counts the changes, so that all agents can be read as of one moment.
_REVISION = ("registry", "revision")


@dataclass(frozen=True, slots=True)
class RegisteredAgent:
    """An agent as it was registered.

    Parameters
    ----------
    agent_id
        One level of a namespace.
    version, kind
        Of its program, and what it is for.
    capabilities
        What it can do.
    config
        JSON types, bytes and NumPy arrays by name.
    weight
        Of its vote; above 0 and exact (a float is taken at its decimal text).
    registered_at, last_heartbeat
        By the store's clock; to register is a heartbeat.
    """

    agent_id: str
    version: str
    kind: str
    capabilities: tuple[str, ...]
    config: Mapping[str, Any] = field(hash=False)
    weight: Fraction
    registered_at: datetime
    last_heartbeat: datetime


class AgentRegistry:
    """The agents of a memory.  All of it lies in the store, and survives a restart.

    Parameters
    ----------
    memory
        A `MemorySystem`.

    Examples
    --------
    >>> from nt_memory import AgentRegistry, MemorySystem
    >>> with MemorySystem(":memory:") as memory:
    ...     registry = AgentRegistry(memory)
    ...     hedge = registry.register("hedge", "1.0.0", "risk", ["sizing"], {"limit": 5})
    ...     registry.heartbeat("hedge")
    ...     registry.is_alive("hedge", within=60), [agent.agent_id for agent in registry.list()]
    (True, ['hedge'])
    """

    def __init__(self, memory: Memory) -> None:
        self._clock = memory.clock
        self._store = memory.store

    def register(
        self,
        agent_id: str,
        version: str = "",
        kind: str = "",
        capabilities: Iterable[str] = (),
        config: Mapping[str, Any] | None = None,
        weight: Exact = 1,
    ) -> RegisteredAgent:
        """Register an agent, in place of what was registered under its id.

        Raises
        ------
        NamespaceError
            The id is not one level of a namespace.
        ValueError
            The weight is no finite number above 0.
        SerializationError
            The config cannot be stored.
        """
        segment("agent_id", agent_id)
        fields = self._fields(version, kind, capabilities, config, weight)

        def attempt() -> RegisteredAgent:
            before = self._store.get(_AGENTS, agent_id)
            return self._write(agent_id, before, fields, beats=True)

        return until_unchanged(attempt)

    def set_weight(self, agent_id: str, weight: Exact) -> RegisteredAgent:
        """Set the weight of an agent's vote; one that is not registered gets registered.

        Proposals that were made before keep the weights that they were made with.

        Raises
        ------
        NamespaceError
            The id is not one level of a namespace.
        ValueError
            The weight is no finite number above 0.
        """
        segment("agent_id", agent_id)
        number = exact("weight", weight)

        def attempt() -> RegisteredAgent:
            row = self._store.get(_AGENTS, agent_id)
            fields = self._fields("", "", (), None, number) if row is None else unpack(row)
            return self._write(agent_id, row, {**fields, "weight": str(number)}, beats=row is None)

        return until_unchanged(attempt)

    def heartbeat(self, agent_id: str) -> None:
        """Note that an agent lives, by the store's clock.

        Raises
        ------
        AgentNotFoundError
            It is not registered.
        """

        def attempt() -> None:
            beat = Put(_HEARTBEATS, agent_id, pack(to_micros(self._clock.now())))
            self._store.commit([self.expect(agent_id), beat])

        until_unchanged(attempt)

    def get(self, agent_id: str) -> RegisteredAgent | None:
        """Return an agent, or None where none is registered under this id."""
        segment("agent_id", agent_id)
        row = self._store.get(_AGENTS, agent_id)
        beat = self._store.get(_HEARTBEATS, agent_id)
        # Both go in one batch, so one that is there without the other is about to go.
        return None if row is None or beat is None else _agent(agent_id, row, beat)

    def list(self, *, alive_within: Duration | None = None) -> tuple[RegisteredAgent, ...]:
        """Return all agents by id, or those that were heard of so lately."""
        found = [self.get(agent_id) for agent_id in every_key(self._store, _AGENTS)]
        agents = tuple(agent for agent in found if agent is not None)
        if alive_within is None:
            return agents
        oldest = self._oldest(alive_within, "alive_within")
        return tuple(agent for agent in agents if to_micros(agent.last_heartbeat) >= oldest)

    def is_alive(self, agent_id: str, within: Duration) -> bool:
        """Return whether the last heartbeat of an agent is at most so long ago.

        Raises
        ------
        AgentNotFoundError
            It is not registered.
        """
        oldest = self._oldest(within, "within")
        agent = self.get(agent_id)
        if agent is None:
            raise _not_found(agent_id)
        return to_micros(agent.last_heartbeat) >= oldest

    def deregister(self, agent_id: str) -> bool:
        """Take an agent out; return whether it was registered.

        What it voted and what was sent to it stays.
        """
        segment("agent_id", agent_id)

        def attempt() -> bool:
            row = self._store.get(_AGENTS, agent_id)
            if row is not None:
                self._store.commit(
                    [
                        Expect(_AGENTS, agent_id, row),
                        Delete(_AGENTS, agent_id),
                        Delete(_HEARTBEATS, agent_id),
                        Increment(*_REVISION, 1),
                    ]
                )
            return row is not None

        return until_unchanged(attempt)

    def expect(self, agent_id: str) -> Expect:
        """Return the precondition that an agent is registered as it is.

        Raises
        ------
        AgentNotFoundError
            It is not registered.
        """
        segment("agent_id", agent_id)
        row = self._store.get(_AGENTS, agent_id)
        if row is None:
            raise _not_found(agent_id)
        return Expect(_AGENTS, agent_id, row)

    def weights(self) -> tuple[dict[str, Fraction], tuple[Expect, ...]]:
        """Return the weight of every agent, and the preconditions that nothing has changed."""
        unchanged = Expect(*_REVISION, self._store.get(*_REVISION))
        rows = {agent: self._store.get(_AGENTS, agent) for agent in every_key(self._store, _AGENTS)}
        found = {agent: row for agent, row in rows.items() if row is not None}
        weights = {agent: Fraction(unpack(row)["weight"]) for agent, row in found.items()}
        # The revision tells of who came, the rows that each was read as it is.
        return weights, (unchanged, *(Expect(_AGENTS, agent, row) for agent, row in found.items()))

    def _write(
        self, agent_id: str, before: bytes | None, fields: _Fields, *, beats: bool
    ) -> RegisteredAgent:
        """Set the row of an agent if it is what it was; who registers is heard of."""
        now = pack(to_micros(self._clock.now()))
        beat = now if beats else self._store.get(_HEARTBEATS, agent_id) or now
        row = pack(fields)
        self._store.commit(
            [
                Expect(_AGENTS, agent_id, before),
                Put(_AGENTS, agent_id, row),
                *([Put(_HEARTBEATS, agent_id, beat)] if beats else []),
                Increment(*_REVISION, 1),
            ]
        )
        return _agent(agent_id, row, beat)

    def _fields(
        self,
        version: str,
        kind: str,
        capabilities: Iterable[str],
        config: Mapping[str, Any] | None,
        weight: Exact,
    ) -> _Fields:
        return {
            "version": _text("version", version),
            "kind": _text("kind", kind),
            "capabilities": list(texts("capabilities", capabilities)),
            "config": dict(mapping("config", {} if config is None else config)),
            "weight": str(exact("weight", weight)),
            "registered_at": to_micros(self._clock.now()),
        }

    def _oldest(self, within: Duration, name: str) -> int:
        return to_micros(self._clock.now()) - micros(within, name)


def _agent(agent_id: str, row: bytes, beat: bytes) -> RegisteredAgent:
    fields = unpack(row)
    return RegisteredAgent(
        agent_id,
        fields["version"],
        fields["kind"],
        tuple(fields["capabilities"]),
        fields["config"],
        Fraction(fields["weight"]),
        from_micros(fields["registered_at"]),
        from_micros(unpack(beat)),
    )


def _text(name: str, value: object) -> str:
    if isinstance(value, str):
        return value
    msg = f"{name}={shown(value)}: give a string"
    raise TypeError(msg)


def _not_found(agent_id: str) -> AgentNotFoundError:
    return AgentNotFoundError(f"no agent {shown(agent_id)} is registered: register it first")
