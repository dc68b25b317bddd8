"""`MultiAgentCoordinator`: signals in the queues of their targets."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from nt_memory._shown import shown
from nt_memory._values import segment, unpack
from nt_memory.clock import from_micros, micros, to_micros
from nt_memory.coordination._announce import announce
from nt_memory.coordination._checks import instance
from nt_memory.coordination._rows import every_key, until_unchanged
from nt_memory.coordination.registry import AgentRegistry
from nt_memory.coordination.signals import STATUSES, Processing, Signal, text
from nt_memory.errors import ConflictError, SignalError
from nt_memory.store import Delete, Expect, Put

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from nt_memory.coordination._memory import Memory
    from nt_memory.coordination.signals import Status

_SIGNALS = "signals"
_MOST = 10_000
_YEAR_1 = 10**17  # microseconds: more than lie between the year 1 and 1970
# What became of a signal outlives it a little, so that who reads it finds both.
_LONGER = 60_000_000


class MultiAgentCoordinator:
    """Signals between registered agents, each with its own queue.

    A signal and its place in the queue of every target are one commit: all of
    it is on the disk when `publish_signal` returns, or nothing.  To read an
    agent's signals costs what it has, whatever others have.

    Parameters
    ----------
    memory
        A `MemorySystem`.

    Examples
    --------
    >>> from nt_memory import AgentRegistry, MemorySystem, MultiAgentCoordinator, Signal
    >>> with MemorySystem(":memory:") as memory:
    ...     _ = AgentRegistry(memory).register("risk-manager")
    ...     signals = MultiAgentCoordinator(memory)
    ...     id_ = signals.publish_signal(
    ...         Signal(
    ...             signal_type="WHALE_ACTIVITY",
    ...             source_agent="market-hunter",
    ...             target_agents=["risk-manager"],
    ...             severity="high",
    ...             confidence=0.85,
    ...             data={"whale_count": 5},
    ...         )
    ...     )
    ...     (signal,) = signals.get_signals_for_agent("risk-manager")
    ...     done = signals.mark_processed(id_, "risk-manager", decision_id="dec_risk_001")
    ...     signal.data, done.status, signals.pending_counts()
    ({'whale_count': 5}, 'PROCESSED', {'risk-manager': 0})
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._store = memory.store
        self._registry = AgentRegistry(memory)

    def publish_signal(self, signal: Signal) -> str:
        """Give a signal to its targets; return its id.

        The design that this follows calls it ``store_shared_signal``.  Each
        target is told on the topic ``signals/<agent>`` once it is stored.

        Raises
        ------
        AgentNotFoundError
            A target is not registered.
        SignalError
            There is a signal with this id.
        SerializationError
            The data or the context cannot be stored.
        """
        instance("signal", signal, Signal)
        id_ = until_unchanged(lambda: self._publish(signal))
        news = {
            "signal_id": id_,
            "signal_type": signal.signal_type,
            "source_agent": signal.source_agent,
            "severity": signal.severity,
        }
        for agent in signal.target_agents:
            announce(self._memory, _queue(agent), news)
        return id_

    def get(self, signal_id: str) -> Signal | None:
        """Return a signal with what its targets made of it, or None where it is gone.

        Through an agent's handle it says what this agent made of it.
        """
        row = self._store.get(_SIGNALS, segment("signal_id", signal_id))
        if row is None:
            return None
        fields = unpack(row)
        made = {
            agent: self._processing(agent, _place(fields["timestamp"], signal_id))
            for agent in fields["target_agents"]
            # An agent reads its own queue only.
            if self._memory.agent_id in {None, agent}
        }
        known = {agent: processing for agent, processing in made.items() if processing}
        if len(known) < len(made):  # it went while it was read
            return None
        del fields["gone_at"]
        fields["ttl"] = timedelta(microseconds=fields["ttl"])
        fields["timestamp"] = from_micros(fields["timestamp"])
        return Signal(signal_id=signal_id, processing_status=known, **fields)

    def get_signals_for_agent(
        self,
        agent: str,
        status: Status = "PENDING",
        since: datetime | None = None,
        limit: int = 100,
    ) -> tuple[Signal, ...]:
        """Return an agent's signals of one status, the oldest first.

        Parameters
        ----------
        agent
            One of the targets.
        status
            ``"PENDING"``, ``"PROCESSED"`` or ``"FAILED"``.
        since
            Only those with this timestamp or a later one.
        limit
            How many at most.

        Examples
        --------
        >>> from nt_memory import MemorySystem, MultiAgentCoordinator
        >>> with MemorySystem(":memory:") as memory:
        ...     MultiAgentCoordinator(memory).get_signals_for_agent("risk-manager")
        ()
        """
        segment("agent", agent)
        if status not in STATUSES:
            msg = f"status={shown(status)}: give one of {', '.join(STATUSES)}"
            raise ValueError(msg)
        if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= _MOST:
            msg = f"limit={shown(limit)}: give 1 to {_MOST:,}"
            raise ValueError(msg)
        keys = self._keys(agent, status, None if since is None else to_micros(since, "since"))
        read = (self.get(key.rpartition("/")[2]) for key in keys)
        # What is gone or was marked since its key was read is left out.
        there = (s for s in read if s and s.processing_status[agent].status == status)
        return tuple(islice(there, limit))

    def mark_processed(
        self, signal_id: str, agent: str, decision_id: str | None = None, *, failed: bool = False
    ) -> Processing:
        """Note once and for good what a target has made of a signal.

        Parameters
        ----------
        signal_id, agent
            Which signal, and which of its targets.
        decision_id
            What it led to, or None.
        failed
            That the agent could not do anything with it.

        Raises
        ------
        SignalError
            There is no such signal (any more), it was sent to others, or this
            agent has marked it already.
        """
        segment("agent", agent)
        if decision_id is not None:
            text("decision_id", decision_id)
        row = self._store.get(_SIGNALS, segment("signal_id", signal_id))
        if row is None:
            msg = f"there is no signal {shown(signal_id)} (any more)"
            raise SignalError(msg)
        fields = unpack(row)
        if agent not in fields["target_agents"]:
            msg = f"signal {signal_id} was not sent to {shown(agent)}: give one of its targets"
            raise SignalError(msg)
        after = Processing(
            "FAILED" if failed else "PROCESSED", self._memory.clock.now(), decision_id
        )
        self._mark(signal_id, agent, fields, after)
        return after

    def pending_counts(self) -> dict[str, int]:
        """Return how many signals wait for each registered agent."""
        return {
            agent.agent_id: sum(1 for _ in self._keys(agent.agent_id, "PENDING"))
            for agent in self._registry.list()
        }

    def _publish(self, signal: Signal) -> str:
        registered = [self._registry.expect(agent) for agent in signal.target_agents]
        id_ = signal.signal_id or self._store.new_id()
        if self._store.get(_SIGNALS, id_) is not None:
            msg = f"signal_id={shown(id_)}: there is such a signal; give another id, or none"
            raise SignalError(msg)
        now, ttl = to_micros(self._memory.clock.now()), micros(signal.ttl)
        at = now if signal.timestamp is None else to_micros(signal.timestamp)
        key, pending = f"PENDING/{_place(at, id_)}", Processing().packed()
        self._store.commit(
            [
                *registered,
                Expect(_SIGNALS, id_, None),
                Put(_SIGNALS, id_, signal.packed(now), ttl),
                *(Put(_queue(agent), key, pending, ttl) for agent in signal.target_agents),
            ]
        )
        return id_

    def _mark(self, signal_id: str, agent: str, fields: dict[str, Any], after: Processing) -> None:
        """Move a signal out of the queue of those that wait."""
        place = _place(fields["timestamp"], signal_id)
        queue, waiting = _queue(agent), f"PENDING/{place}"
        left = max(0, fields["gone_at"] - to_micros(self._memory.clock.now())) + _LONGER
        try:
            self._store.commit(
                [
                    Expect(queue, waiting, Processing().packed()),
                    # First, so that whoever looks at one key after the other finds either.
                    Put(queue, f"{after.status}/{place}", after.packed(), left),
                    Delete(queue, waiting),
                ]
            )
        except ConflictError as error:
            msg = f"{shown(agent)} has marked signal {signal_id} already: it is marked once"
            raise SignalError(msg) from error

    def _processing(self, agent: str, place: str) -> Processing | None:
        # A signal leaves PENDING for one of the others, so that in this order none is missed.
        for status in STATUSES:
            row = self._store.get(_queue(agent), f"{status}/{place}")
            if row is not None:
                return Processing.unpacked(status, row)
        return None

    def _keys(self, agent: str, status: Status, since: int | None = None) -> Iterator[str]:
        after = None if since is None else f"{status}/{_place(since, '')}"
        return every_key(self._store, _queue(agent), f"{status}/", after)


def _queue(agent: str) -> str:
    return f"{_SIGNALS}/{agent}"


def _place(at: int, signal_id: str) -> str:
    """Return what is ordered by time and then by id."""
    return f"{at + _YEAR_1:018d}/{signal_id}"
