"""What came of the decisions of agents, as known at a time: where records of agents come from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import numpy as np

from nt_memory.clock import to_micros
from nt_memory.filters import Filter, ge, gt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nt_memory.records import Record
    from nt_memory.system import MemorySystem

OUTCOME = "outcome"
SWARM = "swarm"


@dataclass(frozen=True, slots=True)
class Settled:
    """A decision whose outcome is known.

    Parameters
    ----------
    trade_id
        Of the decision.
    agent
        Who decided.
    symbol, regime, event
        What about, in which regime, and on which event, where there was one.
    known_at
        From when the outcome was known.
    """

    trade_id: str
    agent: str
    symbol: str
    regime: str | None
    event: str | None
    known_at: datetime


class Ledger:
    """Outcomes of an agent's decisions, or of all agents', in the order in which they became known.

    It is read from the memory, what is new at each call, and holds nothing of its own: another
    one on the same memory tells the same of every time.

    Parameters
    ----------
    memory
        Where the outcomes are.
    namespace
        Whose: ``swarm/<agent>/trading`` or, of all agents, ``swarm``.

    Examples
    --------
    >>> from nt_memory import Ledger, MemorySystem
    >>> with MemorySystem(":memory:") as memory:
    ...     Ledger(memory).pnl(memory.clock.now(), agent="markov")
    []
    """

    def __init__(self, memory: MemorySystem, namespace: str = SWARM) -> None:
        self._memory = memory
        self._namespace = namespace
        self._last: tuple[datetime, int] | None
        self._recorded: datetime
        self._begin()

    def pnl(
        self,
        as_of: datetime,
        *,
        last: int | None = None,
        **of: str | None,
    ) -> list[float]:
        """Return outcomes that were known at a time, in percent of equity, oldest first.

        Parameters
        ----------
        as_of
            The time, inclusive.
        last
            Only so many, the latest.
        **of
            Only those of an ``agent``, a ``symbol``, a ``regime`` or on an ``event``.
        """
        return [self._pnl[place] for place in self._places(as_of, last, of)]

    def trades(
        self, as_of: datetime, *, last: int | None = None, **of: str | None
    ) -> list[tuple[Settled, float]]:
        """Return the same with the decisions that they are of."""
        places = self._places(as_of, last, of)
        return [(self._rows[place], self._pnl[place]) for place in places]

    def _places(
        self, as_of: datetime, last: int | None, of: dict[str, str | None]
    ) -> Sequence[int]:
        self._read(as_of)
        key = tuple(sorted(of.items()))
        if key not in self._groups:
            self._groups[key] = [n for n, row in enumerate(self._rows) if _is_of(row, of)]
        places = self._groups[key]
        return places if last is None else places[-last:] if last else []

    def _read(self, as_of: datetime) -> None:
        """Take in what has become known since the last call; begin anew for an earlier time."""
        at = to_micros(as_of, "as_of")
        commits = self._memory.store.stats()["commits"]
        if self._last is not None:
            before, commits_before = self._last
            if (at, commits) == (to_micros(before), commits_before):
                return
            if at < to_micros(before):
                self._begin()
        news = Filter(kind=OUTCOME)
        if self._last is not None:
            # Known since, or written since although known before.
            news &= Filter(known_at=gt(self._last[0])) | Filter(recorded_at=ge(self._recorded))
        for record in self._memory.records(
            namespace=self._namespace, filter=news, as_of=as_of, order_by="known_at"
        ):
            if record.id not in self._ids:
                self._learn(record)
        self._last = as_of, commits

    def _begin(self) -> None:
        self._last = None
        self._recorded = datetime.min.replace(tzinfo=timezone.utc)
        self._ids: set[str] = set()
        self._rows: list[Settled] = []
        self._pnl: list[float] = []
        self._groups: dict[tuple[tuple[str, str | None], ...], list[int]] = {}

    def _learn(self, record: Record) -> None:
        told = record.payload
        row = Settled(
            trade_id=told["trade_id"],
            agent=record.agent_id or "",
            symbol=record.symbol or "",
            regime=record.regime,
            event=told.get("event"),
            known_at=record.known_at,
        )
        for key, places in self._groups.items():
            if _is_of(row, dict(key)):
                places.append(len(self._rows))
        self._ids.add(record.id)
        self._rows.append(row)
        self._take(float(told["pnl"]))
        if record.recorded_at is not None:
            self._recorded = max(self._recorded, record.recorded_at)

    def _take(self, pnl: float) -> None:
        """Keep what the last decision came to."""
        self._pnl.append(pnl)


class ShuffledLedger(Ledger):
    """A placebo: each decision is told the outcome of a random one among those known.

    One that becomes known trades its outcome with a random one that is known already, or
    keeps it (the inside-out shuffle of Fisher and Yates): at every time the assignment is
    a uniform permutation, and it changes by one swap an outcome.

    Parameters
    ----------
    memory, namespace
        See `Ledger`.
    seed
        Of the permutation.
    """

    def __init__(self, memory: MemorySystem, namespace: str = SWARM, *, seed: int = 0) -> None:
        self._seed = seed
        super().__init__(memory, namespace)

    def _begin(self) -> None:
        super()._begin()
        self._rng = np.random.default_rng(self._seed)

    def _take(self, pnl: float) -> None:
        self._pnl.append(pnl)
        other = int(self._rng.integers(len(self._pnl)))
        self._pnl[-1], self._pnl[other] = self._pnl[other], self._pnl[-1]


def _is_of(row: Settled, of: dict[str, str | None]) -> bool:
    return all(getattr(row, name) == value for name, value in of.items())
