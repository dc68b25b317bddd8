"""The episodes of all agents, in the store."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from nt_memory._intake import visible_at
from nt_memory._recalling import bounds
from nt_memory._remembering import held_by
from nt_memory._retrying import retried
from nt_memory._shown import shown
from nt_memory._values import as_vector, finite, pack, unpack
from nt_memory._walking import walk
from nt_memory.clock import micros, to_micros
from nt_memory.errors import RecordNotFoundError, VectorError
from nt_memory.experience import episodic
from nt_memory.experience._places import agent_namespace, spell
from nt_memory.experience.episodic import KIND, PINNED, EpisodicMemory
from nt_memory.filters import Filter
from nt_memory.metrics import LARGEST
from nt_memory.records import STATE
from nt_memory.store import ExpectNew, ExpectUnchanged, Op, Query, Settle, Write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    import numpy.typing as npt

    from nt_memory.clock import Duration
    from nt_memory.config import VectorSpace
    from nt_memory.store import RawOutcome, RawRecord, Vector
    from nt_memory.system import MemorySystem

EPISODES = "episodes"


class Encoder(Protocol):
    """What makes a vector of a state; ``id`` names it, as the space "state" knows it."""

    @property
    def id(self) -> str:
        """Which encoder it is; another one has another id."""
        ...

    def __call__(self, state: Any, /) -> npt.ArrayLike:
        """Return the vector of a state, of shape ``(dim,)``."""
        ...


class EpisodicStore:
    """Keep episodes, and give them back as they were known at a time.

    An episode lies in ``swarm/<agent_id>/episodes`` as a record of kind
    ``"episode"``; what came of it is that record's outcome, and shows from its own
    time on.  `MemoryRetrievalService` finds similar ones.

    Parameters
    ----------
    memory
        Where they are kept: a `MemorySystem`, its owner's or an agent's.
    quality
        Judges an episode, 0 to 1, when it is stored, by what was known when the agent
        acted; the agent's confidence by default.
    least_quality
        Episodes below it are not stored; 0 stores all.
    ttl
        How long after its ``timestamp`` an episode is hidden; None keeps it in sight.
    encoder
        Makes the vectors of states for `encode`.

    Raises
    ------
    VectorError
        The space "state" belongs to another encoder.

    Examples
    --------
    >>> import numpy as np
    >>> from nt_memory import Action, EpisodicMemory, EpisodicStore, MemorySystem
    >>> with MemorySystem(":memory:") as memory:
    ...     episodes = EpisodicStore(memory)
    ...     now = memory.clock.now()
    ...     id = episodes.add(
    ...         EpisodicMemory(
    ...             agent_id="hedge",
    ...             timestamp=now,
    ...             state_vector=np.ones(256, dtype=np.float32),
    ...             action=Action("BUY"),
    ...             product_id="SPY",
    ...         )
    ...     )
    ...     version = episodes.settle(id, 0.02)
    ...     episodes.get(id, as_of=now).reward, episodes.get(id).reward
    (None, 0.02)
    """

    def __init__(
        self,
        memory: MemorySystem,
        *,
        quality: Callable[[EpisodicMemory], float] | None = None,
        least_quality: float = 0.0,
        ttl: Duration | None = None,
        encoder: Encoder | None = None,
    ) -> None:
        self._memory = memory
        self._quality = quality or _confidence
        self._least = finite("least_quality", least_quality, 0.0, 1.0)
        self._ttl = None if ttl is None else _lifetime(ttl)
        self._encoder = encoder
        if encoder is not None:
            _check_encoder(memory, encoder)

    def encode(self, state: Any) -> Vector:
        """Return the vector of a state, by the encoder.

        Raises
        ------
        VectorError
            There is no encoder.
        """
        if self._encoder is None:
            msg = "there is no encoder: make the store with EpisodicStore(memory, encoder=...)"
            raise VectorError(msg)
        return as_vector(self._encoder(state), f"vector of encoder {self._encoder.id!r}")

    def add(self, episode: EpisodicMemory) -> str | None:
        """Keep an episode; return its id, or None where its quality is too low.

        Raises
        ------
        NamespaceError
            ``agent_id`` is no single segment of ``[A-Za-z0-9._-]``.
        DimensionMismatchError, InvalidEmbeddingError
            ``state_vector`` does not fit the space "state".
        ConflictError
            There is a record with this ``memory_id``.
        """
        return self.add_many([episode])[0]

    def add_many(self, episodes: Iterable[EpisodicMemory]) -> list[str | None]:
        """Keep several in one batch, all or none; return an id, or None, for each."""
        raws = [self._judged(episode) for episode in episodes]
        ops: list[Op] = []
        for raw in raws:
            if raw is not None:
                ops += [ExpectNew(raw.id), Write(raw)] if raw.id else [Write(raw)]
        if not ops:
            return [None for _ in raws]
        # A precondition has no result of its own.
        ids = iter([told for told in self._memory.store.commit(ops).results if told is not None])
        return [None if raw is None else next(ids) for raw in raws]

    def settle(
        self,
        id: str,
        reward: float,
        *,
        next_state_vector: npt.ArrayLike | None = None,
        terminal: bool = False,
        cumulative_return: float | None = None,
        known_at: datetime | None = None,
        revise: bool = False,
    ) -> int:
        """Tell what came of an episode; return the number of the version that shows it.

        Parameters
        ----------
        id
            Of the episode.
        reward, next_state_vector, terminal, cumulative_return
            As in `EpisodicMemory`.
        known_at
            From when that could be known; the clock's now by default.
        revise
            Replace what was told before.

        Raises
        ------
        SettledError
            It has its outcome, and ``revise`` is False.
        RecordNotFoundError, ForgottenError
            There is no such episode (any more).
        ValueError
            A number is not finite, or ``known_at`` lies before the episode.
        """
        after = next_state_vector
        if after is not None:
            after = episodic.state_after(after, _states(self._memory).dim)
        outcome = episodic.outcome_of(
            finite("reward", reward, -LARGEST, LARGEST),
            after,
            None if cumulative_return is None else finite("cumulative_return", cumulative_return),
            known_at,
            terminal=episodic.checked_flag("terminal", terminal),
        )
        outcome = self._after_pin(id, outcome)
        return int(self._memory.store.commit([Settle(id, outcome, revise)]).results[0])

    def _after_pin(self, id_: str, outcome: RawOutcome) -> RawOutcome:
        """Have an outcome show with the version that is pinned, and say since when it was known."""
        last, known_at = self._memory.store.versions(id_)[-1], outcome.known_at
        if last.kind != KIND:
            msg = f"id={shown(id_)}: there is no such episode"
            raise RecordNotFoundError(msg)
        pinned = PINNED in last.tags and known_at is not None
        if known_at is None or not pinned or not last.event_time <= known_at < last.known_at:
            return outcome
        told = pack({"known_at": known_at, **unpack(outcome.payload or pack({}))})
        return replace(outcome, known_at=last.known_at, payload=told)

    def pin(self, id: str) -> None:
        """Have an episode kept by every pruning, from the clock's now on.

        Raises
        ------
        RecordNotFoundError, ForgottenError
            There is no such episode (any more).
        """
        retried(lambda: self._pin(id))

    def _pin(self, id: str) -> None:
        now = to_micros(self._memory.clock.now())
        versions = self._memory.store.versions(id)
        if not versions or versions[-1].kind != KIND:
            msg = f"id={shown(id)}: there is no such episode"
            raise RecordNotFoundError(msg)
        shown_now = self._memory.store.fetch(id)
        if shown_now is not None and PINNED in shown_now.tags:
            return
        later = [raw for raw in versions if visible_at(raw) > now]
        # What shows first is written last: of versions known at one time, the last one shows.
        told = sorted(later, key=visible_at, reverse=True)
        # One that is hidden by its ttl can still be pruned, and so be pinned.
        told += [shown_now or versions[-1]] if shown_now or not told else []
        # What is told of it meanwhile would be hidden by these.
        same = ExpectUnchanged([id], versions[-1].commit)
        self._memory.store.commit([same, *(Write(episodic.pinned(raw, now)) for raw in told)])

    def get(
        self,
        id: str,
        as_of: datetime | None = None,
        recorded_by: datetime | int | None = None,
    ) -> EpisodicMemory | None:
        """Return an episode as it was known; None where none was.

        Raises
        ------
        ForgottenError
            It was forgotten.
        HorizonError
            The time lies before what retention has left.
        """
        at = None if as_of is None else to_micros(as_of, "as_of")
        raw = self._memory.store.fetch(id, at, *held_by(recorded_by))
        return None if raw is None or raw.kind != KIND else episodic.from_raw(raw)

    def recent(
        self,
        agent_id: str,
        limit: int = 100,
        *,
        product_id: str | None = None,
        as_of: datetime | None = None,
        recorded_by: datetime | int | None = None,
    ) -> list[EpisodicMemory]:
        """Return the last episodes of an agent, latest first.

        Parameters
        ----------
        agent_id
            Whose.
        limit
            Most of them, 1 to 10,000.
        product_id
            Of this product only.
        as_of
            The time asked for; the clock's now by default.
        recorded_by
            A time or a commit number: only what was written until then.
        """
        wanted = Filter() if product_id is None else Filter(symbol=product_id)
        query = self._query(agent_id, wanted, as_of, recorded_by)
        query = replace(query, order_by="-event_time", top_k=_limit(limit), bodies=True)
        found = self._memory.store.vector_search(query).matches
        return [episodic.from_raw(match.record) for match in found if match.record is not None]

    def episodes(
        self,
        agent_id: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        as_of: datetime | None = None,
        recorded_by: datetime | int | None = None,
    ) -> Iterator[EpisodicMemory]:
        """Go through all episodes of an agent, or of all agents, by their times.

        They are all of one moment: what is written meanwhile is not among them.

        Parameters
        ----------
        agent_id
            Of this agent only.
        since, until
            Bounds of ``timestamp``, both included.
        as_of
            The time asked for; the clock's now by default.
        recorded_by
            A time or a commit number: only what was written until then.
        """
        query = self._query(agent_id, spell(since, until), as_of, recorded_by)
        return map(episodic.from_raw, walk(self._memory.store, query))

    def count(
        self,
        agent_id: str | None = None,
        *,
        as_of: datetime | None = None,
        recorded_by: datetime | int | None = None,
    ) -> int:
        """Return how many there were."""
        query = self._query(agent_id, Filter(), as_of, recorded_by)
        return self._memory.store.vector_search(query).matched

    def _query(
        self,
        agent_id: str | None,
        wanted: Filter,
        as_of: datetime | None,
        recorded_by: datetime | int | None,
    ) -> Query:
        return Query(
            namespace=None if agent_id is None else agent_namespace(agent_id, EPISODES),
            filter=(Filter(kind=KIND) & wanted).tree(),
            as_of=None if as_of is None else to_micros(as_of, "as_of"),
            **bounds(recorded_by),
            order_by="event_time",
            top_k=1,
            bodies=False,
        )

    def _judged(self, episode: EpisodicMemory) -> RawRecord | None:
        """Return an episode with its quality as a record; None where that is too low."""
        if not isinstance(episode, EpisodicMemory):
            msg = f"episode={shown(episode)}: give an EpisodicMemory"
            raise TypeError(msg)
        namespace = agent_namespace(episode.agent_id, EPISODES)
        # The quality shows from the episode's own time on, so it may not know what came later.
        quality = finite("quality", self._quality(episode.opened()), 0.0, 1.0)
        if quality < self._least:
            return None
        raw = episodic.to_raw(replace(episode, quality=quality), namespace)
        return raw if self._ttl is None else replace(raw, expires_at=raw.event_time + self._ttl)


def _confidence(episode: EpisodicMemory) -> float:
    return episode.confidence


def _lifetime(ttl: Duration) -> int:
    length = micros(ttl, "ttl")
    if not length:
        msg = f"ttl={shown(ttl)}: give a duration longer than zero, or None"
        raise ValueError(msg)
    return length


def _limit(limit: int) -> int:
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= 10_000:
        msg = f"limit={shown(limit)}: give an integer from 1 to 10,000"
        raise ValueError(msg)
    return limit


def _states(memory: MemorySystem) -> VectorSpace:
    """Return the space that states lie in."""
    space = memory.config.spaces.get(STATE)
    if space is None:
        msg = "there is no space 'state': open with spaces={..., 'state': VectorSpace(dim=256)}"
        raise VectorError(msg)
    return space


def _check_encoder(memory: MemorySystem, encoder: Encoder) -> None:
    if not callable(encoder) or not isinstance(getattr(encoder, "id", None), str):
        msg = f"encoder={shown(encoder)}: give a callable with an id"
        raise TypeError(msg)
    known = _states(memory).encoder
    if known not in {None, encoder.id}:
        msg = (
            f"encoder {encoder.id!r}, but the vectors of the space 'state' are by {known!r}: "
            "use that encoder, or another space"
        )
        raise VectorError(msg)
