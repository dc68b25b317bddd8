"""Agents and rights over any history, against a plain book of who may do what.

The memory is opened again now and then: what was granted is kept.
"""

import tempfile
from datetime import datetime, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_memory import AccessDeniedError, ManualClock, MemoryConfig, MemorySystem, Record

START = datetime(2024, 1, 2, tzinfo=timezone.utc)
AGENTS = ("a", "b")
PLACES = ("swarm/a", "swarm/a/notes", "swarm/b", "swarm/bb", "shared", "shared/book", "desk")
PATHS = (*PLACES, "desk/fx")

agents, places, paths = map(st.sampled_from, (AGENTS, PLACES, PATHS))
calls = st.sampled_from(["get", "keys", "recall", "put", "delete", "remember", "forget"])
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["grant", "revoke"]), agents, st.booleans(), paths),
        st.tuples(calls, agents, places),
        st.tuples(calls, agents, places),
        st.tuples(st.just("recall everything"), agents),
        st.tuples(st.just("reopen")),
    ),
    max_size=30,
)


def below(path, prefix):
    return path == prefix or path.startswith(prefix + "/")


class Book:
    """Who may do what, by the rules as they are told."""

    def __init__(self):
        self.read = {agent: set() for agent in AGENTS}
        self.write = {agent: set() for agent in AGENTS}
        self.values, self.records = set(), {}

    def writes(self, agent, path):
        mine = (f"swarm/{agent}", *self.write[agent])
        return any(below(path, prefix) for prefix in mine)

    def reads(self, agent, path):
        open_ = ("shared", *self.read[agent])
        return self.writes(agent, path) or any(below(path, prefix) for prefix in open_)

    def looks_into(self, agent, path):
        """Whether something below a path can be read, so that a recall there is no offence."""
        everything = (f"swarm/{agent}", "shared", *self.read[agent], *self.write[agent])
        return any(below(path, prefix) or below(prefix, path) for prefix in everything)


class Desk:
    """A memory on a disk, and the book beside it."""

    def __init__(self, folder):
        self.folder, self.book, self.count = folder, Book(), 0
        self.open()

    def open(self):
        config = MemoryConfig(storage_path=self.folder, durability="none")
        self.memory = MemorySystem(config, clock=ManualClock(START))
        self.handles = {agent: self.memory.agent(agent) for agent in AGENTS}

    def step(self, name, *rest):
        if name == "reopen":
            self.memory.close()
            self.open()
        elif name in ("grant", "revoke"):
            self.change(name, *rest)
        elif name == "recall everything":
            (agent,) = rest
            seen = {hit.id for hit in self.handles[agent].recall(top_k=100)}
            records = self.book.records.items()
            assert seen == {id_ for id_, place in records if self.book.reads(agent, place)}
        else:
            self.call(name, *rest)
        self.check()

    def change(self, name, agent, writes, path):
        kind = "write" if writes else "read"
        granted = getattr(self.book, kind)[agent]
        (granted.add if name == "grant" else granted.discard)(path)
        getattr(self.memory, name)(agent, **{kind: [path]})

    def call(self, name, agent, place):
        may = (
            self.book.writes if name in ("put", "delete", "remember", "forget") else self.book.reads
        )
        may = self.book.looks_into if name == "recall" else may
        try:
            getattr(self, name)(agent, place)
        except AccessDeniedError:
            assert not may(agent, place), f"{agent} may {name} in {place}"
        else:
            assert may(agent, place), f"{agent} did {name} in {place}"

    def get(self, agent, place):
        assert (self.handles[agent].get(place, "k") is not None) == (place in self.book.values)

    def keys(self, agent, place):
        assert self.handles[agent].keys(place)[0] == ["k"] * (place in self.book.values)

    def recall(self, agent, place):
        seen = {hit.id for hit in self.handles[agent].recall(namespace=place, top_k=100)}
        for id_, home in self.book.records.items():
            assert (id_ in seen) == (below(home, place) and self.book.reads(agent, home))

    def put(self, agent, place):
        self.handles[agent].put(place, "k", b"")
        self.book.values.add(place)

    def delete(self, agent, place):
        self.handles[agent].delete(place, "k")
        self.book.values.discard(place)

    def remember(self, agent, place):
        self.count += 1
        made = Record(namespace=place, kind="note", event_time=START, id=f"r{self.count}")
        self.book.records[self.handles[agent].remember(made)] = place

    def forget(self, agent, place):
        """Forget a record of a place; where there is none, one that the owner puts there."""
        home = next((id_ for id_, home in self.book.records.items() if home == place), None)
        if home is None:
            self.count += 1
            made = Record(namespace=place, kind="note", event_time=START, id=f"r{self.count}")
            home = self.memory.remember(made)
            self.book.records[home] = place
        self.handles[agent].forget(home)
        del self.book.records[home]

    def check(self):
        """The owner sees what is in the book: what was refused has changed nothing."""
        there = {place for place in PLACES if self.memory.get(place, "k") is not None}
        assert there == self.book.values
        assert {hit.id for hit in self.memory.recall(top_k=1000)} == self.book.records.keys()
        for agent in AGENTS:
            rights = (sorted(self.book.read[agent]), sorted(self.book.write[agent]))
            assert self.memory.rights(agent) == rights


def go_through(history, desk=Desk):
    with tempfile.TemporaryDirectory() as folder:
        made = desk(folder)
        try:
            for step in history:
                made.step(*step)
        finally:
            made.memory.close()


@settings(max_examples=80)
@given(steps)
def test_an_agent_does_what_it_may_and_nothing_else(history):
    go_through(history)


class Careless(Desk):
    """A desk whose handles are the owner's: nothing is looked at."""

    def open(self):
        super().open()
        self.handles = dict.fromkeys(AGENTS, self.memory)


class Forgetful(Desk):
    """A desk that takes nothing back."""

    def change(self, name, agent, writes, path):
        kept = self.memory.revoke
        self.memory.revoke = lambda *_, **__: None
        try:
            super().change(name, agent, writes, path)
        finally:
            self.memory.revoke = kept


@pytest.mark.parametrize(
    ("desk", "history"),
    [
        (Careless, [("put", "a", "desk")]),
        (Careless, [("remember", "b", "swarm/b"), ("recall everything", "a")]),
        (Forgetful, [("grant", "a", True, "desk"), ("revoke", "a", True, "desk")]),
    ],
)
def test_a_memory_that_lets_too_much_pass_is_caught(desk, history):
    go_through(history)
    with pytest.raises(AssertionError):
        go_through(history, desk)
