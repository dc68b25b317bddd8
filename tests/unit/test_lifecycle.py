"""Episodes become knowledge, and what is old or poor goes."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from builders import axis, day, record
from conftest import open_memory
from nt_memory import (
    Action,
    Bars,
    ConflictError,
    EpisodicMemory,
    EpisodicStore,
    FeedbackLoop,
    Filter,
    ForgottenError,
    MemoryRetrievalService,
    Outcome,
    SemanticMemory,
    SemanticStore,
    TrajectoryTracker,
)
from nt_memory.experience.lifecycle import MemoryLifecycle
from trajectories import decided, near

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


def test_a_window_may_be_counted_in_bars(memory, episodes, clock):
    made = lifecycle(memory, window=Bars(60, interval=timedelta(days=1)))
    episodes.add_many(some(1))
    assert made.consolidate().windows == 0
    with pytest.raises(ValueError, match="is later than now"):
        made.consolidate(as_of=day(60))
    clock.set(day(60))
    assert made.consolidate().windows == 1


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


# --- what could go wrong ----------------------------------------------------


def test_examples_are_held_whosever_pattern_it_is(memory, episodes, clock):
    episodes.add_many(some(1))
    lifecycle(memory, agent_id="hedge").consolidate()
    clock.set(day(100))
    assert lifecycle(memory).prune().held == 10
    episodes.add_many(some(5, agent_id="other"))
    lifecycle(memory).consolidate()
    clock.set(day(200))
    assert lifecycle(memory, agent_id="other").prune().held == 10


def test_an_agent_and_all_have_patterns_of_the_same_episodes(memory, episodes, knowledge):
    episodes.add_many(some(1, memory_id=""))
    for agent in ("hedge", None):
        assert lifecycle(memory, agent_id=agent).consolidate().created == 1
        assert told(knowledge.entries(agent_id=agent)) == [("BUY", 10)]


def test_what_is_pinned_while_it_is_archived_stays(memory, episodes, clock):
    ids = episodes.add_many(some(0, 5))
    clock.set(day(100))
    done = lifecycle(memory).prune(archive=lambda _: episodes.pin(ids[2]))
    assert (done.episodes, done.held) == (4, 1)
    assert ids_of(memory, "episode") == {ids[2]}


def test_what_became_worth_keeping_is_kept_whenever_one_prunes_from(memory, knowledge, clock):
    id_ = knowledge.add(entry(sharpe=0.0))
    clock.set(day(50))
    knowledge.update(replace(knowledge.get(id_), sharpe_ratio=3.0))
    assert lifecycle(memory).prune(as_of=day(40)).entries == 0
    assert ids_of(memory, "semantic") == {id_}


def test_records_that_only_look_like_episodes_are_passed_over(memory, episodes, knowledge):
    known = {"kind": "episode", "outcome": Outcome(1.0, known_at=day(1)), "embedding": axis(0)}
    for place in ("swarm/evil/x", "swarm/hedge/episodes"):
        memory.remember(record(namespace=place, agent_id="hedge", **known))
    knowledge.add(entry(conditions={"action": "BUY", "examples": 3}, concept_vector=axis(0)))
    episodes.add_many(some(1))
    assert lifecycle(memory).consolidate().updated == 1
    assert lifecycle(memory).prune().episodes == 0


def test_rewards_in_any_unit_are_consolidated(memory, episodes, knowledge):
    for n in range(1, 9):
        episodes.add_many(some(n, 20, reward=500.0))
    lifecycle(memory).consolidate()
    (found,) = knowledge.entries()
    assert (found.historical_performance.n, found.max_drawdown) == (160, 0.0)


def test_what_was_changed_by_hand_is_kept_and_goes_on(memory, episodes, knowledge, clock):
    clock.set(day(11) + timedelta(minutes=30))
    made = lifecycle(memory)
    episodes.add_many(some(9))
    made.consolidate(as_of=day(10))
    (first,) = knowledge.entries()
    episodes.add_many(some(10))
    knowledge.update(replace(first, tags=("mine",)))
    clock.set(day(11) + timedelta(hours=1))
    made.consolidate()
    clock.set(day(12) + timedelta(hours=1))
    episodes.add_many(some(11))
    made.consolidate()
    (last,) = knowledge.entries()
    assert (last.historical_performance.n, last.tags) == (30, ("mine",))


def test_pins_and_revisions_do_not_move_an_episode_to_a_later_window(memory, episodes, knowledge):
    ids = episodes.add_many(some(1))
    episodes.pin(ids[0])
    episodes.settle(ids[1], 9.0, known_at=day(8), revise=True)
    lifecycle(memory).consolidate()
    (found,) = knowledge.entries()
    assert (found.created_at, found.historical_performance.n) == (day(2), 10)


def test_a_run_that_is_behind_what_retention_left_goes_on(memory, episodes, clock):
    made = lifecycle(memory)
    episodes.add_many(some(1))
    made.consolidate()
    memory.configure_namespace("swarm", retention=30 * DAY)
    clock.set(day(60))
    episodes.add_many(some(59, known=day(59) + timedelta(hours=2)))
    assert made.consolidate().episodes == 10
    assert made.consolidate().windows == 0


def test_feedback_on_knowledge_is_kept_with_it(memory, episodes, knowledge, clock):
    episodes.add_many(some(1))
    made = lifecycle(memory)
    made.consolidate(as_of=day(2))
    asked = memory.recall(filter=Filter(kind=["semantic", "episode"]), top_k=100)
    used = decided(10, predicted=1.0, reward=1.0, known=10)
    used.cite(asked.id)
    TrajectoryTracker(memory).track(used)
    FeedbackLoop(memory).run()
    (found,) = knowledge.entries()
    assert (found.good, found.bad) == (1, 0)
    first = next(EpisodicStore(memory).episodes("hedge"))
    assert first.outcome_known_at == day(1) + timedelta(hours=1)
    clock.set(day(12))
    episodes.add_many(some(10))
    made.consolidate()
    (found,) = knowledge.entries()
    assert (found.good, found.historical_performance.n) == (1, 20)
    assert memory.get_record(found.memory_id).importance == pytest.approx(4 / 3)


def test_only_what_passed_is_in_the_log(memory, episodes):
    ids = episodes.add_many(some(1))
    service = MemoryRetrievalService(memory)
    found = service.retrieve_similar_experiences(
        axis(0), "hedge", where=lambda hit: hit.memory.memory_id == ids[3]
    )
    assert [hit.id for hit in memory.replay(found.id)] == [ids[3]]


def test_a_copy_of_a_memory_counts_no_episode_twice(memory, episodes, clock, tmp_path):
    episodes.add_many(some(1))
    lifecycle(memory).consolidate()
    memory.export(tmp_path / "all.jsonl")
    with open_memory("native", clock) as copy:
        copy.import_(tmp_path / "all.jsonl")
        assert lifecycle(copy).consolidate().episodes == 0
        EpisodicStore(copy).add_many(some(2))
        lifecycle(copy).consolidate()
        assert told(SemanticStore(copy).entries()) == [("BUY", 20)]
