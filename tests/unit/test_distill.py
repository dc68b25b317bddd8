"""Distillation: from many trajectories to a few patterns."""

import math

import numpy as np
import pytest

from builders import axis, day
from nt_memory import (
    ConflictError,
    Filter,
    MemoryDistiller,
    MemorySystem,
    Provenance,
    TrajectoryTracker,
)
from trajectories import decided, near


def distiller(memory, **options):
    return MemoryDistiller(memory, **{"agent_id": "hedge", **options})


def track(memory, *made):
    return TrajectoryTracker(memory).track_many(made)


def told(patterns):
    return sorted((found.pattern_type, found.n) for found in patterns)


def test_similar_decisions_become_a_pattern(memory):
    rewards = [0.01, 0.03, 0.05]
    many = [
        decided(n, vector=near(0, n), reward=r, symbol="SPY", regime="QUIET")
        for n, r in enumerate(rewards)
    ]
    members = track(memory, *many)
    found = distiller(memory).distill()
    (pattern,) = found.patterns
    assert (found.members, found.waiting, found.ignored) == (3, 0, 0)
    assert set(pattern.trajectory_ids) == set(members)
    assert (pattern.pattern_type, pattern.n, pattern.agent_id) == ("buy", 3, "hedge")
    assert pattern.expected_outcome == pytest.approx(0.03)
    assert pattern.standard_error == pytest.approx(0.02 / math.sqrt(3))
    assert (pattern.symbol, pattern.regime) == ("SPY", "QUIET")
    assert pattern.conditions.ranges["close"] == pytest.approx((100.25, 102.25, 101.25, 3))
    units = np.stack([m.embedding() / np.linalg.norm(m.embedding()) for m in many])
    middle = units.mean(axis=0) / np.linalg.norm(units.mean(axis=0))
    assert pattern.centroid == pytest.approx(middle, abs=1e-6)
    assert pattern.strength == pytest.approx((units @ middle).mean(), abs=1e-6)
    assert pattern.confidence == 0.5
    assert "buy on SPY in QUIET: 3 times, expected +0.03" in pattern.describe()


def test_it_is_recalled_as_any_record(memory):
    track(memory, *(decided(n, vector=near(1, n), reward=0.5) for n in range(3)))
    (pattern,) = distiller(memory).distill().patterns
    (hit,) = memory.recall(embedding=axis(1), filter=Filter(kind="pattern")).hits
    assert hit.id == pattern.id
    assert hit.record.outcome.reward == pytest.approx(0.5)


def test_what_was_done_keeps_patterns_apart(memory):
    for done in ("buy", "sell"):
        track(memory, *(decided(n, done=done, reward=0.1) for n in range(3)))
    assert told(distiller(memory).distill().patterns) == [("buy", 3), ("sell", 3)]


def test_agents_are_apart_or_together(memory):
    track(memory, *(decided(n, agent=a, reward=0.1) for a in ("x", "y") for n in range(2)))
    assert distiller(memory, agent_id="x").distill().patterns == ()
    shared = MemoryDistiller(memory)
    assert told(shared.distill().patterns) == [("buy", 4)]
    assert shared.namespace == "shared/patterns"


def test_fewer_than_the_least_wait_for_others(memory, clock):
    made = distiller(memory)
    track(memory, decided(0, reward=0.1), decided(1, reward=0.1))
    assert (made.distill().patterns, made.distill().waiting) == ((), 2)
    clock.advance(86_400.0)
    track(memory, decided(2, reward=0.1))
    found = made.distill()
    assert (told(found.patterns), found.waiting) == ([("buy", 3)], 0)


def test_who_waited_too_long_is_given_up(memory, clock):
    made = distiller(memory, patience=5 * 86_400.0)
    track(memory, decided(7, reward=0.1), decided(8, reward=0.1))
    assert made.distill().waiting == 2
    clock.advance(10 * 86_400.0)
    found = made.distill()
    assert (found.waiting, found.ignored) == (0, 2)
    track(memory, decided(19, reward=0.1))
    clock.advance(86_400.0)
    assert made.distill().waiting == 1


def test_later_ones_join_the_pattern_that_they_are_like(memory, clock):
    made = distiller(memory)
    track(memory, *(decided(n, vector=near(0, n), reward=0.1) for n in range(3)))
    (first,) = made.distill().patterns
    clock.advance(86_400.0)
    (late,) = track(memory, decided(9, vector=near(0, 9), reward=0.5))
    (second,) = made.distill().patterns
    assert second.id == first.id
    assert second.n == 4
    assert second.trajectory_ids == (*first.trajectory_ids, late)
    assert second.expected_outcome == pytest.approx(0.2)
    assert made.get(first.id, as_of=day(10)).n == 3
    assert made.get(first.id, as_of=day(9)) is None
    assert [p.n for p in made.patterns(as_of=day(10))] == [3]
    assert list(made.patterns(as_of=day(9))) == []


def test_a_turn_without_news_changes_nothing(memory):
    made = distiller(memory)
    track(memory, *(decided(n, reward=0.1) for n in range(4)))
    made.distill()
    before = [(r.id, r.version) for r in memory.records(filter=Filter(kind="pattern"))]
    again = made.distill()
    assert (again.patterns, again.members, again.waiting) == ((), 0, 0)
    assert [(r.id, r.version) for r in memory.records(filter=Filter(kind="pattern"))] == before


def test_only_final_ones_are_taken_and_each_once(memory, clock):
    made = distiller(memory)
    pending = [decided(n, predicted=0.1) for n in range(3)]
    track(memory, *pending)
    assert made.distill().members == 0
    for n, each in enumerate(pending):
        each.add_outcome(0.1 * n, known_at=day(11))
    track(memory, *pending)
    assert made.distill().members == 0
    clock.advance(2 * 86_400.0)
    assert made.distill().members == 3
    memory.settle(pending[0].id, {"reward": 7.0}, revise=True)
    assert made.distill().members == 0


def test_what_was_written_late_is_taken_although_it_was_known_before(memory):
    made = distiller(memory)
    track(memory, *(decided(n, reward=0.1) for n in range(2)))
    made.distill()
    track(memory, decided(0, reward=0.1))
    assert told(made.distill().patterns) == [("buy", 3)]


def test_patterns_that_come_near_are_merged(memory, clock):
    made = distiller(memory, similarity=0.7)
    low, high = ([np.cos(x), np.sin(x), 0.0, 0.0] for x in (0.0, 0.8))
    track(memory, *(decided(n, vector=low, reward=0.1) for n in range(3)))
    track(memory, *(decided(n, vector=high, reward=0.3) for n in range(4)))
    assert told(made.distill().patterns) == [("buy", 3), ("buy", 4)]
    clock.advance(86_400.0)
    middle = [np.cos(0.3), np.sin(0.3), 0.0, 0.0]
    track(memory, *(decided(n, vector=middle, reward=0.2) for n in range(9)))
    (merged,) = made.distill().patterns
    assert merged.n == 16
    assert merged.expected_outcome == pytest.approx((0.3 + 1.2 + 1.8) / 16)
    assert len(set(merged.trajectory_ids)) == 16
    assert [p.n for p in made.patterns()] == [16]
    assert sorted(p.n for p in made.patterns(as_of=day(10))) == [3, 4]


def test_turns_do_not_go_back(memory, clock):
    made = distiller(memory)
    made.distill(as_of=day(5))
    made.distill(as_of=day(5))
    with pytest.raises(ValueError, match="is before the last turn"):
        made.distill(as_of=day(4))


def test_of_two_turns_at_once_one_is_refused(memory):
    track(memory, *(decided(n, reward=0.1) for n in range(3)))

    def meanwhile(_):
        distiller(memory).distill()

    many = [decided(n % 9, reward=0.1) for n in range(1000)]
    track(memory, *many)
    with pytest.raises(ConflictError):
        distiller(memory).distill(progress=meanwhile)
    assert [p.n for p in distiller(memory).patterns()] == [1003]


def test_what_progress_raises_ends_the_turn(memory):
    track(memory, *(decided(n % 9, reward=0.1) for n in range(1000)))

    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        distiller(memory).distill(progress=stop)
    assert distiller(memory).distill().members == 1000


def test_those_without_a_vector_are_told(memory):
    track(memory, *(decided(n, data=None, reward=0.1) for n in range(3)))
    found = distiller(memory).distill()
    assert (found.patterns, found.ignored) == ((), 3)


def test_a_pattern_outlives_its_examples_and_says_so(memory):
    members = track(memory, *(decided(n, reward=0.1) for n in range(4)))
    made = distiller(memory)
    (pattern,) = made.distill().patterns
    memory.forget(members[1])
    inflated = made.inflate(made.get(pattern.id))
    assert inflated.forgotten == (members[1],)
    assert [each.id for each in inflated.trajectories] == [members[0], *members[2:]]
    assert made.get(pattern.id).n == 4


def test_a_pattern_of_a_writer_who_is_rolled_back_is_marked(clock):
    with MemorySystem(":memory:", clock=clock) as memory:
        vector = np.eye(1, 256, dtype=np.float32)[0]
        track(memory, *(decided(n, vector=vector, reward=0.1, agent="liar") for n in range(3)))
        (pattern,) = MemoryDistiller(memory).distill().patterns
        memory.forget(Filter(writer="liar"))
        assert "tainted" in memory.get_record(pattern.id).tags
        assert memory.get_record(pattern.id).provenance == Provenance(
            writer="root", parents=pattern.trajectory_ids
        )


@pytest.mark.parametrize(
    "options",
    [
        {"min_trajectories": 1},
        {"min_trajectories": 2.5},
        {"similarity": 1.5},
        {"similarity": math.nan},
        {"patience": -1.0},
    ],
)
def test_options_that_cannot_be_are_refused(memory, options):
    with pytest.raises(ValueError, match="="):
        distiller(memory, **options)


def test_an_unknown_method_is_refused_when_it_is_used(memory):
    track(memory, *(decided(n, reward=0.1) for n in range(3)))
    with pytest.raises(ValueError, match="method="):
        distiller(memory, method="kmeans").distill()
    assert distiller(memory).distill().members == 3


def test_density_is_another_method(memory):
    for n in range(2):
        track(memory, *(decided(3, vector=near(n, s), reward=0.1) for s in range(12)))
    assert told(distiller(memory, method="hdbscan").distill().patterns) == [
        ("buy", 12),
        ("buy", 12),
    ]
