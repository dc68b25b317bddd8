"""`RegimeDetectionAgent`: what a market is like, bar by bar, told to all when it changes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from nt_memory._shown import shown
from nt_memory._values import finite, whole
from nt_memory.clock import to_micros
from nt_memory.experience.semantic import SemanticMemory
from nt_memory.experience.semantic_store import SemanticStore
from nt_memory.market import BarSeries
from nt_memory.messages import AgentMemoryMessage, MessageType
from nt_memory.regime.features import (
    LOOKBACK,
    as_features,
    checked_columns,
    checked_lookback,
    column,
    feature_table,
    regime_features,
)
from nt_memory.regime.knowledge import RegimeStatistics
from nt_memory.regime.labels import Regime, Regimes, Told
from nt_memory.regime.snapshot import MarketSnapshot
from nt_memory.regime.states import States, fit_states
from nt_memory.regime.tracker import Tracker
from nt_memory.regime.vote import Vote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import numpy.typing as npt
    from typing_extensions import Self

    from nt_memory.market import Floats
    from nt_memory.regime.features import RegimeFeatures
    from nt_memory.system import MemorySystem

TOPIC = "regimes"
"""Where changes are published."""


@dataclass(slots=True)
class _Seen:
    """A series of snapshots as far as it was seen."""

    prices: Floats
    volumes: Floats
    tracker: Tracker


@dataclass(slots=True)
class _Current:
    """The regime that a symbol is in, and since when; None where its beginning was not seen."""

    regime: Regime
    at: datetime
    since: datetime | None


class RegimeDetectionAgent:
    """Says of each bar which regime the market is in, from the bars up to it alone.

    Who says it, the first that can:

    1. *The memory*: of the labelled regimes known at the bar's close the ``neighbours``
       nearest vote, each with its likeness times its confidence; see `remember_regime`.
       The confidence is the regime's share of the vote.
    2. *The fitted states*, after `fit`, where the returns came in two states or more: the
       state that is most likely after the bar, its chance 0.6 or more, and the chance as
       the confidence.  CRISIS as below, where volatility is also a quarter beyond that of
       the widest state.
    3. *Rules* on the features (see `nt_memory.RegimeFeatures`), the first that holds:
       CRISIS where volatility lies above 95 % of its past values (those of the 2,520 bars
       before) and the price 15 % or more below its highest of 252 bars; VOLATILE where
       volatility lies above 75 % and a tenth above the median, or above 50 % with that
       fall, unless it was a straight line (an R2 of 0.9); TRENDING from an R2 of 0.75 on;
       MEAN_REVERTING below a half-life of a twentieth of the look-back; else QUIET.

    By memory and rules, another regime takes over when it came first on ``hold`` bars in
    succession.

    Parameters
    ----------
    memory
        Whose labelled regimes vote, and who is told of changes; None does without.
    agent_id
        Who tells; the agent in whose hands the memory is by default, else "regimes".
    lookback
        Bars of the features, 40 or more.
    neighbours
        Labelled regimes that vote; with fewer in memory, none does.
    hold
        Bars in succession.

    Examples
    --------
    >>> from nt_memory.backtest import load_sp500
    >>> bars = load_sp500()
    >>> agent = RegimeDetectionAgent()
    >>> regimes = agent.predict(bars)
    >>> day = next(n for n in range(len(bars)) if bars.closed_at(n).year == 2009)
    >>> regimes.labels[day]
    <Regime.CRISIS: 'CRISIS'>
    """

    def __init__(
        self,
        memory: MemorySystem | None = None,
        *,
        agent_id: str | None = None,
        lookback: int = LOOKBACK,
        neighbours: int = 5,
        hold: int = 5,
    ) -> None:
        self.lookback = checked_lookback(lookback)
        whole("neighbours", neighbours)
        whole("hold", hold)
        own = None if memory is None else memory.agent_id
        self.agent_id = (own or "regimes") if agent_id is None else agent_id
        # Who sends a message: checked before there is one to send.
        AgentMemoryMessage(sender_agent_id=self.agent_id, message_type=MessageType.REGIME_CHANGE)
        self.states: States | None = None
        """The fitted states; None before `fit`, or where the returns come in one."""
        self._hold = hold
        self._memory = memory
        self._vote = None if memory is None else Vote(memory, neighbours)
        self._live: dict[str | None, Tracker] = {}
        self._seen: dict[tuple[str, int], _Seen] = {}
        self._current: dict[str, _Current] = {}

    def fit(self, prices: BarSeries | npt.ArrayLike) -> Self:
        """Find the states that log returns come in; bars given later are told by them.

        A hidden Markov model of two to four states, where the returns bear one out (see
        ``states``); else the rules go on.  What was told until then is forgotten: `update`
        begins anew.  It knows all of ``prices``: fit on bars before those that are judged.

        Parameters
        ----------
        prices
            Bars, or closes, oldest first; at least ``lookback`` of them.
        """
        closes, _ = _columns(prices)
        if len(closes) < self.lookback:
            msg = f"prices has {len(closes)} bars: give at least lookback={self.lookback}"
            raise ValueError(msg)
        self.states = fit_states(np.diff(np.log(closes)))
        self._live.clear()
        self._seen.clear()
        return self

    def predict(self, prices: BarSeries | npt.ArrayLike) -> Regimes:
        """Return the regime of each bar, told by the bars up to it.

        Parameters
        ----------
        prices
            Bars, oldest first.  Closes alone do as well, but have no times: then the
            memory has no vote.

        Returns
        -------
        One label and one confidence a bar: those that `update` tells bar by bar.
        """
        closes, volumes = _columns(prices)
        self._ask()
        tracker, told = self._tracker(self.lookback), []
        for bar, found in enumerate(_features(closes, volumes, self.lookback)):
            at = prices.closed_at(bar) if isinstance(prices, BarSeries) else None
            told.append(tracker.step(float(closes[bar]), found, at))
        return Regimes(
            tuple(None if one is None else one.regime for one in told),
            tuple(0.0 if one is None else one.confidence for one in told),
        )

    def update(self, bar: BarSeries | float) -> Told | None:
        """Take in the next bar; return its regime, or None before the look-back is full.

        Parameters
        ----------
        bar
            A series of one bar (or of several, one after another), as in
            ``bars.window(n, n + 1)``; each symbol is a series of its own.  One at or before
            the last of its symbol changes nothing, and the last regime is told again.  A
            close alone does as well, but has no time: then the memory has no vote, nobody
            is told, and each is a new bar.

        Raises
        ------
        NtMemoryError
            The memory could not be asked, and the bar was not taken in; or a change could
            not be counted (`AccessDeniedError`: grant to write to ``shared/knowledge``),
            and the bar was.  Give the same bars again: none counts twice.
        """
        symbol = bar.symbol if isinstance(bar, BarSeries) else None
        closes, volumes = _columns(bar if isinstance(bar, BarSeries) else [bar])
        if symbol not in self._live:
            self._live[symbol] = self._tracker(self.lookback)
        self._ask()
        tracker, told = self._live[symbol], None
        for place, (price, volume) in enumerate(zip(closes, volumes, strict=True)):
            at = bar.closed_at(place) if isinstance(bar, BarSeries) else None
            told = tracker.update(float(price), float(volume), at)
            if symbol is not None and at is not None and told is not None:
                self._note(symbol, told, at)
        return told

    def detect_regime(self, snapshot: MarketSnapshot, lookback: int | None = None) -> Told:
        """Return the regime at the last bar of a snapshot, and how sure that is.

        Snapshots of a symbol that each go on where the last one ended cost their new bars
        alone, and tell what `update` tells.  The bars before the last are judged by what
        was known at ``snapshot.at``.

        Parameters
        ----------
        snapshot
            The market at a moment, with ``lookback`` bars or more; the more, the further
            back volatility is compared with.
        lookback
            Bars of the features; the agent's by default.

        Raises
        ------
        ValueError
            It has fewer bars.
        NtMemoryError
            As `update` does.

        Examples
        --------
        >>> from nt_memory import MarketSnapshot
        >>> from nt_memory.backtest import load_sp500
        >>> snapshot = MarketSnapshot.of(load_sp500().head(2500))
        >>> regime, confidence = RegimeDetectionAgent().detect_regime(snapshot)
        >>> str(snapshot.at.date()), regime.value, confidence > 0.95
        ('2008-12-09', 'CRISIS', True)
        """
        _checked(snapshot)
        bars = self.lookback if lookback is None else checked_lookback(lookback)
        if len(snapshot.prices) < bars:
            msg = f"snapshot has {len(snapshot.prices)} bars: give at least lookback={bars}"
            raise ValueError(msg)
        self._ask()
        key = (snapshot.symbol, bars)
        # Where the memory fails on the way, the next snapshot begins anew.
        seen = self._seen.pop(key, None)
        if seen is None or not _goes_on(seen, snapshot):
            seen = _Seen(snapshot.prices[:0], snapshot.volumes[:0], self._tracker(bars))
        first = len(seen.prices)
        new = _features(snapshot.prices, snapshot.volumes, bars, first)
        for price, found in zip(snapshot.prices[first:].tolist(), new, strict=True):
            seen.tracker.step(price, found, snapshot.at)
        self._seen[key] = _Seen(snapshot.prices, snapshot.volumes, seen.tracker)
        told = seen.tracker.told
        assert told is not None  # noqa: S101 (the look-back is full)
        self._note(snapshot.symbol, told, snapshot.at)
        return told

    def remember_regime(
        self,
        snapshot: MarketSnapshot,
        regime: Regime,
        confidence: float = 1.0,
        *,
        known_at: datetime | None = None,
    ) -> str:
        """Label the regime of a snapshot, so that it votes from then on; return its id.

        It is an entry of the shared REGIME knowledge with the features of the last bar.

        Parameters
        ----------
        snapshot
            The market as it was, with ``lookback`` bars or more.
        regime
            What it was like.
        confidence
            How sure that is, 0 to 1.
        known_at
            From when the label could be known, for it is often given in hindsight; the
            later of the clock's now and ``snapshot.at`` by default, and never earlier than
            ``snapshot.at``.
        """
        if self._memory is None:
            msg = "memory=None: give RegimeDetectionAgent a memory to keep labelled regimes in"
            raise ValueError(msg)
        _checked(snapshot)
        names = [each.value for each in Regime]
        if not isinstance(regime, str) or regime not in names:
            msg = f"regime={shown(regime)}: give one of {', '.join(names)}"
            raise ValueError(msg)
        found = regime_features(snapshot.prices, snapshot.volumes, snapshot.book, self.lookback)
        told = {name: value for name, value in asdict(found).items() if value is not None}
        if known_at is None:
            known_at = max(self._memory.clock.now(), snapshot.at)
        elif to_micros(known_at, "known_at") < to_micros(snapshot.at):
            msg = (
                f"known_at={shown(known_at)}, but the snapshot is of {shown(snapshot.at)}: "
                f"give no earlier time"
            )
            raise ValueError(msg)
        entry = SemanticMemory(
            memory_type="REGIME",
            created_at=snapshot.at,
            regime_name=Regime(regime).value,
            regime_features=told,
            confidence=finite("confidence", confidence, 0.0, 1.0),
            conditions={"symbol": snapshot.symbol},
            tags=(snapshot.symbol,),
        )
        return SemanticStore(self._memory).add(entry, known_at)

    def _ask(self) -> None:
        """Let the memory be read anew: something may have been labelled meanwhile."""
        if self._vote is not None:
            self._vote.forget()

    def _tracker(self, lookback: int) -> Tracker:
        return Tracker(lookback, self._hold, self.states, self._vote)

    def _note(self, symbol: str, told: Told, at: datetime) -> None:
        """Tell of a change; a bar at or before the last one of its symbol is none."""
        current = self._current.get(symbol)
        if current is not None and at <= current.at:
            return
        changed = current is not None and current.regime is not told.regime
        since = None if current is None else current.since
        # First of all, so that a change that cannot be counted does not come again and again.
        self._current[symbol] = _Current(told.regime, at, at if changed else since)
        if current is not None and changed:
            self._changed(symbol, current, told, at)

    def _changed(self, symbol: str, old: _Current, new: Told, at: datetime) -> None:
        if self._memory is None:
            return
        statistics = RegimeStatistics(self._memory, symbol)
        # A spell whose beginning was not seen would count as shorter than it was.
        if old.since is not None:
            statistics.update_regime_duration(old.regime, at - old.since, at)
        if not statistics.update_transition_probability(old.regime, new.regime, at):
            return  # by another agent, or before a restart, it was counted and told
        entry = statistics.entry(new.regime, as_of=at)
        data = {
            "symbol": symbol,
            "old": old.regime.value,
            "new": new.regime.value,
            "confidence": new.confidence,
            "typical_duration": None if entry is None else entry.typical_duration,
        }
        message = AgentMemoryMessage(
            sender_agent_id=self.agent_id,
            message_type=MessageType.REGIME_CHANGE,
            memory_id=None if entry is None else entry.memory_id,
            insight=f"{symbol} went from {old.regime.value} to {new.regime.value}",
            data=data,
            importance=new.confidence,
            timestamp=at,
        )
        if hasattr(self._memory.store, "publish"):  # else nobody can listen
            self._memory.publish(TOPIC, message)


def _checked(snapshot: MarketSnapshot) -> None:
    if not isinstance(snapshot, MarketSnapshot):
        msg = f"snapshot={shown(snapshot)}: give a MarketSnapshot"
        raise TypeError(msg)


def _columns(prices: BarSeries | npt.ArrayLike) -> tuple[Floats, Floats]:
    if isinstance(prices, BarSeries):
        return prices.close, prices.volume
    closes = column("prices", prices)
    return checked_columns(closes, np.zeros(len(closes)))


def _features(
    closes: Floats, volumes: Floats, lookback: int, first: int = 0
) -> Iterator[RegimeFeatures | None]:
    """Go through the features of the bars from one on; None before the look-back is full."""
    start = max(first - lookback + 1, 0)
    table = feature_table(closes[start:], volumes[start:], lookback)
    for bar in range(first, len(closes)):
        full = bar >= lookback - 1
        yield as_features(table[bar - start], None, float(closes[bar])) if full else None


def _goes_on(seen: _Seen, snapshot: MarketSnapshot) -> bool:
    """Whether a snapshot begins with the bars that were seen."""
    bars = len(seen.prices)
    return np.array_equal(snapshot.prices[:bars], seen.prices) and np.array_equal(
        snapshot.volumes[:bars], seen.volumes
    )
