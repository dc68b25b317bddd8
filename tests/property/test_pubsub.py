"""Every message is delivered, told as missed, or waiting: against a model, with tiny rings."""

from collections import deque
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from nt_memory import (
    AgentMemoryMessage,
    AgentRegistry,
    ClosedError,
    LaggedError,
    MemorySystem,
    SubscriptionCounts,
)

TOPICS = ["a", "a/b", "b/b", "kept/a"]
AGENTS = ["hedge", "wyckoff"]
HEARD = {
    "a": ["a"],
    "*": ["a"],
    "*/b": ["a/b", "b/b"],
    "a/**": ["a", "a/b"],
    "**": TOPICS,
}
OF_COMMIT = (1 << 31) - 1
FEW = settings(
    max_examples=60,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
HUNT = settings(FEW, max_examples=300, phases=[Phase.generate], derandomize=True)


@dataclass
class Model:
    """A subscription as it should be."""

    topics: list
    agent: str
    room: int
    last: int
    ring: deque = field(default_factory=deque)
    held: list = field(default_factory=list)
    lost: int = 0
    matched: int = 0
    delivered: int = 0
    missed: int = 0

    def publish(self, topic, recipients, sequence):
        if topic not in self.topics or (recipients != "all" and self.agent not in recipients):
            return
        self.matched += 1
        self.ring.append(sequence)
        if len(self.ring) > self.room:
            self.ring.popleft()
            self.lost += 1

    def receive(self):
        if self.lost and not self.held:
            missed, self.lost = self.lost, 0
            self.missed += missed
            self.held.append(self.ring.popleft())
            return self.told(missed, self.last + 1, self.held[0] - 1)
        found = self.held.pop() if self.held else self.ring.popleft() if self.ring else None
        if found is not None:
            self.delivered += 1
            self.last = found
        return found

    def told(self, missed, first, last):
        return missed, first, last

    @property
    def counts(self):
        waiting = len(self.ring) + len(self.held) + self.lost
        return SubscriptionCounts(self.matched, self.delivered, self.missed, waiting)


class MissesOneLess(Model):
    def told(self, missed, first, last):
        return missed - 1, first, last


class BoundsTooNarrow(Model):
    def told(self, missed, first, last):
        return missed, first + 1, last


class CountsMissedAsDelivered(Model):
    @property
    def counts(self):
        right = super().counts
        return SubscriptionCounts(right.matched, right.delivered + right.missed, 0, right.waiting)


class HearsTheOthers(Model):
    def publish(self, topic, recipients, sequence):
        super().publish(topic, "all", sequence)


def received(subscription):
    try:
        found = subscription.try_recv()
    except LaggedError as error:
        return error.missed, error.first_seq, error.last_seq
    return None if found is None else found.sequence


class AgainstModel(RuleBasedStateMachine):
    """Publish, subscribe, receive and close, on a memory and on the model."""

    model = Model

    def __init__(self):
        super().__init__()
        self.memory = MemorySystem(":memory:")
        self.memory.configure_topic("kept/*")
        for agent in AGENTS:
            AgentRegistry(self.memory).register(agent)
        self.open = []
        self.last = self.memory.publish("nobody", b"")

    def teardown(self):
        self.memory.close()

    @rule(
        pattern=st.sampled_from(sorted(HEARD)),
        capacity=st.integers(1, 4),
        agent=st.sampled_from([None, *AGENTS]),
    )
    def subscribe(self, pattern, capacity, agent):
        room = {1: 1, 2: 2, 3: 4, 4: 4}[capacity]
        opened = self.memory.subscribe(pattern, capacity=capacity, agent_id=agent)
        self.open.append((opened, self.model(HEARD[pattern], agent, room, self.last)))

    @rule(
        topic=st.sampled_from(TOPICS),
        recipients=st.one_of(st.just("all"), st.sets(st.sampled_from(AGENTS), min_size=1)),
    )
    def publish(self, topic, recipients):
        message = AgentMemoryMessage(
            sender_agent_id="markov", message_type="PATTERN", recipient_agent_ids=recipients
        )
        sequence = self.memory.publish(topic, message)
        assert sequence > self.last
        # After a commit all goes on behind the last sequence that it may have.
        self.last = sequence | OF_COMMIT if topic.startswith("kept/") else sequence
        for _, model in self.open:
            model.publish(topic, recipients, sequence)

    @rule(place=st.integers(0, 5))
    def receive(self, place):
        if place < len(self.open):
            opened, model = self.open[place]
            assert received(opened) == model.receive()

    @rule(place=st.integers(0, 5))
    def close(self, place):
        if place < len(self.open):
            opened, model = self.open.pop(place)
            opened.close()
            assert opened.counts == model.counts
            with pytest.raises(ClosedError):
                opened.try_recv()

    @invariant()
    def every_message_is_accounted_for(self):
        for opened, model in self.open:
            counts = opened.counts
            assert counts.delivered + counts.missed + counts.waiting == counts.matched
            assert counts == model.counts


def on(model):
    return type("Against", (AgainstModel,), {"model": model})


def test_every_message_is_accounted_for_as_in_the_model():
    run_state_machine_as_test(on(Model), settings=FEW)


@pytest.mark.parametrize(
    "broken", [MissesOneLess, BoundsTooNarrow, CountsMissedAsDelivered, HearsTheOthers]
)
def test_a_broken_model_is_caught(broken):
    with pytest.raises(AssertionError):
        run_state_machine_as_test(on(broken), settings=HUNT)
