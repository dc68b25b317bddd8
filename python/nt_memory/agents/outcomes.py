"""What decisions led to: told by hand, or settled from later bars."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import numpy as np

from nt_memory._remembering import raws_of
from nt_memory._retrying import retried
from nt_memory._shown import shown
from nt_memory._values import finite
from nt_memory._walking import walk
from nt_memory.agents.ledger import OUTCOME
from nt_memory.agents.opinion import SIGNAL
from nt_memory.agents.trading_item import TradingMemoryItem
from nt_memory.clock import to_micros
from nt_memory.errors import ConflictError, RecordNotFoundError
from nt_memory.filters import Filter, ne
from nt_memory.records import Outcome, Record
from nt_memory.store import ExpectNew, Op, Query, Settle, Write

if TYPE_CHECKING:
    from datetime import datetime

    from nt_memory.agents.trading_memory import TradingMemoryStore
    from nt_memory.market import BarSeries
    from nt_memory.system import MemorySystem


@dataclass(frozen=True, slots=True)
class Result:
    """What a trade led to, in percent of equity; see `MemoryAwareAgent.remember_outcome`."""

    symbol: str
    trade_id: str
    pnl: float
    entry_price: float
    exit_price: float
    known_at: datetime

    def __post_init__(self) -> None:
        finite("pnl", self.pnl)
        if not isinstance(self.trade_id, str) or not self.trade_id:
            msg = f"trade_id={shown(self.trade_id)}: give a text that is not empty"
            raise ValueError(msg)
        for name in ("entry_price", "exit_price"):
            if finite(name, getattr(self, name)) <= 0.0:
                msg = f"{name}={shown(getattr(self, name))}: give a price above 0"
                raise ValueError(msg)


def outcome_id(trade_id: str) -> str:
    """Return the id of the outcome of a trade: there is one."""
    return f"outcome-{trade_id}"


def decision_id(agent: str, symbol: str, at: datetime) -> str:
    """Return the id of what an agent decides about a symbol at a time: there is one.

    A decision that is made again, after a restart for one, is a version of the same record.
    """
    return f"{agent}.{quote(symbol, safe='')[:64]}.{to_micros(at)}"


def outcome_ops(
    memory: MemorySystem, store: TradingMemoryStore, result: Result, large_pnl: float
) -> list[Op]:
    """Return the batch that remembers an outcome, and settles the decision where it is there.

    It is refused where the outcome is there already.
    """
    trade_id = result.trade_id
    ops: list[Op] = [ExpectNew(outcome_id(trade_id))]
    told: dict[str, Any] = {}
    decided = _decided(memory, store.namespace, trade_id)
    if decided is not None:
        outcome = Outcome(result.pnl / 100.0, known_at=result.known_at)
        ops.append(Settle(trade_id, outcome.to_raw()))
        told = {name: decided.payload[name] for name in ("event", "direction")}
    event = told.get("event")
    word = "win" if result.pnl > 0.0 else "loss"
    item = TradingMemoryItem(
        OUTCOME,
        f"{word} of {result.pnl:+.2f} %" + (f" after {event}" if event else ""),
        2.0 if abs(result.pnl) > large_pnl else 1.0,
        result.symbol,
        {
            **told,
            "trade_id": trade_id,
            "pnl": float(result.pnl),
            "outcome": word,
            "entry": float(result.entry_price),
            "exit": float(result.exit_price),
        },
        result.known_at,
        outcome_id(trade_id),
    )
    regime = None if decided is None else decided.regime
    return [*ops, *map(Write, raws_of(memory, [store.record(item, regime=regime)]))]


def _decided(memory: MemorySystem, namespace: str, trade_id: str) -> Record | None:
    """Return a decision as it was made; None for a trade that was decided elsewhere."""
    try:
        raw = memory.store.versions(trade_id)[0]
    except RecordNotFoundError:
        return None
    is_its = raw.kind == SIGNAL and raw.namespace == namespace
    return Record.from_raw(raw) if is_its else None


class _Open(NamedTuple):
    """A decision that has taken a side, and whose outcome is not known."""

    at: int
    id: str
    agent: str
    direction: float


class Settlement:
    """Settles decisions of agents from later bars: entered at the next open, left at a close.

    What is open is read from the memory, so that it goes on where another process ended.

    Parameters
    ----------
    memory
        Where the decisions are.
    stores
        Of the agents, by their ids.
    holding
        Bars from a decision to the close that it is left at.
    large_pnl
        Percent of equity beyond which an outcome counts twice.
    """

    def __init__(
        self,
        memory: MemorySystem,
        stores: dict[str, TradingMemoryStore],
        *,
        holding: int,
        large_pnl: float = 1.0,
    ) -> None:
        if isinstance(holding, bool) or not isinstance(holding, int) or holding < 1:
            msg = f"holding={shown(holding)}: give a whole number of bars, at least 1"
            raise ValueError(msg)
        self._memory = memory
        self._stores = stores
        self._holding = holding
        self._large_pnl = large_pnl
        self._open: dict[str, list[_Open]] | None = None

    def opened(self, record: Record) -> None:
        """Take in a decision that was remembered."""
        direction = record.payload["direction"]
        if self._open is not None and direction and record.agent_id in self._stores:
            entry = _Open(to_micros(record.event_time), record.id, record.agent_id, direction)
            self._open.setdefault(record.symbol or "", []).append(entry)

    def settle(self, past: BarSeries) -> int:
        """Settle what the bars of a symbol have ended, in one batch; return how many.

        A decision at a time at which no bar of ``past`` closed stays open.
        """
        return retried(partial(self._settle, past)) if len(past) else 0

    def _settle(self, past: BarSeries) -> int:
        if self._open is None:
            self._open = self._read()
        waiting = self._open.get(past.symbol, [])
        ended = [trade for trade in waiting if self._bar(past, trade) is not None]
        if not ended:
            return 0
        ops = [op for trade in ended for op in self._ops(past, trade)]
        try:
            self._memory.store.commit(ops)
        except ConflictError:
            self._open = None  # somebody told one of these: what is open is read anew
            raise
        self._open[past.symbol] = [trade for trade in waiting if trade not in ended]
        return len(ended)

    def _bar(self, past: BarSeries, trade: _Open) -> int | None:
        """Return the bar of a decision where its holding time has ended."""
        bar = int(np.searchsorted(past.times, trade.at))
        there = bar + self._holding < len(past) and past.times[bar] == trade.at
        return bar if there else None

    def _ops(self, past: BarSeries, trade: _Open) -> list[Op]:
        bar = int(np.searchsorted(past.times, trade.at))
        leave = bar + self._holding
        result = Result(
            symbol=past.symbol,
            trade_id=trade.id,
            pnl=100.0 * trade.direction * past.outcome(bar, self._holding),
            entry_price=float(past.open[bar + 1]),
            exit_price=float(past.close[leave]),
            known_at=past.closed_at(leave),
        )
        return outcome_ops(self._memory, self._stores[trade.agent], result, self._large_pnl)

    def _read(self) -> dict[str, list[_Open]]:
        """Return the decisions that no outcome is told of, whenever it shows."""
        found: dict[str, list[_Open]] = {}
        wanted = Filter(kind=SIGNAL, attributes={"direction": ne(0.0)})
        for agent, store in self._stores.items():
            query = Query(namespace=store.namespace, filter=wanted.tree(), order_by="event_time")
            for raw in walk(self._memory.store, query):
                last = self._memory.store.versions(raw.id)[-1]
                if last.outcome is None:
                    direction = raw.attributes["direction"]
                    entry = _Open(raw.event_time, raw.id, agent, float(str(direction)))
                    found.setdefault(raw.symbol or "", []).append(entry)
        return found
