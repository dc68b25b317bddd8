"""State machines: a store against the oracle, and a store against its own past."""

from dataclasses import dataclass, replace
from datetime import datetime

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from nt_memory import _native
from nt_memory.errors import ForgottenError, HorizonError, NtMemoryError
from nt_memory.store import (
    Configure,
    Forget,
    NamespaceOptions,
    Query,
    RawRecord,
    SearchResult,
    Write,
)
from nt_memory.testing import ModelStore
from stores import SEED, SPACES, Native
from strategies import (
    HOUR,
    START,
    bounds,
    ids,
    keys,
    mostly,
    namespaces,
    operations,
    queries,
    records,
    times,
)


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


@dataclass(frozen=True)
class Refusal:
    """The error that a question raised."""

    kind: type
    horizon: datetime | None = None


def outcome(call):
    """Return what a call gives, or how it is refused."""
    try:
        return plain(call())
    except (NtMemoryError, ValueError) as error:
        return Refusal(type(error), getattr(error, "horizon", None))


class Machine(RuleBasedStateMachine):
    """Whatever may happen to a store; what is asked of it, a subclass says."""

    subject = Native("memory")

    def __init__(self):
        super().__init__()
        self.clock = _native.Clock(manual=True, start_us=START)
        self.store = self.subject.open(self.clock)
        self.moments = [START]

    def teardown(self):
        problems = self.store.verify()
        self.subject.close()
        assert problems == []

    def commit(self, ops):
        """Commit a batch, which may be refused."""
        return outcome(lambda: self.store.commit(ops))

    @initialize(first=st.lists(records(), max_size=5))
    def begin(self, first):
        for record in first:
            self.write(record)

    @rule(ops=st.lists(operations, min_size=1, max_size=3))
    def change(self, ops):
        self.commit(ops)

    @rule(record=records())
    def write(self, record):
        self.moments.append(record.known_at)
        self.commit([Write(record)])

    @rule(id_=ids)
    def forget(self, id_):
        self.commit([Forget([id_])])

    @rule(namespace=namespaces, hours=st.sampled_from([5, 20]))
    def retain(self, namespace, hours):
        self.commit([Configure(namespace, NamespaceOptions(retention=hours * HOUR))])

    @rule(step=st.sampled_from([1, HOUR, 12 * HOUR, 24 * HOUR]))
    def time_passes(self, step):
        self.clock.advance_us(step)

    @precondition(lambda self: self.subject.keeps)
    @rule()
    def reopen(self):
        self.store = self.subject.reopen()

    @precondition(lambda self: self.subject.keeps)
    @rule()
    def restore(self):
        self.store = self.subject.restore()


class AgainstOracle(Machine):
    """Whatever is done, the store and the oracle answer alike."""

    def __init__(self):
        super().__init__()
        self.model = ModelStore(self.clock, spaces=SPACES, seed=SEED)

    def alike(self, ask):
        found, expected = outcome(lambda: ask(self.store)), outcome(lambda: ask(self.model))
        assert found == expected
        return found

    def commit(self, ops):
        return self.alike(lambda store: store.commit(ops))

    @precondition(lambda self: self.subject.keeps)
    @rule()
    def reopen(self):
        super().reopen()
        self.model.reopen()

    @precondition(lambda self: self.subject.keeps)
    @rule()
    def restore(self):
        super().restore()
        self.model.reopen()

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

    @rule(namespace=st.none() | namespaces, data=st.data())
    def select(self, namespace, data):
        query = data.draw(queries())
        self.alike(lambda store: store.select(namespace, query.filter))

    @rule(ops=st.lists(operations, min_size=1, max_size=3))
    def try_out(self, ops):
        self.alike(lambda store: store.commit(ops, dry_run=True))

    @rule(id_=ids, as_of=st.none() | times(), data=st.data())
    def fetch(self, id_, as_of, data):
        bound = data.draw(bounds(self.model.stats()["commits"]))
        self.alike(lambda store: store.fetch(id_, as_of, *bound.values()))

    @rule(id_=ids, as_of=st.none() | times(), namespace=st.none() | namespaces)
    def log(self, id_, as_of, namespace):
        entry = f"{as_of} {namespace}".encode()
        self.alike(lambda store: store.log_recall(id_, entry, as_of, namespace))

    @rule(id_=ids)
    def read_the_log(self, id_):
        self.alike(lambda store: store.recall_log(id_))

    @rule(data=st.data())
    def search(self, data):
        query = data.draw(queries(self.model.stats()["commits"]))
        self.alike(lambda store: store.vector_search(query))


def says_that_it_cannot(before, after):
    """Whether an answer that differs says so."""
    if isinstance(after, Refusal):
        # ValueError: the namespace keeps no history of its keys any more.
        is_value = before is None or isinstance(before, bytes)
        return after.kind in {HorizonError, ForgottenError, *([ValueError] if is_value else [])}
    if not isinstance(before, tuple):
        return False
    (_, matched_before, forgotten_before, *_), (_, matched, forgotten, *_) = before, after
    # What is not returned any more is counted as forgotten, no more and no less.
    return forgotten > forgotten_before and matched + forgotten == matched_before + forgotten_before


class AgainstItsPast(Machine):
    """The promise: a question about the past keeps its answer, or is told that it cannot.

    A question names a time, and a commit that the store had reached or a time
    that had passed.  Later it gets the same answer, a `HorizonError`, or is
    told how many of its records were forgotten.
    """

    def __init__(self):
        super().__init__()
        self.asked = []

    def held(self, by_time):
        """Return a bound on what the store holds, that nothing to come can change."""
        if by_time:
            return {"recorded_by_time": self.clock.now_us() - 1, "recorded_by_commit": None}
        return {"recorded_by_time": None, "recorded_by_commit": self.store.stats()["commits"]}

    @rule(data=st.data(), by_time=mostly(st.just(value=False), st.just(value=True)))
    def ask(self, data, by_time):
        query = data.draw(queries())
        as_of = query.as_of or data.draw(st.sampled_from(self.moments))
        self.search(replace(query, as_of=as_of, **self.held(by_time)))

    @rule()
    def ask_for_all(self):
        bound = self.held(by_time=False)
        for moment in self.moments:
            self.search(Query(as_of=moment, **bound))

    def search(self, query):
        # The last commit of the store is told beside the answer.
        self.remember(lambda: replace(self.store.vector_search(query), commit=0))

    @rule(id_=ids, as_of=times(), by_time=mostly(st.just(value=False), st.just(value=True)))
    def ask_for_one(self, id_, as_of, by_time):
        bound = self.held(by_time).values()
        self.remember(lambda: self.store.fetch(id_, as_of, *bound))

    @rule(namespace=namespaces, key=keys, hours=st.integers(1, 30))
    def ask_for_a_value(self, namespace, key, hours):
        as_of = self.clock.now_us() - hours * HOUR
        if self.store.namespace_options(namespace).history:
            self.remember(lambda: self.store.get(namespace, key, as_of))

    def remember(self, ask):
        answer = outcome(ask)
        if not isinstance(answer, Refusal):
            self.asked.append((ask, answer))

    @precondition(lambda self: self.asked)
    @rule()
    def ask_again(self):
        for ask, before in self.asked:
            after = outcome(ask)
            assert after == before or says_that_it_cannot(before, after)
