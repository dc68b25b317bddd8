"""What agents share: good enough, never one's own, and hidden in the end."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from builders import axis, day
from experiences import AGENT, episode, stored
from nt_memory import (
    AccessDeniedError,
    DimensionMismatchError,
    EpisodicStore,
    ForgottenError,
    ManualClock,
    MemoryConfig,
    MemoryRetrievalService,
    MemorySystem,
    NamespaceError,
    Provenance,
    Record,
    RecordNotFoundError,
    SharedMemoryPool,
    VectorSpace,
)

DAY = timedelta(days=1)


@pytest.fixture
def pool(memory):
    return SharedMemoryPool(memory)


def good(memory, agent_id=AGENT, **fields):
    """Store an episode whose reward is the best of five; return its id."""
    EpisodicStore(memory).add_many([episode(agent_id=agent_id, reward=-1.0) for _ in range(4)])
    return stored(memory, agent_id=agent_id, reward=1.0, **fields)


def test_a_good_experience_is_shared_with_others(memory, pool):
    id_ = good(memory, regime="QUIET", market_phase="OPEN", tags=["pinned", "kept"])
    shared = pool.share(id_)
    (found,) = pool.retrieve_shared(axis(0), "SPY", "wyckoff")
    assert (found.memory_id, found.agent_id, found.reward) == (shared, AGENT, 1.0)
    assert (found.regime, found.market_phase, found.tags) == ("QUIET", "OPEN", ("kept",))
    record = memory.get_record(shared)
    assert (record.namespace, record.kind) == ("shared/experiences", "shared_experience")
    assert (record.provenance.parents, record.provenance.writer) == ((id_,), AGENT)
    assert record.expires_at == day(40)
    assert (found.timestamp, found.outcome_known_at) == (day(0), day(10))
    assert EpisodicStore(memory).count() == 5


def test_ones_own_are_never_in_the_answer(memory, pool):
    pool.share(good(memory))
    assert len(pool.retrieve_shared(axis(0), "SPY", AGENT)) == 0
    pool.share(good(memory, agent_id="wyckoff"))
    assert [e.agent_id for e in pool.retrieve_shared(axis(0), "SPY", AGENT)] == ["wyckoff"]


def test_what_one_wrote_for_another_is_ones_own(memory, pool):
    shared = pool.share(good(memory))
    raw = memory.store.fetch(shared)
    record = Record.from_raw(raw)
    memory.remember(
        Record(
            **{
                **{name: getattr(record, name) for name in ("event_time", "symbol", "attributes")},
                "namespace": "shared/experiences",
                "kind": "shared_experience",
                "embedding": axis(0),
                "agent_id": AGENT,
                "confidence": 1.0,
                "provenance": Provenance(writer="wyckoff"),
            }
        )
    )
    assert len(pool.retrieve_shared(axis(0), "SPY", "wyckoff")) == 1


def test_only_the_product_that_is_asked_for_comes(memory, pool):
    pool.share(good(memory))
    pool.share(good(memory, product_id="QQQ"))
    found = pool.retrieve_shared(axis(0), "QQQ", "wyckoff")
    assert [e.product_id for e in found] == ["QQQ"]
    assert len(pool.retrieve_shared(axis(0), None, "wyckoff")) == 2
    assert len(pool.retrieve_shared(axis(0), None, "wyckoff", top_k=1)) == 1


def test_what_is_not_good_enough_is_not_shared(memory, pool):
    poor = stored(memory, reward=1.0, confidence=0.6)
    assert pool.quality(poor) == pytest.approx(0.5 * 0.5 + 0.3 * 0.6 + 0.2)
    assert pool.share(poor) is None
    assert SharedMemoryPool(memory, least_quality=0.6).share(poor) is not None


def test_quality_is_made_of_reward_confidence_and_novelty(memory, pool):
    for reward in (1.0, 2.0, 2.0, 3.0):
        stored(memory, reward=reward)
    stored(memory)  # open: it has no place
    stored(memory, reward=9.0, agent_id="other")
    id_ = stored(memory, reward=2.0, confidence=0.5)
    place = (1 + 3 / 2) / 5  # one below, three level
    assert pool.quality(id_) == pytest.approx(0.5 * place + 0.3 * 0.5 + 0.2)
    assert pool.share(good(memory, agent_id="wyckoff"))
    assert pool.quality(id_) == pytest.approx(0.5 * place + 0.3 * 0.5, abs=1e-6)
    turned = stored(memory, reward=2.0, confidence=0.5, state_vector=axis(1))
    place = (1 + 4 / 2) / 6
    assert pool.quality(turned) == pytest.approx(0.5 * place + 0.3 * 0.5 + 0.2 * 0.5, abs=1e-3)


def test_quality_is_judged_by_what_was_known_then(memory, pool):
    id_ = stored(memory, reward=2.0)
    before = pool.quality(id_, as_of=day(1))
    stored(memory, timestamp=day(2), reward=9.0)
    stored(memory, reward=8.0, outcome_known_at=day(3))
    pool.share(id_)
    assert pool.quality(id_, as_of=day(1)) == before
    assert pool.quality(id_, as_of=day(2)) < before
    assert pool.quality(id_, as_of=day(3)) < pool.quality(id_, as_of=day(2))


def test_to_share_an_experience_does_not_make_it_less_novel(memory, pool):
    id_ = good(memory)
    before = pool.quality(id_)
    pool.share(id_)
    assert pool.quality(id_) == before


def test_an_experience_is_shared_once(memory, pool):
    id_ = good(memory)
    shared = pool.share(id_)
    assert pool.share(id_) == shared
    assert pool.retrieve_shared(axis(0), "SPY", "wyckoff").matched == 1
    assert len(memory.store.versions(shared)) == 1


def test_of_many_at_the_same_time_one_shares(memory, pool):
    id_ = good(memory)
    with ThreadPoolExecutor(8) as threads:
        shared = set(threads.map(pool.share, [id_] * 8))
    assert len(shared) == 1
    assert len(memory.store.versions(shared.pop())) == 1


def test_it_is_known_from_when_it_was_shared(memory, pool):
    id_ = good(memory)
    pool.share(id_, as_of=day(4))
    assert len(pool.retrieve_shared(axis(0), "SPY", "wyckoff", as_of=day(3))) == 0
    assert len(pool.retrieve_shared(axis(0), "SPY", "wyckoff", as_of=day(4))) == 1
    assert len(pool.retrieve_shared(axis(0), "SPY", "wyckoff", as_of=day(4), recorded_by=2)) == 0


def test_it_is_hidden_after_thirty_days(memory, pool, clock):
    pool.share(good(memory))
    clock.advance(timedelta(days=30) - timedelta(microseconds=1))
    assert len(pool.retrieve_shared(axis(0), "SPY", "wyckoff")) == 1
    clock.advance(timedelta(microseconds=1))
    assert len(pool.retrieve_shared(axis(0), "SPY", "wyckoff")) == 0
    assert len(pool.retrieve_shared(axis(0), "SPY", "wyckoff", as_of=day(39))) == 1
    brief = SharedMemoryPool(memory, lifetime=DAY)
    brief.share(good(memory, state_vector=axis(1)))
    clock.advance(DAY)
    assert len(brief.retrieve_shared(axis(1), "SPY", "wyckoff")) == 0


def test_trust_is_asked_for(memory, pool):
    record = Record(
        namespace="swarm/hedge/episodes",
        kind="episode",
        event_time=day(0),
        agent_id=AGENT,
        symbol="SPY",
        embedding=axis(0),
        confidence=1.0,
        attributes={"action": "BUY", "action_size": 1.0},
        provenance=Provenance(writer=AGENT, trust=0.4),
    )
    id_ = memory.remember(record)
    EpisodicStore(memory).settle(id_, 1.0)
    stored(memory, reward=-1.0)
    pool.share(id_)
    for least, count in ((None, 1), (0.4, 1), (0.5, 0)):
        found = pool.retrieve_shared(axis(0), "SPY", "wyckoff", min_trust=least)
        assert len(found) == count


def test_an_answer_can_be_replayed(memory, pool):
    pool.share(good(memory))
    found = pool.retrieve_shared(axis(0), "SPY", "wyckoff")
    pool.share(good(memory, agent_id="other"))
    assert [hit.id for hit in memory.replay(found.id).hits] == [e.memory_id for e in found]


def test_shared_experiences_are_not_among_ones_own(memory, pool):
    pool.share(good(memory))
    found = MemoryRetrievalService(memory).retrieve_similar_experiences(axis(0), AGENT)
    assert found.matched == 5


def test_what_was_forgotten_is_not_shared_again(memory, pool):
    id_ = good(memory)
    memory.forget(pool.share(id_))
    with pytest.raises(ForgottenError):
        pool.share(id_)
    found = pool.retrieve_shared(axis(0), "SPY", "wyckoff")
    assert (len(found), found.complete) == (0, False)


@pytest.mark.parametrize(
    ("use", "error", "told"),
    [
        (lambda pool: pool.share("x"), RecordNotFoundError, "memory_id='x'"),
        (lambda pool: pool.quality("x"), RecordNotFoundError, "memory_id='x'"),
        (lambda pool: pool.share("open"), ValueError, "'open' was open"),
        (lambda pool: pool.share("open", as_of=day(-1)), RecordNotFoundError, "no such episode"),
        (lambda pool: pool.share("note"), RecordNotFoundError, "no such episode"),
        (lambda pool: pool.share("open", as_of=3), TypeError, "as_of=3"),
        (lambda pool: pool.retrieve_shared(axis(0), "SPY", "a/b"), NamespaceError, "agent_id="),
        (lambda pool: pool.retrieve_shared(axis(0), 3, "a"), ValueError, "symbol=3"),
        (lambda pool: pool.retrieve_shared([1.0], "SPY", "a"), DimensionMismatchError, "1 dim"),
        (lambda pool: pool.retrieve_shared(axis(0), "SPY", "a", 0), ValueError, "top_k=0"),
        (
            lambda pool: pool.retrieve_shared(axis(0), "SPY", "a", min_trust=2),
            ValueError,
            "min_trust=2",
        ),
    ],
)
def test_bad_input_changes_nothing(memory, pool, use, error, told):
    stored(memory, memory_id="open")
    memory.remember(Record(namespace="swarm/hedge", kind="note", event_time=day(0), id="note"))
    with pytest.raises(error, match=told):
        use(pool)
    assert memory.recall().commit == 2


@pytest.mark.parametrize(
    ("options", "told"),
    [({"least_quality": 2}, "least_quality=2"), ({"lifetime": 0}, "lifetime=0")],
)
def test_bad_options_are_told(memory, options, told):
    with pytest.raises(ValueError, match=told):
        SharedMemoryPool(memory, **options)


@pytest.fixture
def owner():
    config = MemoryConfig(cold_engine="memory", spaces={"state": VectorSpace(dim=4)})
    with MemorySystem(config, clock=ManualClock(day(10))) as opened:
        yield opened


def test_an_agent_shares_with_the_right_to_and_its_own_only(owner):
    id_ = good(owner)
    hedge = SharedMemoryPool(owner.agent(AGENT))
    with pytest.raises(AccessDeniedError):
        hedge.share(id_)
    assert owner.recall(namespace="shared").matched == 0
    owner.grant(AGENT, write=["shared"])
    shared = hedge.share(id_)
    assert owner.get_record(shared).provenance.writer == AGENT
    wyckoff = SharedMemoryPool(owner.agent("wyckoff"))
    assert [e.memory_id for e in wyckoff.retrieve_shared(axis(0), "SPY", "wyckoff")] == [shared]
    with pytest.raises(RecordNotFoundError):
        wyckoff.share(id_)
    owner.grant("wyckoff", write=["shared", f"swarm/{AGENT}"])
    with pytest.raises(AccessDeniedError, match="its own"):
        wyckoff.share(id_)
    assert len(wyckoff.retrieve_shared(axis(0), "SPY", AGENT)) == 0
