"""`ModelStore`: every operation of a store, as plainly as it can be said."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from nt_memory.clock import from_micros
from nt_memory.errors import ClosedError, ForgottenError, HorizonError
from nt_memory.store import Commit, NamespaceOptions, Query, RawRecord, SearchResult
from nt_memory.testing._filter import below
from nt_memory.testing._ids import Ids
from nt_memory.testing._query import admits, check_query, one_bound
from nt_memory.testing._ranking import Ranking, Space
from nt_memory.testing._state import State, check_id, check_name, check_namespace, not_found
from nt_memory.testing._version import Bound, Entry, Version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nt_memory.store import Op


class Logged(NamedTuple):
    """A recall's log entry, and what was asked."""

    entry: bytes
    as_of: int | None
    namespace: str | None


class TimeSource(Protocol):
    """What a store asks of a clock."""

    @property
    def manual(self) -> bool:
        """Whether time moves only by hand."""
        ...

    def now_us(self) -> int:
        """Return microseconds since the epoch."""
        ...


class ModelStore:
    """A store in memory that is slow, obvious, and the measure of the others.

    Parameters
    ----------
    clock
        The source of time: anything with ``now_us()`` and ``manual``.
    spaces
        Rows of name, dim, metric, quantization and encoder id.
    seed
        Of the ids under a manual clock.

    Notes
    -----
    It never erases: retention shows only in what it refuses to answer.
    """

    def __init__(
        self,
        clock: TimeSource,
        *,
        spaces: Sequence[tuple[str, int, str, str, str | None]],
        seed: int | None = None,
    ) -> None:
        self._clock = clock
        self._seed = seed or 0
        self._generation = 1
        self._ids = Ids(clock, self._seed, self._generation)
        made = {
            name: Space(name, dim, quantization, encoder)
            for name, dim, _, quantization, encoder in spaces
        }
        self._state = State(made, self.new_id)
        self._log: dict[str, Logged] = {}
        self._closed = False

    def reopen(self) -> None:
        """Close and open again."""
        self._generation += 1
        self._ids = Ids(self._clock, self._seed, self._generation)
        self._closed = False

    def commit(self, ops: Sequence[Op], /, *, dry_run: bool = False) -> Commit:
        """Apply a batch whole or not at all."""
        self._ensure_open()
        if not ops:
            msg = "a batch has no operations; commit at least one"
            raise ValueError(msg)
        state = self._state.copy()
        state.number += 1
        state.recorded_at = self._now()
        results = [state.apply(op) for op in ops]
        if not dry_run:
            self._state = state
        return Commit(state.number, state.recorded_at, results)

    def get(self, namespace: str, key: str, as_of: int | None = None, /) -> bytes | None:
        """Return the value of a key, now or as of a time."""
        self._ensure_open()
        check_name(namespace, key)
        if as_of is None:
            return self._state.live(namespace, key, self._now())
        if not self._state.options.get(namespace, NamespaceOptions()).history:
            msg = (
                f"{namespace!r} keeps no history, so as_of cannot be answered; "
                f"configure_namespace({namespace!r}, history=True) keeps it from then on"
            )
            raise ValueError(msg)
        self._check_horizon(namespace, as_of)
        since = self._state.since[namespace]
        if as_of < since:
            msg = f"{namespace!r} has kept the history of its keys from {since} (us) on"
            raise HorizonError(msg, from_micros(since))
        values = self._state.history.get((namespace, key), ())
        seen = [value for value in values if value.recorded_at <= as_of]
        return seen[-1].live(as_of) if seen else None

    def peek(self, namespace: str, key: str, /) -> tuple[bool, bytes | None]:
        """Return what a hot tier holds: the model has none."""
        check_name(namespace, key)
        return False, None

    def scan(
        self, namespace: str, prefix: str, limit: int, cursor: str | None, /
    ) -> tuple[list[str], str | None]:
        """List live keys in byte order after a cursor."""
        self._ensure_open()
        check_namespace(namespace)
        if limit < 1:
            msg = f"limit is {limit}; use at least 1"
            raise ValueError(msg)
        now = self._now()
        keys = [key for space, key in self._state.values if space == namespace]
        keys = [key for key in keys if self._state.live(namespace, key, now) is not None]
        keys = [key for key in keys if key.startswith(prefix)]
        keys.sort(key=str.encode)
        if cursor is not None:
            keys = [key for key in keys if key.encode() > cursor.encode()]
        return keys[:limit], keys[limit - 1] if len(keys) > limit else None

    def fetch(
        self,
        id: str,
        as_of: int | None = None,
        recorded_by_time: int | None = None,
        recorded_by_commit: int | None = None,
        /,
    ) -> RawRecord | None:
        """Return the version of a record visible at a time."""
        self._ensure_open()
        check_id(id)
        one_bound(recorded_by_time, recorded_by_commit)
        entry = self._state.entries.get(id)
        at = self._now() if as_of is None else as_of
        if entry is None or self._is_gone(entry):
            # Nobody knows any more in which namespace it may have been.
            self._check_scope(None, at, recorded_by_time, recorded_by_commit)
            return None
        self._check_horizon(entry.namespace, at)
        self._check_recorded_by(entry.namespace, recorded_by_time, recorded_by_commit)
        version = self.shown(entry, Bound(at, recorded_by_time, recorded_by_commit))
        if version is None:
            return None
        if entry.forgotten:
            msg = f"record {id} was forgotten; its content is gone, use a new id"
            raise ForgottenError(msg)
        return version.record

    def versions(self, id: str, /) -> list[RawRecord]:
        """Return all versions of a record, in the order in which they were written."""
        self._ensure_open()
        check_id(id)
        entry = self._state.entries.get(id)
        if entry is None or self._is_gone(entry):
            raise not_found(id)
        if entry.forgotten:
            msg = f"record {id} was forgotten; its content is gone, use a new id"
            raise ForgottenError(msg)
        return sorted((version.record for version in entry.versions), key=lambda raw: raw.version)

    def vector_search(self, query: Query, /) -> SearchResult:
        """Filter, score and rank records as of a time."""
        self._ensure_open()
        check_query(query)
        at = self._now() if query.as_of is None else query.as_of
        if query.namespace is not None:
            check_namespace(query.namespace)
        self._check_scope(query.namespace, at, query.recorded_by_time, query.recorded_by_commit)
        unit = None
        if query.vector is not None:
            unit = self._state.space(query.space).unit(query.vector)
        bound = Bound(at, query.recorded_by_time, query.recorded_by_commit)
        candidates, forgotten = self._candidates(query, bound)
        matches = Ranking(query, at, unit, candidates).matches()
        if query.bodies:
            records = {version.record.id: version.record for version in candidates}
            matches = [replace(match, record=records[match.id]) for match in matches]
        commit = self._state.number
        if query.recorded_by_commit is not None:
            commit = min(commit, query.recorded_by_commit)
        return SearchResult(
            matches, len(candidates), forgotten, exact=True, commit=commit, as_of=at
        )

    def vector_searches(self, queries: Sequence[Query], /) -> list[SearchResult]:
        """Do so for several queries."""
        return [self.vector_search(query) for query in queries]

    def select(
        self, namespace: str | None = None, tree: Mapping[str, Any] | None = None, /
    ) -> list[str]:
        """Return the ids of all records that pass a filter, whenever they show."""
        self._ensure_open()
        query = Query(namespace=namespace, filter=tree)
        check_query(query)
        if namespace is not None:
            check_namespace(namespace)
        return sorted(
            id_
            for id_, entry in self._state.entries.items()
            if not (entry.forgotten or self._is_gone(entry)) and admits(query, entry.latest)
        )

    def shown(self, entry: Entry, bound: Bound) -> Version | None:
        """Return the version of a record that a question sees, if any."""
        version = entry.select(bound)
        return None if version is None or version.is_expired(bound.as_of) else version

    def _candidates(self, query: Query, bound: Bound) -> tuple[list[Version], int]:
        candidates, forgotten = [], 0
        for entry in self._state.entries.values():
            version = self.shown(entry, bound)
            if version is None or not admits(query, version):
                continue
            if entry.forgotten:
                forgotten += 1
            else:
                candidates.append(version)
        return candidates, forgotten

    def _check_scope(
        self, prefix: str | None, at: int, time: int | None, commit: int | None
    ) -> None:
        def latest_first(name: str) -> tuple[int, str]:
            return -(self._state.horizon(name, now) or 0), name

        # The latest horizon decides, so that the error names a time that can be asked for.
        now = self._now()
        scope = [name for name in self._state.options if prefix is None or below(name, prefix)]
        for name in sorted(scope, key=latest_first):
            self._check_horizon(name, at)
            self._check_recorded_by(name, time, commit)

    def _check_horizon(self, namespace: str, at: int) -> None:
        horizon = self._state.horizon(namespace, self._now())
        if horizon is not None and at < horizon:
            msg = (
                f"{namespace!r} has been kept from {horizon} (us) on; "
                f"{at} lies before: ask at or after the horizon"
            )
            raise HorizonError(msg, from_micros(horizon))

    def _check_recorded_by(self, namespace: str, time: int | None, commit: int | None) -> None:
        if time is not None:
            self._check_horizon(namespace, time)
        horizon = self._state.horizon(namespace, self._now())
        if commit is None or horizon is None:
            return
        behind = [
            version.record.commit
            for entry in self._state.entries.values()
            for version in entry.versions
            if entry.namespace == namespace and version.record.recorded_at < horizon
        ]
        first = max(self._state.purged.get(namespace, 0), *behind, 0)
        if commit < first:
            msg = (
                f"{namespace!r} can be asked as recorded by commit {first} or later; "
                f"{commit} lies before its horizon"
            )
            raise HorizonError(msg, from_micros(horizon))

    def _is_behind(self, logged: Logged) -> bool:
        if logged.as_of is None:
            return False
        try:
            self._check_scope(logged.namespace, logged.as_of, None, None)
        except HorizonError:
            return True
        return False

    def _is_gone(self, entry: Entry) -> bool:
        horizon = self._state.horizon(entry.namespace, self._now())
        return horizon is not None and entry.is_erased(horizon)

    def log_recall(
        self, id: str, entry: bytes, as_of: int | None = None, namespace: str | None = None, /
    ) -> None:
        """Keep a recall's log entry."""
        self._ensure_open()
        check_id(id)
        if namespace is not None:
            check_namespace(namespace)
        self._log[id] = Logged(entry, as_of, namespace)

    def recall_log(self, id: str, /) -> bytes | None:
        """Return a logged recall."""
        self._ensure_open()
        logged = self._log.get(id)
        return None if logged is None or self._is_behind(logged) else logged.entry

    def new_id(self) -> str:
        """Return a fresh ULID."""
        self._ensure_open()
        while True:
            id_ = self._ids.next()
            # A copy may hold what is drawn again.
            if id_ not in self._state.entries:
                return id_

    def namespace_options(self, namespace: str, /) -> NamespaceOptions:
        """Return a namespace's options."""
        self._ensure_open()
        return self._state.options.get(namespace, NamespaceOptions())

    def configured(self) -> dict[str, NamespaceOptions]:
        """Return every configured namespace with its options."""
        self._ensure_open()
        return dict(self._state.options)

    def stats(self) -> dict[str, Any]:
        """Return the counters that a model has."""
        self._ensure_open()
        entries = self._state.entries.values()
        versions = [version for entry in entries for version in entry.versions]
        # A settlement shares the codes of the version that it settles.
        codes = {
            id(code)
            for entry in entries
            if not entry.forgotten
            for version in entry.versions
            for code in version.codes.values()
        }
        return {
            "l2_vectors": len(codes),
            "l3_entries": len(self._state.values) + len(versions),
            "records": len(entries),
            "recalls": sum(not self._is_behind(logged) for logged in self._log.values()),
            "commits": self._state.number,
        }

    def flush(self) -> None:
        """Do nothing: there is no queue."""
        self._ensure_open()

    def verify(self) -> list[str]:
        """Return no problem: there is nothing that could be lost."""
        self._ensure_open()
        return []

    def close(self) -> None:
        """Refuse all later calls."""
        self._closed = True

    def _now(self) -> int:
        return max(self._clock.now_us(), self._state.recorded_at)

    def _ensure_open(self) -> None:
        if self._closed:
            msg = "the store is closed; open it again to go on"
            raise ClosedError(msg)
