"""Compression: what is replaced comes back to the bit."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from builders import axis, day
from nt_memory import (
    CorruptionError,
    Filter,
    ForgottenError,
    MemoryDistiller,
    MemorySystem,
    RecordNotFoundError,
    RuleExtractor,
    Trajectory,
    TrajectoryTracker,
)
from nt_memory.reasoning import ItemExtraction
from trajectories import decided, near

DAY = 86_400.0


def odd(n):
    """Return a trajectory with whatever a payload can hold."""
    made = decided(
        n, reward=0.1 * n - 0.2, confidence=0.25, symbol="SPY", metadata={"n": n, "x": None}
    )
    late = Trajectory("hedge", start_time=day(n), regime="QUIET" if n % 2 else None)
    late.add_observation({"z": -0.0, "nan": math.inf, "list": [1, 2.0, "a", None, True]}, at=day(n))
    late.add_observation([n, {"deep": {"b": b"raw"}}], near(0, n), at=day(n))
    late.add_observation(None, near(1, n), at=day(n))
    late.add_action("buy", predicted_outcome=1.0, at=day(n))
    late.add_action("sell", {"lots": [n] * n}, at=day(n))
    late.cite("01RECALL")
    late.complete(day(n + 1))
    late.add_outcome(2.5, known_at=day(n + 1))
    late.add_outcome(-1e-300, known_at=day(n + 2))
    return made, late


@pytest.fixture
def tracker(memory):
    return TrajectoryTracker(memory)


@pytest.fixture
def distiller(memory):
    return MemoryDistiller(memory, agent_id="hedge")


def filled(tracker, distiller, count=4):
    made = [each for n in range(count) for each in odd(n)]
    tracker.track_many(made)
    distiller.distill()
    return made


def test_what_was_compressed_comes_back_to_the_bit(memory, tracker, distiller):
    made = filled(tracker, distiller)
    saved = distiller.compress(DAY)
    assert (saved.trajectories, saved.blocks) == (8, 1)
    assert saved.embeddings_before == 12 * 16
    for each in made:
        again = tracker.get(each.id)
        assert again == each
        assert [seen.embedding is None for seen in again.observations] == [
            seen.embedding is None for seen in each.observations
        ]
        assert math.copysign(1.0, again.observations[0].data.get("z", -0.0)) == -1.0
    assert memory.verify() == []


def test_it_really_replaces_the_records(memory, tracker, distiller):
    made = filled(tracker, distiller)
    vectors = memory.stats()["l2_vectors"]
    distiller.compress(DAY)
    found = memory.recall(embedding=axis(0), filter=Filter(kind="trajectory"))
    assert (found.hits, found.complete, found.forgotten) == ((), False, 8)
    assert memory.stats()["l2_vectors"] == vectors - 8
    with pytest.raises(ForgottenError):
        memory.get_record(made[0].id)
    assert list(tracker.completed()) == []
    assert (tracker.count(), tracker.count("hedge"), tracker.count("other")) == (8, 8, 0)


def test_a_pattern_is_inflated_from_blocks(tracker, distiller):
    made = {each.id: each for each in filled(tracker, distiller)}
    distiller.compress(DAY)
    inflated = [distiller.inflate(pattern) for pattern in distiller.patterns()]
    assert inflated
    for each in inflated:
        assert each.forgotten == ()
        assert all(found == made[found.id] for found in each.trajectories)


def test_it_answers_as_before_or_says_that_it_cannot(tracker, distiller):
    live = Trajectory("hedge", start_time=day(0))
    live.add_observation({}, axis(0), at=day(0))
    tracker.track(live)
    live.add_action("buy", predicted_outcome=1.0, at=day(1))
    tracker.track(live)
    live.complete(day(2))
    live.add_outcome(1.0, known_at=day(3))
    tracker.track(live)
    made = filled(tracker, distiller)[1]
    times = (-1, 0, 1, 2, 3, 4)
    before = {(t.id, n): tracker.get(t.id, as_of=day(n)) for t in (made, live) for n in times}
    distiller.compress(DAY)
    lost = {(live.id, 0), (live.id, 1)}
    for id_, n in lost:
        with pytest.raises(ForgottenError, match="ask as of its end"):
            tracker.get(id_, as_of=day(n))
    kept = before.keys() - lost
    assert all(tracker.get(id_, as_of=day(n)) == before[id_, n] for id_, n in kept)
    with pytest.raises(ForgottenError):
        tracker.get(live.id, recorded_by=1)


def test_only_what_is_old_and_was_taken_in_is_compressed(memory, tracker, distiller, clock):
    assert distiller.compress(0.0).trajectories == 0
    old, young, pending = decided(0, reward=0.1), decided(8, reward=0.1), decided(0)
    tracker.track_many([old, young, pending])
    assert distiller.compress(DAY).trajectories == 0
    tracker.track_many([decided(n, reward=0.1) for n in (0, 1)])
    distiller.distill()
    assert distiller.compress(5 * DAY).trajectories == 3
    assert tracker.get(pending.id) == pending
    assert memory.get_record(young.id).id == young.id
    clock.advance(10 * DAY)
    assert distiller.compress(5 * DAY).trajectories == 1
    assert distiller.compress(5 * DAY).trajectories == 0


def test_one_that_waits_for_others_is_not_compressed(tracker, distiller):
    tracker.track(decided(0, reward=0.1))
    assert distiller.distill().waiting == 1
    assert distiller.compress(DAY).trajectories == 0


def test_blocks_are_of_one_agent(tracker, memory):
    everybody = MemoryDistiller(memory)
    made = [decided(n, reward=0.1, agent=a) for n in range(3) for a in ("x", "y")]
    tracker.track_many(made)
    everybody.distill()
    assert everybody.compress(DAY).blocks == 2
    assert (tracker.count("x"), tracker.count()) == (3, 6)
    assert [tracker.get(each.id) for each in made] == made


def test_more_than_a_thousand_take_several_blocks(tracker, distiller):
    made = [decided(n % 5, reward=0.1, vector=near(0, n)) for n in range(2300)]
    tracker.track_many(made)
    distiller.distill()
    told = []
    saved = distiller.compress(DAY, progress=told.append)
    assert (saved.trajectories, saved.blocks, told) == (2300, 3, [1000, 2000])
    assert [tracker.get(each.id) for each in made[::300]] == made[::300]


def test_what_is_forgotten_leaves_its_block(memory, tracker, distiller):
    made = filled(tracker, distiller)
    distiller.compress(DAY)
    assert tracker.forget([made[2].id, made[5].id]) == 2
    for each in (made[2], made[5]):
        with pytest.raises(ForgottenError):
            tracker.get(each.id)
    rest = [each for n, each in enumerate(made) if n not in (2, 5)]
    assert [tracker.get(each.id) for each in rest] == rest
    assert tracker.count() == 6
    assert tracker.forget([each.id for each in rest]) == 6
    assert tracker.count() == 0
    assert tracker.forget([made[0].id]) == 0
    with pytest.raises(RecordNotFoundError):
        tracker.forget(["unknown"])
    assert memory.verify() == []


class Windows:
    """An encoder that makes vectors from a table of windows."""

    id = "windows-v1"

    def __init__(self, off=0.0):
        self.off = off

    def encode(self, observation):
        window = observation.data.get("window") if isinstance(observation.data, dict) else None
        if window is None:
            return None
        return np.array([1.0, window / 7.0, self.off, 0.0], dtype=np.float32)


def windowed(n):
    seen = {"window": n}
    vector = np.array([1.0, n / 7.0, 0.0, 0.0], np.float32)
    return decided(n, data=seen, vector=vector, reward=0.1)


def test_vectors_that_their_encoder_rebuilds_are_dropped(memory, tracker):
    made = [windowed(n) for n in range(4)] + [decided(4, reward=0.1, vector=near(0))]
    tracker.track_many(made)
    distiller = MemoryDistiller(memory, encoder=Windows())
    distiller.distill()
    saved = distiller.compress(DAY)
    assert saved.rebuilt == 4
    rebuilding = TrajectoryTracker(memory, encoder=Windows())
    assert [rebuilding.get(each.id) for each in made] == made
    with pytest.raises(ValueError, match="give encoder 'windows-v1'"):
        tracker.get(made[0].id)


def test_vectors_that_differ_in_a_bit_are_kept(memory, tracker):
    made = [windowed(n) for n in range(4)]
    tracker.track_many(made)
    distiller = MemoryDistiller(memory, encoder=Windows(off=1e-30))
    distiller.distill()
    assert distiller.compress(DAY).rebuilt == 0
    assert [tracker.get(each.id) for each in made] == made


def test_compressed_ones_are_there_after_a_restart(tmp_path, clock):
    with MemorySystem(tmp_path / "m", clock=clock) as memory:
        vector = np.eye(1, 256, dtype=np.float32)[0]
        made = [decided(n, reward=0.1, vector=vector) for n in range(5)]
        TrajectoryTracker(memory).track_many(made)
        distiller = MemoryDistiller(memory)
        distiller.distill()
        distiller.compress(DAY)
    with MemorySystem(tmp_path / "m", clock=clock) as memory:
        tracker = TrajectoryTracker(memory)
        assert [tracker.get(each.id) for each in made] == made
        assert memory.verify() == []


def test_blocks_without_any_vector_come_back(memory, tracker):
    rebuilt = [windowed(n) for n in range(4)]
    bare = [decided(n, data=None, reward=0.1) for n in range(3)]
    tracker.track_many([*rebuilt, *bare])
    distiller = MemoryDistiller(memory, encoder=Windows())
    distiller.distill()
    assert distiller.compress(DAY).rebuilt == 4
    again = TrajectoryTracker(memory, encoder=Windows())
    assert [again.get(each.id) for each in (*rebuilt, *bare)] == [*rebuilt, *bare]


def test_an_encoder_that_changed_under_its_name_is_told(memory, tracker):
    made = [windowed(n) for n in range(4)]
    tracker.track_many(made)
    distiller = MemoryDistiller(memory, encoder=Windows())
    distiller.distill()
    distiller.compress(DAY)
    with pytest.raises(CorruptionError, match="does not rebuild"):
        TrajectoryTracker(memory, encoder=Windows(off=1.0)).get(made[0].id)


def test_an_outcome_that_is_told_in_advance_keeps_its_trajectory(tracker, distiller, clock):
    early = [decided(n, reward=0.1) for n in range(3)]
    late = Trajectory("hedge", start_time=day(0))
    late.add_observation({}, axis(0), at=day(0))
    late.add_action("look", at=day(0))
    late.add_action("buy", predicted_outcome=0.1, at=day(0))
    late.complete(day(0))
    late.add_outcome(0.1, known_at=day(1))
    late.add_outcome(0.5, known_at=day(20), action=0)
    tracker.track_many([*early, late])
    distiller.distill()
    assert distiller.compress(DAY).trajectories == 3
    clock.set(day(30))
    assert tracker.get(late.id) == late


def test_what_is_told_during_a_compression_is_not_lost(tracker, distiller):
    made = [decided(n % 5, reward=0.1, vector=near(0, n)) for n in range(1500)]
    tracker.track_many(made)
    distiller.distill()

    def meanwhile(_):
        made[1404].cite("01LATE")
        tracker.track(made[1404])

    distiller.compress(DAY, progress=meanwhile)
    assert tracker.get(made[1404].id) == made[1404]


def test_two_compressions_at_once_put_nothing_away_twice(memory, tracker, distiller):
    tracker.track_many([decided(n % 5, reward=0.1, vector=near(0, n)) for n in range(1500)])
    distiller.distill()

    def meanwhile(_):
        MemoryDistiller(memory, agent_id="hedge").compress(DAY)

    assert distiller.compress(DAY, progress=meanwhile).trajectories == 1000
    assert tracker.count() == 1500


def test_many_forget_at_once(memory, tracker, distiller):
    made = filled(tracker, distiller, 8)
    distiller.compress(DAY)
    gone = [each.id for each in made[::2]]
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda id_: TrajectoryTracker(memory).forget([id_]), gone))
    assert told == [1] * len(gone)
    assert tracker.count() == len(made) - len(gone)
    for id_ in gone:
        with pytest.raises(ForgottenError):
            tracker.get(id_)


def test_what_others_have_not_taken_in_is_not_compressed(memory, tracker, distiller):
    tracker.track_many([decided(n, reward=-1.0) for n in range(3)])
    down = [RuntimeError("no model")] * 3

    def extract(trajectory, verdict):
        if down:
            raise down.pop()
        return RuleExtractor().extract(trajectory, verdict)

    extraction = ItemExtraction(memory, extractor=extract)
    assert len(extraction.run().failed) == 3
    distiller.distill()
    assert distiller.compress(DAY).trajectories == 0
    assert len(extraction.run().items) == 3
    assert distiller.compress(DAY).trajectories == 3
