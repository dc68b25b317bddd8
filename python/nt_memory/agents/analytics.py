"""What a memory of trading agents was worth, counted from what it holds."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from nt_memory import _recall_log
from nt_memory._shown import shown
from nt_memory._walking import walk
from nt_memory.agents.ledger import OUTCOME, SWARM, Ledger
from nt_memory.clock import from_micros, micros, to_micros
from nt_memory.errors import ForgottenError, HorizonError, RecordNotFoundError
from nt_memory.filters import Filter
from nt_memory.store import Query

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nt_memory.clock import Duration
    from nt_memory.store import RawRecord
    from nt_memory.system import MemorySystem

By = Literal["agent", "regime", "symbol", "event"]
_BYS = ("agent", "regime", "symbol", "event")
# Two-sided 95 %.
_Z = 1.959964


@dataclass(frozen=True, slots=True)
class WinRate:
    """How often a group of decisions gained.

    Parameters
    ----------
    group
        What the decisions share, in the order asked for; None where it is not known.
    n, wins
        How many had an outcome, and how many gained.
    low, high
        Wilson's 95 % interval of the rate, decisions taken as independent: those that
        overlap in time are not, so it is too narrow for them.
    mean_pnl
        In percent of equity.
    """

    group: tuple[str | None, ...]
    n: int
    wins: int
    low: float
    high: float
    mean_pnl: float

    @property
    def rate(self) -> float:
        """Share that gained."""
        return self.wins / self.n


@dataclass(frozen=True, slots=True)
class AgeBucket:
    """How often recalled outcomes pointed the way a decision went, by their age.

    Parameters
    ----------
    oldest
        Age up to which outcomes are in it; None of the last, which has no bound.
    n
        Pairs of a decision and an outcome that it had recalled.
    agreed
        In how many both gained or both lost.
    """

    oldest: timedelta | None
    n: int
    agreed: int

    @property
    def share(self) -> float | None:
        """Share that agreed; one half is what chance gives, None of none."""
        return self.agreed / self.n if self.n else None


@dataclass(frozen=True, slots=True)
class RecallQuality:
    """Whether what decisions recalled resembled what became of them.

    Parameters
    ----------
    decisions
        Decisions with an outcome that had recalled an outcome.
    curve
        By age of what was recalled: how memory loses its worth.
    """

    decisions: int
    curve: tuple[AgeBucket, ...]

    @property
    def share(self) -> float | None:
        """Share of all pairs that agreed; None of none."""
        n = sum(bucket.n for bucket in self.curve)
        return sum(bucket.agreed for bucket in self.curve) / n if n else None


class TradingAnalytics:
    """Win rates, growth and quality of recalls of agents, as of any time.

    Parameters
    ----------
    memory
        Of the agents.
    namespace
        Of all agents, or of one: ``swarm/<agent_id>/trading``.

    Examples
    --------
    >>> from nt_memory import MemorySystem, TradingAnalytics
    >>> with MemorySystem(":memory:") as memory:
    ...     TradingAnalytics(memory).win_rates()
    []
    """

    def __init__(self, memory: MemorySystem, namespace: str = SWARM) -> None:
        self._memory = memory
        self._namespace = namespace

    def win_rates(
        self, by: Sequence[By] = ("agent", "regime"), *, as_of: datetime | None = None
    ) -> list[WinRate]:
        """Return how often decisions gained, by what they share, the most frequent first."""
        unknown = [name for name in by if name not in _BYS]
        if unknown or isinstance(by, str):
            msg = f"by={shown(by)}: give names of {', '.join(_BYS)}, in a list"
            raise ValueError(msg)
        groups: dict[tuple[str | None, ...], list[float]] = {}
        for trade, pnl in Ledger(self._memory, self._namespace).trades(self._at(as_of)):
            groups.setdefault(tuple(getattr(trade, name) for name in by), []).append(pnl)
        rates = [_win_rate(group, outcomes) for group, outcomes in groups.items()]
        return sorted(rates, key=lambda rate: (-rate.n, [part or "" for part in rate.group]))

    def growth(
        self, every: Duration = timedelta(days=30), *, as_of: datetime | None = None
    ) -> list[tuple[datetime, dict[str, int]]]:
        """Return how many items of each kind there were at the end of each spell.

        What was forgotten is not counted; what was hidden since is not either.
        """
        step = micros(every, "every")
        if step == 0:
            msg = f"every={shown(every)}: give a duration longer than zero"
            raise ValueError(msg)
        counts: Counter[str] = Counter()
        told: list[tuple[datetime, dict[str, int]]] = []
        end: int | None = None
        for raw in self._raws(Filter(), as_of):
            while end is not None and raw.known_at > end:
                told.append((from_micros(end), dict(sorted(counts.items()))))
                end += step
            end = raw.known_at + step if end is None else end
            counts[raw.kind] += 1
        if end is not None:
            told.append((from_micros(end), dict(sorted(counts.items()))))
        return told

    def recall_quality(
        self,
        ages: Sequence[Duration] = (
            timedelta(days=30),
            timedelta(days=120),
            timedelta(days=365),
            timedelta(days=1825),
        ),
        *,
        as_of: datetime | None = None,
    ) -> RecallQuality:
        """Compare what decisions recalled with what became of them.

        Parameters
        ----------
        ages
            Bounds of the ages that outcomes are grouped by, rising.
        as_of
            Decisions whose outcome was known by then; the clock's now by default.
        """
        bounds = [micros(age, "ages") for age in ages]
        if bounds != sorted(set(bounds)):
            msg = f"ages={shown(ages)}: give rising durations"
            raise ValueError(msg)
        at = self._at(as_of)
        pnl = {
            trade.trade_id: pnl for trade, pnl in Ledger(self._memory, self._namespace).trades(at)
        }
        counts = [[0, 0] for _ in range(len(bounds) + 1)]
        decisions = 0
        for trade_id, came in pnl.items():
            pairs = list(self._recalled(trade_id))
            decisions += bool(pairs)
            for age, recalled in pairs:
                place = sum(age > bound for bound in bounds)
                counts[place][0] += 1
                counts[place][1] += (recalled > 0.0) == (came > 0.0)
        oldest = [*(timedelta(microseconds=bound) for bound in bounds), None]
        curve = [AgeBucket(age, *count) for age, count in zip(oldest, counts, strict=True)]
        return RecallQuality(decisions, tuple(curve))

    def _recalled(self, trade_id: str) -> Iterator[tuple[int, float]]:
        """Go through the outcomes that a decision recalled: their age then, in microseconds."""
        store = self._memory.store
        try:
            decided = store.versions(trade_id)[0]
        except (RecordNotFoundError, ForgottenError):
            return
        for recall_id in decided.parents:
            entry = store.recall_log(recall_id)
            for row in [] if entry is None else _recall_log.decode(entry).hits:
                try:
                    raw = store.fetch(row[0], decided.known_at)
                except (ForgottenError, HorizonError):
                    continue
                if raw is not None and raw.kind == OUTCOME and "pnl" in raw.attributes:
                    yield decided.event_time - raw.event_time, float(str(raw.attributes["pnl"]))

    def _raws(self, wanted: Filter, as_of: datetime | None) -> Iterable[RawRecord]:
        at = to_micros(self._at(as_of))
        query = Query(
            namespace=self._namespace, filter=wanted.tree(), as_of=at, order_by="known_at"
        )
        return walk(self._memory.store, query)

    def _at(self, as_of: datetime | None) -> datetime:
        return self._memory.clock.now() if as_of is None else as_of


def _win_rate(group: tuple[str | None, ...], outcomes: list[float]) -> WinRate:
    n, wins = len(outcomes), sum(pnl > 0.0 for pnl in outcomes)
    rate = wins / n
    middle = (rate + _Z * _Z / (2 * n)) / (1 + _Z * _Z / n)
    reach = _Z * math.sqrt(rate * (1 - rate) / n + _Z * _Z / (4 * n * n)) / (1 + _Z * _Z / n)
    return WinRate(group, n, wins, middle - reach, middle + reach, math.fsum(outcomes) / n)
