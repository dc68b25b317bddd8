"""Records: remembered, settled, forgotten, and read at a point in time."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from builders import axis, day, record
from nt_memory import (
    DimensionMismatchError,
    Filter,
    ForgottenError,
    HashingEmbedding,
    HorizonError,
    InvalidEmbeddingError,
    NamespaceError,
    Outcome,
    RecordNotFoundError,
    SettledError,
    VectorError,
    VectorSpace,
)

NAIVE = datetime(2024, 1, 2)  # noqa: DTZ001 (bad on purpose)


def test_a_record_is_read_back(memory):
    id_ = memory.remember(record(payload={"path": np.arange(3)}, tags=["a"]))
    back = memory.get_record(id_)
    assert (back.payload["path"].tolist(), back.tags) == ([0, 1, 2], ("a",))


def test_a_record_without_an_id_gets_a_ulid(memory):
    assert len(memory.remember(record())) == 26


def test_a_record_keeps_its_id(memory):
    assert memory.remember(record(id="mine")) == "mine"


def test_a_record_is_stamped(memory):
    stamped = memory.get_record(memory.remember(record()))
    assert (stamped.recorded_at, stamped.commit, stamped.version) == (day(10), 1, 0)


def test_several_records_are_one_batch(memory):
    ids = memory.remember_many([record(), record()])
    assert [memory.get_record(id_).commit for id_ in ids] == [1, 1]


def test_a_bad_record_keeps_its_whole_batch_out(memory):
    with pytest.raises(DimensionMismatchError):
        memory.remember_many([record(id="good"), record(embedding=[1.0])])
    assert memory.get_record("good") is None


def test_no_records_are_no_commit(memory):
    assert (memory.remember_many([]), memory.recall().commit) == ([], 0)


def test_only_records_are_remembered(memory):
    with pytest.raises(TypeError, match="dict is no Record"):
        memory.remember({"kind": "trade"})


def test_a_known_id_gets_a_new_version(memory):
    memory.remember(record(id="one", importance=1.0))
    memory.remember(record(id="one", importance=2.0))
    again = memory.get_record("one")
    assert (again.version, again.importance) == (1, 2.0)


@pytest.mark.parametrize("change", [{"kind": "signal"}, {"namespace": "other"}])
def test_a_later_version_keeps_namespace_and_kind(memory, change):
    memory.remember(record(id="one"))
    with pytest.raises(ValueError, match=next(iter(change))):
        memory.remember(record(id="one", **change))


def test_an_illegal_namespace_is_refused(memory):
    with pytest.raises(NamespaceError):
        memory.remember(record(namespace="a//b"))


@pytest.mark.parametrize(
    "vector", [[float("nan"), 0, 0, 1], [float("inf"), 0, 0, 1], [0, 0, 0, 0], [1e300, 0, 0, 1]]
)
def test_an_embedding_that_points_nowhere_is_refused(memory, vector):
    with pytest.raises(InvalidEmbeddingError):
        memory.remember(record(id="bad", embedding=vector))
    assert memory.get_record("bad") is None


def test_an_embedding_of_another_length_is_refused(memory):
    with pytest.raises(DimensionMismatchError):
        memory.remember(record(embedding=[1.0, 0.0]))


def test_an_unknown_space_is_refused(memory):
    with pytest.raises(VectorError):
        memory.remember(record(embeddings={"news": axis(0)}))


def test_a_text_is_embedded(memory):
    id_ = memory.remember(record(text="gold falls"))
    expected = HashingEmbedding().embed(["gold falls"])[0]
    assert memory.get_record(id_).embeddings["text"] == pytest.approx(expected, abs=1e-3)


def test_a_text_that_brings_its_vector_keeps_it(memory):
    vector = np.eye(256, dtype=np.float32)[3]
    id_ = memory.remember(record(text="gold falls", embeddings={"text": vector}))
    assert np.array_equal(memory.get_record(id_).embeddings["text"], vector)


def test_a_text_without_a_space_for_it_is_stored_without_a_vector(open_on, clock):
    with open_on(clock, spaces={"state": VectorSpace(dim=4)}) as memory:
        id_ = memory.remember(record(text="gold falls"))
        assert memory.get_record(id_).embeddings == {}


class Counting:
    """An embedder that counts its calls."""

    id = "counting-v1"
    dim = 256

    def __init__(self):
        self.batches = []

    def embed(self, texts, /):
        self.batches.append(list(texts))
        return np.ones((len(texts), self.dim), dtype=np.float32)


def test_the_texts_of_a_batch_are_embedded_together(open_on, clock):
    embedder = Counting()
    with open_on(clock, embedder=embedder) as memory:
        memory.remember_many([record(text="a"), record(), record(text="b")])
    assert embedder.batches == [["a", "b"]]


def test_an_embedder_that_loses_a_text_is_an_error(open_on, clock):
    embedder = Counting()
    embedder.embed = lambda texts, /: np.ones((len(texts) - 1, 256), dtype=np.float32)
    with (
        open_on(clock, embedder=embedder) as memory,
        pytest.raises(VectorError, match="0 vectors of 1 texts"),
    ):
        memory.remember(record(text="a"))


def test_a_record_is_not_there_before_it_was_known(memory):
    id_ = memory.remember(record(event_time=day(1), known_at=day(2)))
    assert memory.get_record(id_, as_of=day(1)) is None


def test_a_record_is_there_from_the_moment_it_was_known(memory):
    id_ = memory.remember(record(event_time=day(1), known_at=day(2)))
    assert memory.get_record(id_, as_of=day(2)).known_at == day(2)


def test_an_expired_record_is_hidden(memory):
    id_ = memory.remember(record(expires_at=day(5)))
    assert memory.get_record(id_) is None


def test_an_expired_record_is_there_before_it_expired(memory):
    id_ = memory.remember(record(expires_at=day(5)))
    assert memory.get_record(id_, as_of=day(4)) is not None


def test_a_record_takes_the_ttl_of_its_namespace(memory):
    memory.configure_namespace("trades", ttl=timedelta(days=3))
    id_ = memory.remember(record(event_time=day(1)))
    assert memory.get_record(id_).expires_at == day(4) if memory.get_record(id_) else True
    assert memory.get_record(id_, as_of=day(3)).expires_at == day(4)


def test_an_unknown_record_is_none(memory):
    assert memory.get_record("nobody") is None


def test_a_record_is_read_as_the_store_held_it_at_a_time(memory, clock):
    memory.remember(record(id="one", importance=1.0))
    clock.advance(timedelta(days=1))
    memory.remember(record(id="one", importance=2.0))
    assert memory.get_record("one", recorded_by=day(10)).importance == 1.0


def test_a_record_is_read_as_the_store_held_it_at_a_commit(memory):
    memory.remember(record(id="one", importance=1.0))
    memory.remember(record(id="one", importance=2.0))
    assert memory.get_record("one", recorded_by=1).importance == 1.0


@pytest.mark.parametrize("recorded_by", [-1, True])
def test_a_commit_number_counts_from_zero(memory, recorded_by):
    with pytest.raises(ValueError, match="recorded_by="):
        memory.get_record("one", recorded_by=recorded_by)


@pytest.mark.parametrize("argument", ["as_of", "recorded_by"])
def test_a_naive_time_is_refused_by_name(memory, argument):
    with pytest.raises(ValueError, match=rf"{argument}=.*naive"):
        memory.get_record("one", **{argument: NAIVE})


def test_an_outcome_is_a_new_version(memory):
    id_ = memory.remember(record())
    assert memory.settle(id_, Outcome(1.5)) == 1


def test_an_outcome_is_read_back(memory):
    id_ = memory.remember(record())
    memory.settle(id_, Outcome(1.5, {"exit": 101.0}))
    outcome = memory.get_record(id_).outcome
    assert (outcome.reward, outcome.payload) == (1.5, {"exit": 101.0})


def test_an_outcome_is_not_visible_before_it_was_known(memory):
    id_ = memory.remember(record(event_time=day(1)))
    memory.settle(id_, Outcome(1.5, known_at=day(5)))
    assert memory.get_record(id_, as_of=day(4)).outcome is None


def test_an_outcome_is_visible_from_when_it_was_known(memory):
    id_ = memory.remember(record(event_time=day(1)))
    memory.settle(id_, Outcome(1.5), known_at=day(5))
    assert memory.get_record(id_, as_of=day(5)).outcome.reward == 1.5


def test_an_outcome_is_known_at_the_commit_unless_it_says_otherwise(memory):
    id_ = memory.remember(record(event_time=day(1)))
    memory.settle(id_, Outcome(1.5))
    assert memory.get_record(id_).outcome.known_at == day(10)


def test_an_outcome_may_come_as_a_mapping(memory):
    id_ = memory.remember(record())
    memory.settle(id_, {"reward": 2, "payload": {"exit": 1}})
    assert memory.get_record(id_).outcome.reward == 2.0


@pytest.mark.parametrize("outcome", [{}, {"payload": 1}, {"reward": 1, "pnl": 2}])
def test_a_mapping_has_the_fields_of_an_outcome(memory, outcome):
    with pytest.raises(ValueError, match=r"outcome=.*give reward"):
        memory.settle(memory.remember(record()), outcome)


def test_what_is_no_outcome_is_refused(memory):
    with pytest.raises(TypeError, match="float is no outcome"):
        memory.settle(memory.remember(record()), 1.5)


def test_known_at_is_given_once(memory):
    with pytest.raises(ValueError, match="give it once"):
        memory.settle(memory.remember(record()), Outcome(1.0, known_at=day(1)), known_at=day(2))


def test_a_second_outcome_is_refused(memory):
    id_ = memory.remember(record())
    memory.settle(id_, Outcome(1.0))
    with pytest.raises(SettledError):
        memory.settle(id_, Outcome(2.0))


def test_a_second_outcome_may_revise_the_first(memory):
    id_ = memory.remember(record())
    memory.settle(id_, Outcome(1.0))
    memory.settle(id_, Outcome(2.0), revise=True)
    assert memory.get_record(id_).outcome.reward == 2.0


def test_an_outcome_is_not_known_before_its_record(memory):
    id_ = memory.remember(record(event_time=day(5)))
    with pytest.raises(ValueError, match="known"):
        memory.settle(id_, Outcome(1.0, known_at=day(4)))


def test_an_unknown_record_cannot_be_settled(memory):
    with pytest.raises(RecordNotFoundError):
        memory.settle("nobody", Outcome(1.0))


def test_a_record_may_bring_an_outcome_that_is_known_later(memory):
    id_ = memory.remember(record(event_time=day(1), outcome=Outcome(1.0, known_at=day(3))))
    assert memory.get_record(id_, as_of=day(2)).outcome is None
    assert memory.get_record(id_, as_of=day(3)).outcome.reward == 1.0


def test_forget_counts_what_it_forgot(memory):
    ids = memory.remember_many([record(), record(), record()])
    assert memory.forget(ids[:2]) == 2


def test_one_id_may_be_forgotten_without_a_list(memory):
    assert memory.forget(memory.remember(record())) == 1


def test_a_forgotten_record_cannot_be_read(memory):
    id_ = memory.remember(record())
    memory.forget([id_])
    with pytest.raises(ForgottenError):
        memory.get_record(id_)


def test_a_forgotten_record_cannot_be_written_again(memory):
    memory.remember(record(id="one"))
    memory.forget(["one"])
    with pytest.raises(ForgottenError):
        memory.remember(record(id="one"))


def test_what_is_forgotten_already_is_not_counted(memory):
    id_ = memory.remember(record())
    memory.forget([id_])
    assert memory.forget([id_]) == 0


def test_an_unknown_id_keeps_all_from_being_forgotten(memory):
    id_ = memory.remember(record())
    with pytest.raises(RecordNotFoundError):
        memory.forget([id_, "nobody"])
    assert memory.get_record(id_) is not None


def test_nothing_is_forgotten_without_ids(memory):
    assert memory.forget([]) == 0


def test_a_filter_says_what_to_forget(memory):
    memory.remember_many([record(symbol="SPY"), record(symbol="SPY"), record(symbol="QQQ")])
    assert memory.forget(Filter(symbol="SPY")) == 2
    assert [hit.record.symbol for hit in memory.recall()] == ["QQQ"]


def test_a_filter_that_meets_nothing_forgets_nothing(memory):
    memory.remember(record(symbol="SPY"))
    assert memory.forget(Filter(symbol="QQQ")) == 0


def test_a_filter_forgets_more_than_a_recall_returns(memory):
    memory.remember_many([record(symbol="SPY") for _ in range(25)])
    assert memory.forget(Filter(symbol="SPY")) == 25


@pytest.mark.parametrize("hidden", [{"expires_at": day(1)}, {"known_at": day(300)}])
def test_a_filter_forgets_what_does_not_show(memory, hidden):
    memory.remember(record(id="one", symbol="SPY", **hidden))
    assert memory.forget(Filter(symbol="SPY")) == 1


@pytest.mark.parametrize("what", [["one", "two"], Filter(kind="trade")])
def test_a_dry_run_counts_and_changes_nothing(memory, what):
    memory.remember_many([record(id="one"), record(id="two")])
    assert memory.forget(what, dry_run=True) == 2
    assert memory.get_record("one") is not None


def test_a_dry_run_does_not_count_what_is_forgotten_already(memory):
    memory.remember_many([record(id="one"), record(id="two", expires_at=day(1))])
    memory.forget(["two"])
    assert memory.forget(["one", "two"], dry_run=True) == 1


def test_a_dry_run_counts_expired_and_settled_records(memory):
    memory.remember_many(
        [record(id="one", expires_at=day(1)), record(id="two", outcome=Outcome(1.0))]
    )
    assert memory.forget(["one", "two"], dry_run=True) == 2


def test_a_dry_run_refuses_an_unknown_id(memory):
    with pytest.raises(RecordNotFoundError):
        memory.forget(["nobody"], dry_run=True)


def test_a_dry_run_is_no_commit(memory):
    memory.remember(record(id="one"))
    memory.forget(["one"], dry_run=True)
    assert memory.recall().commit == 1


def test_a_time_before_the_horizon_cannot_be_asked_for(memory, clock):
    memory.configure_namespace("trades", retention=timedelta(days=5))
    id_ = memory.remember(record(event_time=day(9)))
    clock.advance(timedelta(days=10))
    with pytest.raises(HorizonError) as raised:
        memory.get_record(id_, as_of=day(14))
    assert raised.value.horizon == day(15)
