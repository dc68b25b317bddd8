"""Votes on proposals: what goes on at the same time, and who waits for it."""

import threading

import pytest

from nt_memory import (
    AgentRegistry,
    Approved,
    ConsensusEngine,
    ConsensusError,
    CorruptionError,
    Expired,
    Rejected,
)
from nt_memory.coordination import consensus as module
from nt_memory.coordination.proposals import Tally
from polls import pending, proposal, votes, with_agents


@pytest.fixture
def engine(memory):
    """Three agents of equal weight: a, b, c."""
    return with_agents(memory)


@pytest.fixture
def meanwhile(monkeypatch):
    """Do something once between the look of a vote at its proposal and its commit."""

    def arrange(act):
        judge = module._cast

        def cast(*arguments):
            made = judge(*arguments)
            monkeypatch.setattr(module, "_cast", judge)
            act()
            return made

        monkeypatch.setattr(module, "_cast", cast)

    return arrange


def test_a_vote_on_its_way_does_not_change_an_expiry_that_was_told(
    engine, memory, clock, meanwhile
):
    engine.submit_proposal(proposal(expires_in=60, quorum=0.3))
    told = []

    def expires():
        clock.advance(60)
        told.append(ConsensusEngine(memory).result("p"))

    meanwhile(expires)
    with pytest.raises(ConsensusError, match="proposal 'p' is expired"):
        votes(engine, "a+")
    assert told == [engine.result("p")] == [Expired()]


def test_a_vote_that_was_cast_in_time_counts_where_nobody_was_told(engine, clock, meanwhile):
    engine.submit_proposal(proposal(expires_in=60, quorum=0.3))
    meanwhile(lambda: clock.advance(60))
    assert votes(engine, "a+") == engine.result("p") == Approved()


def test_a_vote_on_its_way_comes_too_late_for_what_was_decided(engine, memory, meanwhile):
    engine.submit_proposal(proposal())
    meanwhile(lambda: votes(ConsensusEngine(memory), "a+ b+"))
    with pytest.raises(ConsensusError, match="proposal 'p' is approved"):
        votes(engine, "c-")


def test_an_agent_that_registers_meanwhile_is_in_the_proposal(engine, memory, monkeypatch):
    read = AgentRegistry.weights

    def overtaken(registry):
        weights = read(registry)
        monkeypatch.setattr(AgentRegistry, "weights", read)
        AgentRegistry(memory).register("d")
        return weights

    monkeypatch.setattr(AgentRegistry, "weights", overtaken)
    engine.submit_proposal(proposal())
    assert engine.result("p").remaining == 4


def test_of_many_that_vote_for_one_agent_one_gets_through(open_on, clock):
    with open_on(clock) as memory:
        engine = with_agents(memory, "abcdefgh")
        engine.submit_proposal(proposal(quorum=1))
        results, refused = [], []

        def vote(agent):
            try:
                results.append(votes(engine, f"{agent}+"))
            except ConsensusError:
                refused.append(agent)

        def vote_for_all():
            for agent in "abcdefgh":
                vote(agent)

        threads = [threading.Thread(target=vote_for_all) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(results), results.count(Approved()), len(refused)) == (8, 1, 24)


def test_a_result_goes_by_all_votes_that_are_counted(engine, memory, monkeypatch):
    engine.submit_proposal(proposal())
    unpacked = Tally.unpacked

    def overtaken(row):
        monkeypatch.setattr(Tally, "unpacked", unpacked)
        votes(ConsensusEngine(memory), "a+")
        return unpacked(row)

    monkeypatch.setattr(Tally, "unpacked", overtaken)
    assert engine.result("p") == pending(1, 0, 2, 2)


def test_a_lost_vote_is_corruption(engine, memory, monkeypatch):
    monkeypatch.setattr(module, "_LOOKS", 2)
    engine.submit_proposal(proposal())
    votes(engine, "a+")
    memory.delete("consensus/p/votes", "a")
    with pytest.raises(CorruptionError, match="proposal 'p' counts 1 votes and has 0"):
        engine.result("p")


@pytest.fixture
def waits(monkeypatch):
    """Do something each time that somebody waits, and let a second pass."""

    def arrange(act):
        passed = [0.0]

        def sleep(_seconds):
            passed[0] += 1.0
            act()

        monkeypatch.setattr(module.time, "sleep", sleep)
        monkeypatch.setattr(module.time, "monotonic", lambda: passed[0])

    return arrange


@pytest.mark.parametrize(("sign", "result"), [("+", Approved()), ("-", Rejected())])
def test_who_proposes_can_wait_for_the_decision(engine, waits, sign, result):
    voters = iter("abc")
    waits(lambda: votes(engine, next(voters) + sign))
    assert engine.propose_and_wait(proposal(), timeout=10) == result


def test_who_waits_is_told_of_the_expiry(engine, waits, clock):
    waits(lambda: clock.advance(30))
    assert engine.propose_and_wait(proposal(expires_in=60), timeout=10) == Expired()


def test_what_stays_pending_is_an_error_and_goes_on(engine, waits):
    waits(lambda: None)
    with pytest.raises(ConsensusError, match=r"p is undecided after timeout=3: 0 of 2 approve"):
        engine.propose_and_wait(proposal(), timeout=3)
    assert votes(engine, "a+ b+") == Approved()


@pytest.mark.parametrize("timeout", [-1, float("nan"), float("inf")])
def test_a_timeout_out_of_range_proposes_nothing(engine, timeout):
    with pytest.raises(ValueError, match="timeout="):
        engine.propose_and_wait(proposal(), timeout=timeout)
    assert engine.list() == ()
