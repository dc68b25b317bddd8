"""Finding similar experiences and what is known of a regime, one by one and together."""

import asyncio
import threading
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from builders import axis, day
from experiences import AGENT, entry, episode, regime, stored, strategy
from nt_memory import (
    AccessDeniedError,
    AsyncMemoryRetrievalService,
    ClosedError,
    DimensionMismatchError,
    EpisodicStore,
    HorizonError,
    InvalidEmbeddingError,
    MemoryConfig,
    MemoryRetrievalService,
    MemorySystem,
    NamespaceError,
    SemanticStore,
    VectorSpace,
    Weights,
)
from nt_memory.experience import _gathering

ALIKE = Weights(1.0, 0.0, 0.0, 0.0)


@pytest.fixture
def service(memory):
    return MemoryRetrievalService(memory)


def near(turn):
    """Return a state that is less like the first axis the greater the turn, 0 to 90."""
    angle = np.radians(turn)
    return [float(np.cos(angle)), float(np.sin(angle)), 0.0, 0.0]


def ids(found):
    return "".join(memory.memory_id for memory in found)


def test_the_most_alike_come_first(memory):
    EpisodicStore(memory).add_many(
        [
            episode(memory_id=name, state_vector=near(t))
            for name, t in zip("cab", (40, 0, 20), strict=False)
        ]
    )
    service = MemoryRetrievalService(memory, weights=ALIKE)
    found = service.retrieve_similar_experiences(axis(0), AGENT)
    assert ids(found) == "abc"
    assert [hit.score for hit in found.hits] == [hit.similarity for hit in found.hits]
    assert (found.exact, found.complete, found.matched, len(found)) == (True, True, 3, 3)
    assert (found[0].memory_id, ids(found[1:])) == ("a", "bc")
    assert ids(service.retrieve_similar_experiences(axis(0), AGENT, top_k=2)) == "ab"


def test_of_those_alike_the_later_and_the_better_come_first(memory):
    store = EpisodicStore(memory)
    store.add_many(
        [
            episode(memory_id="a", timestamp=day(0), reward=1.0),
            episode(memory_id="b", timestamp=day(9), reward=1.0),
            episode(memory_id="c", timestamp=day(9), reward=-1.0),
        ]
    )
    later = {"weights": Weights(0.5, 0.5, 0, 0), "half_life": timedelta(days=5)}
    better = {"weights": Weights(0.5, 0, 0, 0.5), "half_life": None}
    for options, first in ((later, "bca"), (better, "abc"), ({}, "bac")):
        service = MemoryRetrievalService(memory, **options)
        assert ids(service.retrieve_similar_experiences(axis(0), AGENT)) == first


def test_only_what_is_asked_for_comes(memory, service):
    EpisodicStore(memory).add_many(
        [
            episode(memory_id="a", regime="QUIET", market_phase="OPEN"),
            episode(memory_id="b", regime="CRISIS", timestamp=day(2)),
            episode(memory_id="c", product_id="QQQ", timestamp=day(4)),
            episode(memory_id="d", agent_id="other"),
        ]
    )

    def asked(**options):
        return "".join(sorted(ids(service.retrieve_similar_experiences(axis(0), AGENT, **options))))

    assert asked() == "abc"
    assert (asked(product_id="QQQ"), asked(regime="QUIET"), asked(market_phase="OPEN")) == (
        "c",
        "a",
        "a",
    )
    assert (asked(since=day(2)), asked(until=day(2)), asked(since=day(1), until=day(3))) == (
        "bc",
        "ab",
        "b",
    )
    assert asked(as_of=day(2)) == "ab"
    assert asked(regime="QUIET", product_id="QQQ") == ""


def test_an_episode_shows_what_was_known_of_it(memory, service):
    id_ = stored(memory)
    EpisodicStore(memory).settle(id_, 1.0, known_at=day(5))
    for at, reward in ((day(4), None), (day(5), 1.0)):
        (found,) = service.retrieve_similar_experiences(axis(0), AGENT, as_of=at)
        assert found.reward == reward
        assert found == EpisodicStore(memory).get(id_, as_of=at)


def test_an_answer_can_be_replayed(memory, service):
    for n in range(5):
        stored(memory, state_vector=near(10 * n), reward=float(n))
    found = service.retrieve_similar_experiences(near(20), AGENT, top_k=3)
    stored(memory)
    again = memory.replay(found.id)
    assert [hit.id for hit in again.hits] == [e.memory_id for e in found]
    assert [hit.score for hit in again.hits] == [hit.score for hit in found.hits]
    assert (again.commit, again.as_of, again.matched) == (found.commit, found.as_of, 5)
    asked = service.retrieve_similar_experiences(near(20), AGENT, top_k=3, as_of=found.as_of)
    assert len(asked) == 3
    assert asked.matched == 6
    bounded = service.retrieve_similar_experiences(
        near(20), AGENT, top_k=3, as_of=found.as_of, recorded_by=found.commit
    )
    assert bounded.hits == found.hits


def test_an_answer_need_not_be_logged(memory):
    stored(memory)
    service = MemoryRetrievalService(memory, log=False)
    assert service.retrieve_similar_experiences(axis(0), AGENT).id == ""


@pytest.mark.parametrize("top_k", [1, 3, 7])
@pytest.mark.parametrize("passing", [0, 1, 3, 60])
def test_hits_are_fetched_until_enough_pass_or_none_is_left(memory, top_k, passing):
    EpisodicStore(memory).add_many(
        [
            episode(
                memory_id=f"{n:03}",
                state_vector=near(n / 2),
                reward=float(n >= 100 - passing),
            )
            for n in range(100)
        ]
    )
    service = MemoryRetrievalService(memory, weights=ALIKE)
    found = service.retrieve_similar_experiences(
        axis(0), AGENT, top_k=top_k, where=lambda hit: hit.memory.reward > 0
    )
    wanted = [f"{n:03}" for n in range(100 - passing, 100)][:top_k]
    assert [e.memory_id for e in found] == wanted
    assert found.matched == 100
    logged = [hit.id for hit in memory.replay(found.id).hits]
    assert [id_ for id_ in logged if id_ >= f"{100 - passing:03}"][:top_k] == wanted


def test_what_is_written_while_hits_are_fetched_is_not_among_them(memory):
    EpisodicStore(memory).add_many([episode(memory_id=str(n)) for n in range(4)])

    def where(hit):
        stored(memory)
        return hit.memory.memory_id == "3"

    service = MemoryRetrievalService(memory, weights=ALIKE)
    found = service.retrieve_similar_experiences(axis(0), AGENT, top_k=1, where=where)
    assert (ids(found), found.matched) == ("3", 4)


def test_where_may_fail(memory, service):
    stored(memory)
    with pytest.raises(ZeroDivisionError):
        service.retrieve_similar_experiences(axis(0), AGENT, where=lambda _: 1 / 0)


def test_a_regime_is_known_by_its_entries_and_what_worked_in_it(memory, service):
    SemanticStore(memory).add_many(
        [
            regime(memory_id="old", transition_probability={"CRISIS": 0.5}),
            regime(memory_id="new", created_at=day(3), transition_probability={"QUIET": 0.6}),
            regime("QUIET", memory_id="before", transition_probability={"TRENDING": 0.3}),
            regime("CRISIS", memory_id="silent"),
            strategy(memory_id="good", sharpe=1.6),
            strategy(memory_id="best", sharpe=2.5),
            strategy(memory_id="poor", sharpe=1.4),
            strategy(memory_id="other", applicable_regimes=["QUIET"]),
            entry(memory_id="pattern", sharpe_ratio=9.0),
        ]
    )
    found = service.retrieve_regime_knowledge("TRENDING", ["QUIET", "CRISIS", "NEVER"])
    assert [e.memory_id for e in found] == ["new", "old", "best", "good"]
    assert len(found) == 4
    assert found.transitions == {"QUIET": 0.6}
    assert found.arrivals == {"QUIET": 0.3}
    first = service.retrieve_regime_knowledge("TRENDING", top_k=1, least_sharpe=1.0)
    assert [e.memory_id for e in first] == ["new", "best"]
    then = service.retrieve_regime_knowledge("TRENDING", as_of=day(2))
    assert (ids(then.regimes), then.transitions, then.arrivals) == ("old", {"CRISIS": 0.5}, {})
    assert memory.replay(found.strategies.id).matched == 2
    nothing = service.retrieve_regime_knowledge("UNKNOWN")
    assert (list(nothing), nothing.transitions) == ([], {})


def test_an_agents_own_knowledge_is_beside_what_is_shared(memory, service):
    store = SemanticStore(memory)
    store.add_many([regime(memory_id="s"), regime(memory_id="o", agent_id="other")])
    store.add(regime(memory_id="h", agent_id=AGENT, concept_vector=axis(0)))
    assert ids(service.retrieve_regime_knowledge("TRENDING")) == "s"
    assert sorted(ids(service.retrieve_regime_knowledge("TRENDING", agent_id=AGENT))) == ["h", "s"]
    assert ids(service.retrieve_similar_regimes(axis(0))) == ""
    assert ids(service.retrieve_similar_regimes(axis(0), agent_id=AGENT)) == "h"


def test_regimes_are_found_by_their_features(memory, service):
    SemanticStore(memory).add_many(
        [
            regime("A", memory_id="a", concept_vector=near(30)),
            regime("B", memory_id="b", concept_vector=near(10)),
            entry(memory_id="p", concept_vector=near(0)),
            regime("C", memory_id="c"),
        ]
    )
    found = service.retrieve_similar_regimes(axis(0))
    assert ids(found) == "ba"
    assert ids(service.retrieve_similar_regimes(axis(0), top_k=1)) == "b"


def test_the_nearest_pattern_is_found_where_it_is_near(memory, service):
    store = SemanticStore(memory)
    assert service.find_similar_pattern(axis(0)) is None
    store.add(entry(memory_id="p", concept_vector=near(20)))
    store.add(entry(memory_id="q", concept_vector=near(40)))
    store.add(regime(concept_vector=axis(0)))
    hit = service.find_similar_pattern(axis(0), 0.9)
    assert hit.memory.memory_id == "p"
    assert hit.similarity == pytest.approx((1 + np.cos(np.radians(20))) / 2, abs=1e-3)
    assert service.find_similar_pattern(axis(0), 0.95) is None
    assert service.find_similar_pattern(axis(0), as_of=day(-1)) is None


BAD = [
    (lambda s: s.retrieve_similar_experiences([1.0], AGENT), DimensionMismatchError, "1 dim"),
    (lambda s: s.retrieve_similar_experiences([0.0] * 4, AGENT), InvalidEmbeddingError, "zero"),
    (lambda s: s.retrieve_similar_experiences("x", AGENT), InvalidEmbeddingError, "state_vector"),
    (lambda s: s.retrieve_similar_experiences(axis(0), "a/b"), NamespaceError, "agent_id="),
    (lambda s: s.retrieve_similar_experiences(axis(0), AGENT, 3), ValueError, "symbol=3"),
    (
        lambda s: s.retrieve_similar_experiences(axis(0), AGENT, market_phase="NIGHT"),
        ValueError,
        "market_phase='NIGHT'",
    ),
    (lambda s: s.retrieve_similar_experiences(axis(0), AGENT, regime=3), ValueError, "regime=3"),
    (lambda s: s.retrieve_similar_experiences(axis(0), AGENT, top_k=0), ValueError, "top_k=0"),
    (lambda s: s.retrieve_similar_experiences(axis(0), AGENT, as_of=3), TypeError, "as_of=3"),
    (lambda s: s.retrieve_similar_experiences(axis(0), AGENT, since=3), ValueError, "event_time"),
    (lambda s: s.retrieve_similar_experiences(axis(0), AGENT, where=3), TypeError, "where=3"),
    (lambda s: s.retrieve_regime_knowledge(""), ValueError, "current_regime=''"),
    (lambda s: s.retrieve_regime_knowledge("A", "B"), TypeError, "previous_regimes='B'"),
    (lambda s: s.retrieve_regime_knowledge("A", top_k=-1), ValueError, "top_k=-1"),
    (lambda s: s.retrieve_regime_knowledge("A", least_sharpe="x"), ValueError, "least_sharpe"),
    (lambda s: s.retrieve_regime_knowledge("A", agent_id="a/b"), NamespaceError, "agent_id="),
    (lambda s: s.retrieve_similar_regimes([1.0]), DimensionMismatchError, "1 dim"),
    (lambda s: s.find_similar_pattern(axis(0), 2.0), ValueError, "similarity=2.0"),
]


@pytest.mark.parametrize(("ask", "error", "told"), BAD)
def test_a_bad_question_is_told(service, ask, error, told):
    with pytest.raises(error, match=told):
        ask(service)


@pytest.mark.parametrize(("options", "told"), [({"half_life": 0}, "half_life=0")])
def test_bad_options_are_told(memory, options, told):
    with pytest.raises(ValueError, match=told):
        MemoryRetrievalService(memory, **options)
    with pytest.raises(TypeError, match="weights="):
        MemoryRetrievalService(memory, weights=(1, 0, 0, 0))


def test_before_a_horizon_there_is_no_answer(memory, service, clock):
    stored(memory)
    memory.configure_namespace("swarm/hedge/episodes", retention=86_400.0)
    clock.advance(timedelta(days=5))
    with pytest.raises(HorizonError):
        service.retrieve_similar_experiences(axis(0), AGENT, as_of=day(1))


def test_a_horizon_of_others_is_none_of_ours(owner):
    owner.configure_namespace("elsewhere", retention=86_400.0)
    service = MemoryRetrievalService(owner)
    assert len(service.retrieve_similar_experiences(axis(0), AGENT, as_of=day(1))) == 0
    assert len(service.retrieve_regime_knowledge("TRENDING", as_of=day(1))) == 0


def test_what_was_forgotten_is_told(memory, service):
    id_ = stored(memory)
    stored(memory)
    memory.forget(id_)
    found = service.retrieve_similar_experiences(axis(0), AGENT)
    assert (len(found), found.forgotten, found.complete) == (1, 1, False)


@pytest.fixture
def owner():
    config = MemoryConfig(cold_engine="memory", spaces={"state": VectorSpace(dim=4)})
    with MemorySystem(config) as opened:
        yield opened


def test_an_agent_finds_its_own_and_what_is_shared(owner):
    stored(owner)
    stored(owner, agent_id="wyckoff")
    store = SemanticStore(owner)
    store.add_many([regime(memory_id="s"), regime(memory_id="h", agent_id=AGENT)])
    hedge = owner.agent(AGENT)
    service = MemoryRetrievalService(hedge)
    found = service.retrieve_similar_experiences(axis(0), AGENT)
    assert len(found) == 1
    with pytest.raises(AccessDeniedError):
        service.retrieve_similar_experiences(axis(0), "wyckoff")
    known = service.retrieve_regime_knowledge("TRENDING")
    assert sorted(ids(known)) == ["h", "s"]
    assert hedge.replay(found.id).hits[0].id == found[0].memory_id
    assert hedge.replay(known.regimes.id).matched == 2
    assert store.accesses("s") == 0
    owner.grant(AGENT, write=["shared"])
    service.retrieve_regime_knowledge("TRENDING")
    assert store.accesses("s") == 1


# together


class Slow:
    """A store that is slow to search, and counts what it is asked."""

    def __init__(self, store):
        self._store = store
        self.batches = []
        self.gate = threading.Event()
        self.gate.set()

    async def is_asked(self, count=1):
        """Wait for so many searches."""
        while len(self.batches) < count:  # noqa: ASYNC110 (they come from threads)
            await asyncio.sleep(0.001)

    def __getattr__(self, name):
        return getattr(self._store, name)

    def vector_search(self, query):
        self.batches.append(1)
        self.gate.wait(10)
        return self._store.vector_search(query)

    def vector_searches(self, queries):
        self.batches.append(len(queries))
        self.gate.wait(10)
        return self._store.vector_searches(queries)


@pytest.fixture
def slow(memory):
    memory._store = Slow(memory.store)
    return memory.store


def together(memory, use, **options):
    """Run a coroutine of an async service."""

    async def run():
        async with AsyncMemoryRetrievalService(MemoryRetrievalService(memory), **options) as made:
            return await use(made)

    return asyncio.run(run())


async def keep_busy(service, slow):
    """Ask two questions, one after the other, that are not answered before the gate is open."""
    slow.gate.clear()
    busy = []
    for count in (1, 2):
        busy.append(asyncio.ensure_future(asked(service)))
        await slow.is_asked(count)
    return busy


def asked(service, turn=0, **options):
    return service.retrieve_similar_experiences(near(turn), AGENT, **options)


@pytest.mark.parametrize("batching", [True, False])
def test_together_each_gets_the_answer_to_its_question(memory, batching):
    for n in range(30):
        stored(memory, memory_id=f"{n:02}", state_vector=near(n * 3))
    knowledge = SemanticStore(memory)
    knowledge.add(regime(concept_vector=axis(0)))
    knowledge.add(strategy())
    alone = MemoryRetrievalService(memory)

    async def use(service):
        return await asyncio.gather(
            *(asked(service, n * 3, top_k=2) for n in range(30)),
            service.retrieve_regime_knowledge("TRENDING"),
            service.retrieve_similar_regimes(axis(0)),
            service.find_similar_pattern(axis(0)),
            asked(service, where=lambda hit: hit.memory.memory_id == "29", top_k=1),
        )

    *found, known, regimes, pattern, narrowed = together(memory, use, batching=batching)
    for n, answer in enumerate(found):
        assert answer.hits == asked(alone, n * 3, top_k=2).hits
        assert memory.replay(answer.id).as_of == answer.as_of
    assert [e.memory_type for e in known] == ["REGIME", "STRATEGY"]
    assert (len(regimes), pattern, ids(narrowed)) == (1, None, "29")


def test_together_retrievals_are_counted_as_well(memory):
    knowledge = SemanticStore(memory)
    id_ = knowledge.add(regime(concept_vector=axis(0)))

    async def use(service):
        await asyncio.gather(
            *(service.retrieve_similar_regimes(axis(0)) for _ in range(6)),
            service.retrieve_regime_knowledge("TRENDING"),
            service.find_similar_pattern(axis(0)),
        )

    together(memory, use)  # its end waits for the counts
    assert knowledge.accesses(id_) == 7
    unlogged = MemoryRetrievalService(memory, log=False)
    unlogged.retrieve_regime_knowledge("TRENDING")
    assert knowledge.accesses(id_) == 7


def test_what_is_asked_at_once_is_searched_for_at_once(memory, slow):
    async def use(service):
        await asyncio.gather(*(asked(service) for _ in range(25)))

    together(memory, use)
    assert sorted(slow.batches) == [5, 5, 5, 10]


def test_without_batching_each_is_searched_for_by_itself(memory, slow):
    async def use(service):
        await asyncio.gather(*(asked(service) for _ in range(5)))

    together(memory, use, batching=False)
    assert slow.batches == [1] * 5


def test_a_lone_question_waits_for_nobody(memory, slow, monkeypatch):
    monkeypatch.setattr(_gathering, "LONGEST", 60.0)

    async def use(service):
        for _ in range(3):
            await asyncio.wait_for(asked(service), 10)

    together(memory, use)
    assert slow.batches == [1, 1, 1]


def test_while_others_are_answered_questions_gather(memory, slow, monkeypatch):
    monkeypatch.setattr(_gathering, "LONGEST", 60.0)

    async def use(service):
        busy = await keep_busy(service, slow)
        rest = [asyncio.ensure_future(asked(service)) for _ in range(4)]
        for _ in range(20):
            await asyncio.sleep(0)
        assert slow.batches == [1, 1]
        slow.gate.set()
        await asyncio.gather(*busy, *rest)

    together(memory, use)
    assert slow.batches == [1, 1, 4]


def test_questions_wait_no_longer_than_they_may(memory, slow):
    async def use(service):
        busy = await keep_busy(service, slow)
        rest = [asyncio.ensure_future(asked(service)) for _ in range(3)]
        while service._gathering._running < 3:  # noqa: ASYNC110 (a timer sends them)
            await asyncio.sleep(0.001)
        late = asyncio.ensure_future(asked(service))
        slow.gate.set()
        await asyncio.gather(*busy, *rest, late)

    together(memory, use)
    assert sorted(slow.batches) == [1, 1, 1, 3]


def test_a_question_that_fails_leaves_the_others_as_they_are(memory):
    stored(memory)

    async def use(service):
        return await asyncio.gather(
            asked(service),
            service.retrieve_similar_experiences([1.0], AGENT),
            service.retrieve_similar_experiences(axis(0), "a/b"),
            asked(service, where=lambda _: 1 / 0),
            asked(service, as_of=day(1)),
            return_exceptions=True,
        )

    first, length, name, where, last = together(memory, use)
    assert (len(first), len(last)) == (1, 1)
    kinds = [type(error) for error in (length, name, where)]
    assert kinds == [DimensionMismatchError, NamespaceError, ZeroDivisionError]


def test_a_question_that_is_cancelled_leaves_the_others_as_they_are(memory, slow):
    stored(memory)

    async def use(service):
        early = [asyncio.ensure_future(asked(service)) for _ in range(3)]
        await asyncio.sleep(0)
        early[0].cancel()  # before it is sent
        slow.gate.clear()
        late = [asyncio.ensure_future(asked(service)) for _ in range(2)]
        await slow.is_asked()
        early[1].cancel()  # while it is answered
        slow.gate.set()
        return await asyncio.gather(*early, *late, return_exceptions=True)

    gone, also, *found = together(memory, use)
    assert isinstance(gone, asyncio.CancelledError)
    assert isinstance(also, asyncio.CancelledError)
    assert [len(answer) for answer in found] == [1, 1, 1]


def test_all_that_are_cancelled_are_not_searched_for(memory, slow):
    async def use(service):
        one = asyncio.ensure_future(asked(service))
        await asyncio.sleep(0)
        one.cancel()
        with pytest.raises(asyncio.CancelledError):
            await one
        return await asked(service)

    together(memory, use)
    assert slow.batches == [1]


def test_what_was_asked_is_answered_before_the_end(memory, slow):
    async def use(service):
        slow.gate.clear()
        one = asyncio.ensure_future(asked(service))
        await slow.is_asked()
        slow.gate.set()
        await service.close()
        answer = await one
        with pytest.raises(ClosedError):
            await asked(service)
        return answer

    assert len(together(memory, use)) == 0


def test_what_waits_is_answered_before_the_end(memory, slow, monkeypatch):
    monkeypatch.setattr(_gathering, "LONGEST", 60.0)

    async def use(service):
        busy = await keep_busy(service, slow)
        other = asyncio.ensure_future(asked(service))
        await asyncio.sleep(0)
        slow.gate.set()
        await service.close()
        return await asyncio.gather(*busy, other)

    assert [len(answer) for answer in together(memory, use)] == [0, 0, 0]


def test_an_end_of_an_iteration_is_an_error_like_others(memory):
    stored(memory)

    async def use(service):
        await asked(service, where=lambda _: next(iter(())))

    with pytest.raises(RuntimeError, match="StopIteration"):
        together(memory, use)


def test_a_loop_that_was_left_leaves_nothing_behind(memory):
    stored(memory)
    service = AsyncMemoryRetrievalService(MemoryRetrievalService(memory))

    async def leave():
        left = asyncio.ensure_future(asked(service))
        await asyncio.sleep(0)
        return left

    async def end():
        found = await asyncio.wait_for(asked(service), 10)
        await service.close()
        return found

    asyncio.run(leave())
    assert len(asyncio.run(end())) == 1


def test_a_service_is_for_one_loop_at_a_time(memory):
    async def use(service):
        def elsewhere():
            with pytest.raises(RuntimeError, match="another event loop"):
                asyncio.run(asked(service))

        await asked(service)
        await asyncio.to_thread(elsewhere)

    together(memory, use)


def test_a_service_goes_from_one_loop_to_the_next(memory):
    stored(memory)
    service = AsyncMemoryRetrievalService(MemoryRetrievalService(memory))
    assert [len(asyncio.run(asked(service))) for _ in range(2)] == [1, 1]
    asyncio.run(service.close())


def test_results_are_told_apart_by_value(memory, service):
    stored(memory)
    one = asked(service)
    assert replace(one, id="") == replace(asked(service), id="")
