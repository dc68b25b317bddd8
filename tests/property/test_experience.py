"""Whatever is written, settled or expires later, the views answer the past as they did."""

import contextlib
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from builders import DIM, day
from conftest import open_memory
from experiences import episode, regime, strategy
from nt_memory import (
    Action,
    EpisodicStore,
    ManualClock,
    MemoryRetrievalService,
    SemanticStore,
    SharedMemoryPool,
    WorkingMemory,
)
from nt_memory.errors import NtMemoryError
from nt_memory.experience import episodic, semantic_store
from nt_memory.experience._accesses import Accesses

CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
FEW = settings(max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=CHECKS)
# A broken view is looked for from a fixed start, and the first failure is enough.
HUNT = settings(FEW, max_examples=300, derandomize=True, database=None, phases=[Phase.generate])

AGENTS = ("hedge", "wyckoff")
agents = st.sampled_from(AGENTS)
days = st.integers(0, 40)
rewards = st.sampled_from([-2.0, -0.5, 0.0, 1.0, 3.0])
confidences = st.sampled_from([0.2, 0.9, 1.0])
shares = st.sampled_from([0.1, 0.5])
vectors = st.lists(st.integers(-2, 2), min_size=DIM, max_size=DIM).filter(any)
regimes = st.sampled_from(["TRENDING", "QUIET"])


def plain(found):
    """Return an answer of any view as values that are compared."""
    if hasattr(found, "strategies"):
        return plain(found.regimes), plain(found.strategies), found.transitions, found.arrivals
    if not hasattr(found, "hits"):
        return found
    return found.hits, found.exact, found.forgotten, found.matched


class Experience(RuleBasedStateMachine):
    """Writes by all views, and each answer asked for again."""

    kind = "native"

    def __init__(self):
        super().__init__()
        self.clock = ManualClock(day(20))
        self.memory = open_memory(self.kind, self.clock)
        self.episodes = EpisodicStore(self.memory)
        self.passing = EpisodicStore(self.memory, ttl=timedelta(days=5))
        self.knowledge = SemanticStore(self.memory)
        self.service = MemoryRetrievalService(self.memory)
        self.pool = SharedMemoryPool(self.memory, least_quality=0.3)
        self.ids, self.entries, self.answers = [], [], []

    def teardown(self):
        self.memory.close()

    @initialize(vector=vectors, agent=agents, reward=rewards)
    def begin(self, vector, agent, reward):
        self.experience(vector, agent, reward, 3, 5, 1.0, expires=False)
        self.learn(vector, None, "TRENDING", 1.5, 0.5, 2)

    @rule(
        vector=vectors,
        agent=agents,
        reward=st.none() | rewards,
        at=days,
        late=st.integers(0, 10),
        confidence=confidences,
        expires=st.booleans(),
    )
    def experience(self, vector, agent, reward, at, late, confidence, *, expires):
        known_at = None if reward is None else day(at + late)
        store = self.passing if expires else self.episodes
        made = episode(
            agent_id=agent,
            state_vector=vector,
            timestamp=day(at),
            reward=reward,
            outcome_known_at=known_at,
            confidence=confidence,
        )
        self.ids.append(store.add(made))

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), reward=rewards, at=days, revise=st.booleans())
    def settle(self, data, reward, at, revise):
        id_ = data.draw(st.sampled_from(self.ids))
        with contextlib.suppress(NtMemoryError, ValueError):
            self.episodes.settle(id_, reward, terminal=True, known_at=day(at), revise=revise)

    @precondition(lambda self: self.ids)
    @rule(data=st.data())
    def pin(self, data):
        self.episodes.pin(data.draw(st.sampled_from(self.ids)))

    @rule(
        vector=st.none() | vectors,
        agent=st.none() | agents,
        name=regimes,
        sharpe=st.sampled_from([0.5, 1.5, 2.5]),
        chance=shares,
        at=days,
    )
    def learn(self, vector, agent, name, sharpe, chance, at):
        common = {"concept_vector": vector, "agent_id": agent}
        known = regime(name, transition_probability={"QUIET": chance}, **common)
        worked = strategy(sharpe=sharpe, applicable_regimes=[name], **common)
        self.entries += self.knowledge.add_many([known, worked], known_at=day(at))

    @precondition(lambda self: self.entries)
    @rule(data=st.data(), sharpe=st.sampled_from([0.5, 1.7, 3.0]), at=st.none() | days)
    def update(self, data, sharpe, at):
        id_ = data.draw(st.sampled_from(self.entries))
        last = self.memory.store.versions(id_)[-1]
        entry = replace(semantic_store.semantic.from_raw(last), sharpe_ratio=sharpe)
        self.knowledge.update(entry, known_at=None if at is None else day(at))

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), at=st.none() | days)
    def share(self, data, at):
        with contextlib.suppress(NtMemoryError, ValueError):
            self.pool.share(
                data.draw(st.sampled_from(self.ids)), as_of=None if at is None else day(at)
            )

    @rule(agent=agents, reward=rewards, vector=vectors)
    def work(self, agent, reward, vector):
        working = WorkingMemory(self.memory, agent)
        working.step(vector, episode().action, reward)
        working.complete()

    @rule(agent=agents, vector=vectors)
    def ask_as_of_now(self, agent, vector):
        self.service.retrieve_regime_knowledge("TRENDING", agent_id=agent)
        self.service.retrieve_similar_regimes(vector)

    @rule(length=st.sampled_from([0.25, 1.0, 6.0]))
    def wait(self, length):
        self.clock.advance(timedelta(days=length))

    @rule(vector=vectors, agent=agents, past=st.integers(0, 25), data=st.data())
    def ask(self, vector, agent, past, data):
        at = self.clock.now() - timedelta(days=past)
        commit = self.memory.recall(log=False).commit
        for place, question in enumerate(self.questions(vector, agent, data)):
            found = question(as_of=at, recorded_by=commit)
            self.answers.append((place, question, at, commit, plain(found)))

    def questions(self, vector, agent, data):
        id_ = data.draw(st.sampled_from(self.ids))
        entry = data.draw(st.sampled_from(self.entries))
        service, pool = self.service, self.pool
        return [
            lambda **when: service.retrieve_similar_experiences(vector, agent, top_k=3, **when),
            lambda **when: service.retrieve_similar_experiences(
                vector, agent, where=lambda hit: not hit.memory.is_open, top_k=2, **when
            ),
            lambda **when: self.episodes.recent(agent, 3, **when),
            lambda **when: list(self.episodes.episodes(agent, **when)),
            self.episodes.count,
            lambda **when: self.episodes.get(id_, **when),
            lambda **when: service.retrieve_regime_knowledge(
                "TRENDING", ["QUIET"], agent_id=agent, **when
            ),
            lambda **when: service.retrieve_similar_regimes(vector, **when),
            lambda **when: service.find_similar_pattern(vector, **when),
            lambda **when: list(self.knowledge.entries(agent_id=agent, **when)),
            lambda **when: self.knowledge.get(entry, **when),
            lambda **when: pool.retrieve_shared(vector, "SPY", agent, **when),
        ]

    @invariant()
    def answers_stay(self):
        for place, question, at, commit, before in self.answers[-60:]:
            found = plain(question(as_of=at, recorded_by=commit))
            assert found == before, f"question {place} as of {at}"

    @invariant()
    def nothing_is_known_early(self):
        for _, _, at, _, found in self.answers[-12:]:
            for told in told_of(found):
                assert told.timestamp <= at
                assert told.is_open or told.outcome_known_at <= at


def told_of(found):
    """Return the episodes of an answer."""
    if isinstance(found, episodic.EpisodicMemory):
        return [found]
    if not isinstance(found, (list, tuple)):
        return []
    return [told for part in found for told in told_of(part)]


words = st.text(st.characters(codec="utf-8"), max_size=8)
actions = st.builds(
    Action,
    st.sampled_from(["BUY", "SELL", "HOLD", "CLOSE"]),
    st.floats(0.0, 1.0),
    st.dictionaries(words, st.none() | st.booleans() | st.floats(-9, 9) | words, max_size=3),
)
episodes = st.fixed_dictionaries(
    {
        "timestamp": st.datetimes(datetime(2000, 1, 1), datetime(2023, 1, 1)).map(  # noqa: DTZ001 (a zone follows)
            lambda at: at.replace(tzinfo=timezone.utc)
        ),
        "state_vector": vectors,
        "action": actions,
        "product_id": words.filter(bool),
        "regime": st.none() | words,
        "market_phase": st.sampled_from([None, "OPEN", "MIDDAY", "CLOSE"]),
        "pattern_ids": st.lists(words),
        "confidence": st.floats(0.0, 1.0),
        "other_agent_actions": st.dictionaries(words, actions, max_size=3),
        "tags": st.lists(words),
    }
)
outcomes = st.fixed_dictionaries(
    {
        "reward": st.floats(-1e9, 1e9),
        "next_state_vector": st.none() | vectors,
        "terminal": st.booleans(),
        "cumulative_return": st.none() | st.floats(-1e9, 1e9),
    }
)


@given(episodes, st.just({}) | outcomes, st.integers(0, 10**9))
def test_any_episode_comes_back_as_it_was_stored(fields, outcome, late):
    made = episode(**fields, **outcome)
    if outcome:
        made = replace(made, outcome_known_at=made.timestamp + timedelta(microseconds=late))
    with open_memory("native", ManualClock(day(20))) as memory:
        store = EpisodicStore(memory)
        id_ = store.add(made)
        kept = replace(made, memory_id=id_, quality=made.confidence)
        assert store.get(id_) == kept
        assert store.get(id_, as_of=made.timestamp) == (kept if not late else kept.opened())
        store.pin(id_)
        assert replace(store.get(id_), tags=made.tags) == kept


@pytest.mark.parametrize("kind", ["native", "model"])
def test_the_views_answer_the_past_as_they_did(kind):
    machine = type("Views", (Experience,), {"kind": kind})
    run_state_machine_as_test(machine, settings=FEW)


class _NoBound:
    """A store that leaves out what bounds a question."""

    def __init__(self, store, leaves_out):
        self._store, self._leaves_out = store, leaves_out

    def __getattr__(self, name):
        return getattr(self._store, name)

    def vector_search(self, query):
        return self._store.vector_search(replace(query, **self._leaves_out))

    def vector_searches(self, queries):
        return [self.vector_search(query) for query in queries]


class SeesWhatCameLater(Experience):
    """Asks the store without a time."""

    leaves_out = {"as_of": None}  # noqa: RUF012 (it stays as it is)

    def __init__(self):
        super().__init__()
        self.memory._store = _NoBound(self.memory.store, self.leaves_out)


class SeesWhatWasWrittenLater(SeesWhatCameLater):
    """Asks the store without a commit."""

    leaves_out = {"recorded_by_commit": None}  # noqa: RUF012 (it stays as it is)


class CountsTheDayThatRuns(Experience):
    """Tells accesses of a day before it is over."""

    def __init__(self):
        super().__init__()

        class Hasty(Accesses):
            def told(self, id_, as_of=None, days=None):
                return super().told(id_, None, days)

        self.knowledge._accesses = Hasty(self.memory)


@pytest.mark.parametrize(
    "broken", [SeesWhatCameLater, SeesWhatWasWrittenLater, CountsTheDayThatRuns]
)
def test_the_promise_catches_a_broken_view(broken):
    with pytest.raises(AssertionError):
        run_state_machine_as_test(broken, settings=HUNT)


class LeaksOutcomes(Experience):
    """Reads an episode with an outcome that was not known yet."""

    def questions(self, vector, agent, data):
        def leaking(**when):
            found = self.episodes.get(self.ids[0], **when)
            last = self.memory.store.versions(self.ids[0])[-1]
            return None if found is None else episodic.from_raw(last)

        data.draw(st.sampled_from(self.ids))
        return [leaking]


def test_the_promise_catches_outcomes_that_leak():
    with pytest.raises(AssertionError):
        run_state_machine_as_test(LeaksOutcomes, settings=HUNT)
