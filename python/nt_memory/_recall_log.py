"""The log entry of a recall: all that is needed to compute it again and compare."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from nt_memory._values import pack, unpack
from nt_memory.errors import CorruptionError
from nt_memory.store import Match, Query, SearchResult

if TYPE_CHECKING:
    from nt_memory.store import Store

FORMAT = 1
_QUERY_FIELDS = tuple(field.name for field in fields(Query))


@dataclass(frozen=True, slots=True)
class LoggedRecall:
    """A recall as it was asked for and answered.

    ``query`` is bound to what the store held then.  ``explicit`` says that the
    caller named ``as_of``; ``hits`` are rows of id, version, score and parts.
    """

    query: Query
    explicit: bool
    commit: int
    exact: bool
    matched: int
    forgotten: int
    hits: list[list[Any]]

    def result(self, store: Store) -> SearchResult:
        """Return what was answered, with the records as they were, but for those forgotten."""
        query = self.query
        matches: list[Match] = []
        for id_, *row in self.hits:
            record = store.fetch(id_, query.as_of, query.recorded_by_time, query.recorded_by_commit)
            if record is not None:
                version, score, similarity, recency, importance, outcome = row
                parts = (similarity, recency, importance, outcome)
                matches.append(Match(id_, version, score, *parts, record if query.bodies else None))
        forgotten = self.forgotten + len(self.hits) - len(matches)
        as_of = 0 if query.as_of is None else query.as_of
        return SearchResult(matches, self.matched, forgotten, self.exact, self.commit, as_of)


def bind(query: Query, result: SearchResult, now: int) -> Query:
    """Return the query bound to the time and the commit of its answer.

    A ``recorded_by_time`` that had passed when the recall began (``now``) is
    a bound already: nothing will be recorded before it.  Any other included
    all that the store held, and is one no longer.
    """
    past = query.recorded_by_time is not None and query.recorded_by_time < now
    return replace(
        query,
        as_of=result.as_of,
        recorded_by_time=query.recorded_by_time if past else None,
        recorded_by_commit=None if past else result.commit,
    )


def encode(query: Query, result: SearchResult, *, explicit: bool) -> bytes:
    """Return the entry of a bound query and its answer."""
    return pack(
        {
            "format": FORMAT,
            "query": {name: getattr(query, name) for name in _QUERY_FIELDS},
            "explicit": explicit,
            "commit": result.commit,
            "exact": result.exact,
            "matched": result.matched,
            "forgotten": result.forgotten,
            "hits": [_row(match) for match in result.matches],
        }
    )


def decode(entry: bytes) -> LoggedRecall:
    """Return what `encode` wrote.

    Raises
    ------
    CorruptionError
        The entry has another format.
    """
    logged = unpack(entry)
    if not isinstance(logged, dict) or logged.get("format") != FORMAT:
        msg = "the logged recall has an unknown format: read it with the version that wrote it"
        raise CorruptionError(msg)
    query = dict(logged["query"])
    query["weights"] = tuple(query["weights"])
    return LoggedRecall(
        query=Query(**query),
        explicit=logged["explicit"],
        commit=logged["commit"],
        exact=logged["exact"],
        matched=logged["matched"],
        forgotten=logged["forgotten"],
        hits=[list(row) for row in logged["hits"]],
    )


def difference(logged: LoggedRecall, result: SearchResult) -> str | None:
    """Say how an answer differs from the logged one; None where it does not.

    After a forget nothing can be compared: the forgotten record took part in
    the scale of rewards and in the ranking.
    """
    if result.forgotten > logged.forgotten:
        return None
    rows = [_row(match) for match in result.matches]
    if len(rows) != len(logged.hits):
        return f"{len(rows)} hits instead of {len(logged.hits)}"
    for place, (now, then) in enumerate(zip(rows, logged.hits, strict=True), start=1):
        if now != then:
            return f"hit {place} is {now[:3]} instead of {then[:3]} (id, version, score)"
    return None


def _row(match: Match) -> list[Any]:
    return [
        match.id,
        match.version,
        match.score,
        match.similarity,
        match.recency,
        match.importance,
        match.outcome,
    ]
