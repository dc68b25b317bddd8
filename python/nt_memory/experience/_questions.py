"""What can be asked of experience, as searches of the one store."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from nt_memory._recalling import checked_top_k
from nt_memory._values import as_vector
from nt_memory.experience import episodic
from nt_memory.experience._places import agent_namespace, spell
from nt_memory.experience.episodic_store import EPISODES
from nt_memory.experience.knowledge import KnowledgeQuestions
from nt_memory.filters import Filter
from nt_memory.store import Query

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import numpy.typing as npt

    from nt_memory.experience._asking import Ask, Found, Retrieval
    from nt_memory.experience.episodic import EpisodicMemory

M = TypeVar("M")


class ExperienceQuestions(KnowledgeQuestions):
    """The searches among episodes, and those among what was learned of them."""

    def retrieve_similar_experiences(
        self,
        state_vector: npt.ArrayLike,
        agent_id: str,
        product_id: str | None = None,
        regime: str | None = None,
        market_phase: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        as_of: datetime | None = None,
        top_k: int = 10,
        where: Callable[[Found[EpisodicMemory]], bool] | None = None,
        *,
        recorded_by: datetime | int | None = None,
    ) -> Ask[Retrieval[EpisodicMemory]]:
        """Return the episodes of an agent that are most like a state.

        Parameters
        ----------
        state_vector
            The state, of shape ``(dim,)``, in the space "state".
        agent_id
            Whose episodes.
        product_id, regime, market_phase
            Only of these.
        since, until
            Bounds of their ``timestamp``, both included.
        as_of
            The time asked for (inclusive), at which an episode shows what was known
            of it; the clock's now by default.
        top_k
            Most of them, 1 to 10,000.
        where
            A function of a hit (``hit.memory``, ``hit.score``, ...): only those for which
            it is true count.  It is asked of the ranked hits, best first, until as many
            have passed as were asked for or none is left; of one hit perhaps more than
            once.
        recorded_by
            A time or a commit number: only what was written until then.

        Returns
        -------
        Retrieval
            The episodes, best first; with the recall's id, for `MemorySystem.replay` and
            for feedback.

        Raises
        ------
        ValueError
            An argument is out of its range.
        DimensionMismatchError, InvalidEmbeddingError
            The state does not fit the space "state".
        HorizonError
            ``as_of`` lies before what retention has left.
        """
        namespace = agent_namespace(agent_id, EPISODES)
        wanted = Filter(kind=episodic.KIND) & spell(since, until)
        for name, value in (("symbol", product_id), ("regime", regime)):
            if value is not None:
                wanted &= Filter(**{name: value})
        if market_phase is not None:
            phase = episodic.checked_phase(market_phase)
            wanted &= Filter(attributes={"market_phase": phase})
        query = Query(
            vector=as_vector(state_vector, "state_vector"),
            namespace=namespace,
            filter=wanted.tree(),
            top_k=checked_top_k(top_k),
            **self.moment(as_of, recorded_by),
            **self.ranking(),
        )
        return self.ask(query, episodic.from_raw, where)
