"""What becomes of experience: episodes become knowledge, and what is old or poor goes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from sys import float_info
from typing import TYPE_CHECKING, Any

from nt_memory._intake import Intake, Turn, parents_of
from nt_memory._retrying import retried
from nt_memory._shown import shown
from nt_memory._values import finite
from nt_memory._walking import walk
from nt_memory.clock import from_micros, micros, to_micros
from nt_memory.errors import ConflictError, ForgottenError, HorizonError, RecordNotFoundError
from nt_memory.experience import _consolidation, episodic, semantic
from nt_memory.experience._places import agent_namespace
from nt_memory.experience.episodic_store import EPISODES
from nt_memory.experience.semantic_store import SemanticStore, namespace_of
from nt_memory.filters import Filter, ge, lt
from nt_memory.records import Record
from nt_memory.store import ExpectUnchanged, Forget, Op, Query, Write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from nt_memory.clock import Duration
    from nt_memory.experience.semantic import SemanticMemory
    from nt_memory.store import RawRecord
    from nt_memory.system import MemorySystem

_DAY = 86_400.0
# What is known of an episode's reward.
_SETTLED = ge(-float_info.max)
_RATED = ("PATTERN", "STRATEGY")
_BATCH = 5000


@dataclass(frozen=True, slots=True)
class Consolidation:
    """What a run of consolidation did.

    Parameters
    ----------
    windows
        How many windows with episodes were worked through.
    episodes
        How many episodes were in them.
    created, updated
        How many patterns were new, and how often one that was known took in a cluster.
    until
        The end of the last window; None where there was none.
    """

    windows: int = 0
    episodes: int = 0
    created: int = 0
    updated: int = 0
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Pruning:
    """What was, or would be, pruned: episodes, and entries of knowledge; and what was held."""

    episodes: int
    entries: int
    held: int
    dry_run: bool


class MemoryLifecycle:
    """Consolidate episodes into knowledge, and prune what is not worth its room.

    Parameters
    ----------
    memory
        Where experience lies.
    agent_id
        The episodes of this agent go into its own knowledge; None those of all agents
        into what is shared.
    window
        Length of a window of consolidation: a day, or ``Bars(60, interval=...)``.
        Windows end at whole multiples of it since 1970 (UTC).
    min_cluster
        Fewest episodes of a cluster, 2 or more.
    similarity
        Least cosine between a cluster and the pattern that it updates.
    max_age
        Age from which episodes are pruned.
    min_sharpe, min_accesses, access_days
        A pattern or strategy is kept with a Sharpe ratio above, or with more accesses
        on the last so many days; one that is younger than these days is kept, too.

    Examples
    --------
    >>> from nt_memory import MemorySystem
    >>> with MemorySystem(":memory:") as memory:
    ...     lifecycle = MemoryLifecycle(memory)
    ...     lifecycle.consolidate().windows, lifecycle.prune().episodes
    (0, 0)
    """

    def __init__(
        self,
        memory: MemorySystem,
        *,
        agent_id: str | None = None,
        window: Duration = _DAY,
        min_cluster: int = 10,
        similarity: float = 0.9,
        max_age: Duration = 90 * _DAY,
        min_sharpe: float = 1.0,
        min_accesses: int = 100,
        access_days: int = 30,
    ) -> None:
        if not isinstance(min_cluster, int) or min_cluster < 2:
            msg = f"min_cluster={shown(min_cluster)}: give an integer of at least 2"
            raise ValueError(msg)
        for name, count in (("min_accesses", min_accesses), ("access_days", access_days)):
            if isinstance(count, bool) or not isinstance(count, int) or count < 0:
                msg = f"{name}={shown(count)}: give an integer of at least 0"
                raise ValueError(msg)
        self._memory = memory
        self.agent_id = agent_id
        self.namespace = namespace_of(agent_id)
        self._window = _length(window)
        self._min_cluster = min_cluster
        self._similarity = finite("similarity", similarity, 0.0, 1.0)
        self._max_age = micros(max_age, "max_age")
        self._min_sharpe = finite("min_sharpe", min_sharpe)
        self._min_accesses = min_accesses
        self._access_days = access_days
        self._knowledge = SemanticStore(memory)
        self._intake = Intake(memory.store, memory.clock, self.namespace)

    def consolidate(
        self,
        as_of: datetime | None = None,
        *,
        progress: Callable[[datetime], object] | None = None,
    ) -> Consolidation:
        """Work through the windows that have ended, one by one, each in one batch.

        A window holds the episodes whose reward became known in it.  Those in which
        the same was done are clustered; a cluster updates the pattern that it is like,
        or makes one.  Each episode counts once, and what was written late counts in
        the next window.  A run that was cut off goes on where it was.

        Parameters
        ----------
        as_of
            Windows that had ended by then; the clock's now by default.
        progress
            Called with the end of each window that is done; what it raises ends the run.

        Raises
        ------
        ConflictError
            Another run ended meanwhile; this one can be tried again.
        """
        at = to_micros(self._memory.clock.now() if as_of is None else as_of, "as_of")
        done = Consolidation()
        # A copy of a memory has its patterns, and no mark.
        is_new = self._intake.last() is None
        store, home = self._memory.store, self.namespace
        counted = parents_of(store, home, semantic.KIND) if is_new else frozenset()
        end = self._first_end()
        while end is not None and end <= at:
            try:
                worked = self._consolidate(self._intake.begin(from_micros(end)), done, counted)
            except HorizonError as error:
                # What retention has erased cannot be worked through.
                if error.horizon is None:
                    raise
                past = max(to_micros(error.horizon), end + 1)
                end = self._end_of(past)
                continue
            if worked is not done:
                done = worked
                if progress is not None:
                    progress(from_micros(end))
            end += self._window
        return done

    def prune(
        self,
        as_of: datetime | None = None,
        *,
        dry_run: bool = False,
        archive: Callable[[Sequence[Record]], object] | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> Pruning:
        """Forget old episodes, and patterns and strategies that are poor and little used.

        Episodes with the tag ``"pinned"`` and those that a pattern holds as examples
        stay, as does all knowledge with that tag.  What is forgotten leaves a tombstone:
        a recall of the past that could have met it says ``complete=False``.  A run that
        was cut off is made up for by the next.

        Parameters
        ----------
        as_of
            Ages count from here; the clock's now by default.
        dry_run
            Only count.
        archive
            Is given what will be forgotten, some thousands at a time, before it is;
            what it raises ends the run, and nothing of that portion is forgotten.
        progress
            Called with the number of records forgotten now and then.
        """
        now = self._memory.clock.now()
        at = now if as_of is None else from_micros(to_micros(as_of, "as_of"))
        seen = self._intake.head()
        # Ages count from then; what is worth keeping is what is known to be so now.
        poor = [entry for entry in self._entries(max(now, at)) if self._is_poor(entry, at)]
        gone = sorted(entry.memory_id for entry in poor)
        old = self._old(to_micros(at) - self._max_age)
        held = self._held(frozenset(gone)) if old else frozenset()
        episodes = [id_ for id_ in old if id_ not in held]
        if dry_run:
            return Pruning(len(episodes), len(gone), len(old) - len(episodes), dry_run=True)
        entries = self._forget(gone, seen, lambda ids: ids, archive, progress)
        kept = self._forget(episodes, seen, self._still_free, archive, progress)
        return Pruning(kept, entries, len(old) - kept, dry_run=False)

    def _first_end(self) -> int | None:
        """Return the end of the window after the last one, or of the first with an episode.

        Window by window from there: what was pinned, weighed or revised since shows from
        later on, and counts where it first became known.
        """
        mark = self._intake.last()
        if mark is not None:
            return self._end_of(mark.as_of + 1)
        query = replace(self._episodes(), order_by="event_time", top_k=1)
        first = self._memory.store.vector_search(query).matches
        return self._end_of(int(first[0].score)) if first else None

    def _end_of(self, at: int) -> int:
        """Return the end of the window that a time lies in."""
        return -(-at // self._window) * self._window

    def _consolidate(
        self, turn: Turn, done: Consolidation, counted: frozenset[str]
    ) -> Consolidation:
        at = from_micros(turn.now.as_of)
        news = (raw for raw in turn.news(self._episodes()) if raw.id not in counted)
        raws = [raw for raw in news if not _was_settled(turn, raw.id)]
        if not raws:
            return done
        there = [self._newest(entry, turn) for entry in self._entries(at, turn.now.commit)]
        members: dict[str, list[str]] = {}
        changed: dict[str, SemanticMemory] = {}
        created = updated = 0
        for group in _consolidation.groups(raws, self._min_cluster):
            place = _consolidation.home_of(group, there, self._similarity)
            if place is None:
                entry = _consolidation.created(group, self.namespace, self.agent_id, at)
                there.append(entry)
                created += 1
            else:
                entry = there[place] = _consolidation.updated(there[place], group)
                updated += 1
            changed[entry.memory_id] = entry
            members.setdefault(entry.memory_id, []).extend(raw.id for raw in group)
        ops = []
        for entry in changed.values():
            # What was changed by hand later than the window's end is changed from then on.
            shown = max(at, entry.known_at or at)
            ops += [_made_of(op, members) for op in self._knowledge.changes([entry], shown)]
        self._memory.store.commit([*ops, *turn.end()])
        return Consolidation(
            done.windows + 1,
            done.episodes + len(raws),
            done.created + created,
            done.updated + updated,
            at,
        )

    def _newest(self, entry: SemanticMemory, turn: Turn) -> SemanticMemory:
        """Return the last version of an entry: what was changed by hand since is kept."""
        last = self._memory.store.versions(entry.memory_id)[-1]
        is_later = last.known_at > turn.now.as_of and last.commit <= turn.now.commit
        return semantic.from_raw(last) if is_later else entry

    def _episodes(self) -> Query:
        wanted = Filter(kind=episodic.KIND, reward=_SETTLED)
        return Query(namespace=self._home(), filter=wanted.tree())

    def _home(self) -> str | None:
        return None if self.agent_id is None else agent_namespace(self.agent_id, EPISODES)

    def _entries(self, at: datetime, commit: int | None = None) -> Iterator[SemanticMemory]:
        return self._knowledge.entries(None, self.agent_id, as_of=at, recorded_by=commit)

    def _is_poor(self, entry: SemanticMemory, at: datetime) -> bool:
        if entry.memory_type not in _RATED or episodic.PINNED in entry.tags:
            return False
        young = (at - entry.created_at).total_seconds() < self._access_days * _DAY
        if young or entry.sharpe_ratio > self._min_sharpe:
            return False
        days = max(self._access_days, 1)
        used = self._knowledge.accesses(entry.memory_id, days, as_of=at)
        return used <= self._min_accesses

    def _held(self, gone: frozenset[str] = frozenset()) -> frozenset[str]:
        """Return the episodes that patterns hold as examples, whoever's they are."""
        query = Query(filter=Filter(kind=semantic.KIND).tree(), order_by="event_time")
        held: set[str] = set()
        for raw in walk(self._memory.store, query):
            if raw.id not in gone and raw.namespace == namespace_of(raw.agent_id):
                held.update(_consolidation.examples_of(semantic.from_raw(raw)))
        return frozenset(held)

    def _still_free(self, ids: Sequence[str]) -> Sequence[str]:
        """Leave out what is held by now."""
        held = self._held()
        return [id_ for id_ in ids if id_ not in held]

    def _old(self, before: int) -> list[str]:
        wanted = Filter(kind=episodic.KIND, event_time=lt(from_micros(before)))
        wanted &= ~Filter(tags=episodic.PINNED)
        return self._memory.store.select(self._home(), wanted.tree())

    def _forget(
        self,
        ids: Sequence[str],
        seen: int,
        still: Callable[[Sequence[str]], Sequence[str]],
        archive: Callable[[Sequence[Record]], object] | None,
        progress: Callable[[int], object] | None,
    ) -> int:
        """Forget what may still go, in portions; return how many were forgotten here.

        What was written to after the commit ``seen``, pinned for one, is for the next run.
        """
        forgotten = 0
        for start in range(0, len(ids), _BATCH):
            batch = ids[start : start + _BATCH]
            if archive is not None:
                last = [self._last(id_, seen) for id_ in still(batch)]
                batch = [raw.id for raw in last if raw is not None]
                archive([Record.from_raw(raw) for raw in last if raw is not None])
            forgotten += retried(partial(self._forget_some, batch, seen, still))
            if progress is not None:
                progress(forgotten)
        return forgotten

    def _forget_some(
        self, ids: Sequence[str], seen: int, still: Callable[[Sequence[str]], Sequence[str]]
    ) -> int:
        unmoved = self._intake.unmoved()
        batch = still(ids)
        if not batch:
            return 0
        store = self._memory.store
        try:
            # A consolidation that ends meanwhile may hold some as examples.
            done = store.commit([unmoved, ExpectUnchanged(batch, seen), Forget(batch)])
        except (ConflictError, ForgottenError, RecordNotFoundError):
            same = [raw.id for id_ in batch if (raw := self._last(id_, seen)) is not None]
            done = store.commit([unmoved, ExpectUnchanged(same, seen), Forget(same)])
        return int(done.results[-1])

    def _last(self, id_: str, seen: int) -> RawRecord | None:
        """Return the last version of a record; None where it was written to since, or is gone."""
        try:
            last = self._memory.store.versions(id_)[-1]
        except (ForgottenError, RecordNotFoundError):
            return None
        return last if last.commit <= seen else None


def _was_settled(turn: Turn, id_: str) -> bool:
    """Whether an episode counted in an earlier window; a revision does not count again."""
    before = turn.shown_before(id_)
    return before is not None and before.outcome is not None


def _made_of(op: Op, members: dict[str, list[str]]) -> Op:
    """Name the episodes that a version of a pattern was made of as its parents."""
    if not isinstance(op, Write):
        return op
    return Write(replace(op.record, parents=tuple(members[op.record.id])))


def _length(window: Any) -> int:
    length = micros(window, "window")
    if length == 0:
        msg = f"window={shown(window)}: give a duration longer than zero"
        raise ValueError(msg)
    return length
