"""A copy with another encoder: what comes along, what is refused, what a break leaves."""

import subprocess
import sys
from datetime import timedelta

import numpy as np
import pytest

from builders import axis, day, record
from nt_memory import (
    AccessDeniedError,
    HashingEmbedding,
    HorizonError,
    ManualClock,
    MemoryConfig,
    MemorySystem,
    Outcome,
    VectorError,
    VectorSpace,
)
from nt_memory.embedding import CallableEmbedding
from nt_memory.text import reembed

NEW = HashingEmbedding(64)


@pytest.fixture
def target(tmp_path):
    """Where a copy will be."""
    return tmp_path / "copy"


def copy_of(memory, target, **options):
    return reembed(memory, target, **{"embedder": NEW, **options})


def test_texts_have_new_vectors_and_other_spaces_their_own(memory, target):
    vector = np.array([0.1, -0.0, 1e-30, 3.0], dtype=np.float32)
    memory.remember(record(id="one", text="gold", embedding=vector))
    with copy_of(memory, target) as copy:
        (made,) = copy.store.versions("one")
        assert (made.embeddings["text"] == NEW.embed(["gold"])[0]).all()
        assert made.embeddings["state"].tobytes() == vector.tobytes()
        assert copy.config.spaces["text"] == VectorSpace(dim=64, encoder=NEW.id)


def test_the_original_is_left_as_it_is(memory, target):
    memory.remember(record(id="one", text="gold"))
    before = memory.stats()["commits"]
    copy_of(memory, target).close()
    assert memory.stats()["commits"] == before
    assert len(memory.get_record("one").embeddings["text"]) == 256


def test_versions_keep_when_and_in_which_commit_they_were_written(memory, clock, target):
    memory.put("other", "key", b"")
    memory.remember(record(id="one", text="gold"))
    clock.advance(timedelta(days=2))
    memory.put("other", "key", b"")
    memory.settle("one", Outcome(1.0, known_at=day(15)))
    memory.put("other", "key", b"")
    with copy_of(memory, target) as copy:
        stamps = [(raw.version, raw.commit) for raw in copy.store.versions("one")]
        assert stamps == [(0, 2), (1, 4)]
        assert copy.get_record("one", as_of=day(15), recorded_by=3).outcome is None
        assert copy.get_record("one", as_of=day(15), recorded_by=day(11)).outcome is None
        assert copy.get_record("one", as_of=day(15), recorded_by=day(12)).outcome.reward == 1.0
        assert copy.stats()["commits"] == memory.stats()["commits"]


def test_a_copy_goes_on(memory, clock, target):
    memory.remember(record(id="one", text="gold"))
    with copy_of(memory, target) as copy:
        clock.advance(timedelta(days=1))
        copy.remember(record(id="two", text="oil"))
        assert copy.recall(text="oil").hits[0].record.id == "two"
    config = copy.config
    with MemorySystem(config, clock=clock, embedder=NEW) as again:
        assert again.verify() == []
        assert again.recall(text="gold").hits[0].record.id == "one"
    with pytest.raises(ValueError, match="hashing-v1-256"):
        MemorySystem(config, clock=clock, embedder=HashingEmbedding())


def test_a_batch_stays_one_commit_however_large(memory, target):
    memory.remember_many(record(id=f"{n}", text=f"text {n}") for n in range(700))
    memory.remember_many(record(id=f"{n}", text="again") for n in range(700))
    told = []
    with copy_of(memory, target, progress=lambda *counts: told.append(counts)) as copy:
        assert {raw.commit for n in range(700) for raw in copy.store.versions(f"{n}")} == {1, 2}
    assert told == [(700, 1400), (1400, 1400)]


def test_an_empty_memory_makes_an_empty_copy(memory, target):
    with copy_of(memory, target) as copy:
        assert copy.store.select() == []


def test_what_is_written_meanwhile_stays_behind(memory, target):
    memory.remember_many([record(id="one", text="gold"), record(id="two")])

    def meanwhile(texts):
        memory.remember(record(id="one", text="silver"))
        memory.remember(record(id="three", text="oil"))
        return NEW.embed(texts)

    encoder = CallableEmbedding(meanwhile, id=NEW.id, dim=64)
    with copy_of(memory, target, embedder=encoder) as copy:
        assert copy.store.select() == ["one", "two"]
        assert [raw.text for raw in copy.store.versions("one")] == ["gold"]


def test_forgotten_records_and_values_stay_behind(memory, target):
    memory.remember_many([record(id="one", text="gold"), record(id="two", text="oil")])
    memory.forget("one")
    memory.put("other", "key", b"value")
    with copy_of(memory, target) as copy:
        assert copy.store.select() == ["two"]
        assert copy.get("other", "key") is None


def test_namespaces_keep_options_and_a_horizon_that_was_reached(memory, clock, target):
    memory.remember(record(id="one", text="gold"))
    clock.advance(timedelta(days=10))
    memory.remember(record(id="two", event_time=day(20), text="gold"))
    memory.configure_namespace("trades", retention=timedelta(days=5))
    memory.configure_namespace("trades", retention=timedelta(days=100), fenced="desk")
    memory.configure_namespace("empty", history=True)
    with copy_of(memory, target) as copy:
        assert copy.store.configured() == memory.store.configured()
        for each in (memory, copy):
            with pytest.raises(HorizonError) as caught:
                each.recall(text="gold", namespace="trades", as_of=day(14))
            assert caught.value.horizon == day(15)
            with pytest.raises(HorizonError):
                each.get_record("two", as_of=day(14))
            assert len(each.recall(text="gold", as_of=day(20)).hits) == 2


def test_a_namespace_whose_records_are_erased_keeps_its_horizon(memory, clock, target):
    memory.configure_namespace("trades", retention=timedelta(days=5))
    memory.remember(record(id="one", text="gold", expires_at=day(11)))
    clock.advance(timedelta(days=20))
    memory.configure_namespace("trades", retention=timedelta(days=100))
    with copy_of(memory, target) as copy:
        for each in (memory, copy):
            with pytest.raises(HorizonError) as caught:
                each.recall(text="gold", as_of=day(10))
            assert caught.value.horizon == day(25)


def test_a_text_that_came_with_its_own_vector_is_embedded(memory, target):
    own = np.eye(1, 256, dtype=np.float32)[0]
    memory.remember(record(id="one", text="gold", embeddings={"text": own}))
    with copy_of(memory, target) as copy:
        vector = copy.get_record("one").embeddings["text"]
        assert (vector == NEW.embed(["gold"])[0]).all()


def test_a_vector_without_a_text_is_refused_by_id(memory, target):
    memory.remember(record(id="one", embeddings={"text": np.ones(256)}))
    with pytest.raises(VectorError, match=r"version 0 of record 'one'.* no text"):
        copy_of(memory, target)
    assert not target.exists()


def test_a_memory_without_the_space_is_refused(open_on, clock, target):
    with (
        open_on(clock, spaces={"state": VectorSpace(dim=4)}) as memory,
        pytest.raises(VectorError, match="without the space 'text'"),
    ):
        copy_of(memory, target)


def test_an_agent_cannot_copy(clock, target):
    with MemorySystem(":memory:", clock=clock) as memory, pytest.raises(AccessDeniedError):
        copy_of(memory.agent("hedge"), target)


def test_a_target_that_has_nowhere_to_be_is_refused(memory, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no directory"):
        copy_of(memory, tmp_path / "none" / "copy")


@pytest.mark.parametrize("embedder", [None, "hashing", HashingEmbedding])
def test_what_is_no_encoder_is_refused(memory, target, embedder):
    with pytest.raises((TypeError, ValueError)):
        copy_of(memory, target, embedder=embedder)
    assert not target.exists()


def test_a_target_that_is_there_is_not_touched(memory, target):
    target.mkdir()
    (target / "mine").write_text("mine")
    with pytest.raises(ValueError, match="there already"):
        copy_of(memory, target)
    assert [path.name for path in target.iterdir()] == ["mine"]


def stops(done, total):
    raise KeyboardInterrupt


def fails(texts):
    msg = "the service is down"
    raise OSError(msg)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"progress": stops}, KeyboardInterrupt),
        ({"embedder": CallableEmbedding(fails, id="service", dim=8)}, VectorError),
        ({"embedder": CallableEmbedding(lambda t: [[1.0]], id="short", dim=8)}, VectorError),
    ],
)
def test_a_copy_that_fails_leaves_nothing(memory, target, options, error):
    memory.remember(record(text="gold", embedding=axis(0)))
    with pytest.raises(error):
        copy_of(memory, target, **options)
    assert list(target.parent.iterdir()) == []


KILLED = """
import os, signal
from builders import day, record
from nt_memory import HashingEmbedding, ManualClock, MemorySystem
from nt_memory.text import reembed

def kill(done, total):
    if done > 300:
        os.kill(os.getpid(), signal.SIGKILL)

with MemorySystem("old", clock=ManualClock(day(10))) as memory:
    for n in range(600):
        memory.remember(record(id=f"{n}", text=f"text {n}"))
    reembed(memory, "copy", embedder=HashingEmbedding(64), progress=kill)
"""


def test_a_copy_that_is_killed_has_not_its_name_and_can_be_made_again(tmp_path, target):
    path = f"import sys\nsys.path[:] = {sys.path}\n"
    run = subprocess.run([sys.executable, "-c", path + KILLED], cwd=tmp_path, check=False)
    assert run.returncode < 0
    assert not target.exists()
    clock = ManualClock(day(10))
    config = MemoryConfig(storage_path=tmp_path / "old")
    with MemorySystem(config, clock=clock) as memory, copy_of(memory, target) as copy:
        assert len(copy.store.select()) == len(memory.store.select()) == 600
        assert copy.verify() == []
