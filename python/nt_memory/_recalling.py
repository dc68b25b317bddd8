"""The half of `MemorySystem` that finds records."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nt_memory import _recall_log
from nt_memory._handle import TEXT, Handle
from nt_memory._remembering import held_by
from nt_memory._shown import shown
from nt_memory._values import as_vector, as_vectors, finite
from nt_memory.clock import from_micros, micros, to_micros
from nt_memory.errors import CorruptionError, ForgottenError, RecordNotFoundError
from nt_memory.filters import Filter
from nt_memory.recall import TIMES, Hit, Recall, Weights
from nt_memory.records import STATE
from nt_memory.store import Query

if TYPE_CHECKING:
    from datetime import datetime

    import numpy.typing as npt

    from nt_memory.clock import Duration
    from nt_memory.store import SearchResult, Vector

MAX_TOP_K = 10_000
_ORDERS = TIMES | {"importance", "confidence", "reward"}
_DEFAULT_WEIGHTS = Weights()
_SIMILARITY_ALONE = (1.0, 0.0, 0.0, 0.0)


class Recalling(Handle):
    """Recall at a point in time."""

    def recall(
        self,
        *,
        embedding: npt.ArrayLike | None = None,
        text: str | None = None,
        space: str = STATE,
        namespace: str | None = None,
        filter: Filter | None = None,  # noqa: A002 (the name in the interface)
        as_of: datetime | None = None,
        recorded_by: datetime | int | None = None,
        top_k: int = 10,
        half_life: Duration | None = None,
        weights: Weights = _DEFAULT_WEIGHTS,
        order_by: str | None = None,
        diversity: float = 0.0,
        min_trust: float | None = None,
        exact: bool | None = None,
        strict: bool = False,
        log: bool = True,
    ) -> Recall:
        """Return the best records that were known at a time, and why.

        The answer for an ``as_of`` and a ``recorded_by`` is the same whenever
        it is asked for, whatever was written, settled or pruned since; after
        a forget it says that it is not complete.

        Parameters
        ----------
        embedding
            What to be similar to, float32 of shape ``(dim,)``, in ``space``.
        text
            The same in words, in the space "text".
        space
            The space of ``embedding``.
        namespace
            This one and those below it.
        filter
            Which records; runs inside the search.
        as_of
            The time asked for (inclusive); the clock's now by default.
        recorded_by
            A time or a commit number: only what was written until then.
        top_k
            Most hits, 1 to 10,000.
        half_life
            Age at which recency is one half; without it recency is left out.
        weights
            Of similarity, recency, importance and outcome.
        order_by
            Instead of a score, without a query: ``event_time``, ``known_at``,
            ``recorded_at``, ``visible_at``, ``importance``, ``confidence``, ``reward``
            or ``attributes.NAME``; ``-`` in front is greatest first.
        diversity
            0 to 1: how much likeness to better hits counts against a hit.
        min_trust
            Least trust of a record's provenance, 0 to 1.
        exact
            True looks at every match.  None lets the index answer where the
            scope is large and holds nothing later than the question, and never
            under a `ManualClock`; False lets it answer wherever there is one.
            `Recall.exact` says which it was.
        strict
            Raise where something in scope was forgotten.
        log
            Keep what is needed for `replay`, with the next commit, until a
            retention puts ``as_of`` behind the horizon of a namespace in scope.

        Raises
        ------
        ValueError
            An argument is out of its range, or two exclude each other.
        DimensionMismatchError, InvalidEmbeddingError
            The query does not fit its space.
        HorizonError
            ``as_of`` lies before what retention has left.
        ForgottenError
            With ``strict``.

        Examples
        --------
        >>> from datetime import datetime, timezone
        >>> from nt_memory import Filter, MemorySystem, Record
        >>> at = datetime(2024, 1, 2, tzinfo=timezone.utc)
        >>> with MemorySystem(":memory:") as memory:
        ...     for text in ("fed hikes rates", "gold falls"):
        ...         id = memory.remember(
        ...             Record(namespace="news", kind="headline", event_time=at, text=text)
        ...         )
        ...     found = memory.recall(text="rate hike", filter=Filter(kind="headline"), top_k=1)
        ...     found.hits[0].record.text
        'fed hikes rates'
        """
        if exact is not None and not isinstance(exact, bool):
            msg = f"exact={shown(exact)}: give True, False, or None to leave it to the engine"
            raise ValueError(msg)
        vector, space = self._query_vector(embedding, text, space)
        query = Query(
            space=space,
            vector=vector,
            namespace=namespace,
            filter=tree_of(filter),
            as_of=None if as_of is None else to_micros(as_of, "as_of"),
            **bounds(recorded_by),
            top_k=checked_top_k(top_k),
            half_life=checked_half_life(half_life),
            weights=checked_weights(weights),
            order_by=_order(order_by, vector),
            diversity=finite("diversity", diversity, 0.0, 1.0),
            min_trust=None if min_trust is None else finite("min_trust", min_trust, 0.0, 1.0),
            exact=exact,
            within=self._within(),
        )
        return self._ask(query, strict=strict, log=log)

    def _within(self) -> list[str] | None:
        """Return what an agent reads, so that a recall is computed again within the same."""
        return None if self._agent_id is None else self._coordinating().readable()

    def _ask(self, query: Query, *, strict: bool, log: bool) -> Recall:
        now = self._clock.native.now_us()
        result = self._store.vector_search(query)
        if strict and result.forgotten:
            msg = (
                f"{result.forgotten} records in scope were forgotten; strict=False leaves them out"
            )
            raise ForgottenError(msg)
        if not log:
            return _recall("", query, result)
        id_ = self._store.new_id()
        bound = _recall_log.bind(query, result, now)
        explicit = query.as_of is not None
        entry = _recall_log.encode(bound, result, explicit=explicit)
        self._store.log_recall(id_, entry, bound.as_of, bound.namespace)
        return _recall(id_, query, result)

    def search_similar(
        self, namespace: str, embedding: npt.ArrayLike, top_k: int = 10
    ) -> list[tuple[str, float]]:
        """Return the ids of the most similar records and their similarity, 0 to 1.

        In the space "state", as of now, without payloads and without a log.

        Examples
        --------
        >>> from datetime import datetime, timezone
        >>> from nt_memory import MemoryConfig, MemorySystem, Record, VectorSpace
        >>> at = datetime(2024, 1, 2, tzinfo=timezone.utc)
        >>> config = MemoryConfig(cold_engine="memory", spaces={"state": VectorSpace(dim=2)})
        >>> with MemorySystem(config) as memory:
        ...     record = Record(
        ...         namespace="states", kind="state", event_time=at, id="a", embedding=[1.0, 0.0]
        ...     )
        ...     id = memory.remember(record)
        ...     memory.search_similar("states", [0.0, 1.0])
        [('a', 0.5)]
        """
        query = _nearest(namespace, top_k)
        found = self._store.vector_search(replace(query, vector=as_vector(embedding)))
        return _pairs(found)

    def search_batch(
        self, namespace: str, embeddings: npt.ArrayLike, top_k: int = 10
    ) -> list[list[tuple[str, float]]]:
        """Return what `search_similar` returns, for each row of an array of shape ``(n, dim)``.

        On all cores; what others write meanwhile may be seen by some of the rows.

        Examples
        --------
        >>> from datetime import datetime, timezone
        >>> from nt_memory import MemoryConfig, MemorySystem, Record, VectorSpace
        >>> at = datetime(2024, 1, 2, tzinfo=timezone.utc)
        >>> config = MemoryConfig(cold_engine="memory", spaces={"state": VectorSpace(dim=2)})
        >>> with MemorySystem(config) as memory:
        ...     record = Record(
        ...         namespace="states", kind="state", event_time=at, id="a", embedding=[1.0, 0.0]
        ...     )
        ...     id = memory.remember(record)
        ...     memory.search_batch("states", [[0.0, 1.0], [2.0, 0.0]])
        [[('a', 0.5)], [('a', 1.0)]]
        """
        query = _nearest(namespace, top_k)
        queries = [replace(query, vector=vector) for vector in as_vectors(embeddings)]
        return [_pairs(result) for result in self._store.vector_searches(queries)]

    def replay(self, recall_id: str) -> Recall:
        """Compute a logged recall again, as the store was then, and compare.

        What an index answered depends on how it was built: that is read from the
        log, with the records as they were then, and says ``exact=False``.
        Where records were forgotten since, the answer is without them and not
        complete, and is not compared.

        Raises
        ------
        RecordNotFoundError
            No recall with this id was logged, or its entry was erased: what it
            asked lies behind the horizon of a namespace in its scope.
        CorruptionError
            The answer differs from the logged one.
        HorizonError
            Retention has erased versions that its commit had.

        Examples
        --------
        >>> from nt_memory import MemorySystem
        >>> with MemorySystem(":memory:") as memory:
        ...     asked = memory.recall(order_by="-event_time")
        ...     memory.replay(asked.id) == asked
        True
        """
        entry = self._store.recall_log(recall_id)
        if entry is None:
            msg = (
                f"no recall {shown(recall_id)} is in the log: recall(log=False) logs none, and "
                "retention erases those from before a horizon"
            )
            raise RecordNotFoundError(msg)
        logged = _recall_log.decode(entry)
        if not logged.exact:
            return _recall(recall_id, logged.query, logged.result(self._store), logged.commit)
        result = self._store.vector_search(logged.query)
        differs = _recall_log.difference(logged, result)
        if differs is not None:
            msg = (
                f"recall {shown(recall_id)} at commit {logged.commit} has another answer now: "
                f"{differs}; run verify() and restore what it names"
            )
            raise CorruptionError(msg)
        return _recall(recall_id, logged.query, result, logged.commit)

    def _query_vector(
        self, embedding: npt.ArrayLike | None, text: str | None, space: str
    ) -> tuple[Vector | None, str]:
        if text is None:
            return None if embedding is None else as_vector(embedding), space
        if not isinstance(text, str):
            msg = f"text={shown(text)}: give a string"
            raise TypeError(msg)
        if embedding is not None:
            msg = "embedding and text are both given: ask by one of them"
            raise ValueError(msg)
        if space not in (STATE, TEXT):
            msg = f"space={shown(space)} with text: text is compared in the space 'text'"
            raise ValueError(msg)
        return self._embed([text])[0], TEXT


def _nearest(namespace: str, top_k: int) -> Query:
    return Query(
        namespace=namespace, top_k=checked_top_k(top_k), weights=_SIMILARITY_ALONE, bodies=False
    )


def _pairs(result: SearchResult) -> list[tuple[str, float]]:
    return [(match.id, match.score) for match in result.matches]


def _recall(id_: str, query: Query, result: SearchResult, commit: int | None = None) -> Recall:
    weights = Weights(*query.weights)
    return Recall(
        id=id_,
        hits=tuple(Hit.of(match, weights, query.order_by) for match in result.matches),
        as_of=from_micros(result.as_of),
        commit=result.commit if commit is None else commit,
        exact=result.exact,
        forgotten=result.forgotten,
        matched=result.matched,
    )


def tree_of(filter_: Filter | None) -> Any:
    """Return a filter as a `Store` takes it."""
    if filter_ is None:
        return None
    if not isinstance(filter_, Filter):
        msg = f"filter is {type(filter_).__name__}: give a Filter, as in Filter(kind='trade')"
        raise TypeError(msg)
    return filter_.tree()


def bounds(recorded_by: datetime | int | None) -> dict[str, Any]:
    """Return ``recorded_by`` as the fields of a `Query`."""
    time, commit = held_by(recorded_by)
    return {"recorded_by_time": time, "recorded_by_commit": commit}


def checked_top_k(top_k: int) -> int:
    if not isinstance(top_k, int) or not 1 <= top_k <= MAX_TOP_K:
        msg = f"top_k={shown(top_k)}: give an integer from 1 to {MAX_TOP_K:,}"
        raise ValueError(msg)
    return top_k


def checked_half_life(half_life: Duration | None) -> float | None:
    if half_life is None:
        return None
    length = micros(half_life, "half_life")
    if not length:
        msg = f"half_life={shown(half_life)}: give a duration longer than zero"
        raise ValueError(msg)
    return float(length)


def checked_weights(weights: Weights) -> tuple[float, float, float, float]:
    if isinstance(weights, Weights):
        return weights.as_tuple()
    msg = f"weights={shown(weights)}: give Weights, as in Weights(similarity=1.0)"
    raise TypeError(msg)


def _order(order_by: str | None, vector: Vector | None) -> str | None:
    if order_by is None:
        return None
    if vector is not None:
        msg = (
            f"order_by={shown(order_by)} with a query: a query orders by score, so give one of them"
        )
        raise ValueError(msg)
    field = order_by.removeprefix("-") if isinstance(order_by, str) else ""
    if field not in _ORDERS and not (field.startswith("attributes.") and field != "attributes."):
        known = f"{', '.join(sorted(_ORDERS))} or attributes.NAME"
        msg = f"order_by={shown(order_by)}: give one of {known}, '-' in front or not"
        raise ValueError(msg)
    return order_by
