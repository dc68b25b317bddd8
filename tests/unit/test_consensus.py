"""Votes on proposals: the rules."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from builders import day
from nt_memory import (
    Approved,
    ConsensusEngine,
    ConsensusError,
    Expired,
    ManualClock,
    MemorySystem,
    NamespaceError,
    Pending,
    Proposal,
    Rejected,
    SerializationError,
    Vote,
)
from nt_memory._values import unpack
from polls import pending, proposal, votes, with_agents

NO_QUORUMS = [
    0,
    -1,
    1.01,
    2,
    float("nan"),
    float("inf"),
    Fraction(3, 2),
    Decimal("NaN"),
    True,
    "2/3",
    None,
]
NO_WEIGHTS = [0, -1, float("nan"), float("inf"), Decimal("Infinity"), True, "1"]
NO_IDS = ["a/b", "..", "a b", "a" * 129, 7]


@pytest.fixture
def engine(memory):
    """Three agents of equal weight: a, b, c."""
    return with_agents(memory)


def test_two_of_three_approve(engine):
    engine.submit_proposal(proposal())
    assert votes(engine, "a+") == engine.result("p") == pending(1, 0, 2, 2)
    assert votes(engine, "b+") == engine.result("p") == Approved()


def test_two_of_three_reject(engine):
    engine.submit_proposal(proposal())
    assert votes(engine, "a-") == pending(0, 1, 2, 2)
    assert votes(engine, "b-") == engine.result("p") == Rejected()


def test_a_quorum_of_067_takes_all_three(engine):
    engine.submit_proposal(proposal(quorum=0.67))
    assert votes(engine, "a+ b+") == pending(2, 0, 1, "2.01")
    assert votes(engine, "c+") == Approved()


def test_one_against_a_quorum_of_067_rejects(engine):
    engine.submit_proposal(proposal(quorum=0.67))
    assert votes(engine, "a-") == Rejected()


def test_weights_are_added_exactly(engine):
    for agent, weight in zip("abc", (0.1, 0.2, 0.7), strict=True):
        engine.register_agent(agent, weight)
    engine.submit_proposal(proposal(quorum=0.3))
    assert votes(engine, "a+ b+") == Approved()


def test_an_id_is_made_where_there_is_none(engine):
    first, second = (engine.submit_proposal(proposal(id="")) for _ in range(2))
    assert first != second
    assert [made.id for made in engine.list()] == sorted([first, second])


def test_a_proposal_is_read_back(engine):
    made = proposal(quorum=0.5, expires_in=timedelta(hours=1))
    engine.submit_proposal(made)
    assert engine.get("p") == made


def test_an_unknown_proposal_is_none(engine):
    assert engine.get("p") is None


def test_proposals_are_listed_by_result(engine):
    for id_ in "pqr":
        engine.submit_proposal(proposal(id=id_))
    votes(engine, "a+ b+", "q")
    assert [made.id for made in engine.list()] == ["p", "q", "r"]
    assert [made.id for made in engine.list(Approved)] == ["q"]
    assert [made.id for made in engine.list(Pending)] == ["p", "r"]


@pytest.mark.parametrize("only", [5, "Pending", Proposal, Pending(0, 0, 0, 0)])
def test_a_kind_of_result_that_there_is_not_is_refused(engine, only):
    with pytest.raises(ValueError, match="only="):
        engine.list(only)


def test_who_registers_later_has_no_vote(engine):
    engine.submit_proposal(proposal())
    engine.register_agent("d")
    with pytest.raises(ConsensusError, match=r"voter='d' was not registered when proposal 'p'"):
        votes(engine, "d+")
    assert engine.result("p") == pending(0, 0, 3, 2)


def test_who_leaves_later_keeps_the_vote(engine):
    engine.submit_proposal(proposal())
    engine.unregister("b")
    assert votes(engine, "a+ b+") == Approved()


def test_weights_are_those_of_when_it_was_made(engine):
    engine.submit_proposal(proposal())
    engine.register_agent("a", 100)
    assert votes(engine, "a+") == pending(1, 0, 2, 2)


def test_a_second_vote_is_an_error(engine):
    engine.submit_proposal(proposal())
    votes(engine, "a+")
    with pytest.raises(ConsensusError, match=r"voter='a' has voted on proposal 'p'"):
        votes(engine, "a-")
    assert engine.result("p") == pending(1, 0, 2, 2)


@pytest.mark.parametrize(("text", "ended"), [("a+ b+", "approved"), ("a- b-", "rejected")])
def test_a_vote_on_what_is_decided_is_an_error_that_says_how(engine, text, ended):
    engine.submit_proposal(proposal())
    result = votes(engine, text)
    with pytest.raises(ConsensusError, match=f"proposal 'p' is {ended}"):
        votes(engine, "c+")
    assert engine.result("p") == result


def test_a_vote_on_what_has_expired_is_an_error(engine, clock):
    engine.submit_proposal(proposal(expires_in=60))
    clock.advance(60)
    with pytest.raises(ConsensusError, match="proposal 'p' is expired"):
        votes(engine, "a+")
    assert engine.result("p") == Expired()


def test_a_vote_just_before_the_expiry_counts(engine, clock):
    engine.submit_proposal(proposal(expires_in=60))
    clock.advance(59.999999)
    votes(engine, "a+ b+")
    clock.advance(3600)
    assert engine.result("p") == Approved()


def test_a_vote_may_have_less_weight(engine):
    engine.submit_proposal(proposal())
    assert engine.vote(Vote("p", "a", approve=True, weight=0.5)) == pending("1/2", 0, 2, 2)
    assert votes(engine, "b+") == pending("3/2", 0, 1, 2)


def test_weight_held_back_can_make_approval_impossible(engine):
    engine.submit_proposal(proposal(quorum=1))
    assert engine.vote(Vote("p", "a", approve=True, weight=0.5)) == Rejected()


def test_a_vote_with_more_weight_is_an_error(engine):
    engine.submit_proposal(proposal())
    with pytest.raises(ConsensusError, match=r"weight=11/10 of voter='a': .* registered with 1"):
        engine.vote(Vote("p", "a", approve=True, weight=1.1))
    assert engine.result("p") == pending(0, 0, 3, 2)


def test_an_unknown_proposal_takes_no_votes(engine):
    with pytest.raises(ConsensusError, match="there is no proposal 'p'"):
        votes(engine, "a+")
    with pytest.raises(ConsensusError, match="there is no proposal 'p'"):
        engine.result("p")


def test_an_id_is_given_once(engine):
    engine.submit_proposal(proposal())
    with pytest.raises(ConsensusError, match="id='p': there is such a proposal"):
        engine.submit_proposal(proposal(data=None))
    assert engine.get("p") == proposal()


def test_without_agents_nothing_is_put_to_the_vote(memory):
    with pytest.raises(ConsensusError, match="nobody is registered"):
        ConsensusEngine(memory).submit_proposal(proposal())


def test_data_that_cannot_be_stored_is_no_proposal(engine):
    with pytest.raises(SerializationError):
        engine.submit_proposal(proposal(data=object()))
    assert engine.list() == ()


@pytest.mark.parametrize("quorum", NO_QUORUMS)
def test_a_quorum_out_of_range_is_refused(quorum):
    with pytest.raises(ValueError, match="quorum="):
        proposal(quorum=quorum)


@pytest.mark.parametrize("weight", NO_WEIGHTS)
def test_a_weight_that_is_no_positive_number_is_refused(engine, weight):
    with pytest.raises(ValueError, match="weight="):
        Vote("p", "a", approve=True, weight=weight)
    with pytest.raises(ValueError, match="weight="):
        engine.register_agent("a", weight)


@pytest.mark.parametrize("id_", NO_IDS)
def test_an_id_that_is_no_level_of_a_namespace_is_refused(engine, id_):
    calls = [
        lambda: proposal(id=id_),
        lambda: proposal(proposer=id_),
        lambda: Vote(id_, "a", approve=True),
        lambda: Vote("p", id_, approve=True),
        lambda: engine.result(id_),
        lambda: engine.get(id_),
        lambda: engine.register_agent(id_),
        lambda: engine.unregister(id_),
    ]
    for call in calls:
        with pytest.raises(NamespaceError, match="give 1 to 128 characters"):
            call()


@pytest.mark.parametrize("expires_in", [0, -1, float("nan")])
def test_a_duration_out_of_range_is_refused(expires_in):
    with pytest.raises(ValueError, match="expires_in="):
        proposal(expires_in=expires_in)


@pytest.mark.parametrize("approve", [1, None, "yes"])
def test_a_vote_is_yes_or_no(approve):
    with pytest.raises(TypeError, match="approve="):
        Vote("p", "a", approve)


def test_two_engines_agree(engine, memory):
    other = ConsensusEngine(memory)
    engine.submit_proposal(proposal())
    votes(engine, "a+")
    assert votes(other, "b+") == engine.result("p") == Approved()


def test_votes_survive_a_restart(tmp_path, clock):
    with MemorySystem(tmp_path, clock=clock) as memory:
        engine = with_agents(memory)
        engine.submit_proposal(proposal())
        votes(engine, "a+")
    with MemorySystem(tmp_path, clock=clock) as memory:
        engine = ConsensusEngine(memory)
        with pytest.raises(ConsensusError, match="has voted"):
            votes(engine, "a+")
        assert votes(engine, "b+") == Approved()


def test_a_clock_that_was_set_back_reopens_nothing(tmp_path):
    with MemorySystem(tmp_path, clock=ManualClock(day(10))) as memory:
        engine = ConsensusEngine(memory)
        engine.register_agent("a")
        engine.submit_proposal(proposal(expires_in=60))
        memory.clock.advance(60)
        assert engine.result("p") == Expired()
    with MemorySystem(tmp_path, clock=ManualClock(day(10))) as memory:
        engine = ConsensusEngine(memory)
        assert engine.result("p") == Expired()
        with pytest.raises(ConsensusError, match="is expired"):
            votes(engine, "a+")


def test_each_change_is_announced(clock):
    with MemorySystem(":memory:", clock=clock) as memory:
        engine, told = with_agents(memory), memory.subscribe("consensus/*")
        engine.submit_proposal(proposal(expires_in=60))
        votes(engine, "a+")
        clock.advance(60)
        engine.result("p")
        engine.result("p")
        news = [told.recv(1.0) for _ in range(3)]
        assert told.try_recv() is None
    assert {message.topic for message in news} == {"consensus/p"}
    assert [unpack(message.payload) for message in news] == [
        {"proposal_id": "p", "change": "proposed", "proposer": "a"},
        {
            "proposal_id": "p",
            "change": "voted",
            "voter": "a",
            "approve": True,
            "result": "Pending",
        },
        {"proposal_id": "p", "change": "expired"},
    ]


def test_what_is_no_proposal_or_vote_is_refused(engine):
    with pytest.raises(TypeError, match="proposal=5: give Proposal"):
        engine.submit_proposal(5)
    with pytest.raises(TypeError, match="vote=5: give Vote"):
        engine.vote(5)
