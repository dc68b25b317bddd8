"""What is known of a regime, and asking for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nt_memory._recalling import checked_top_k
from nt_memory._shown import shown
from nt_memory._values import as_vector, finite, texts
from nt_memory.experience import semantic
from nt_memory.experience._accesses import Accesses
from nt_memory.experience._asking import Ask, Found, Questions, Retrieval
from nt_memory.experience.semantic_store import namespace_of
from nt_memory.filters import Filter, ge
from nt_memory.store import Query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    import numpy.typing as npt

    from nt_memory.experience.semantic import SemanticMemory
    from nt_memory.store import RawRecord, SearchResult

_SIMILARITY_ALONE = (1.0, 0.0, 0.0, 0.0)
# Entries of previous regimes that are looked at, the latest first.
_EARLIER = 100


@dataclass(frozen=True, slots=True)
class RegimeKnowledge:
    """What is known of a regime; going through it gives the entries, ``regimes`` first.

    Parameters
    ----------
    regimes
        Entries of the regime, the latest first.
    strategies
        Entries of strategies that apply to it, the greatest Sharpe ratio first.
    transitions
        The chance of each regime to come next, by the latest entry that tells it.
    arrivals
        The chance of this regime to come after each of the previous ones.
    """

    regimes: Retrieval[SemanticMemory]
    strategies: Retrieval[SemanticMemory]
    transitions: Mapping[str, float]
    arrivals: Mapping[str, float]

    def __len__(self) -> int:
        return len(self.regimes) + len(self.strategies)

    def __iter__(self) -> Iterator[SemanticMemory]:
        yield from self.regimes
        yield from self.strategies


class KnowledgeQuestions(Questions):
    """The searches among what was learned."""

    def retrieve_regime_knowledge(
        self,
        current_regime: str,
        previous_regimes: Sequence[str] = (),
        top_k: int = 5,
        *,
        least_sharpe: float = 1.5,
        agent_id: str | None = None,
        as_of: datetime | None = None,
        recorded_by: datetime | int | None = None,
    ) -> Ask[RegimeKnowledge]:
        """Return what is known of a regime, what has worked in it, and what comes next.

        Parameters
        ----------
        current_regime
            Its name.
        previous_regimes
            Those before it: how likely this one was to follow is told in ``arrivals``.
        top_k
            Most entries of the regime, and most strategies; 1 to 10,000.
        least_sharpe
            Least Sharpe ratio of a strategy.
        agent_id
            With the knowledge of this agent, beside what is shared; that of the handle
            by default.
        as_of
            The time asked for; the clock's now by default, and only then is a retrieval
            counted among the accesses of an entry.
        recorded_by
            A time or a commit number: only what was written until then.
        """
        if not isinstance(current_regime, str) or not current_regime:
            msg = f"current_regime={shown(current_regime)}: give the name of a regime"
            raise ValueError(msg)
        previous = texts("previous_regimes", previous_regimes)
        checked_top_k(top_k)
        moment = (agent_id, as_of, recorded_by)
        regime = self._entries(Filter(attributes={"regime_name": current_regime}), "REGIME", moment)
        strategies = self._entries(
            Filter(
                attributes={
                    "applicable_regimes": current_regime,
                    "sharpe_ratio": ge(finite("least_sharpe", least_sharpe)),
                }
            ),
            "STRATEGY",
            moment,
        )
        queries = [
            replace(regime, order_by="-known_at", top_k=top_k),
            replace(strategies, order_by="-attributes.sharpe_ratio", top_k=top_k),
        ]
        if previous:
            before = self._entries(
                Filter(attributes={"regime_name": list(previous)}), "REGIME", moment
            )
            queries.append(replace(before, order_by="-known_at", top_k=_EARLIER))

        asks = [self._told(query, as_of) for query in queries[:2]]

        def finish(results: Sequence[SearchResult]) -> RegimeKnowledge:
            regimes, strategies = (
                ask.finish([result]) for ask, result in zip(asks, results, strict=False)
            )
            found = [match.record for result in results[2:] for match in result.matches]
            earlier = [semantic.from_raw(raw) for raw in found if raw is not None]
            arrivals = {
                name: chances[current_regime]
                for name in previous
                if current_regime in (chances := _transitions(earlier, name))
            }
            return RegimeKnowledge(
                regimes, strategies, _transitions(regimes, current_regime), arrivals
            )

        return Ask(tuple(queries), finish, self._counts(as_of, recorded_by))

    def retrieve_similar_regimes(
        self,
        feature_vector: npt.ArrayLike,
        top_k: int = 5,
        *,
        agent_id: str | None = None,
        as_of: datetime | None = None,
        recorded_by: datetime | int | None = None,
    ) -> Ask[Retrieval[SemanticMemory]]:
        """Return the entries of regimes that look most like some features.

        Parameters
        ----------
        feature_vector
            The features, of shape ``(dim,)``, in the space "state".
        top_k
            Most of them, 1 to 10,000.
        agent_id, as_of, recorded_by
            As in `retrieve_regime_knowledge`.
        """
        query = self._entries(Filter(), "REGIME", (agent_id, as_of, recorded_by))
        vector = as_vector(feature_vector, "feature_vector")
        query = replace(query, vector=vector, top_k=checked_top_k(top_k))
        ask = self._told(query, as_of)
        return Ask(ask.queries, ask.finish, self._counts(as_of, recorded_by))

    def find_similar_pattern(
        self,
        vector: npt.ArrayLike,
        similarity: float = 0.9,
        *,
        agent_id: str | None = None,
        as_of: datetime | None = None,
        recorded_by: datetime | int | None = None,
    ) -> Ask[Found[SemanticMemory] | None]:
        """Return the pattern that is most like a vector, or None where none is near.

        It is neither logged nor counted among the accesses of the pattern: this is how
        patterns are kept apart, not how they are used.

        Parameters
        ----------
        vector
            Of shape ``(dim,)``, in the space "state".
        similarity
            Least cosine between the two.
        agent_id, as_of, recorded_by
            As in `retrieve_regime_knowledge`.
        """
        least = finite("similarity", similarity, -1.0, 1.0)
        query = self._entries(Filter(), "PATTERN", (agent_id, as_of, recorded_by))
        query = replace(
            query, vector=as_vector(vector, "vector"), top_k=1, weights=_SIMILARITY_ALONE
        )
        ask = self.ask(query, semantic.from_raw, log=False)

        def finish(results: Sequence[SearchResult]) -> Found[SemanticMemory] | None:
            for hit in ask.finish(results).hits:
                # A hit's similarity is the cosine mapped to 0..1.
                if hit.similarity is not None and 2.0 * hit.similarity - 1.0 >= least:
                    return hit
            return None

        return Ask(ask.queries, finish)

    def _entries(
        self,
        wanted: Filter,
        memory_type: str,
        moment: tuple[str | None, datetime | None, datetime | int | None],
    ) -> Query:
        """Return the search of entries of a type, among what is shared and what is an agent's."""
        agent_id, as_of, recorded_by = moment
        agent_id = self.memory.agent_id if agent_id is None else agent_id
        scope = [namespace_of(None)] + ([] if agent_id is None else [namespace_of(agent_id)])
        wanted &= Filter(
            kind=semantic.KIND, namespace=scope, attributes={"memory_type": memory_type}
        )
        return Query(
            filter=wanted.tree(),
            within=scope,
            **self.moment(as_of, recorded_by),
            **self.ranking(),
        )

    def _told(self, query: Query, as_of: datetime | None) -> Ask[Retrieval[SemanticMemory]]:
        """Return the search of entries that tells how often each was retrieved."""
        accesses = Accesses(self.memory)

        def read(raw: RawRecord) -> SemanticMemory:
            return semantic.from_raw(raw, accesses.told(raw.id, as_of))

        return self.ask(query, read)

    def _counts(
        self, as_of: datetime | None, recorded_by: datetime | int | None
    ) -> Callable[[Iterable[SemanticMemory]], None] | None:
        """Return what counts the entries of an answer; None where that is about the past."""
        if as_of is not None or recorded_by is not None or not self.log:
            return None
        accesses = Accesses(self.memory)
        return lambda found: accesses.note(entry.memory_id for entry in found)


def _transitions(entries: Any, regime: str) -> dict[str, float]:
    """Return what follows a regime, by the latest entry of it that tells."""
    for entry in entries:
        if entry.regime_name == regime and entry.transition_probability:
            return dict(entry.transition_probability)
    return {}
