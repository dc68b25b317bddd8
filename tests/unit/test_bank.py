"""Lessons in words, and the loop of feedback."""

import math
from datetime import timedelta

import pytest

from builders import axis, day, record
from conftest import open_memory
from nt_memory import (
    ConflictError,
    FeedbackLoop,
    Filter,
    MemoryDistiller,
    MemoryItem,
    MemorySystem,
    Outcome,
    ReasoningBank,
    RuleExtractor,
    Trajectory,
    Usage,
    VerdictJudge,
)
from trajectories import decided, near

DAY = 86_400.0


def titles(lessons):
    return [item.title for item in lessons]


def test_a_success_and_a_failure_teach(memory):
    bank = ReasoningBank(memory)
    bank.tracker.track_many(
        [
            decided(0, predicted=0.02, reward=0.02, symbol="SPY", regime="QUIET"),
            decided(1, predicted=0.02, reward=-0.02, symbol="QQQ", confidence=0.9),
            decided(2, predicted=0.02, reward=0.2, done="sell"),
            decided(3, predicted=0.02, reward=0.022),
        ]
    )
    learnt = bank.learn()
    assert titles(learnt.extraction.items) == [
        "buy SPY in QUIET: came as expected",
        "buy QQQ: went the other way",
        "buy QQQ: was 90% sure and wrong",
        "sell: came to much more than expected",
    ]
    item = learnt.extraction.items[1]
    assert (item.source, item.agent_id, item.symbol, item.known_at) == (
        *("failure", "hedge", "QQQ", day(10)),
    )
    assert item.description == "buy QQQ went the other way: expected +0.02, came -0.02."
    assert "close 101.2" in item.content
    assert learnt.feedback.verdicts == 4


def test_lessons_are_found_by_words_and_by_state(memory):
    bank = ReasoningBank(memory)
    bank.tracker.track_many(
        [
            decided(0, reward=-1.0, symbol="SPY", regime="CRISIS", vector=axis(0)),
            decided(0, reward=0.02, symbol="GLD", done="hold", vector=axis(1)),
        ]
    )
    bank.learn()
    assert titles(bank.retrieve("buy SPY in a crisis", top_k=1)) == [
        "buy SPY in CRISIS: went the other way"
    ]
    assert titles(bank.retrieve(embedding=axis(1), top_k=1)) == ["hold GLD: came as expected"]
    assert titles(bank.retrieve("buy", source="success")) == ["hold GLD: came as expected"]
    assert titles(bank.retrieve("buy", symbol="SPY", regime="CRISIS")) == [
        "buy SPY in CRISIS: went the other way"
    ]
    found = bank.retrieve("buy SPY", top_k=1)
    assert memory.replay(found.recall.id) == found.recall
    (item,) = found
    assert memory.get_record(item.id).provenance.parents == (item.trajectory_id,)


def test_a_lesson_is_known_from_when_it_was_learnt(memory):
    bank = ReasoningBank(memory)
    bank.tracker.track(decided(0, reward=-1.0, known=3))
    bank.learn(as_of=day(2))
    bank.learn(as_of=day(5))
    assert [len(bank.retrieve("buy", as_of=day(n))) for n in (2, 3, 4, 5, 9)] == [0, 0, 0, 1, 1]


def test_a_bank_of_one_agent_learns_of_that_agent_only(memory):
    bank = ReasoningBank(memory, agent_id="x")
    bank.tracker.track_many([decided(0, reward=-1.0, agent=a) for a in ("x", "y")])
    assert [item.agent_id for item in bank.learn().extraction.items] == ["x"]
    assert [item.agent_id for item in bank.retrieve("buy")] == ["x"]


def test_learning_again_teaches_nothing_twice(memory):
    bank = ReasoningBank(memory)
    bank.tracker.track_many([decided(n, reward=-1.0) for n in range(3)])
    bank.learn()
    before = [(r.id, r.version) for r in memory.records(as_of=day(99))]
    again = bank.learn()
    assert (again.extraction.items, again.feedback.verdicts, again.distillation.members) == (
        (),
        0,
        0,
    )
    assert [(r.id, r.version) for r in memory.records(as_of=day(99))] == before


class Fails:
    """An extractor that fails on the first trajectories it sees."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def extract(self, trajectory, verdict):
        if not self.answers:
            return RuleExtractor().extract(trajectory, verdict)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


GOOD = MemoryItem("a", "b", "c", "success")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (RuntimeError("no model"), "RuntimeError: no model"),
        ("buy low", "TypeError: the extractor returned 'buy low'"),
        (None, "TypeError: the extractor returned None"),
        ([GOOD, "x"], "TypeError: the extractor returned 'x'"),
        ([GOOD] * 4, "ValueError: the extractor returned 4 items"),
    ],
)
def test_an_extractor_that_fails_is_told_and_tried_again(memory, answer, told):
    bank = ReasoningBank(memory, extractor=Fails(answer))
    first, second = bank.tracker.track_many([decided(n, reward=-1.0) for n in range(2)])
    done = bank.extraction.run()
    assert done.failed.keys() == {first}
    assert done.failed[first].startswith(told)
    assert {item.trajectory_id for item in done.items} == {second}
    again = bank.extraction.run()
    assert (again.failed, {item.trajectory_id for item in again.items}) == ({}, {first})
    assert bank.extraction.run().items == ()


def test_an_extractor_may_be_a_function(memory):
    bank = ReasoningBank(memory, extractor=lambda trajectory, verdict: [GOOD])
    bank.tracker.track(decided(0, reward=-1.0))
    assert titles(bank.learn().extraction.items) == ["a"]


def test_an_extractor_can_be_called(memory):
    with pytest.raises(TypeError, match="give an Extractor"):
        ReasoningBank(memory, extractor="a model")


@pytest.mark.parametrize(
    "fields", [{"title": ""}, {"description": None}, {"content": " "}, {"source": "luck"}]
)
def test_an_item_has_words_and_a_source(fields):
    with pytest.raises(ValueError, match="="):
        MemoryItem(
            **{"title": "a", "description": "b", "content": "c", "source": "success", **fields}
        )


# --- feedback ---------------------------------------------------------------


def recalled(memory, *ids):
    """Return the id of a recall that found just these."""
    found = memory.recall(filter=Filter(kind="trade"), top_k=10)
    assert {hit.id for hit in found} == set(ids)
    return found.id


def cited(n, recall_id, **more):
    made = decided(n, **more)
    made.cite(recall_id)
    return made


def test_what_proved_right_weighs_more_and_what_misled_less(memory, clock):
    loop, bank = FeedbackLoop(memory), ReasoningBank(memory)
    memory.remember(record(id="a", importance=2.0, embedding=axis(0)))
    asked = recalled(memory, "a")
    bank.tracker.track(cited(10, asked, predicted=1.0, reward=1.0, known=10))
    (usage,) = loop.run().memories.values()
    assert usage == Usage(1, 0, 2.0)
    now = memory.get_record("a")
    assert (now.importance, now.confidence) == (pytest.approx(8 / 3), pytest.approx(2 / 3))
    assert memory.get_record("a", as_of=day(9)).importance == 2.0
    clock.advance(DAY)
    bank.tracker.track_many(
        [cited(10, asked, predicted=1.0, reward=-1.0, known=10) for _ in range(3)]
    )
    assert loop.run().memories["a"] == Usage(1, 3, 2.0)
    assert memory.get_record("a").importance == pytest.approx(2.0 * 2.0 * 2 / 6)
    assert memory.replay(asked).hits[0].record.importance == 2.0


def test_feedback_changes_what_is_recalled_next(memory):
    memory.remember_many([record(id=name, embedding=axis(0)) for name in ("a", "b")])
    assert [hit.id for hit in memory.recall(embedding=axis(0))] == ["a", "b"]
    only_a = memory.recall(embedding=axis(0), top_k=1)
    ReasoningBank(memory).tracker.track(cited(10, only_a.id, predicted=1.0, reward=-1.0, known=10))
    FeedbackLoop(memory).run()
    now = memory.recall(embedding=axis(0), filter=Filter(kind="trade"))
    assert [hit.id for hit in now] == ["b", "a"]


def test_patterns_and_lessons_carry_their_confidence(memory, clock):
    bank = ReasoningBank(memory)
    bank.tracker.track_many([decided(n, reward=-1.0, vector=near(0, n)) for n in range(3)])
    (pattern,) = bank.learn().distillation.patterns
    lessons = bank.retrieve("buy", top_k=1)
    both = memory.recall(filter=Filter(kind=["pattern"]))
    used = decided(10, predicted=1.0, reward=1.0, known=10, vector=axis(2))
    used.cite(lessons.recall.id)
    used.cite(both.id)
    bank.tracker.track(used)
    clock.advance(DAY)
    bank.learn()
    now = bank.distiller.get(pattern.id)
    assert (now.good, now.bad, now.confidence, now.n) == (1, 0, pytest.approx(2 / 3), 3)
    assert now.trajectory_ids == pattern.trajectory_ids
    assert bank.distiller.get(pattern.id, as_of=day(10)).confidence == 0.5
    (again,) = [each for each in bank.retrieve("buy") if each.id == lessons.items[0].id]
    assert (again.good, again.confidence) == (1, pytest.approx(2 / 3))
    assert again.known_at == lessons.items[0].known_at


def test_usage_outlives_new_members(memory, clock):
    bank = ReasoningBank(memory)
    bank.tracker.track_many([decided(n, reward=0.5, vector=near(0, n)) for n in range(3)])
    (pattern,) = bank.learn().distillation.patterns
    asked = memory.recall(filter=Filter(kind="pattern"))
    clock.advance(DAY)
    bank.tracker.track(cited(10, asked.id, predicted=1.0, reward=1.0, known=10, vector=near(0, 7)))
    bank.learn()
    now = bank.distiller.get(pattern.id)
    assert (now.good, now.n) == (1, 4)
    assert memory.get_record(pattern.id).importance == pytest.approx(4 / 3)


def test_a_neutral_verdict_and_an_unknown_one_weigh_nothing(memory):
    memory.remember(record(id="a"))
    asked = recalled(memory, "a")
    ReasoningBank(memory).tracker.track_many(
        [
            cited(10, asked, predicted=1.0, reward=1.2, known=10),
            cited(10, asked, predicted=None, reward=1.2, known=10),
        ]
    )
    told = FeedbackLoop(memory).run()
    assert (told.memories, told.verdicts, told.lost) == ({}, 1, 0)
    assert memory.get_record("a").version == 0


def test_a_memory_in_two_recalls_of_one_decision_counts_once(memory):
    memory.remember(record(id="a"))
    made = decided(10, predicted=1.0, reward=1.0, known=10)
    for _ in range(2):
        made.cite(recalled(memory, "a"))
    ReasoningBank(memory).tracker.track(made)
    assert FeedbackLoop(memory).run().memories == {"a": Usage(1, 0)}


def test_what_is_lost_is_told(memory):
    memory.remember(record(id="a"))
    asked = recalled(memory, "a")
    memory.forget("a")
    made = cited(10, asked, predicted=1.0, reward=1.0, known=10)
    made.cite("01UNKNOWN")
    ReasoningBank(memory).tracker.track(made)
    told = FeedbackLoop(memory).run()
    assert (told.memories, told.lost) == ({}, 2)


def test_feedback_is_taken_once(memory):
    memory.remember(record(id="a"))
    made = cited(10, recalled(memory, "a"), predicted=1.0, reward=1.0, known=10)
    ReasoningBank(memory).tracker.track(made)
    loop = FeedbackLoop(memory)
    loop.run()
    again = loop.run()
    assert (again.memories, again.verdicts) == ({}, 0)
    assert memory.get_record("a").importance == pytest.approx(4 / 3)


def test_a_settled_memory_keeps_its_outcome(memory):
    memory.remember(record(id="a"))
    memory.settle("a", {"reward": 3.0, "known_at": day(2)})
    asked = recalled(memory, "a")
    ReasoningBank(memory).tracker.track(cited(10, asked, predicted=1.0, reward=1.0, known=10))
    FeedbackLoop(memory).run()
    assert memory.get_record("a").outcome.reward == 3.0
    assert memory.get_record("a", as_of=day(2)).outcome.known_at == day(2)


def test_an_agent_learns_how_well_it_predicts(memory, clock):
    loop, bank = FeedbackLoop(memory), ReasoningBank(memory)
    assert loop.calibration("hedge").n == 0
    assert loop.calibration("hedge").hit_rate is None
    rewards = [1.0, 1.0, -1.0, 0.5]
    bank.tracker.track_many(
        [decided(n, predicted=1.0, reward=r, confidence=0.75) for n, r in enumerate(rewards)]
    )
    loop.run()
    told = loop.calibration("hedge")
    assert (told.n, told.good, told.bad, told.hit_rate) == (4, 2, 2, 0.75)
    assert told.brier_score == pytest.approx((3 * 0.0625 + 0.5625) / 4)
    assert told.scale == pytest.approx(3.5 / 4.0)
    clock.advance(DAY)
    bank.tracker.track(decided(9, predicted=1.0, reward=1.2))
    loop.run()
    assert (loop.calibration("hedge").n, loop.calibration("hedge").neutral) == (5, 1)
    assert loop.calibration("hedge", as_of=day(10)).n == 4


def test_the_judge_says_what_is_good(memory):
    strict = FeedbackLoop(memory, judge=VerdictJudge(good=0.0, neutral=0.0, clock=memory.clock))
    ReasoningBank(memory).tracker.track(decided(0, predicted=1.0, reward=1.01))
    strict.run()
    assert strict.calibration("hedge").bad == 1


def test_of_two_turns_at_once_one_is_refused(memory):
    loop, bank = FeedbackLoop(memory), ReasoningBank(memory)
    bank.tracker.track(decided(0, reward=1.0))

    class Meanwhile(VerdictJudge):
        def judge(self, trajectory, as_of=None):
            loop.run()
            return super().judge(trajectory, as_of)

    with pytest.raises(ConflictError):
        FeedbackLoop(memory, judge=Meanwhile(clock=memory.clock)).run()
    assert loop.calibration("hedge").n == 1


def test_a_trajectory_without_observations_teaches_too(memory):
    bank = ReasoningBank(memory)
    bare = Trajectory("hedge", start_time=day(0))
    bare.add_action("buy", predicted_outcome=1.0, at=day(0))
    bare.complete(day(0))
    bare.add_outcome(-1.0, known_at=day(1))
    bank.tracker.track(bare)
    (item,) = bank.learn().extraction.items
    assert item.content.startswith("On 2024-01-02.")
    assert not math.isnan(item.confidence)


# --- what could go wrong ----------------------------------------------------


def test_rubbish_of_others_stops_nobody(memory):
    bank = ReasoningBank(memory)
    for kind in ("trajectory", "memory_item"):
        forged = record(namespace="swarm/mallory/x", kind=kind, agent_id="hedge", text="buy SPY")
        memory.remember(forged)
    bank.tracker.track(decided(0, reward=-1.0, symbol="SPY"))
    assert len(bank.learn().extraction.items) == 1
    assert titles(bank.retrieve("buy SPY")) == ["buy SPY: went the other way"]


def test_an_agent_that_cites_what_it_may_only_read_goes_on(clock):
    with MemorySystem(":memory:", clock=clock) as memory:
        memory.remember(record(id="s", namespace="shared/notes"))
        hedge = memory.agent("hedge")
        bank = ReasoningBank(hedge, agent_id="hedge")
        used = decided(9, reward=0.02, known=10, vector=None)
        used.cite(hedge.recall(namespace="shared", order_by="event_time").id)
        bank.tracker.track(used)
        learnt = bank.learn()
        assert (learnt.feedback.verdicts, learnt.feedback.lost) == (1, 1)
        assert len(learnt.extraction.items) == 1
        assert memory.get_record("s").version == 0


def test_a_weight_stays_when_a_pending_outcome_shows(memory, clock):
    memory.remember(record(id="a", outcome=Outcome(3.0, known_at=day(20))))
    ReasoningBank(memory).tracker.track(
        cited(10, recalled(memory, "a"), predicted=1.0, reward=1.0, known=10)
    )
    FeedbackLoop(memory).run()
    clock.set(day(21))
    now = memory.get_record("a")
    assert (now.importance, now.outcome.reward) == (pytest.approx(4 / 3), 3.0)


def test_distilling_does_not_undo_a_weight(memory, clock):
    bank = ReasoningBank(memory)
    bank.tracker.track_many([decided(n, reward=0.5, vector=near(0, n)) for n in range(3)])
    (pattern,) = bank.distiller.distill(as_of=day(8)).patterns
    used = cited(9, memory.recall(filter=Filter(kind="pattern")).id, reward=0.02, vector=near(0, 9))
    bank.tracker.track_many([used, decided(8, reward=0.5, vector=near(0, 8))])
    bank.feedback.run()
    with pytest.raises(ValueError, match="was weighed, as of"):
        bank.distiller.distill(as_of=day(10) - timedelta(hours=1))
    clock.advance(DAY)
    bank.distiller.distill()
    now = bank.distiller.get(pattern.id)
    assert (now.n, now.good) == (5, 1)


def test_a_lesson_is_about_the_action_that_is_judged(memory):
    made = Trajectory("hedge", start_time=day(0), symbol="SPY")
    made.add_observation({"rsi": 20}, axis(0), at=day(0))
    made.add_action("buy", predicted_outcome=0.02, at=day(0))
    made.add_observation({"rsi": 90}, axis(1), at=day(1))
    made.add_action("close", at=day(1))
    made.complete(day(1))
    made.add_outcome(-0.05, known_at=day(2))
    bank = ReasoningBank(memory, distiller=MemoryDistiller(memory, min_trajectories=2))
    other = decided(0, reward=-0.05, vector=axis(0), data={"rsi": 22})
    bank.tracker.track_many([made, other])
    learnt = bank.learn()
    item = next(each for each in learnt.extraction.items if each.trajectory_id == made.id)
    assert item.title == "buy SPY: went the other way"
    assert "rsi 20" in item.content
    (pattern,) = learnt.distillation.patterns
    assert pattern.pattern_type == "buy"
    assert pattern.conditions.ranges["rsi"] == (20.0, 22.0, 21.0, 2)
    assert pattern.centroid.tolist() == axis(0)


def test_a_lesson_that_cannot_be_stored_is_told_and_the_others_go_on(memory):
    answers = [[MemoryItem("bad \ud800", "b", "c", "success")], [GOOD]]
    bank = ReasoningBank(memory, extractor=lambda *_: answers.pop(0))
    bank.tracker.track_many([decided(n, reward=-1.0) for n in range(2)])
    done = bank.extraction.run()
    assert (len(done.failed), len(done.items)) == (1, 1)


def test_nothing_is_learnt_of_a_time_to_come(memory):
    with pytest.raises(ValueError, match="is later than now"):
        ReasoningBank(memory).learn(as_of=day(5000))
    ReasoningBank(memory).learn()


def test_tiny_vectors_have_a_direction(memory):
    bank = ReasoningBank(memory)
    bank.tracker.track_many(
        [decided(n, reward=0.5, vector=[1e-25, 0.0, 0.0, 0.0]) for n in range(3)]
    )
    (pattern,) = bank.learn().distillation.patterns
    assert pattern.centroid.tolist() == axis(0)


def test_retention_stops_no_turn(memory, clock):
    memory.configure_namespace("swarm/hedge/trajectories", retention=30 * DAY)
    bank = ReasoningBank(memory)
    bank.tracker.track_many([decided(n, reward=0.5) for n in range(3)])
    (pattern,) = bank.learn().distillation.patterns
    clock.set(day(60))
    bank.tracker.track_many([decided(58, reward=0.5) for _ in range(3)])
    assert bank.learn().distillation.members == 3
    assert bank.distiller.inflate(bank.distiller.get(pattern.id)).trajectories


def test_a_copy_of_a_memory_learns_nothing_twice(memory, clock, tmp_path):
    bank = ReasoningBank(memory)
    bank.tracker.track_many([decided(n, reward=-1.0, vector=near(0, n)) for n in range(3)])
    bank.learn()
    memory.export(tmp_path / "all.jsonl")
    with open_memory("native", clock) as copy:
        copy.import_(tmp_path / "all.jsonl")
        again = ReasoningBank(copy)
        assert (again.extraction.run().items, again.distiller.distill().members) == ((), 0)
        again.tracker.track(decided(8, reward=-1.0, vector=near(0, 8)))
        assert len(again.extraction.run().items) == again.distiller.distill().members == 1
