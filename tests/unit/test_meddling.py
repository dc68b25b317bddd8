"""What somebody else writes between the last look of a view and its batch is never overtaken."""

import pytest

from builders import axis, day, record
from experiences import entry, episode
from nt_memory import (
    ConflictError,
    EpisodicStore,
    FeedbackLoop,
    MemoryDistiller,
    MemoryLifecycle,
    SemanticStore,
    TrajectoryTracker,
)
from nt_memory._retrying import retried
from nt_memory.store import ExpectUnchanged, Forget, Write
from trajectories import decided

DAY = 86_400.0


class Meddler:
    """A store that lets somebody write right before the first batch of a kind."""

    def __init__(self, store):
        self._store = store
        self.before = None
        self.drops = ()

    def commit(self, ops, **options):
        waiting = self.before
        if waiting is not None and any(isinstance(op, waiting[0]) for op in ops):
            self.before = None
            waiting[1]()
        kept = [op for op in ops if not isinstance(op, self.drops)]
        return self._store.commit(kept or ops, **options)

    def __getattr__(self, name):
        return getattr(self._store, name)


@pytest.fixture(params=[False, True], ids=["", "without_the_precondition"])
def careless(request):
    """Whether the precondition is left out: each test must fail then."""
    return request.param


@pytest.fixture
def meddler(memory, careless, monkeypatch):
    made = Meddler(memory.store)
    if careless:
        made.drops = (ExpectUnchanged,)
    monkeypatch.setattr(memory, "_store", made)
    return made


@pytest.fixture
def held(careless):
    """Say whether what should hold does, or, without the precondition, does not."""

    def check(*, holds):
        assert holds is not careless

    return check


def test_what_is_told_during_a_compression_is_kept(memory, meddler, held):
    tracker = TrajectoryTracker(memory)
    made = [decided(n, reward=0.01) for n in range(3)]
    tracker.track_many(made)
    distiller = MemoryDistiller(memory)
    distiller.distill()

    def tell():
        made[1].cite("01LATE")
        tracker.track(made[1])

    meddler.before = (Forget, tell)
    assert distiller.compress(DAY).trajectories == 3
    held(holds=tracker.get(made[1].id) == made[1])


def test_an_episode_that_is_pinned_during_a_pruning_stays(memory, meddler, held, clock):
    episodes = EpisodicStore(memory)
    ids = [episodes.add(episode()) for _ in range(4)]
    clock.set(day(100))
    meddler.before = (Forget, lambda: episodes.pin(ids[2]))
    done = MemoryLifecycle(memory).prune()
    held(holds=(done.episodes, memory.store.select()) == (3, [ids[2]]))


def test_a_pattern_that_is_rewritten_during_a_pruning_stays(memory, meddler, held, clock):
    knowledge = SemanticStore(memory)
    ids = [knowledge.add(entry(pattern_id=str(n))) for n in range(3)]
    clock.set(day(100))

    def rewrite():
        (raw,) = memory.store.versions(ids[1])
        memory.store.commit([Write(raw)])

    meddler.before = (Forget, rewrite)
    done = MemoryLifecycle(memory).prune()
    held(holds=(done.entries, memory.store.select()) == (2, [ids[1]]))


def test_an_outcome_that_comes_during_a_pin_is_kept(memory, meddler, held):
    episodes = EpisodicStore(memory)
    id_ = episodes.add(episode())
    meddler.before = (Write, lambda: episodes.settle(id_, 0.5, known_at=day(9)))
    episodes.pin(id_)
    found = episodes.get(id_)
    held(holds=(found.reward, found.is_pinned) == (0.5, True))


def test_a_memory_that_is_rewritten_during_a_turn_of_feedback_refuses_it(memory, meddler, held):
    memory.remember(record(id="a", embedding=axis(0)))
    asked = memory.recall(embedding=axis(0)).id
    made = decided(9, reward=1.0, predicted=1.0, known=10)
    made.cite(asked)
    TrajectoryTracker(memory).track(made)

    def rewrite():
        (raw,) = memory.store.versions("a")
        memory.store.commit([Write(raw)])

    meddler.before = (Write, rewrite)
    loop = FeedbackLoop(memory)
    try:
        loop.run()
    except ConflictError:
        refused = True
    else:
        refused = False
    held(holds=refused)
    if refused:
        assert loop.run().verdicts == 1


def test_who_is_always_too_late_is_told():
    tries = []

    def late():
        tries.append(None)
        msg = "somebody else was quicker"
        raise ConflictError(msg)

    with pytest.raises(ConflictError):
        retried(late)
    assert len(tries) == 10
