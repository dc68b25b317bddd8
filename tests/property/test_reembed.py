"""A copy that was embedded anew answers as if the new encoder had been there from the start."""

import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from nt_memory import HashingEmbedding, ManualClock, MemoryConfig, MemorySystem, VectorSpace
from nt_memory.clock import from_micros
from nt_memory.embedding import CallableEmbedding
from nt_memory.store import Configure, NamespaceOptions, Put, Query, Settle, Write
from nt_memory.testing import ModelStore
from nt_memory.text import _reembed, reembed
from property.machines import outcome
from stores import MEMORY
from strategies import DIMS, HOUR, START, ids, keys, namespaces, outcomes, queries, records

CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large]
MANY = settings(max_examples=40, deadline=None, suppress_health_check=CHECKS)
HUNT = settings(MANY, max_examples=200, derandomize=True, database=None, phases=[Phase.generate])
DIM = 8
OLD = HashingEmbedding(DIM)
# As long as the old ones, so that an old vector is no error in the new space.
NEW = CallableEmbedding(lambda texts: -OLD.embed([t[::-1] for t in texts]), id="new", dim=DIM)
TEXTS = ["hello", "gold falls", "rates rise", ""]
MOMENTS = [START + hours * HOUR + beside for hours in range(-45, 65) for beside in (-1, 0, 1)]

options = st.builds(
    NamespaceOptions, history=st.booleans(), ttl=st.sampled_from([None, HOUR, 20 * HOUR])
)
writes = st.builds(
    lambda record, text: Write(replace(record, text=text)),
    records(),
    st.sampled_from([None, *TEXTS]),
)
steps = st.one_of(
    writes,
    writes,
    st.builds(Settle, ids, outcomes(), st.booleans()),
    st.builds(Configure, namespaces, options) | st.builds(Put, namespaces, keys, st.just(b"v")),
)
histories = st.lists(
    st.tuples(st.integers(0, 12), st.lists(steps, min_size=1, max_size=3)), max_size=12
)


def embedded(op, encoder):
    if not isinstance(op, Write) or op.record.text is None:
        return op
    vectors = {**op.record.embeddings, "text": encoder.embed([op.record.text])[0]}
    return Write(replace(op.record, embeddings=vectors))


def live(history, encoder):
    """Return a memory on the oracle that lived through a history with an encoder."""
    clock = ManualClock(from_micros(START))
    made = {name: VectorSpace(dim=dim) for name, dim in {**DIMS, "text": DIM}.items()}
    spaces = [(name, space.dim, "cosine", "f16", None) for name, space in made.items()]
    store = ModelStore(clock.native, spaces=spaces, seed=5)
    memory = MemorySystem(
        MemoryConfig(cold_engine="memory", spaces=made, clock=clock), store=store, embedder=encoder
    )
    for hours, ops in history:
        clock.native.advance_us(hours * HOUR)
        outcome(lambda ops=ops: store.commit([embedded(op, encoder) for op in ops]))
    return memory


@contextmanager
def copied(history):
    """Live through a history with either encoder, and copy from the old one to the new."""
    old, new = live(history, OLD), live(history, NEW)
    folder = tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
    with folder as name, reembed(old, Path(name, "copy"), embedder=NEW) as copy:
        yield old.store, new.store, copy.store


def found(store, query):
    # A copy has one commit more where namespaces have options.
    return outcome(lambda: replace(store.vector_search(query), commit=0))


def without_text(record):
    fields = dict(record)
    vectors = {name: its for name, its in record["embeddings"].items() if name != "text"}
    return {**fields, "embeddings": vectors}


def versions(store):
    return {id_: [outcome(lambda r=r: r) for r in store.versions(id_)] for id_ in store.select()}


def same_versions(old, new, copy):
    assert versions(copy) == versions(new)
    before, after = versions(old), versions(copy)
    assert before.keys() == after.keys()
    for id_ in before:
        assert list(map(without_text, before[id_])) == list(map(without_text, after[id_]))


@MANY
@given(history=histories)
def test_every_version_is_as_if_the_encoder_had_been_there(history):
    with copied(history) as stores:
        same_versions(*stores)
        assert stores[2].verify() == []
        assert stores[2].stats()["commits"] - stores[0].stats()["commits"] in {0, 1}


def asked(stores, query):
    """Ask the copy and the reference, and the original where no text is asked for."""
    old, new, copy = stores
    answer = found(copy, query)
    assert answer == found(new, query)
    if isinstance(answer, tuple) and query.space != "text":
        (rows, *counts), (before, *counted) = answer, found(old, query)
        assert counts == counted
        assert [row[:-1] for row in rows] == [row[:-1] for row in before]


@MANY
@given(history=histories, data=st.data())
def test_every_question_is_answered_as_before(history, data):
    with copied(history) as stores:
        commits = stores[0].stats()["commits"]
        for query in data.draw(st.lists(queries(commits), min_size=1, max_size=8)):
            asked(stores, query)
        for moment in MOMENTS[::15]:
            asked(stores, Query(as_of=moment))
            asked(stores, Query(as_of=moment, recorded_by_commit=max(commits - 1, 0)))
            asked(stores, Query(as_of=moment, recorded_by_time=moment))


@MANY
@given(history=histories, text=st.sampled_from(TEXTS), moment=st.sampled_from(MOMENTS))
def test_a_text_finds_what_it_would_have_found(history, text, moment):
    with copied(history) as stores:
        vector = NEW.embed([text])[0]
        for at in (None, moment):
            asked(stores, Query(space="text", vector=vector, as_of=at))
            asked(stores, Query(space="text", vector=vector, as_of=at, recorded_by_time=moment))


def keeps_old_vectors(monkeypatch):
    monkeypatch.setattr(_reembed, "_anew", lambda op, vectors: op)


def loses_a_version(monkeypatch):
    right = _reembed._History._versions
    monkeypatch.setattr(
        _reembed._History,
        "_versions",
        lambda history, id_: [raw for raw in right(history, id_) if raw.version != 2],
    )


def mixes_up_texts(monkeypatch):
    right = _reembed._anew
    monkeypatch.setattr(
        _reembed,
        "_anew",
        lambda op, vectors: right(op, dict(zip(vectors, [*vectors.values()][::-1], strict=True))),
    )


def counts_no_commits(monkeypatch):
    monkeypatch.setattr(_reembed, "_count_up", lambda store, number, until: number)


def embeds_what_had_no_text(monkeypatch):
    right = _reembed._anew

    def anew(op, vectors):
        made = right(op, vectors)
        if made is op and isinstance(op, Write):
            vector = NEW.embed([""])[0]
            return Write(replace(op.record, embeddings={**op.record.embeddings, "text": vector}))
        return made

    monkeypatch.setattr(_reembed, "_anew", anew)


@pytest.mark.parametrize(
    "broken",
    [
        keeps_old_vectors,
        loses_a_version,
        mixes_up_texts,
        counts_no_commits,
        embeds_what_had_no_text,
    ],
)
def test_a_broken_copy_is_caught(monkeypatch, broken):
    broken(monkeypatch)

    @HUNT
    @given(history=histories)
    def hunt(history):
        with copied(history) as stores:
            same_versions(*stores)

    with pytest.raises(AssertionError):
        hunt()
