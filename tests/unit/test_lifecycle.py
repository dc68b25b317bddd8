"""Episodes become knowledge, and what is old or poor goes."""

from datetime import timedelta

import numpy as np
import pytest

from builders import axis, day
from nt_memory import (
    Action,
    Bars,
    ConflictError,
    EpisodicMemory,
    EpisodicStore,
    Filter,
    ForgottenError,
    MemoryRetrievalService,
    SemanticMemory,
    SemanticStore,
)
from nt_memory.experience.lifecycle import MemoryLifecycle
from trajectories import near

DAY = 86_400.0


def episode(at, place=0, *, reward=0.1, known=None, action="BUY", seed=0, **more):
    """Return an episode near an axis; its reward is known an hour after it by default."""
    known_at = at + timedelta(hours=1) if known is None else known
    return EpisodicMemory(
        **{
            "agent_id": "hedge",
            "timestamp": at,
            "state_vector": near(place, seed),
            "action": Action(action),
            "product_id": "SPY",
            "reward": reward,
            "outcome_known_at": known_at,
            **more,
        }
    )


def some(n, count=10, **more):
    """Return episodes of day n, minutes apart."""
    at = [day(n) + timedelta(minutes=m) for m in range(count)]
    return [episode(when, seed=100 * n + m, **more) for m, when in enumerate(at)]


@pytest.fixture
def episodes(memory):
    return EpisodicStore(memory)


@pytest.fixture
def knowledge(memory):
    return SemanticStore(memory)


def lifecycle(memory, **options):
    return MemoryLifecycle(memory, **options)


def told(entries):
    return [(e.conditions["action"], e.historical_performance.n) for e in entries]


def test_a_cluster_of_episodes_becomes_a_pattern(memory, episodes, knowledge):
    rewards = [0.01 * n for n in range(10)]
    made = [
        episode(
            day(1) + timedelta(minutes=n), reward=r, seed=n, regime="QUIET", market_phase="OPEN"
        )
        for n, r in enumerate(rewards)
    ]
    ids = episodes.add_many(made)
    done = lifecycle(memory).consolidate()
    assert (done.windows, done.episodes, done.created, done.updated) == (1, 10, 1, 0)
    assert done.until == day(2)
    (entry,) = knowledge.entries("PATTERN")
    assert entry.expected_return == pytest.approx(np.mean(rewards))
    assert entry.win_rate == 0.9
    assert entry.historical_performance.n == 10
    assert entry.sharpe_ratio == pytest.approx(
        np.mean(rewards) / np.std(rewards, ddof=1) * 252**0.5
    )
    assert entry.conditions["counts"] == {
        "symbol": {"SPY": 10},
        "regime": {"QUIET": 10},
        "market_phase": {"OPEN": 10},
    }
    assert set(entry.conditions["examples"]) == set(ids)
    assert entry.description == "BUY in QUIET: 10 episodes, mean +0.045, 90% above zero"
    assert (entry.known_at, entry.created_at) == (day(2), day(2))
    found = MemoryRetrievalService(memory).find_similar_pattern(axis(0))
    assert found is not None
    assert set(memory.get_record(entry.memory_id).provenance.parents) == set(ids)


def test_fewer_than_ten_make_no_pattern(memory, episodes, knowledge):
    episodes.add_many(some(1, 9))
    assert lifecycle(memory).consolidate().created == 0
    assert list(knowledge.entries()) == []


def test_a_later_window_updates_the_pattern_that_it_is_like(memory, episodes, knowledge):
    episodes.add_many(some(1, reward=0.1) + some(2, reward=0.3) + some(3, place=1))
    done = lifecycle(memory).consolidate()
    assert (done.windows, done.created, done.updated) == (3, 2, 1)
    assert told(knowledge.entries()) == [("BUY", 20), ("BUY", 10)]
    (first, _) = knowledge.entries()
    assert first.expected_return == pytest.approx(0.2)
    assert knowledge.get(first.memory_id, as_of=day(2)).historical_performance.n == 10
    assert knowledge.get(first.memory_id, as_of=day(1)) is None


def test_what_was_done_keeps_patterns_apart(memory, episodes, knowledge):
    episodes.add_many(some(1) + some(1, action="SELL"))
    assert lifecycle(memory).consolidate().created == 2
    assert sorted(told(knowledge.entries())) == [("BUY", 10), ("SELL", 10)]


def test_a_window_that_has_not_ended_waits(memory, episodes):
    made = lifecycle(memory)
    episodes.add_many(some(8, known=day(9)) + some(8, known=day(9) + timedelta(minutes=1)))
    assert made.consolidate(as_of=day(9) + timedelta(hours=23)).episodes == 10
    assert made.consolidate(as_of=day(9) + timedelta(hours=23)).windows == 0
    assert made.consolidate(as_of=day(10)).episodes == 10


def test_episodes_count_in_the_window_in_which_their_reward_became_known(memory, episodes):
    made = lifecycle(memory)
    episodes.add_many(some(1, known=day(4)))
    assert made.consolidate(as_of=day(3)).windows == 0
    assert made.consolidate(as_of=day(4)).episodes == 10


def test_a_run_again_changes_nothing(memory, episodes, knowledge):
    episodes.add_many(some(1))
    lifecycle(memory).consolidate()
    before = list(knowledge.entries())
    assert lifecycle(memory).consolidate().windows == 0
    assert lifecycle(memory).consolidate(as_of=day(3)).windows == 0
    assert list(knowledge.entries()) == before


def test_a_revised_reward_does_not_count_twice(memory, episodes, knowledge):
    ids = episodes.add_many(some(1))
    made = lifecycle(memory)
    made.consolidate(as_of=day(2))
    episodes.settle(ids[0], 9.0, known_at=day(3), revise=True)
    assert made.consolidate().episodes == 0
    assert told(knowledge.entries()) == [("BUY", 10)]


def test_what_is_written_late_counts_in_the_next_window(memory, episodes, knowledge):
    made = lifecycle(memory)
    episodes.add_many(some(1))
    made.consolidate(as_of=day(5))
    episodes.add_many(some(1, reward=0.3))
    assert made.consolidate(as_of=day(5)).episodes == 10
    assert told(knowledge.entries()) == [("BUY", 20)]


def test_agents_have_their_own_knowledge_or_share_it(memory, episodes, knowledge):
    episodes.add_many(some(1, agent_id="x") + some(1, agent_id="y"))
    lifecycle(memory, agent_id="x").consolidate()
    assert told(knowledge.entries(agent_id="x")) == [("BUY", 10)]
    assert list(knowledge.entries()) == []
    lifecycle(memory).consolidate()
    assert told(knowledge.entries()) == [("BUY", 20)]


def test_a_window_may_be_counted_in_bars(memory, episodes):
    made = lifecycle(memory, window=Bars(60, interval=timedelta(days=1)))
    episodes.add_many(some(1))
    assert made.consolidate().windows == 0
    assert made.consolidate(as_of=day(60)).windows == 1


def test_progress_is_told_window_by_window_and_may_end_the_run(memory, episodes):
    episodes.add_many(some(1) + some(2) + some(3))
    ends = []

    def stop(end):
        ends.append(end)
        if len(ends) == 2:
            raise KeyboardInterrupt

    made = lifecycle(memory)
    with pytest.raises(KeyboardInterrupt):
        made.consolidate(progress=stop)
    assert ends == [day(2), day(3)]
    assert made.consolidate().windows == 1


def test_of_two_runs_at_once_one_is_refused(memory, episodes, knowledge, monkeypatch):
    from nt_memory.experience import _consolidation

    episodes.add_many(some(1))
    groups = _consolidation.groups

    def meanwhile(raws, least):
        monkeypatch.setattr(_consolidation, "groups", groups)
        lifecycle(memory).consolidate()
        return groups(raws, least)

    monkeypatch.setattr(_consolidation, "groups", meanwhile)
    with pytest.raises(ConflictError):
        lifecycle(memory).consolidate()
    assert told(knowledge.entries()) == [("BUY", 10)]


# --- pruning ----------------------------------------------------------------


def entry(memory_type="PATTERN", sharpe=0.5, at=0, **more):
    return SemanticMemory(memory_type=memory_type, created_at=day(at), sharpe_ratio=sharpe, **more)


def strategy_of(name, sharpe):
    return entry("STRATEGY", sharpe, strategy_name=name, applicable_regimes=["QUIET"])


def ids_of(memory, kind):
    return {record.id for record in memory.records(filter=Filter(kind=kind))}


def test_old_episodes_go(memory, episodes, clock):
    old = episodes.add_many(some(0, 3))
    new = episodes.add_many(some(9, 2))
    clock.set(day(95))
    assert lifecycle(memory).prune(dry_run=True).episodes == 3
    assert ids_of(memory, "episode") == {*old, *new}
    done = lifecycle(memory).prune()
    assert (done.episodes, done.entries, done.held, done.dry_run) == (3, 0, 0, False)
    assert ids_of(memory, "episode") == set(new)
    with pytest.raises(ForgottenError):
        episodes.get(old[0])
    assert not memory.recall(embedding=axis(0), as_of=day(5)).complete
    assert lifecycle(memory).prune().episodes == 0


def test_pinned_ones_and_examples_stay(memory, episodes, clock):
    pinned = episodes.add(episode(day(0), place=2, tags=("pinned",)))
    many = episodes.add_many(some(1, 30))
    lifecycle(memory).consolidate()
    clock.set(day(100))
    done = lifecycle(memory, min_sharpe=-1000.0).prune()
    assert (done.episodes, done.held) == (10, 20)
    left = ids_of(memory, "episode")
    assert len(left) == 21
    assert pinned in left
    assert left < {pinned, *many}


def test_examples_of_a_pattern_that_goes_are_held_no_more(memory, episodes, knowledge, clock):
    episodes.add_many(some(1, reward=-0.1))
    lifecycle(memory).consolidate()
    assert len(list(knowledge.entries())) == 1
    clock.set(day(100))
    done = lifecycle(memory).prune()
    assert (done.episodes, done.entries, done.held) == (10, 1, 0)


def test_poor_patterns_and_strategies_go(memory, knowledge, clock):
    poor, rich = knowledge.add(entry(sharpe=1.0)), knowledge.add(entry(sharpe=1.01))
    strategy = knowledge.add(strategy_of("s", 0.0))
    regime = knowledge.add(entry("REGIME", 0.0, regime_name="QUIET"))
    pinned = knowledge.add(entry(tags=("pinned",)))
    clock.set(day(40))
    young = knowledge.add(entry(at=20))
    done = lifecycle(memory).prune()
    assert done.entries == 2
    assert ids_of(memory, "semantic") == {rich, regime, pinned, young}
    assert poor not in ids_of(memory, "semantic")
    assert strategy not in ids_of(memory, "semantic")


def test_what_is_used_much_stays(memory, knowledge, clock):
    used = knowledge.add(strategy_of("s", 1.6))
    service = MemoryRetrievalService(memory)
    clock.set(day(40))
    for _ in range(101):
        service.retrieve_regime_knowledge("QUIET", [])
    strict = lifecycle(memory, min_sharpe=2.0)
    for today, gone in [(41, 0), (70, 0), (71, 1)]:
        clock.set(day(today))
        assert strict.prune().entries == gone
    with pytest.raises(ForgottenError):
        knowledge.get(used)


def test_the_archive_is_given_what_goes_before_it_goes(memory, episodes, clock):
    ids = set(episodes.add_many(some(0, 5)))
    clock.set(day(100))
    kept = []

    def archive(records):
        kept.extend(records)
        assert {record.id for record in records} <= ids_of(memory, "episode")

    lifecycle(memory).prune(archive=archive)
    assert {record.id for record in kept} == ids
    assert kept[0].outcome.reward == 0.1


def test_what_the_archive_raises_keeps_all(memory, episodes, clock):
    ids = set(episodes.add_many(some(0, 5)))
    clock.set(day(100))

    def full(_):
        raise FileExistsError

    with pytest.raises(FileExistsError):
        lifecycle(memory).prune(archive=full)
    assert ids_of(memory, "episode") == ids


def test_pruning_tells_how_far_it_is(memory, episodes, clock):
    episodes.add_many([episode(day(0), seed=n % 7) for n in range(6000)])
    clock.set(day(100))
    told = []
    lifecycle(memory).prune(progress=told.append)
    assert told == [5000, 6000]


@pytest.mark.parametrize(
    "options",
    [
        {"window": 0},
        {"window": -1.0},
        {"window": Bars(60)},
        {"min_cluster": 1},
        {"similarity": 1.1},
        {"max_age": -1.0},
        {"min_sharpe": float("nan")},
        {"min_accesses": -1},
        {"access_days": True},
    ],
)
def test_options_that_cannot_be_are_refused(memory, options):
    with pytest.raises(ValueError, match="="):
        lifecycle(memory, **options)
