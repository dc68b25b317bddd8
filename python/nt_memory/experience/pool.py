"""Experiences that agents share."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from nt_memory._recalling import checked_top_k
from nt_memory._shown import shown
from nt_memory._values import as_vector, finite
from nt_memory.clock import micros, to_micros
from nt_memory.errors import AccessDeniedError, ConflictError, RecordNotFoundError
from nt_memory.experience import episodic
from nt_memory.experience._asking import Questions, Retrieval, searched
from nt_memory.experience._places import agent_namespace
from nt_memory.experience.episodic_store import EPISODES
from nt_memory.experience.retrieval import HALF_LIFE, WEIGHTS
from nt_memory.filters import Filter, ge, gt, ne
from nt_memory.records import STATE
from nt_memory.store import ExpectNew, Query, Write

if TYPE_CHECKING:
    from datetime import datetime

    import numpy.typing as npt

    from nt_memory.clock import Duration
    from nt_memory.experience.episodic import EpisodicMemory
    from nt_memory.recall import Weights
    from nt_memory.store import RawRecord
    from nt_memory.system import MemorySystem

NAMESPACE = "shared/experiences"
KIND = "shared_experience"
LEAST_QUALITY = 0.7
LIFETIME = timedelta(days=30)
# Shares of the reward among the agent's own, the confidence, and the novelty.
_REWARD, _CONFIDENCE, _NOVELTY = 0.5, 0.3, 0.2
_SIMILARITY_ALONE = (1.0, 0.0, 0.0, 0.0)


class SharedMemoryPool:
    """Experiences that are good enough to be told to others.

    A shared experience is a record of its own in ``shared/experiences``: who shared it is
    its writer, and the episode is its parent.  It is hidden after thirty days.

    Parameters
    ----------
    memory
        An agent's handle (`MemorySystem.agent`) with the right to write ``shared``, or the
        memory itself.
    least_quality
        Experiences below it are not shared.
    lifetime
        How long one is in sight.
    weights, half_life, log
        As in `MemoryRetrievalService`.

    Examples
    --------
    >>> import numpy as np
    >>> from nt_memory import Action, EpisodicMemory, EpisodicStore, MemorySystem, SharedMemoryPool
    >>> with MemorySystem(":memory:") as memory:
    ...     memory.grant("hedge", write=["shared"])
    ...     hedge = memory.agent("hedge")
    ...     state = np.ones(256, dtype=np.float32)
    ...     id = EpisodicStore(hedge).add(
    ...         EpisodicMemory(
    ...             agent_id="hedge",
    ...             timestamp=memory.clock.now(),
    ...             state_vector=state,
    ...             action=Action("BUY"),
    ...             product_id="SPY",
    ...             reward=0.02,
    ...         )
    ...     )
    ...     shared = SharedMemoryPool(hedge).share(id)
    ...     pool = SharedMemoryPool(memory.agent("wyckoff"))
    ...     [found.agent_id for found in pool.retrieve_shared(state, "SPY", "wyckoff")]
    ['hedge']
    """

    def __init__(
        self,
        memory: MemorySystem,
        *,
        least_quality: float = LEAST_QUALITY,
        lifetime: Duration = LIFETIME,
        weights: Weights = WEIGHTS,
        half_life: Duration | None = HALF_LIFE,
        log: bool = True,
    ) -> None:
        self._memory = memory
        self._least = finite("least_quality", least_quality, 0.0, 1.0)
        self._lifetime = micros(lifetime, "lifetime")
        if not self._lifetime:
            msg = f"lifetime={shown(lifetime)}: give a duration longer than zero"
            raise ValueError(msg)
        self._questions = Questions(memory, weights, half_life, log=log)

    def share(self, memory_id: str, *, as_of: datetime | None = None) -> str | None:
        """Share an episode as it is known; return the id of what is shared.

        What was shared before is shared once.

        Parameters
        ----------
        memory_id
            Of the episode.
        as_of
            From when the others know it, with what was known of it then; the clock's
            now by default.

        Returns
        -------
        str or None
            None where its quality is too low.

        Raises
        ------
        RecordNotFoundError
            There was no such episode.
        ValueError
            It was open: nothing is known that others could learn.
        AccessDeniedError
            The agent may not write ``shared``.
        """
        at = self._memory.clock.now() if as_of is None else as_of
        raw = self._episode(memory_id, at)
        quality = self._quality(raw, at)
        if quality < self._least:
            return None
        shared = self._shared(raw, quality, to_micros(at))
        with suppress(ConflictError):  # it is shared
            self._memory.store.commit([ExpectNew(shared.id), Write(shared)])
        return shared.id

    def quality(self, memory_id: str, *, as_of: datetime | None = None) -> float:
        """Return how good an experience was, 0 to 1, by what was known at a time.

        One half is the place of its reward among the known ones of its agent (the share of
        those below it, and half of those level with it, itself among them), 0.3 the
        agent's confidence, and 0.2 its novelty: 1 less its likeness to the
        nearest other one in the pool.

        Raises
        ------
        RecordNotFoundError
            There was no such episode.
        ValueError
            It was open.
        """
        at = self._memory.clock.now() if as_of is None else as_of
        return self._quality(self._episode(memory_id, at), at)

    def retrieve_shared(
        self,
        state_vector: npt.ArrayLike,
        product_id: str | None,
        exclude_agent_id: str,
        top_k: int = 5,
        as_of: datetime | None = None,
        min_trust: float | None = None,
        *,
        recorded_by: datetime | int | None = None,
    ) -> Retrieval[EpisodicMemory]:
        """Return what others have shared that is most like a state.

        Parameters
        ----------
        state_vector
            The state, of shape ``(dim,)``, in the space "state".
        product_id
            Of this product; None for all.
        exclude_agent_id
            Who asks: nothing that it did or wrote is in the answer.
        top_k
            Most of them, 1 to 10,000.
        as_of
            The time asked for; the clock's now by default.
        min_trust
            Least trust of what is shared, 0 to 1.
        recorded_by
            A time or a commit number: only what was written until then.
        """
        agent_namespace(exclude_agent_id, EPISODES)  # an id that nobody can have excludes nobody
        others = Filter(kind=KIND, agent_id=ne(exclude_agent_id), writer=ne(exclude_agent_id))
        if product_id is not None:
            others &= Filter(symbol=product_id)
        query = Query(
            vector=as_vector(state_vector, "state_vector"),
            namespace=NAMESPACE,
            filter=others.tree(),
            top_k=checked_top_k(top_k),
            min_trust=None if min_trust is None else finite("min_trust", min_trust, 0.0, 1.0),
            **self._questions.moment(as_of, recorded_by),
            **self._questions.ranking(),
        )
        ask = self._questions.ask(query, episodic.from_raw)
        return ask.finish(searched(self._memory.store, ask.queries))

    def _episode(self, memory_id: str, at: datetime) -> RawRecord:
        """Return an episode as it was known at a time, and closed."""
        raw = self._memory.store.fetch(memory_id, to_micros(at, "as_of"))
        if raw is None or raw.kind != episodic.KIND:
            msg = f"memory_id={shown(memory_id)}: there is no such episode as of {shown(at)}"
            raise RecordNotFoundError(msg)
        if self._memory.agent_id not in {None, raw.agent_id}:
            msg = f"episode {shown(memory_id)} is of {shown(raw.agent_id)}: an agent shares its own"
            raise AccessDeniedError(msg)
        if raw.outcome is None:
            msg = f"episode {shown(memory_id)} was open as of {shown(at)}: settle it first"
            raise ValueError(msg)
        return raw

    def _quality(self, raw: RawRecord, at: datetime) -> float:
        confidence = 0.0 if raw.confidence is None else raw.confidence
        percentile, novelty = self._percentile(raw, at), self._novelty(raw, at)
        return _REWARD * percentile + _CONFIDENCE * confidence + _NOVELTY * novelty

    def _percentile(self, raw: RawRecord, at: datetime) -> float:
        """Return the place of a reward among those of its agent that were known, 0 to 1."""
        reward = 0.0 if raw.outcome is None else raw.outcome.reward
        tests = [ge(-sys.float_info.max), ge(reward), gt(reward)]
        queries = [
            Query(
                namespace=raw.namespace,
                filter=Filter(kind=episodic.KIND, reward=test).tree(),
                as_of=to_micros(at),
                top_k=1,
                bodies=False,
            )
            for test in tests
        ]
        known, reached, above = (found.matched for found in searched(self._memory.store, queries))
        return (known - (reached + above) / 2) / known if known else 0.0

    def _novelty(self, raw: RawRecord, at: datetime) -> float:
        """Return 1 less the likeness to the nearest experience that was shared, 0 to 1."""
        query = Query(
            vector=raw.embeddings[STATE],
            namespace=NAMESPACE,
            filter=Filter(kind=KIND).tree(),
            as_of=to_micros(at),
            top_k=2,  # one of them may be this one
            weights=_SIMILARITY_ALONE,
            exact=True,
            bodies=False,
        )
        found = self._memory.store.vector_search(query).matches
        likeness = [match.score for match in found if match.id != _shared_id(raw.id)]
        return 1.0 - likeness[0] if likeness else 1.0

    def _shared(self, raw: RawRecord, quality: float, at: int) -> RawRecord:
        """Return what is shared of an episode, from a time on."""
        return replace(
            raw,
            id=_shared_id(raw.id),
            namespace=NAMESPACE,
            kind=KIND,
            known_at=at,
            expires_at=at + self._lifetime,
            attributes={**raw.attributes, "quality": quality},
            outcome=None if raw.outcome is None else replace(raw.outcome, known_at=at),
            tags=[tag for tag in raw.tags if tag != episodic.PINNED],
            writer=raw.agent_id or raw.writer,
            parents=(raw.id,),
        )


def _shared_id(memory_id: str) -> str:
    """Return the id under which an episode is shared: one for each, so that it is shared once."""
    return f"shared-{memory_id}"
