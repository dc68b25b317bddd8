"""What an agent has learned so far, with versions to go back to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from nt_memory._shown import shown
from nt_memory._values import finite, mapping, pack, segment, unpack
from nt_memory.clock import from_micros, to_micros
from nt_memory.coordination._checks import instance
from nt_memory.coordination._rows import every_key, until_unchanged
from nt_memory.errors import ConflictError, CoordinationError
from nt_memory.store import Expect, Put

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from nt_memory.coordination._memory import Memory

StateKind: TypeAlias = Literal["CURRENT", "CHECKPOINT", "BACKUP"]

_CURRENT = "CURRENT"
_SHARES = ("learning_rate", "exploration_rate", "technical_weight")
CONFIGURATION: Mapping[str, Any] = {
    "learning_rate": 0.1,
    "exploration_rate": 0.2,
    "technical_weight": 0.7,
}


@dataclass(frozen=True, slots=True)
class SourceMetrics:
    """How good a source of data has been.

    Parameters
    ----------
    success_rate, quality_score
        0 to 1.
    total_calls
        How often it was used.
    last_used_cycles
        How many cycles ago it was used.
    """

    success_rate: float = 0.0
    quality_score: float = 0.0
    total_calls: int = 0
    last_used_cycles: int = 0

    def __post_init__(self) -> None:
        for name in ("success_rate", "quality_score"):
            object.__setattr__(self, name, finite(name, getattr(self, name), 0.0, 1.0))
        for name in ("total_calls", "last_used_cycles"):
            _count(name, getattr(self, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentState:
    """What an agent has learned so far.  Frozen; ``dataclasses.replace`` makes the next one.

    Parameters
    ----------
    current_cycle
        How many cycles it has decided in.
    source_metrics
        `SourceMetrics` by source.
    context_performance
        A number by source by context, as in ``{"high_volatility": {"whaleMovements": 0.92}}``.
    configuration
        Numbers, texts and so on by name.  ``learning_rate`` (0.1),
        ``exploration_rate`` (0.2) and ``technical_weight`` (0.7) are there
        where they are not given, and lie from 0 to 1.
    version
        Set by `AgentStates`: 1 when it is first saved, and one more each time.

    Raises
    ------
    ValueError
        A field is out of its range.

    Examples
    --------
    >>> AgentState(configuration={"learning_rate": 0.05}).configuration
    {'learning_rate': 0.05, 'exploration_rate': 0.2, 'technical_weight': 0.7}
    """

    current_cycle: int = 0
    source_metrics: Mapping[str, SourceMetrics] = field(default_factory=dict)
    context_performance: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    configuration: Mapping[str, Any] = field(default_factory=dict)
    version: int = 0

    def __post_init__(self) -> None:
        _count("current_cycle", self.current_cycle)
        _count("version", self.version)
        object.__setattr__(self, "source_metrics", _metrics(self.source_metrics))
        object.__setattr__(self, "context_performance", _performance(self.context_performance))
        given = mapping("configuration", self.configuration)
        object.__setattr__(self, "configuration", {**CONFIGURATION, **given})
        for name in _SHARES:
            finite(f"configuration[{name!r}]", self.configuration[name], 0.0, 1.0)

    def packed(self, at: int) -> bytes:
        """Return the row of the store."""
        metrics = {
            source: {name: getattr(metric, name) for name in SourceMetrics.__slots__}
            for source, metric in self.source_metrics.items()
        }
        return pack(
            {
                "current_cycle": self.current_cycle,
                "source_metrics": metrics,
                "context_performance": dict(self.context_performance),
                "configuration": dict(self.configuration),
                "version": self.version,
                "saved_at": at,
            }
        )


@dataclass(frozen=True, slots=True)
class StoredState:
    """A state with what it is kept as, and when that version was saved."""

    kind: StateKind
    saved_at: datetime
    state: AgentState


class AgentStates:
    """The states of agents, in the namespace ``swarm/<agent>/state`` of each.

    Parameters
    ----------
    memory
        A `MemorySystem`.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from nt_memory import AgentState, AgentStates, MemorySystem
    >>> with MemorySystem(":memory:") as memory:
    ...     states = AgentStates(memory)
    ...     first = states.save("hedge", AgentState(current_cycle=142))
    ...     good = states.checkpoint("hedge")
    ...     second = states.save("hedge", replace(first, current_cycle=143))
    ...     back = states.rollback("hedge", to=good)
    ...     [(kept.kind, kept.state.version) for kept in states.history("hedge")]
    [('CHECKPOINT', 1), ('BACKUP', 2), ('CURRENT', 3)]
    >>> back.current_cycle, back.version
    (142, 3)
    """

    def __init__(self, memory: Memory) -> None:
        self._clock = memory.clock
        self._store = memory.store

    def load(self, agent_id: str) -> AgentState | None:
        """Return the current state of an agent, or None where none was saved."""
        row = self._store.get(_place(agent_id), _CURRENT)
        return None if row is None else _unpacked(_CURRENT, row).state

    def save(self, agent_id: str, state: AgentState) -> AgentState:
        """Make a state the current one; return it with its new version.

        Parameters
        ----------
        agent_id
            Whose.
        state
            Made from the current one, whose version it has; 0 where there is none.

        Raises
        ------
        ConflictError
            The current state has another version: somebody saved meanwhile.
        SerializationError
            The configuration cannot be stored.
        """
        place = _place(agent_id)
        instance("state", state, AgentState)
        before = self._store.get(place, _CURRENT)
        saved = replace(state, version=state.version + 1)
        change = Put(place, _CURRENT, saved.packed(self._now()))
        stored = _version(before)
        if stored != state.version:
            raise _stale(agent_id, state.version, stored)
        try:
            self._store.commit([Expect(place, _CURRENT, before), change])
        except ConflictError as error:
            after = _version(self._store.get(place, _CURRENT))
            raise _stale(agent_id, state.version, after) from error
        return saved

    def checkpoint(self, agent_id: str) -> int:
        """Keep the current state to go back to; return its version.

        Raises
        ------
        CoordinationError
            No state was saved.
        """
        place = _place(agent_id)

        def attempt() -> int:
            row = self._current(agent_id)
            version = _version(row)
            self._store.commit(
                [Expect(place, _CURRENT, row), Put(place, _key("CHECKPOINT", version), row)]
            )
            return version

        return until_unchanged(attempt)

    def rollback(self, agent_id: str, to: int) -> AgentState:
        """Make a state that was kept the current one again, under a new version.

        What was current until then is kept as a BACKUP, in the same commit.

        Parameters
        ----------
        agent_id
            Whose.
        to
            The version of a CHECKPOINT or a BACKUP.

        Raises
        ------
        CoordinationError
            No state of this version was kept.
        """
        _count("to", to)
        place = _place(agent_id)

        def attempt() -> AgentState:
            row = self._current(agent_id)
            version = _version(row)
            state = replace(self._kept(agent_id, to), version=version + 1)
            self._store.commit(
                [
                    Expect(place, _CURRENT, row),
                    Put(place, _key("BACKUP", version), row),
                    Put(place, _CURRENT, state.packed(self._now())),
                ]
            )
            return state

        return until_unchanged(attempt)

    def history(self, agent_id: str) -> tuple[StoredState, ...]:
        """Return all states that are kept, by version; one may be kept as two kinds."""
        place = _place(agent_id)
        rows = {key: self._store.get(place, key) for key in every_key(self._store, place)}
        kept = [_unpacked(key, row) for key, row in rows.items() if row is not None]
        return tuple(sorted(kept, key=lambda stored: stored.state.version))

    def _current(self, agent_id: str) -> bytes:
        row = self._store.get(_place(agent_id), _CURRENT)
        if row is None:
            msg = f"no state of {shown(agent_id)} was saved: save one first"
            raise CoordinationError(msg)
        return row

    def _kept(self, agent_id: str, version: int) -> AgentState:
        for kind in ("CHECKPOINT", "BACKUP"):
            row = self._store.get(_place(agent_id), _key(kind, version))
            if row is not None:
                return _unpacked(kind, row).state
        kept = [s.state.version for s in self.history(agent_id) if s.kind != _CURRENT]
        msg = (
            f"to={version}: {shown(agent_id)} has no state of this version; kept are {shown(kept)}"
        )
        raise CoordinationError(msg)

    def _now(self) -> int:
        return to_micros(self._clock.now())


def _place(agent_id: str) -> str:
    return f"swarm/{segment('agent_id', agent_id)}/state"


def _key(kind: str, version: int) -> str:
    return f"{kind}/{version:019d}"


def _version(row: bytes | None) -> int:
    return 0 if row is None else int(unpack(row)["version"])


def _unpacked(key: str, row: bytes) -> StoredState:
    fields = unpack(row)
    saved_at = from_micros(fields.pop("saved_at"))
    metrics = fields.pop("source_metrics")
    kind: Any = key.partition("/")[0]
    state = AgentState(
        source_metrics={source: SourceMetrics(**made) for source, made in metrics.items()}, **fields
    )
    return StoredState(kind, saved_at, state)


def _stale(agent_id: str, given: int, stored: int) -> ConflictError:
    msg = (
        f"version={given} of {shown(agent_id)} is stale, the store has version {stored}: "
        "load it, make the change again, and save"
    )
    return ConflictError(msg)


def _count(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**62:
        msg = f"{name}={shown(value)}: give a whole number from 0"
        raise ValueError(msg)


def _metrics(value: object) -> dict[str, SourceMetrics]:
    given = dict(mapping("source_metrics", value))
    for source, metrics in given.items():
        if not isinstance(metrics, SourceMetrics):
            msg = f"source_metrics[{shown(source)}]={shown(metrics)}: give SourceMetrics(...)"
            raise TypeError(msg)
    return given


def _performance(value: object) -> dict[str, dict[str, float]]:
    name = "context_performance"
    return {
        context: {
            source: finite(f"{name}[{shown(context)}][{shown(source)}]", number)
            for source, number in mapping(f"{name}[{shown(context)}]", by_source).items()
        }
        for context, by_source in mapping(name, value).items()
    }
