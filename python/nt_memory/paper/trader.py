"""`PaperTrader`: bars in, orders out, and nothing known that is not in the memory."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nt_memory._shown import shown
from nt_memory._values import optional
from nt_memory.agents.features import FeatureSettings
from nt_memory.agents.opinion import SIGNAL
from nt_memory.agents.outcomes import decision_id
from nt_memory.agents.swarm import COMPOSER
from nt_memory.clock import to_micros
from nt_memory.errors import ConflictError, OrderRefusedError, StorageError
from nt_memory.market import BarSeries
from nt_memory.paper import journal
from nt_memory.paper.broker import Order
from nt_memory.paper.state import STATE, PaperState, namespace_of
from nt_memory.paper.step import PaperStep
from nt_memory.paper.watch import Watch
from nt_memory.regime.features import LOOKBACK, checked_lookback
from nt_memory.store import Expect, Put

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from nt_memory.agents.swarm import Swarm
    from nt_memory.paper.broker import Broker, Fill
    from nt_memory.paper.feed import Feed
    from nt_memory.system import MemorySystem

_LOG = logging.getLogger("nt_memory.paper")
# A difference below this share of the equity is rounding, and no order.
_DUST = 1e-9


@dataclass(frozen=True, slots=True)
class _Decided:
    """A decision, made just now or read again."""

    signal: str
    weight: float
    why: str


class PaperTrader:
    """Lets a swarm decide at each close, and orders what is missing to its position.

    The position wanted is the mean of the swarm's last ``holding`` decisions on a symbol,
    and each symbol has an equal part of the equity.  The difference to what is held is
    ordered for the next open, so that what was refused or filled in part is ordered anew
    at the next close.

    Where it stands is in the memory, in ``shared/paper/<name>``: one batch a bar, written
    before the orders are sent.  Killed at any moment, another trader of that name goes on
    as if nothing had been: what was decided stands, and what was sent is sent again under
    its old name.  Of two traders of a name the later one trades; the other is told so by a
    `ConflictError` at its next bar.

    Bars are taken in the order of their closes.  One that closes before another was
    handled is late: it is left out, told to the log and counted, and so is one of a symbol
    that the feed does not name.  A bar that comes again is left out; with other prices, it is
    counted too.  Where bars are missing an order waits for the next one; ``holding`` counts
    bars, not time.

    Parameters
    ----------
    memory
        Where it stands, and where the swarm remembers.
    feed
        Its bars; the symbols of a name stay the same.
    broker
        What is held, and where orders go.
    swarm
        Decides; made for this trader, and on this memory.
    name
        Of the trader.
    settings
        Of the features.
    lookback
        Bars of the regimes (see `RegimeDetectionAgent`); None tells the swarm none.

    Raises
    ------
    ValueError
        A trader of that name trades other symbols, or holds for another time.
    NamespaceError
        The name cannot be part of a namespace.

    Examples
    --------
    >>> from nt_memory import MemorySystem, Swarm
    >>> from nt_memory.backtest import load_sp500
    >>> from nt_memory.paper import PaperTrader, ReplayFeed, SimulatedBroker
    >>> with MemorySystem(":memory:") as memory:
    ...     feed, broker = ReplayFeed(load_sp500().head(3)), SimulatedBroker(memory)
    ...     trader = PaperTrader(memory, feed, broker, Swarm(memory))
    ...     [(str(step.at.date()), step.signal, step.equity) for step in trader.run()]
    [('1999-01-04', 'neutral', 100000.0), ('1999-01-05', 'neutral', 100000.0), ('1999-01-06', 'neutral', 100000.0)]
    """  # noqa: E501 (what Python prints)

    def __init__(
        self,
        memory: MemorySystem,
        feed: Feed,
        broker: Broker,
        swarm: Swarm,
        *,
        name: str = "paper",
        settings: FeatureSettings | None = None,
        lookback: int | None = LOOKBACK,
    ) -> None:
        self.name = name
        self.skipped: Counter[str] = Counter()
        """Bars that were left out: ``"late"``, ``"changed"`` or ``"unknown"``."""
        self._namespace = namespace_of(name)
        self._memory, self._feed, self._broker, self._swarm = memory, feed, broker, swarm
        for field, given, wanted in (
            ("feed", feed, ("symbols", "bars")),
            ("broker", broker, ("submit", "fills", "positions", "cash")),
            ("swarm", swarm, ("decide", "holding")),
        ):
            missing = [part for part in wanted if not hasattr(given, part)]
            if missing:
                msg = f"{field}={shown(given)}: has no {', '.join(missing)}"
                raise TypeError(msg)
        optional("settings", settings, FeatureSettings)
        settings = settings or FeatureSettings()
        lookback = None if lookback is None else checked_lookback(lookback)
        # A decision is settled by its own bar and those that it is held for.
        bars = swarm.holding + 2
        self._watches = {symbol: Watch(symbol, settings, bars, lookback) for symbol in feed.symbols}
        self._is_whole = True
        self._row, self.state = self._begun()
        for bars_of in journal.bars(memory, self._namespace):
            self._watches[bars_of.symbol].add(bars_of)

    def run(self) -> Iterator[PaperStep]:
        """Send what was not sent, and handle the bars of the feed until there are no more."""
        self._send()
        for bar in self._feed.bars(self.state.at):
            step = self.step(bar)
            if step is not None:
                yield step

    def step(self, bar: BarSeries) -> PaperStep | None:
        """Handle a bar; return what was done, or None where it is left out.

        Parameters
        ----------
        bar
            A series of one.

        Raises
        ------
        ConflictError
            Another trader of this name has begun; nothing was ordered.
        StorageError
            An earlier bar ended in an error: make the trader and its swarm anew, and
            they go on from the memory.
        """
        if not isinstance(bar, BarSeries) or len(bar) != 1:
            msg = f"bar={shown(bar)}: give a BarSeries of one bar, as bars.window(n, n + 1)"
            raise ValueError(msg)
        if not self._is_whole:
            msg = f"trader {shown(self.name)} met an error before: make it and its swarm anew"
            raise StorageError(msg)
        if not self._is_next(bar):
            return None
        self._is_whole = False
        made = self._handled(bar)
        self._is_whole = True
        return made

    def _begun(self) -> tuple[bytes, PaperState]:
        """Take over from an earlier trader of this name, or begin."""
        row = self._memory.get(self._namespace, STATE)
        symbols, holding = tuple(self._feed.symbols), self._swarm.holding
        if row is None:
            state = PaperState(1, symbols, holding, cash=self._broker.cash())
        else:
            before = PaperState.of(row)
            for field, was, now in (
                ("symbols", sorted(before.symbols), sorted(symbols)),
                ("holding", before.holding, holding),
            ):
                if was != now:
                    msg = (
                        f"{field}={shown(now)}: trader {shown(self.name)} began with {shown(was)}; "
                        "give the same, or another name"
                    )
                    raise ValueError(msg)
            state = replace(before, generation=before.generation + 1)
        taken = state.packed()
        self._memory.store.commit(
            [Expect(self._namespace, STATE, row), Put(self._namespace, STATE, taken)]
        )
        return taken, state

    def _is_next(self, bar: BarSeries) -> bool:
        """Whether a bar is to be handled; where it is not, it is told why."""
        state, symbol, at = self.state, bar.symbol, bar.closed_at(0)
        if symbol not in self._watches:
            why = "unknown"
        elif at == state.last.get(symbol):
            last = self._watches[symbol].past
            why = "" if journal.same(bar, last.window(len(last) - 1, len(last))) else "changed"
        elif state.at is not None and at < state.at:
            why = "late"
        else:
            return True
        if why:
            self.skipped[why] += 1
            _LOG.warning("%s: bar of %s at %s is %s and left out", self.name, symbol, at, why)
        return False

    def _handled(self, bar: BarSeries) -> PaperStep:
        if self._memory.get(self._namespace, STATE) != self._row:
            raise ConflictError(self._taken_over())
        symbol, at, close = bar.symbol, bar.closed_at(0), float(bar.close[0])
        watch = self._watches[symbol]
        watch.add(bar)
        fills = tuple(self._broker.fills(bar, self.state.fills))
        made = self._decided(symbol, at) or self._decide(watch)
        state = self._moved(bar, made, fills)
        order = self._order(state, symbol, at, close)
        state = replace(state, order=order)
        self._keep(state, bar, fills)
        refused = self._send()
        return PaperStep(
            symbol=symbol,
            at=at,
            close=close,
            signal=made.signal,
            weight=made.weight,
            why=made.why,
            regime=watch.regime,
            target=state.target(symbol),
            position=state.positions.get(symbol, 0.0),
            cash=state.cash,
            equity=state.equity,
            fills=fills,
            order=order,
            refused=refused,
        )

    def _decided(self, symbol: str, at: datetime) -> _Decided | None:
        """Return what was decided on this bar before a restart."""
        raw = self._memory.store.fetch(decision_id(COMPOSER, symbol, at), to_micros(at))
        if raw is None or raw.kind != SIGNAL or raw.payload is None:
            return None
        told: dict[str, Any] = journal.unpacked(raw)
        return _Decided(told["signal"], float(told["weight"]), told["why"])

    def _decide(self, watch: Watch) -> _Decided:
        made = self._swarm.decide(watch.past, watch.features(), watch.regime)
        return _Decided(made.decision.signal, made.weight, made.decision.why)

    def _moved(self, bar: BarSeries, made: _Decided, fills: tuple[Fill, ...]) -> PaperState:
        """Return where the trader stands with a bar and a decision."""
        state, symbol, at = self.state, bar.symbol, bar.closed_at(0)
        weights = [*state.weights.get(symbol, []), made.weight][-state.holding :]
        return replace(
            state,
            bars=state.bars + 1,
            at=at,
            last={**state.last, symbol: at},
            closes={**state.closes, symbol: float(bar.close[0])},
            weights={**state.weights, symbol: weights},
            fills=fills[-1].number if fills else state.fills,
            cash=self._broker.cash(),
            positions=dict(self._broker.positions()),
        )

    def _order(self, state: PaperState, symbol: str, at: datetime, close: float) -> Order | None:
        """Return what is missing to the position wanted."""
        # Who has lost everything holds nothing.
        wanted = state.target(symbol) * max(state.equity, 0.0) / close
        missing = wanted - state.positions.get(symbol, 0.0)
        if abs(missing) * close <= _DUST * abs(state.equity):
            return None
        return Order(decision_id(self.name, symbol, at), symbol, missing, at)

    def _keep(self, state: PaperState, bar: BarSeries, fills: tuple[Fill, ...]) -> None:
        """Write all that a bar has come to in one batch, where no other trader has begun."""
        row = state.packed()
        records = [journal.filled(self._namespace, self.name, fill) for fill in fills]
        ops = [
            Expect(self._namespace, STATE, self._row),
            Put(self._namespace, STATE, row),
            *journal.noted(self._namespace, bar, state),
            *journal.writes(self._memory, records),
        ]
        try:
            self._memory.store.commit(ops)
        except ConflictError as error:
            raise ConflictError(self._taken_over()) from error
        self._row, self.state = row, state

    def _send(self) -> str | None:
        """Send what is to be sent; return why the broker refused, where it did."""
        order = self.state.order
        if order is None:
            return None
        try:
            self._broker.submit(order)
        except OrderRefusedError as error:
            why = str(error) or "no reason told"
            _LOG.warning("%s: order %s was refused: %s", self.name, order.id, why)
            journal.tell_refused(self._memory, self._namespace, self.name, order, why)
            return why
        return None

    def _taken_over(self) -> str:
        return (
            f"another trader {shown(self.name)} has begun: this one has stopped; "
            "give each a name of its own"
        )
