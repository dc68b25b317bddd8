"""What decisions led to: told by hand, or settled from later bars."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import numpy as np

from nt_memory._remembering import raws_of
from nt_memory._retrying import retried
from nt_memory._shown import shown
from nt_memory._values import finite, mapping, whole
from nt_memory.agents._checks import text
from nt_memory.agents.ledger import OUTCOME
from nt_memory.agents.opinion import SIGNAL
from nt_memory.agents.trading_item import TradingMemoryItem
from nt_memory.agents.trading_memory import TradingMemoryStore
from nt_memory.clock import to_micros
from nt_memory.errors import ConflictError, ForgottenError, RecordNotFoundError, SettledError
from nt_memory.experience._places import agent_namespace
from nt_memory.filters import Filter, ge
from nt_memory.market import BarSeries
from nt_memory.records import Record
from nt_memory.store import ExpectNew, Op, RawOutcome, Settle, Write

if TYPE_CHECKING:
    from datetime import datetime

    from nt_memory.store import RawRecord
    from nt_memory.system import MemorySystem


STATE = "state"
# Decisions that have taken a side, states, and what is settled.
_SIDES = Filter(kind=SIGNAL, attributes={"direction": [1.0, -1.0]})
_STATES = Filter(kind=STATE)
SETTLED = Filter(reward=ge(-sys.float_info.max))
# Longer symbols are told apart by a digest.
_LONGEST = 64


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
        text("symbol", self.symbol)
        text("trade_id", self.trade_id)
        to_micros(self.known_at, "known_at")
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
    # Without a dot, so that no two pairs of agent and symbol read the same.
    name = quote(text("symbol", symbol), safe="").replace(".", "%2E")
    if len(name) > _LONGEST:
        name = f"{name[:24]}~{hashlib.blake2b(symbol.encode(), digest_size=12).hexdigest()}"
    return f"{agent}.{name}.{to_micros(at, 'bar_time')}"


def states_of(agent: str) -> str:
    """Return the namespace of the states that an agent has seen."""
    return agent_namespace(agent, "states")


def outcome_ops(
    memory: MemorySystem, store: TradingMemoryStore, result: Result, large_pnl: float
) -> list[Op]:
    """Return the batch that remembers an outcome, and settles the decision where it is there.

    It is refused where the outcome is there already.

    Raises
    ------
    ValueError
        The decision is about another symbol.
    ForgottenError
        The decision was forgotten.
    """
    trade_id = result.trade_id
    ops: list[Op] = [ExpectNew(outcome_id(trade_id))]
    told: dict[str, Any] = {}
    made = _decided(memory, store.namespace, trade_id)
    if made:
        if made[-1].symbol != result.symbol:
            msg = f"symbol={shown(result.symbol)}: {trade_id} is about {shown(made[-1].symbol)}"
            raise ValueError(msg)
        known_at = to_micros(result.known_at)
        # What was hidden after that stays as it is; its outcome has a record all the same.
        if not made[0].known_at <= known_at < made[-1].known_at:
            ops.append(Settle(trade_id, RawOutcome(result.pnl / 100.0, known_at)))
        payload = Record.from_raw(made[-1]).payload
        kept = payload if isinstance(payload, Mapping) else {}
        told = {name: kept[name] for name in ("event", "direction") if name in kept}
        told["decided_at"] = made[-1].event_time
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
    regime = made[-1].regime if made else None
    return [*ops, *map(Write, raws_of(memory, [store.record(item, regime=regime)]))]


def _decided(memory: MemorySystem, namespace: str, trade_id: str) -> list[RawRecord]:
    """Return the versions of a decision; none for a trade that was decided elsewhere."""
    try:
        raws = memory.store.versions(trade_id)
    except RecordNotFoundError:
        return []
    is_its = raws[0].kind == SIGNAL and raws[0].namespace == namespace
    return raws if is_its else []


def _is_settled(raws: list[RawRecord]) -> bool:
    """Whether a version of a record has an outcome: a later one may be without."""
    return any(raw.outcome is not None for raw in raws)


class _Open(NamedTuple):
    """A decision that has taken a side, or a state: what is to come of it is not known."""

    at: int
    id: str
    agent: str
    direction: float | None
    """None of a state."""


class Settlement:
    """Settles decisions of agents from later bars: entered at the next open, left at a close.

    A state that an agent has seen (see `AnalogueAgent`) is settled as if it had been long.
    What is remembered after the first call has to be told (`opened`), as a `Swarm` does. What is
    open is read from the memory, so that it goes on where another process ended.

    Parameters
    ----------
    memory
        Where the decisions are.
    stores
        Of the agents, by their ids.
    holding
        Bars from a decision to the close that it is left at.
    large_pnl
        Percent of equity beyond which an outcome of an agent counts twice; 1 by default.
    """

    def __init__(
        self,
        memory: MemorySystem,
        stores: Mapping[str, TradingMemoryStore],
        *,
        holding: int,
        large_pnl: Mapping[str, float] | None = None,
    ) -> None:
        self._memory = memory
        self._stores: dict[str, TradingMemoryStore] = dict(mapping("stores", stores))
        for agent, store in self._stores.items():
            if not isinstance(agent, str) or not isinstance(store, TradingMemoryStore):
                msg = f"stores[{shown(agent)}]={shown(store)}: give a TradingMemoryStore by agent"
                raise TypeError(msg)
        self._holding = whole("holding", holding)
        self._large_pnl = {
            agent: finite("large_pnl", value, 0.0)
            for agent, value in mapping("large_pnl", {} if large_pnl is None else large_pnl).items()
        }
        # By symbol, by id; None where it has to be read.
        self._open: dict[str, dict[str, _Open]] | None = None

    def opened(self, record: Record) -> None:
        """Take in what was remembered; a decision that was made again takes its place."""
        agent = record.agent_id
        if self._open is None or agent not in self._stores or record.kind not in (SIGNAL, STATE):
            return
        waiting = self._open.setdefault(record.symbol or "", {})
        waiting.pop(record.id, None)
        direction = None if record.kind == STATE else record.payload["direction"]
        if direction != 0.0:
            at = to_micros(record.event_time)
            waiting[record.id] = _Open(at, record.id, agent, direction)

    def settle(self, past: BarSeries) -> int:
        """Settle what the bars of a symbol have ended, in one batch; return how many.

        A decision at a time at which no bar of ``past`` closed stays open.
        """
        if not isinstance(past, BarSeries):
            msg = f"past={shown(past)}: give a BarSeries"
            raise TypeError(msg)
        return retried(partial(self._settle, past)) if len(past) else 0

    def _settle(self, past: BarSeries) -> int:
        if self._open is None:
            self._open = self._read()
        waiting = self._open.get(past.symbol, {})
        ended = [(trade, bar) for trade in waiting.values() if (bar := self._bar(past, trade))]
        if not ended:
            return 0
        try:
            ops = [op for trade, bar in ended for op in self._ops(past, trade, bar)]
            self._memory.store.commit(ops)
        except (ConflictError, SettledError, ForgottenError) as error:
            # Somebody told or forgot one of these: what is open is read anew.
            self._open = None
            msg = f"what is open of {past.symbol} has changed: {error}"
            raise ConflictError(msg) from error
        for trade, _ in ended:
            del waiting[trade.id]
        return sum(trade.direction is not None for trade, _ in ended)

    def _bar(self, past: BarSeries, trade: _Open) -> int | None:
        """Return the bar at whose close a decision is left; None where that is yet to come."""
        bar = int(np.searchsorted(past.times, trade.at))
        there = bar + self._holding < len(past) and past.times[bar] == trade.at
        return bar + self._holding if there else None

    def _ops(self, past: BarSeries, trade: _Open, leave: int) -> list[Op]:
        bar = leave - self._holding
        gained, known_at = past.outcome(bar, self._holding), past.closed_at(leave)
        if trade.direction is None:
            return self._settled(trade.id, gained, known_at)
        result = Result(
            symbol=past.symbol,
            trade_id=trade.id,
            pnl=100.0 * trade.direction * gained,
            entry_price=float(past.open[bar + 1]),
            exit_price=float(past.close[leave]),
            known_at=known_at,
        )
        large = self._large_pnl.get(trade.agent, 1.0)
        return outcome_ops(self._memory, self._stores[trade.agent], result, large)

    def _settled(self, state: str, reward: float, known_at: datetime) -> list[Op]:
        """Return what settles a state; nothing where a version of it cannot take the outcome."""
        raws = self._memory.store.versions(state)
        if _is_settled(raws):
            return []
        # Hidden meanwhile, or written again.
        is_later = to_micros(known_at) < raws[-1].known_at
        return [] if is_later else [Settle(state, RawOutcome(reward, to_micros(known_at)))]

    def _read(self) -> dict[str, dict[str, _Open]]:
        """Return what no outcome is told of, whenever it shows."""
        found: dict[str, dict[str, _Open]] = {}
        select, versions = self._memory.store.select, self._memory.store.versions
        for agent, store in self._stores.items():
            sides = select(store.namespace, (_SIDES & ~SETTLED).tree())
            states = select(states_of(agent), (_STATES & ~SETTLED).tree())
            for id_ in (*sides, *states):
                raws = versions(id_)
                # As it was made last: what hides it changes nothing of it.
                last = raws[-1]
                is_state = last.kind == STATE
                if _is_settled(raws) if is_state else self._is_told(id_):
                    continue
                direction = None if is_state else float(str(last.attributes["direction"]))
                entry = _Open(last.event_time, id_, agent, direction)
                found.setdefault(last.symbol or "", {})[id_] = entry
        return found

    def _is_told(self, trade_id: str) -> bool:
        """Whether an outcome of a trade was told before the trade was."""
        try:
            self._memory.store.versions(outcome_id(trade_id))
        except RecordNotFoundError:
            return False
        except ForgottenError:
            return True
        return True
