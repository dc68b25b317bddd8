"""What came of the decisions of agents, as known at a time: where records of agents come from."""

from __future__ import annotations

import sys
from bisect import bisect_left
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nt_memory._recalling import bounds
from nt_memory._shown import shown
from nt_memory._values import unpack, whole
from nt_memory._walking import walk
from nt_memory.clock import from_micros, to_micros
from nt_memory.filters import Filter, ge
from nt_memory.store import Query

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from nt_memory.store import RawRecord
    from nt_memory.system import MemorySystem

OUTCOME = "outcome"
SWARM = "swarm"
# What is called an outcome and has no number is somebody's note.
_TOLD = Filter(kind=OUTCOME, attributes={"pnl": ge(-sys.float_info.max)})
# Latest outcomes that are looked through for new ones; where more are new, all are read.
_LATEST = 64
_NAMES = ("agent", "symbol", "regime", "event")


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
    decided_at, direction
        When it was decided, and for which side (1 long, -1 short); None and 0 of a trade
        that was decided elsewhere.
    """

    trade_id: str
    agent: str
    symbol: str
    regime: str | None
    event: str | None
    known_at: datetime
    decided_at: datetime | None = None
    direction: float = 0.0


class Ledger:
    """Outcomes of an agent's decisions, or of all agents', in the order in which they became known.

    What it tells of a time is told by the memory alone: another one on the same memory tells
    the same.  Those of one moment come by their ids.  What is hidden, by a reset for one,
    or forgotten is not told.

    Parameters
    ----------
    memory
        Where the outcomes are.
    namespace
        Whose: ``swarm/<agent>/trading`` or, of all agents, ``swarm``.
    recorded_by
        A time or a commit number: only what was written until then, so that a record of
        the past is told as it was told then, even where outcomes were written late.

    Examples
    --------
    >>> from nt_memory import Ledger, MemorySystem
    >>> with MemorySystem(":memory:") as memory:
    ...     Ledger(memory).pnl(memory.clock.now(), agent="markov")
    []
    """

    def __init__(
        self,
        memory: MemorySystem,
        namespace: str = SWARM,
        *,
        recorded_by: datetime | int | None = None,
    ) -> None:
        self._store = memory.store
        self._query = Query(
            namespace=namespace,
            filter=_TOLD.tree(),
            **bounds(recorded_by),
            top_k=_LATEST,
            order_by="-known_at",
            bodies=False,
        )
        # The time that was read last, and the one that is at rest.
        self._last: int | None
        self._resting: int | None = None
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

        Raises
        ------
        ValueError, TypeError
            The time is no aware datetime, ``last`` no whole number, or there is no such name.
        """
        return [self._pnl[place] for place in self._places(as_of, last, of)]

    def trades(
        self, as_of: datetime, *, last: int | None = None, **of: str | None
    ) -> list[tuple[Settled, float]]:
        """Return the same with the decisions that they are of."""
        places = self._places(as_of, last, of)
        return [(self._rows[place], self._pnl[place]) for place in places]

    @contextmanager
    def resting(self, as_of: datetime) -> Iterator[None]:
        """Read once for all questions about a time within; what is written meanwhile waits."""
        at = to_micros(as_of, "as_of")
        self._read(at)
        self._resting = at
        try:
            yield
        finally:
            self._resting = None

    def _places(
        self, as_of: datetime, last: int | None, of: dict[str, str | None]
    ) -> Sequence[int]:
        for name, value in of.items():
            if name not in _NAMES:
                msg = f"{name}={shown(value)}: give some of {', '.join(_NAMES)}"
                raise ValueError(msg)
        if last is not None and (isinstance(last, bool) or not isinstance(last, int) or last < 0):
            msg = f"last={shown(last)}: give a whole number, or None for all"
            raise ValueError(msg)
        self._read(to_micros(as_of, "as_of"))
        key = tuple(sorted(of.items()))
        if key not in self._groups:
            self._groups[key] = [n for n, row in enumerate(self._rows) if _is_of(row, of)]
        places = self._groups[key]
        return places if last is None else places[-last:] if last else []

    def _read(self, at: int) -> None:
        """Tell what was known at a time: take in what is new, or begin anew."""
        if at == self._resting == self._last:
            return
        if self._last is not None and at < self._last:
            self._begin()
        query = replace(self._query, as_of=at)
        found = self._store.vector_search(query)
        news = [match.id for match in found.matches if match.id not in self._ids]
        if len(self._ids) + len(news) == found.matched:
            bound = query.recorded_by_time, query.recorded_by_commit
            raws = [self._store.fetch(id_, at, *bound) for id_ in news]
        else:
            # More are new than were looked at, or one that was told is hidden or forgotten.
            self._begin()
            raws = list(walk(self._store, replace(query, order_by="known_at")))
        for raw in sorted(filter(None, raws), key=_key):
            self._learn(raw)
        self._last = at

    def _begin(self) -> None:
        self._last = None
        self._ids: set[str] = set()
        self._keys: list[tuple[int, str]] = []
        self._rows: list[Settled] = []
        self._pnl: list[float] = []
        self._groups: dict[tuple[tuple[str, str | None], ...], list[int]] = {}

    def _learn(self, raw: RawRecord) -> None:
        """Take in an outcome at its place; those behind it are taken in again."""
        key = _key(raw)
        behind = []
        while self._keys and self._keys[-1] > key:
            behind.append(self._pop())
        self._push(key, _settled(raw), float(str(raw.attributes["pnl"])))
        for entry in reversed(behind):
            self._push(*entry)

    def _push(self, key: tuple[int, str], row: Settled, pnl: float) -> None:
        for of, places in self._groups.items():
            if _is_of(row, dict(of)):
                places.append(len(self._rows))
        self._ids.add(key[1])
        self._keys.append(key)
        self._rows.append(row)
        self._take(pnl)

    def _pop(self) -> tuple[tuple[int, str], Settled, float]:
        key, row, pnl = self._keys.pop(), self._rows.pop(), self._give_back()
        for places in self._groups.values():
            del places[bisect_left(places, len(self._rows)) :]
        return key, row, pnl

    def _take(self, pnl: float) -> None:
        """Keep what the last decision came to."""
        self._pnl.append(pnl)

    def _give_back(self) -> float:
        """Undo the last `_take`; return what was taken."""
        return self._pnl.pop()


class ShuffledLedger(Ledger):
    """A placebo: each decision is told the outcome of a random one among those known.

    One that becomes known trades its outcome with a random one that is known already, or
    keeps it (the inside-out shuffle of Fisher and Yates): at every time the assignment is
    a uniform permutation, and it changes by one swap an outcome.

    Parameters
    ----------
    memory, namespace, recorded_by
        See `Ledger`.
    seed
        Of the permutation, a whole number of at least 0.
    """

    def __init__(
        self,
        memory: MemorySystem,
        namespace: str = SWARM,
        *,
        seed: int = 0,
        recorded_by: datetime | int | None = None,
    ) -> None:
        self._rng = np.random.default_rng(whole("seed", seed, 0))
        # With whom the n-th trades: told by the seed alone, so that a shuffle can be undone.
        self._partners: list[int] = []
        super().__init__(memory, namespace, recorded_by=recorded_by)

    def _take(self, pnl: float) -> None:
        self._pnl.append(pnl)
        if len(self._partners) < len(self._pnl):
            self._partners.append(int(self._rng.integers(len(self._pnl))))
        self._trade()

    def _give_back(self) -> float:
        self._trade()
        return self._pnl.pop()

    def _trade(self) -> None:
        other = self._partners[len(self._pnl) - 1]
        self._pnl[-1], self._pnl[other] = self._pnl[other], self._pnl[-1]


def _is_of(row: Settled, of: dict[str, str | None]) -> bool:
    return all(getattr(row, name) == value for name, value in of.items())


def _key(raw: RawRecord) -> tuple[int, str]:
    return raw.known_at, raw.id


def _time(at: object) -> datetime | None:
    """Return a time in microseconds as a datetime; None of anything else."""
    try:
        return from_micros(at) if isinstance(at, int) else None
    except ValueError:
        return None


def _settled(raw: RawRecord) -> Settled:
    payload = None if raw.payload is None else unpack(raw.payload)
    told: dict[str, Any] = payload if isinstance(payload, dict) else {}
    decided, event, direction = (told.get(name) for name in ("decided_at", "event", "direction"))
    return Settled(
        trade_id=str(told.get("trade_id", raw.id)),
        agent=raw.agent_id or "",
        symbol=raw.symbol or "",
        regime=raw.regime,
        # What somebody else wrote may say anything: it counts as an outcome, and tells no more.
        event=event if isinstance(event, str) else None,
        known_at=from_micros(raw.known_at),
        decided_at=_time(decided),
        direction=direction if isinstance(direction, float) and abs(direction) == 1.0 else 0.0,
    )
