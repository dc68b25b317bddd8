"""What was learnt is known from when it was learnt, whatever comes later.

A history tracks trajectories, some late, and learns now and then.  Every
question that was asked on the way is asked again at the end, as of its time and
by what was held then, and has to get the same answer.
"""

from dataclasses import dataclass, field, replace
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import axis, day
from conftest import open_memory
from nt_memory import Filter, ManualClock, ReasoningBank
from nt_memory._intake import Intake
from nt_memory.clock import to_micros
from nt_memory.reasoning import _form, calibration, items, pattern, usage
from nt_memory.store import Query
from trajectories import decided, near

KINDS = [_form.KIND, pattern.KIND, items.KIND, "calibration"]

made = st.tuples(
    st.just("track"),
    st.integers(0, 3),  # how long ago it ended
    st.integers(0, 4),  # when its outcome is known after that
    st.integers(0, 1),  # near which axis
    st.sampled_from([0.02, -0.02, 0.05]),
    st.booleans(),  # whether it cites what it recalled
)
steps = st.lists(
    st.one_of(made, made, st.just(("learn",)), st.just(("day",)), st.just(("ask",))),
    min_size=3,
    max_size=25,
)


def told(raw):
    """Return what a record shows, so that it can be compared."""
    outcome = raw.outcome and (raw.outcome.reward, raw.outcome.known_at)
    attributes = sorted((name, str(value)) for name, value in raw.attributes.items())
    return raw.id, raw.importance, raw.confidence, outcome, attributes, raw.payload


def answers(memory, as_of, commit):
    """Return all that a question as of a time finds, by what was held at a commit."""
    found = memory.records(filter=Filter(kind=KINDS), as_of=as_of, recorded_by=commit)
    return sorted(told(record.to_raw()) for record in found)


def learnt(memory, as_of):
    """Return what had been learnt as of a time, by all that is held."""
    found = memory.records(filter=Filter(kind=KINDS[1:]), as_of=as_of)
    return sorted(told(record.to_raw()) for record in found)


@dataclass
class World:
    """A memory, the questions that were asked of it, and their answers."""

    memory: object
    clock: object
    today: int = 10
    asked: list = field(default_factory=list)

    def run(self, history):
        bank = ReasoningBank(self.memory)
        for number, (name, *rest) in enumerate(history):
            if name == "track":
                self.track(bank, number, *rest)
            elif name == "learn":
                bank.learn()
            elif name == "day":
                self.today += 1
                self.clock.set(day(self.today))
            else:
                self.ask()
        self.ask()
        self.today += 5
        self.clock.set(day(self.today))
        bank.learn()

    def track(self, bank, number, ago, later, place, reward, cites):
        each = decided(
            self.today - ago,
            vector=near(place, number),
            predicted=0.02,
            reward=reward,
            known=self.today - ago + later,
        )
        if cites:
            each.cite(self.memory.recall(embedding=axis(place), top_k=3).id)
        bank.tracker.track(each)

    def ask(self):
        commit = self.memory.recall(log=False).commit
        for n in range(6, self.today + 1):
            self.asked.append((day(n), commit, answers(self.memory, day(n), commit)))
        # What is learnt later is known later: of earlier days nothing is added, whoever holds it.
        for n in range(6, self.today):
            self.asked.append((day(n), None, learnt(self.memory, day(n))))

    def differ(self):
        """Return the first question that has another answer now."""

        def again(at, commit):
            if commit is None:
                return learnt(self.memory, at)
            return answers(self.memory, at, commit)

        return next((day for day, commit, was in self.asked if again(day, commit) != was), None)


def world(history, kind="native"):
    clock = ManualClock(day(10))
    with open_memory(kind, clock) as memory:
        found = World(memory, clock)
        found.run(history)
        return found.differ(), memory.verify()


@settings(max_examples=60)
@given(steps, st.sampled_from(["native", "native", "model"]))
def test_what_was_known_at_a_time_stays_what_was_known(history, kind):
    assert world(history, kind) == (None, [])


LEARNS_LATE = [
    *[("track", 0, 0, 0, 0.02, False)] * 3,
    ("learn",),
    ("ask",),
    ("day",),
    *[("track", 0, 0, 0, 0.02, True)] * 3,
    ("learn",),
]


def test_weights_that_reach_into_the_past_are_caught(monkeypatch):
    def backdated(raw, used, at):
        del at
        return weighed(raw, used, raw.known_at)

    weighed = usage.weighed
    assert world(LEARNS_LATE) == (None, [])
    monkeypatch.setattr("nt_memory.reasoning.feedback.weighed", backdated)
    assert leaks(LEARNS_LATE)


@pytest.mark.parametrize("module", [pattern, items, calibration], ids=lambda each: each.KIND)
def test_what_is_learnt_into_the_past_is_caught(monkeypatch, module):
    record_of = module.record_of

    def backdated(*args, **more):
        return replace(record_of(*args, **more), known_at=to_micros(day(0)), outcome=None)

    monkeypatch.setattr(module, "record_of", backdated)
    assert world(LEARNS_LATE)[0] is not None


def leaks(history):
    """Whether an early question, by all that is held now, sees what was learnt later."""
    clock = ManualClock(day(10))
    with open_memory("native", clock) as memory:
        found = World(memory, clock)
        found.run(history)
        at, _, was = next(told for told in found.asked if told[:1] == (day(10),) and told[1])
        return answers(memory, at, None) != was


def test_what_is_learnt_later_shows_in_no_earlier_question():
    assert not leaks(LEARNS_LATE)


# --- turns ------------------------------------------------------------------

writes = st.tuples(
    st.sampled_from(["a", "b", "c", "d"]),
    st.integers(0, 12),  # known at
    st.none() | st.integers(0, 6),  # its outcome is known so much later
)
turns = st.lists(st.one_of(writes, writes, st.just("turn"), st.just("day")), max_size=20)


def shown(memory, as_of, commit):
    found = memory.records(filter=Filter(kind="trade"), as_of=as_of, recorded_by=commit)
    return {(each.id, each.version) for each in found}


def go_through(history, intake_of):
    """Return what the turns of a view brought, and what they should have brought."""
    from builders import record

    clock, today = ManualClock(day(10)), 10
    with open_memory("native", clock) as memory:
        brought, expected, before = [], [], set()
        for step in [*history, "turn"]:
            if step == "day":
                today += 1
                clock.set(day(today))
            elif step == "turn":
                turn = intake_of(memory).begin(None)
                query = Query(filter=Filter(kind="trade").tree())
                brought.append({(raw.id, raw.version) for raw in turn.news(query)})
                now = shown(memory, clock.now(), turn.now.commit)
                expected.append(now - before)
                before = now
                memory.store.commit(turn.end())
            else:
                name, known, later = step
                outcome = None if later is None else {"reward": 1.0, "known_at": day(known + later)}
                memory.remember(record(id=name, known_at=day(known), event_time=day(0)))
                if outcome is not None and known + later <= today + 3:
                    settle(memory, name, outcome)
        return brought, expected


def settle(memory, name, outcome):
    try:
        memory.settle(name, outcome, revise=True)
    except ValueError:  # a later one is known already
        return


def intake(memory):
    return Intake(memory.store, memory.clock, "views/test")


@settings(max_examples=150)
@given(turns)
def test_a_turn_brings_what_has_become_visible_since(history):
    brought, expected = go_through(history, intake)
    assert brought == expected


def test_a_turn_that_looks_at_times_alone_is_caught(monkeypatch):
    late = [("a", 5, None), "turn", ("b", 3, None)]
    assert_same = partial(go_through, late, intake)
    brought, expected = assert_same()
    assert brought == expected
    monkeypatch.setattr("nt_memory._intake.Turn._late", _by_time_alone)
    brought, expected = assert_same()
    assert brought != expected


def _by_time_alone(turn, tree):
    from nt_memory import gt
    from nt_memory.clock import from_micros

    if turn.before is None:
        return tree
    return {"and": [tree, Filter(visible_at=gt(from_micros(turn.before.as_of))).tree()]}


def test_what_waits_comes_again_first(memory):
    from builders import record

    for name in "abc":
        memory.remember(record(id=name))
    query = Query(filter=Filter(kind="trade").tree())
    first = intake(memory).begin(None)
    assert [raw.id for raw in first.news(query)] == ["a", "b", "c"]
    memory.store.commit(first.end(["c", "b"]))
    memory.remember(record(id="d"))
    memory.forget("b")
    assert [raw.id for raw in intake(memory).begin(None).news(query)] == ["c", "d"]


def test_turns_do_not_go_back(memory):
    memory.store.commit(intake(memory).begin(day(5)).end())
    with pytest.raises(ValueError, match="before the last turn"):
        intake(memory).begin(day(4))
