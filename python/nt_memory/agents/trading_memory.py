"""A decaying memory of the market: trades, signals, regimes, outcomes, in words."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nt_memory._intake import visible_at
from nt_memory._retrying import retried
from nt_memory._shown import shown
from nt_memory._values import finite, whole
from nt_memory._walking import walk
from nt_memory.agents._checks import text
from nt_memory.agents.trading_item import TradingMemoryItem, TradingSummary
from nt_memory.clock import Bars, micros, to_micros
from nt_memory.errors import ForgottenError
from nt_memory.experience._places import agent_namespace
from nt_memory.filters import Filter
from nt_memory.recall import Weights
from nt_memory.records import Provenance, Record
from nt_memory.store import ExpectUnchanged, Op, Query, RawRecord, Write

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from nt_memory.clock import Duration
    from nt_memory.system import MemorySystem

NAME = "trading"
# Likeness, recency and importance as in the docs; what came of it is told, and not ranked by.
WEIGHTS = Weights(similarity=0.5, recency=0.3, importance=0.2, outcome=0.0)
HALF_LIVES: Mapping[str, Duration] = {
    "tutorial": timedelta(minutes=30),
    "intraday": timedelta(hours=1),
    "hourly": timedelta(hours=2),
    "daily": Bars(60, timedelta(days=1)),
}
"""Half-lives by the bars that one trades on; `ntm tune-decay` looks for better ones."""

MAX_ITEMS = 1000
# Items beyond the cap that a store lets come together before it hides as many.
_SLACK = 10
_PAGE = 500


class TradingMemoryStore:
    """What one agent, or all of them, remember of the market; older memories count for less.

    Parameters
    ----------
    memory
        Where it is kept: namespace ``swarm/<agent_id>/trading``, or ``shared/trading``.
    agent_id
        Whose it is; the agent in whose hands the memory is by default.
    half_life
        Age at which a memory's recency is one half; see `HALF_LIVES`.
    max_items
        Most items of a symbol that are shown.

    Examples
    --------
    >>> from nt_memory import MemorySystem, TradingMemoryItem, TradingMemoryStore
    >>> with MemorySystem(":memory:") as memory:
    ...     store = TradingMemoryStore(memory, agent_id="liquidity")
    ...     id = store.add(TradingMemoryItem("market_event", "depth vanished at the open"))
    ...     [item.content for item in store.search("depth at the open")]
    ['depth vanished at the open']
    """

    def __init__(
        self,
        memory: MemorySystem,
        *,
        agent_id: str | None = None,
        half_life: Duration = HALF_LIVES["intraday"],
        max_items: int = MAX_ITEMS,
    ) -> None:
        self._memory = memory
        self.agent_id = memory.agent_id if agent_id is None else agent_id
        self.namespace = (
            f"shared/{NAME}" if self.agent_id is None else agent_namespace(self.agent_id, NAME)
        )
        if micros(half_life, "half_life") == 0:
            msg = f"half_life={shown(half_life)}: give a duration longer than zero"
            raise ValueError(msg)
        self.half_life = half_life
        self.max_items = whole("max_items", max_items)
        self._counts: dict[str, int] = {}

    def add(self, item: TradingMemoryItem) -> str:
        """Remember an item; return its id.

        Beyond the cap of its symbol, the items with the least decayed score are hidden.
        """
        return self.add_many([item])[0]

    def add_many(self, items: Iterable[TradingMemoryItem]) -> list[str]:
        """Remember several in one batch, all or none; return their ids."""
        given = list(items)
        ids = self._memory.remember_many([self.record(item) for item in given])
        for symbol, count in Counter(item.symbol for item in given).items():
            self._counted(symbol, count)
        return ids

    def record(self, item: TradingMemoryItem, **fields: Any) -> Record:
        """Return the record that keeps an item, with further fields of `Record`."""
        if not isinstance(item, TradingMemoryItem):
            msg = f"{type(item).__name__} is no TradingMemoryItem"
            raise TypeError(msg)
        now = self._memory.clock.now()
        at = now if item.timestamp is None else item.timestamp
        return Record(
            **{
                "namespace": self.namespace,
                "kind": item.kind,
                "event_time": at,
                "id": item.id,
                "agent_id": self.agent_id,
                "symbol": item.symbol,
                "importance": item.score,
                "text": item.content,
                "attributes": {
                    name: float(value) if isinstance(value, bool) else value
                    for name, value in item.metadata.items()
                    if isinstance(value, (str, int, float))
                },
                "payload": dict(item.metadata),
                "provenance": Provenance(writer=self.agent_id or "root"),
                **fields,
            }
        )

    def search(
        self,
        query: str,
        kind: str | None = None,
        symbol: str | None = None,
        topk: int = 5,
        *,
        as_of: datetime | None = None,
    ) -> list[TradingMemoryItem]:
        """Return the memories that are most like some words, late and weighty, best first.

        Parameters
        ----------
        query
            Words.
        kind, symbol
            Of these alone.
        topk
            Most of them.
        as_of
            The time asked for; the clock's now by default.

        Raises
        ------
        ValueError
            ``query``, ``kind`` or ``symbol`` is no text, or ``topk`` no whole number.
        VectorError
            The memory has no space "text"; see `get_recent`.
        """
        found = self._memory.recall(
            text=text("query", query),
            namespace=self.namespace,
            filter=_wanted(kind, symbol),
            as_of=as_of,
            top_k=whole("topk", topk),
            half_life=self.half_life,
            weights=WEIGHTS,
        )
        return [TradingMemoryItem.from_record(hit.record) for hit in found]

    def get_recent(
        self,
        kind: str | None = None,
        symbol: str | None = None,
        n: int = 10,
        *,
        as_of: datetime | None = None,
    ) -> list[TradingMemoryItem]:
        """Return the latest memories, latest first, however far they have faded."""
        found = self._memory.recall(
            namespace=self.namespace,
            filter=_wanted(kind, symbol),
            as_of=as_of,
            top_k=whole("n", n),
            order_by="-event_time",
            log=False,
        )
        return [TradingMemoryItem.from_record(hit.record) for hit in found]

    def cleanup(self, min_score: float = 0.1) -> int:
        """Hide what has faded, and what is beyond the cap, from now on; return how many.

        Parameters
        ----------
        min_score
            Least decayed score, ``score * 0.5 ** (age / half_life)``, that is kept.

        Notes
        -----
        A recall of the past finds them as before; `MemorySystem.retention` erases.
        """
        least = finite("min_score", min_score, 0.0)
        raws = list(self._raws())
        faded = {raw.id for raw in raws if self._faded(raw) < least}
        left: dict[str, list[RawRecord]] = {}
        for raw in raws:
            if raw.id not in faded:
                left.setdefault(raw.symbol or "", []).append(raw)
        for group in left.values():
            faded.update(raw.id for raw in self._beyond(group))
        self._counts.clear()
        return self._hide(raw for raw in raws if raw.id in faded)

    def reset(self) -> int:
        """Hide all from now on; return how many there were.

        `LifecycleScheduler.add` does it at fixed times: ``add("reset", lambda at:
        store.reset(), every=86_400)``.
        """
        self._counts.clear()
        return self._hide(self._raws())

    def summarize(self, symbol: str | None = None, lookback_hours: float = 24.0) -> TradingSummary:
        """Count what is remembered of a symbol, or of all."""
        hours = finite("lookback_hours", lookback_hours, 0.0)
        since = to_micros(self._memory.clock.now()) - micros(hours * 3600.0, "lookback_hours")
        raws = list(self._raws(symbol))
        recent = [raw for raw in raws if raw.event_time >= since]
        mean = sum(raw.importance for raw in recent) / len(recent) if recent else None
        kinds = Counter(raw.kind for raw in recent)
        return TradingSummary(len(raws), len(recent), dict(sorted(kinds.items())), mean)

    def save(self, path: str | Path) -> int:
        """Write what is shown to a file, an item as JSON a line; return how many.

        For the whole history of a memory, `MemorySystem.export`.
        """
        whole_file = Path(path)
        items = [TradingMemoryItem.from_record(Record.from_raw(raw)) for raw in self._raws()]
        lines = "".join(json.dumps(item.to_json(), allow_nan=False) + "\n" for item in items)
        # The file is there when it is whole, and not before.
        made = Path(f"{whole_file}.part")
        made.write_text(lines, encoding="utf-8")
        made.replace(whole_file)
        return len(items)

    def load(self, path: str | Path) -> int:
        """Remember the items of a file that `save` wrote; return how many.

        They keep their times and get new ids.  So an earlier question finds them, too; ask
        with ``recorded_by`` for what was held then.

        Raises
        ------
        ValueError
            A line is no item; nothing of the file is remembered.
        """
        items = []
        try:
            lines = Path(path).read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError as error:
            msg = f"{path}: is no text in UTF-8; give a file that save() wrote"
            raise ValueError(msg) from error
        for number, line in enumerate(lines, 1):
            items.append(self._parsed(line, f"{path}, line {number}"))
        return len(self.add_many(items)) if items else 0

    def _parsed(self, line: str, place: str) -> TradingMemoryItem:
        try:
            item = replace(TradingMemoryItem.from_json(json.loads(line)), id="")
            self.record(item)
        except (ValueError, TypeError, RecursionError) as error:
            msg = f"{place}: is no item ({error}); give a file that save() wrote"
            raise ValueError(msg) from error
        return item

    def _counted(self, symbol: str, added: int) -> None:
        """Count what was added, and bring a symbol back to its cap now and then."""
        if symbol not in self._counts:
            query = replace(self._query(symbol), top_k=1, bodies=False)
            self._counts[symbol] = self._memory.store.vector_search(query).matched
        else:
            self._counts[symbol] += added
        if self._counts[symbol] > self.max_items + min(_SLACK, self.max_items // 10):
            self._hide(self._beyond(list(self._raws(symbol))))
            self._counts[symbol] = self.max_items

    def _beyond(self, raws: list[RawRecord]) -> list[RawRecord]:
        """Return those beyond the cap: the most faded ones."""
        best = sorted(raws, key=lambda raw: (self._faded(raw), raw.event_time), reverse=True)
        return best[self.max_items :]

    def _faded(self, raw: RawRecord) -> float:
        age = max(to_micros(self._memory.clock.now()) - raw.event_time, 0)
        return float(raw.importance * 0.5 ** (age / micros(self.half_life)))

    def _raws(self, symbol: str | None = None) -> Iterator[RawRecord]:
        """Go through what is shown now, in the order of time."""
        return walk(self._memory.store, self._query(symbol))

    def _query(self, symbol: str | None) -> Query:
        wanted = _wanted(None, symbol)
        return Query(namespace=self.namespace, filter=wanted.tree(), order_by="event_time")

    def _hide(self, raws: Iterable[RawRecord]) -> int:
        """Hide records from now on, some hundreds in a batch."""
        waiting = list(raws)
        for start in range(0, len(waiting), _PAGE):
            ids = [raw.id for raw in waiting[start : start + _PAGE]]
            retried(partial(self._hide_some, ids))
        return len(waiting)

    def _hide_some(self, ids: list[str]) -> None:
        now = to_micros(self._memory.clock.now())
        ops: list[Op] = []
        for id_ in ids:
            try:
                versions = self._memory.store.versions(id_)
            except ForgottenError:
                continue  # meanwhile
            ops.append(ExpectUnchanged([id_], versions[-1].commit))
            # What shows later, an outcome to come, is hidden when it does.
            later = [raw for raw in versions if visible_at(raw) > now]
            later.sort(key=visible_at, reverse=True)
            ops += [Write(_hidden(raw, visible_at(raw))) for raw in later]
            shown_now = self._memory.store.fetch(id_)
            ops += [] if shown_now is None else [Write(_hidden(shown_now, now))]
        self._memory.store.commit(ops)


def _wanted(kind: str | None, symbol: str | None) -> Filter:
    given = {"kind": kind, "symbol": symbol}
    return Filter(**{name: text(name, value) for name, value in given.items() if value is not None})


def _hidden(raw: RawRecord, at: int) -> RawRecord:
    """Return the version of a record that is hidden from a time on."""
    outcome = raw.outcome and replace(raw.outcome, known_at=at)
    return replace(raw, known_at=at, expires_at=at, outcome=outcome, parents=())
