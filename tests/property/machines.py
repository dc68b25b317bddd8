"""State machines: a store against the oracle, and a store against its own past."""

import shutil
import tempfile
from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from nt_memory import _native
from nt_memory.errors import ForgottenError, HorizonError, NtMemoryError
from nt_memory.store import (
    Configure,
    Forget,
    NamespaceOptions,
    RawRecord,
    SearchResult,
    Write,
)
from nt_memory.testing import ModelStore
from strategies import (
    HOUR,
    SPACES,
    START,
    bounds,
    ids,
    keys,
    namespaces,
    operations,
    queries,
    records,
    times,
)


def open_native(engine, path, clock):
    """Open an engine with a hot tier so small that most reads miss it."""
    return _native.Store.open(
        None if engine == "memory" else path,
        engine=engine,
        cache_max_entries=4,
        cache_ttl_us=10**9,
        cache_max_bytes=1 << 20,
        track_access=True,
        spaces=SPACES,
        compression=True,
        max_memory_bytes=1 << 30,
        durability="none",
        clock=clock,
        seed=5,
    )


class Native:
    """An engine that can be reopened."""

    def __init__(self, engine):
        self.engine = engine

    def open(self, clock):
        self.clock = clock
        self.path = tempfile.mkdtemp()
        return open_native(self.engine, self.path, clock)

    def reopen(self, store):
        if self.engine == "memory":
            return store
        store.close()
        return open_native(self.engine, self.path, self.clock)

    def end(self, store):
        problems = store.verify()
        store.close()
        shutil.rmtree(self.path)
        assert problems == []


class Model:
    """A variant of the oracle."""

    def __init__(self, kind):
        self.kind = kind

    def open(self, clock):
        return self.kind(clock, spaces=SPACES, seed=5)

    def reopen(self, store):
        store.reopen()
        return store

    def end(self, store):
        store.close()


def plain(value):
    """Turn an answer into what compares by value."""
    if isinstance(value, RawRecord):
        fields = {name: getattr(value, name) for name in RawRecord.__slots__}
        vectors = {space: vector.tolist() for space, vector in value.embeddings.items()}
        return {**fields, "embeddings": vectors, "attributes": dict(value.attributes)}
    if isinstance(value, SearchResult):
        rows = [
            (
                match.id,
                match.version,
                match.score,
                match.similarity,
                match.recency,
                match.importance,
                match.outcome,
                plain(match.record),
            )
            for match in value.matches
        ]
        return rows, value.matched, value.forgotten, value.exact, value.commit, value.as_of
    return value


def outcome(call):
    """Return what a call gives, or the class of the error it raises."""
    try:
        return plain(call())
    except (NtMemoryError, ValueError) as error:
        return type(error)


class AgainstOracle(RuleBasedStateMachine):
    """Whatever is done, the store and the oracle answer alike."""

    subject = Native("memory")

    def __init__(self):
        super().__init__()
        self.clock = _native.Clock(manual=True, start_us=START)
        self.store = self.subject.open(self.clock)
        self.model = ModelStore(self.clock, spaces=SPACES, seed=5)
        self.made = []

    def teardown(self):
        self.subject.end(self.store)

    def alike(self, ask):
        found, expected = outcome(lambda: ask(self.store)), outcome(lambda: ask(self.model))
        assert found == expected
        return found

    @rule(ops=st.lists(operations, min_size=1, max_size=3))
    def commit(self, ops):
        found, expected = (
            outcome(lambda store=store: store.commit(ops)) for store in (self.store, self.model)
        )
        assert found == expected

    @rule(record=records())
    def write(self, record):
        self.commit([Write(record)])

    @rule(step=st.sampled_from([1, HOUR, 3 * HOUR, 12 * HOUR]))
    def time_passes(self, step):
        self.clock.advance_us(step)

    @rule()
    def reopen(self):
        after = self.subject.reopen(self.store)
        if after is not self.store or isinstance(after, ModelStore):
            self.model.reopen()
        self.store = after

    @rule(namespace=namespaces, key=keys, as_of=st.none() | times())
    def get(self, namespace, key, as_of):
        self.alike(lambda store: store.get(namespace, key, as_of))

    @rule(
        namespace=namespaces,
        prefix=st.sampled_from(["", "k"]),
        limit=st.sampled_from([1, 2, 9]),
        cursor=st.sampled_from([None, "k"]),
    )
    def scan(self, namespace, prefix, limit, cursor):
        self.alike(lambda store: store.scan(namespace, prefix, limit, cursor))

    @rule(id_=ids, as_of=st.none() | times(), data=st.data())
    def fetch(self, id_, as_of, data):
        bound = data.draw(bounds(self.model.stats()["commits"]))
        self.alike(lambda store: store.fetch(id_, as_of, *bound.values()))

    @rule(data=st.data())
    def search(self, data):
        query = data.draw(queries(self.model.stats()["commits"]))
        self.alike(lambda store: store.vector_search(query))


def says_that_it_cannot(before, after):
    """Whether an answer that differs says so."""
    if isinstance(after, type):
        # ValueError: the namespace keeps no history any more.
        return after in {HorizonError, ForgottenError, ValueError}
    return isinstance(before, tuple) and after[2] > before[2]


class AgainstItsPast(RuleBasedStateMachine):
    """The promise: a question about the past keeps its answer, or is told that it cannot be answered.

    A question names a time and a commit that the store had reached.  Later it
    gets the same answer, a `HorizonError`, or is told of more forgotten
    records than before.
    """

    subject = Native("memory")

    def __init__(self):
        super().__init__()
        self.clock = _native.Clock(manual=True, start_us=START)
        self.store = self.subject.open(self.clock)
        self.asked = []
        self.moments = [START]

    def teardown(self):
        self.subject.end(self.store)

    @rule(ops=st.lists(operations, min_size=1, max_size=3))
    def commit(self, ops):
        outcome(lambda: self.store.commit(ops))

    @rule(record=records())
    def write(self, record):
        self.moments.append(record.known_at)
        self.commit([Write(record)])

    @rule(id_=ids)
    def forget(self, id_):
        self.commit([Forget([id_])])

    @rule(namespace=namespaces)
    def retain(self, namespace):
        self.commit([Configure(namespace, NamespaceOptions(retention=10 * HOUR))])

    @rule(step=st.sampled_from([1, HOUR, 12 * HOUR]))
    def time_passes(self, step):
        self.clock.advance_us(step)

    @rule()
    def reopen(self):
        self.store = self.subject.reopen(self.store)

    @rule(data=st.data())
    def ask(self, data):
        commit = self.store.stats()["commits"]
        query = data.draw(queries())
        as_of = query.as_of or data.draw(st.sampled_from(self.moments))
        query = replace(query, as_of=as_of, recorded_by_time=None, recorded_by_commit=commit)
        self.remember(lambda: self.store.vector_search(query))

    @rule(id_=ids, as_of=times())
    def ask_for_one(self, id_, as_of):
        commit = self.store.stats()["commits"]
        self.remember(lambda: self.store.fetch(id_, as_of, None, commit))

    @rule(namespace=namespaces, key=keys, hours=st.integers(1, 30))
    def ask_for_a_value(self, namespace, key, hours):
        as_of = self.clock.now_us() - hours * HOUR
        if self.store.namespace_options(namespace).history:
            self.remember(lambda: self.store.get(namespace, key, as_of))

    def remember(self, ask):
        answer = outcome(ask)
        if not (isinstance(answer, type) and issubclass(answer, Exception)):
            self.asked.append((ask, answer))

    @precondition(lambda self: self.asked)
    @rule()
    def ask_again(self):
        for ask, before in self.asked:
            after = outcome(ask)
            assert after == before or says_that_it_cannot(before, after)
