"""Questions to a memory: what is searched, and how the answer is read, narrowed and logged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, overload

from nt_memory import _recall_log
from nt_memory._recalling import bounds, checked_half_life, checked_weights
from nt_memory._shown import shown
from nt_memory.clock import from_micros, to_micros

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from nt_memory.clock import Duration
    from nt_memory.recall import Weights
    from nt_memory.store import Match, Query, RawRecord, SearchResult, Store
    from nt_memory.system import MemorySystem

M = TypeVar("M")
R = TypeVar("R")
# How much more is fetched where `where` has left too few.
_MORE = 8


class Found(NamedTuple, Generic[M]):
    """A memory and its score, with the parts of it that apply (as in `nt_memory.Hit`)."""

    memory: M
    score: float
    similarity: float | None
    recency: float | None
    importance: float
    outcome: float | None


@dataclass(frozen=True, slots=True)
class Retrieval(Generic[M]):
    """The memories that answer a question, best first, and what they were drawn from.

    Going through it gives the memories; ``hits`` has them with their scores.

    Parameters
    ----------
    id
        Of the recall, for `MemorySystem.replay` and for `Trajectory.cite`; empty where
        it was not logged.
    hits
        Best first.
    as_of
        The time it was asked for.
    commit
        The number of the last batch that it saw.
    exact
        Whether every candidate was scored.
    forgotten
        How many records would have been candidates but were forgotten.
    matched
        How many records were candidates, before ``where``.
    """

    id: str
    hits: tuple[Found[M], ...]
    as_of: datetime
    commit: int
    exact: bool
    forgotten: int
    matched: int

    @property
    def complete(self) -> bool:
        """Whether nothing in scope was forgotten."""
        return self.forgotten == 0

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[M]:
        return (hit.memory for hit in self.hits)

    @overload
    def __getitem__(self, place: int) -> M: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[M, ...]: ...
    def __getitem__(self, place: int | slice) -> M | tuple[M, ...]:
        if isinstance(place, slice):
            return tuple(hit.memory for hit in self.hits[place])
        return self.hits[place].memory


@dataclass(frozen=True, slots=True)
class Ask(Generic[R]):
    """Searches that can be done together with others, and what makes their answer of them.

    ``after`` is done with the answer when that is on its way.
    """

    queries: tuple[Query, ...]
    finish: Callable[[Sequence[SearchResult]], R]
    after: Callable[[R], None] | None = None


@dataclass(frozen=True, slots=True)
class Reading(Generic[M]):
    """How the answer of one search is read.

    ``where`` narrows the ranked hits; ``asked_at`` is the clock's time when it was asked.
    """

    memory: MemorySystem
    query: Query
    read: Callable[[RawRecord], M]
    where: Callable[[Found[M]], bool] | None
    log: bool
    asked_at: int

    def finish(self, results: Sequence[SearchResult]) -> Retrieval[M]:
        """Read, narrow and log the answer of a search."""
        (result,) = results
        query = self.query
        if self.where is None:
            logged, hits = result, [self._found(match) for match in result.matches]
        else:
            query, result, passed = self._narrowed(result, self.where)
            hits = [hit for hit, _ in passed]
            # Only those were seen.  The function is not in the log: a replay reads what it left.
            logged = replace(result, matches=[match for _, match in passed], exact=False)
        return Retrieval(
            self._logged(query, logged) if self.log else "",
            tuple(hits),
            from_micros(result.as_of),
            result.commit,
            result.exact,
            result.forgotten,
            result.matched,
        )

    def _found(self, match: Match) -> Found[M]:
        if match.record is None:
            msg = f"the match {match.id!r} carries no record"
            raise ValueError(msg)
        memory = self.read(match.record)
        return Found(
            memory, match.score, match.similarity, match.recency, match.importance, match.outcome
        )

    def _narrowed(
        self, result: SearchResult, where: Callable[[Found[M]], bool]
    ) -> tuple[Query, SearchResult, list[tuple[Found[M], Match]]]:
        """Fetch until as many pass as were asked for, or none is left."""
        query = self.query
        while True:
            passed = []
            for match in result.matches:
                hit = self._found(match)
                if where(hit):
                    passed.append((hit, match))
                    if len(passed) == self.query.top_k:
                        return query, result, passed
            if len(result.matches) < query.top_k:
                return query, result, passed
            # All of one moment, and exact: what a longer list begins with stays the same.
            query = replace(
                query,
                top_k=query.top_k * _MORE,
                exact=True,
                as_of=result.as_of,
                recorded_by_commit=(
                    result.commit if query.recorded_by_time is None else query.recorded_by_commit
                ),
            )
            result = self.memory.store.vector_search(query)

    def _logged(self, query: Query, result: SearchResult) -> str:
        store = self.memory.store
        id_ = store.new_id()
        bound = _recall_log.bind(query, result, self.asked_at)
        entry = _recall_log.encode(bound, result, explicit=self.query.as_of is not None)
        store.log_recall(id_, entry, bound.as_of, bound.namespace)
        return id_


class Questions:
    """Makes searches of a memory, with the ranking of a service."""

    def __init__(
        self,
        memory: MemorySystem,
        weights: Weights,
        half_life: Duration | None,
        *,
        log: bool,
    ) -> None:
        self.memory = memory
        self._weights = checked_weights(weights)
        self._half_life = checked_half_life(half_life)
        self.log = log

    def moment(self, as_of: datetime | None, recorded_by: datetime | int | None) -> dict[str, Any]:
        """Return the time that is asked for as fields of a `Query`."""
        at = None if as_of is None else to_micros(as_of, "as_of")
        return {"as_of": at, **bounds(recorded_by)}

    def ranking(self) -> dict[str, Any]:
        """Return how hits are ranked as fields of a `Query`."""
        return {"weights": self._weights, "half_life": self._half_life}

    def ask(
        self,
        query: Query,
        read: Callable[[RawRecord], M],
        where: Callable[[Found[M]], bool] | None = None,
        *,
        log: bool = True,
    ) -> Ask[Retrieval[M]]:
        """Return a search and how it is read."""
        if self.memory.agent_id is not None and query.within is None and query.namespace:
            # What an agent's search is bound to see is logged with it.
            query = replace(query, within=[query.namespace])
        now = self.memory.clock.native.now_us()
        where = checked_where(where)
        reading = Reading(self.memory, query, read, where, log and self.log, now)
        return Ask((query,), reading.finish)


def searched(store: Store, queries: Sequence[Query]) -> Sequence[SearchResult]:
    """Return the results of queries, all of one moment."""
    if len(queries) == 1:  # that is quicker without the search of many
        return [store.vector_search(queries[0])]
    return store.vector_searches(queries)


def checked_where(where: Any) -> Any:
    """Return a callable or None; anything else is a TypeError."""
    if where is None or callable(where):
        return where
    msg = f"where={shown(where)}: give a function of a hit, as in lambda hit: hit.memory.reward > 0"
    raise TypeError(msg)
