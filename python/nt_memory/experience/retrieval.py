"""Finding similar experiences, and what is known of a regime."""

from __future__ import annotations

import functools
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from nt_memory.experience._asking import Ask, Found, Retrieval, searched
from nt_memory.experience._gathering import MOST, Gathering
from nt_memory.experience._questions import ExperienceQuestions
from nt_memory.recall import Weights

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType

    from typing_extensions import Self

    from nt_memory.clock import Duration
    from nt_memory.system import MemorySystem

__all__ = ["AsyncMemoryRetrievalService", "Found", "MemoryRetrievalService", "Retrieval"]

P = ParamSpec("P")
R = TypeVar("R")

# Likeness before all, then how lately it was, then what came of it.
WEIGHTS = Weights(similarity=0.6, recency=0.2, importance=0.0, outcome=0.2)
HALF_LIFE = timedelta(days=30)


def _now(
    question: Callable[Concatenate[ExperienceQuestions, P], Ask[R]],
) -> Callable[Concatenate[MemoryRetrievalService, P], R]:
    """Make a method that asks and waits for the answer."""

    @functools.wraps(question)
    def call(self: MemoryRetrievalService, /, *args: P.args, **kwargs: P.kwargs) -> R:
        ask = question(self.questions, *args, **kwargs)
        answer = ask.finish(searched(self.questions.memory.store, ask.queries))
        if ask.after is not None:
            ask.after(answer)
        return answer

    return call


def _gathered(
    question: Callable[Concatenate[ExperienceQuestions, P], Ask[R]],
) -> Callable[Concatenate[AsyncMemoryRetrievalService, P], Coroutine[Any, Any, R]]:
    """Make a coroutine that asks together with others."""

    @functools.wraps(question)
    async def call(self: AsyncMemoryRetrievalService, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return await self._gathering.ask(question(self._questions, *args, **kwargs))

    return call


class MemoryRetrievalService:
    """Finds what is like a state, and what is known of a regime, as of any time.

    Answers are ranked by the recall's own score: likeness, recency and what came of it,
    as ``weights`` and ``half_life`` say.

    Parameters
    ----------
    memory
        A `MemorySystem`, its owner's or an agent's.
    weights
        Of similarity, recency, importance and outcome.
    half_life
        Age at which recency is one half; None leaves recency out.
    log
        Keep what is needed for `MemorySystem.replay` and for feedback, and count which
        knowledge was retrieved; a count waits for the disk.

    Examples
    --------
    >>> import numpy as np
    >>> from nt_memory import (
    ...     Action, EpisodicMemory, EpisodicStore, MemoryRetrievalService, MemorySystem
    ... )
    >>> with MemorySystem(":memory:") as memory:
    ...     state = np.ones(256, dtype=np.float32)
    ...     id = EpisodicStore(memory).add(
    ...         EpisodicMemory(
    ...             agent_id="hedge",
    ...             timestamp=memory.clock.now(),
    ...             state_vector=state,
    ...             action=Action("BUY"),
    ...             product_id="SPY",
    ...         )
    ...     )
    ...     service = MemoryRetrievalService(memory)
    ...     found = service.retrieve_similar_experiences(state, "hedge")
    ...     [episode.action.kind for episode in found], found.exact
    (['BUY'], True)
    """

    def __init__(
        self,
        memory: MemorySystem,
        *,
        weights: Weights = WEIGHTS,
        half_life: Duration | None = HALF_LIFE,
        log: bool = True,
    ) -> None:
        self.questions = ExperienceQuestions(memory, weights, half_life, log=log)

    retrieve_similar_experiences = _now(ExperienceQuestions.retrieve_similar_experiences)
    retrieve_regime_knowledge = _now(ExperienceQuestions.retrieve_regime_knowledge)
    retrieve_similar_regimes = _now(ExperienceQuestions.retrieve_similar_regimes)
    find_similar_pattern = _now(ExperienceQuestions.find_similar_pattern)


class AsyncMemoryRetrievalService:
    """A `MemoryRetrievalService` for asyncio: the same names as coroutines.

    What is asked at the same time is gathered (at most ten questions, for at most ten
    milliseconds; a lone one waits for nobody) and searched for at once, in a thread.  A
    question that fails or is cancelled leaves the others as they are.

    Parameters
    ----------
    service
        What it stands on: of an `AsyncMemorySystem`, ``MemoryRetrievalService(memory.sync)``.
    batching
        False asks each question by itself.

    Notes
    -----
    It belongs to one event loop at a time.  Functions given as ``where`` run in its
    threads.

    Examples
    --------
    >>> import asyncio
    >>> import numpy as np
    >>> from nt_memory import AsyncMemoryRetrievalService, MemoryRetrievalService, MemorySystem
    >>> async def main(memory):
    ...     async with AsyncMemoryRetrievalService(MemoryRetrievalService(memory)) as service:
    ...         state = np.ones(256, dtype=np.float32)
    ...         asked = [service.retrieve_similar_experiences(state, a) for a in ("a", "b")]
    ...         return [len(found) for found in await asyncio.gather(*asked)]
    >>> with MemorySystem(":memory:") as memory:
    ...     asyncio.run(main(memory))
    [0, 0]
    """

    def __init__(self, service: MemoryRetrievalService, *, batching: bool = True) -> None:
        self._questions = service.questions
        self._gathering = Gathering(service.questions.memory.store, MOST if batching else 1)

    retrieve_similar_experiences = _gathered(ExperienceQuestions.retrieve_similar_experiences)
    retrieve_regime_knowledge = _gathered(ExperienceQuestions.retrieve_regime_knowledge)
    retrieve_similar_regimes = _gathered(ExperienceQuestions.retrieve_similar_regimes)
    find_similar_pattern = _gathered(ExperienceQuestions.find_similar_pattern)

    async def close(self) -> None:
        """Let what was asked be answered, and end the threads."""
        await self._gathering.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
