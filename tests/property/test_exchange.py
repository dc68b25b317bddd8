"""A copy that was exported and imported answers every question as of a time as the original."""

import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from nt_memory import ManualClock, MemoryConfig, MemorySystem, VectorSpace
from nt_memory.clock import from_micros
from nt_memory.exchange import _import
from nt_memory.exchange._history import operations
from nt_memory.store import Configure, NamespaceOptions, Put, Query, Settle, Write
from property.machines import outcome, plain
from stores import MEMORY, SPACES, Model, Native
from strategies import HOUR, START, ids, namespaces, outcomes, queries, records

CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large]
MANY = settings(max_examples=60, deadline=None, suppress_health_check=CHECKS)
HUNT = settings(MANY, max_examples=400, derandomize=True, database=None, phases=[Phase.generate])
KINDS = {"model": Model, "native": lambda: Native("memory")}
# Every moment at which something may begin or end to show.
MOMENTS = [START + hours * HOUR + beside for hours in range(-45, 65) for beside in (-1, 0, 1)]
STAMPS = {"recorded_at": 0, "commit": 0}

# Without a retention: the horizon of a copy moves with its own clock.
options = st.builds(
    NamespaceOptions, history=st.booleans(), ttl=st.sampled_from([None, HOUR, 20 * HOUR])
)
steps = st.one_of(
    st.builds(Write, records()),
    st.builds(Settle, ids, outcomes(), st.booleans()),
    st.builds(Configure, namespaces, options),
)
# Zero hours keep two batches at the same time; a write may still be known long before.
histories = st.lists(
    st.tuples(st.integers(0, 12), st.lists(steps, min_size=1, max_size=3)), max_size=15
)


@contextmanager
def opened(kind, spaces=SPACES):
    clock = ManualClock(from_micros(START))
    store_kind = KINDS[kind]()
    store = store_kind.open(clock.native)
    config = MemoryConfig(
        cold_engine="memory",
        spaces={name: VectorSpace(dim=dim) for name, dim, *_ in spaces},
        clock=clock,
    )
    yield MemorySystem(config, store=store)
    store_kind.close()


@contextmanager
def copied(history, kind, suffix):
    """Live through a history, and give it with its copy."""
    folder = tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
    with folder as name, opened(kind) as memory, opened(kind) as copy:
        for hours, ops in history:
            memory.clock.native.advance_us(hours * HOUR)
            outcome(lambda ops=ops: memory.store.commit(ops))
        path = Path(name) / f"records{suffix}"
        exported = memory.export(path)
        assert copy.import_(path) == exported == len(memory.store.select())
        assert copy.verify() == []
        assert options_of(copy) == options_of(memory)
        yield memory.store, copy.store


def options_of(memory):
    configured = memory.store.configured().items()
    return {name: its for name, its in configured if its != NamespaceOptions()}


def unstamped(record):
    return None if record is None else replace(record, **STAMPS)


def found(store, query):
    def ask():
        result = store.vector_search(query)
        matches = [replace(match, record=unstamped(match.record)) for match in result.matches]
        return replace(result, matches=matches, commit=0)

    return outcome(ask)


def same_records(memory, copy):
    for id_ in memory.select():
        for moment in MOMENTS:
            before, after = (
                outcome(lambda s=store, i=id_, m=moment: unstamped(s.fetch(i, m)))
                for store in (memory, copy)
            )
            assert before == after


def same_versions(memory, copy):
    assert memory.select() == copy.select()
    for id_ in memory.select():
        one, other = (
            [plain(unstamped(raw)) for raw in store.versions(id_)] for store in (memory, copy)
        )
        assert one == other


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".parquet"])
@pytest.mark.parametrize("kind", KINDS)
@MANY
@given(history=histories)
def test_every_record_is_the_same_at_every_time(kind, suffix, history):
    with copied(history, kind, suffix) as (memory, copy):
        same_versions(memory, copy)
        same_records(memory, copy)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
@pytest.mark.parametrize("kind", KINDS)
@MANY
@given(history=histories, asked=st.lists(queries(), min_size=1, max_size=8))
def test_every_recall_is_the_same_at_every_time(kind, suffix, history, asked):
    asked = [query for query in asked if "recorded_at" not in f"{query.filter} {query.order_by}"]
    assume(asked)
    with copied(history, kind, suffix) as (memory, copy):
        for query in asked:
            as_of = query.as_of if query.as_of is not None else START
            bare = replace(query, as_of=as_of, recorded_by_time=None, recorded_by_commit=None)
            assert found(memory, bare) == found(copy, bare)
        for moment in MOMENTS[::10]:
            every = Query(as_of=moment)
            assert found(memory, every) == found(copy, every)


def known_with_its_record(op):
    """Forget the outcome's own known-at."""
    if isinstance(op, Write) and op.record.outcome is not None:
        known = replace(op.record.outcome, known_at=op.record.known_at)
        return Write(replace(op.record, outcome=known))
    return replace(op, outcome=replace(op.outcome, known_at=None)) if isinstance(op, Settle) else op


def forgets_when_outcomes_were_known(versions):
    return [known_with_its_record(op) for op in operations(versions)]


def settles_the_version_before(versions):
    """Take the version before for the latest, which a backfill is not."""
    ops = []
    for before, raw in zip([None, *versions], versions, strict=False):
        revise = before is not None and before.outcome is not None
        settled = before is not None and raw.outcome is not None
        ops.append(Settle(raw.id, raw.outcome, revise) if settled else Write(raw))
    return ops


def writes_newest_first(versions):
    return [Write(replace(raw, outcome=None)) for raw in reversed(versions)]


@pytest.mark.parametrize(
    ("broken", "caught"),
    [
        (forgets_when_outcomes_were_known, AssertionError),
        (writes_newest_first, AssertionError),
        # The store itself does not let an outcome be known before its record.
        (settles_the_version_before, (AssertionError, ValueError)),
    ],
)
def test_a_broken_import_is_caught(monkeypatch, broken, caught):
    monkeypatch.setattr(_import, "operations", broken)

    @HUNT
    @given(history=histories)
    def hunt(history):
        with copied(history, "model", ".jsonl") as (memory, copy):
            same_records(memory, copy)

    with pytest.raises(caught):
        hunt()


def test_options_before_the_records_are_caught(monkeypatch):
    def at_once(store, wanted):
        store.commit([Configure(name, its) for name, its in wanted.items()] or [Put("a", "k", b"")])
        return []

    monkeypatch.setattr(_import, "missing", at_once)

    @HUNT
    @given(history=histories)
    def hunt(history):
        with copied(history, "model", ".jsonl") as (memory, copy):
            same_records(memory, copy)

    with pytest.raises(AssertionError):
        hunt()
