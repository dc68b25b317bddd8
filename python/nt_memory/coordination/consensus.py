"""`ConsensusEngine`: weighted votes of agents, kept in the store."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nt_memory._shown import shown
from nt_memory._values import segment
from nt_memory.clock import micros, to_micros
from nt_memory.coordination._announce import announce
from nt_memory.coordination._checks import exact, instance, share
from nt_memory.coordination._rows import every_key, until_unchanged
from nt_memory.coordination.proposals import (
    Approved,
    Cast,
    Expired,
    Pending,
    Poll,
    Proposal,
    Rejected,
    Tally,
    Vote,
    fold,
)
from nt_memory.coordination.registry import AgentRegistry
from nt_memory.errors import ConsensusError, CorruptionError
from nt_memory.store import Expect, Put

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nt_memory.clock import Duration
    from nt_memory.coordination._checks import Exact
    from nt_memory.coordination._memory import Memory
    from nt_memory.coordination.proposals import ConsensusResult
    from nt_memory.coordination.registry import RegisteredAgent

_PROPOSALS = "consensus"
_TALLY = "tally"
_ENDED = {Approved: "approved", Rejected: "rejected", Expired: "expired"}
_LOOKS = 300
# Seconds between two looks at a proposal, of the machine: a clock that is moved by hand
# would never end the wait.
_PAUSE = 0.01


class ConsensusEngine:
    """Weighted votes on proposals, by exact arithmetic.

    Who may vote, with what weight, and the quorum are fixed when a proposal is
    made.  A proposal is approved when the weight in favour is at least the
    quorum's share of all weight, and rejected as soon as that can no longer be
    reached; either is for good, as is expiry, and the order of votes changes
    nothing.  Proposals and votes are on the disk when a call returns; every
    engine on the same memory gives the same answers, also after a restart.
    Each change is published on the topic ``consensus/<id>`` once it is stored.

    Parameters
    ----------
    memory
        A `MemorySystem`.

    Examples
    --------
    >>> from nt_memory import ConsensusEngine, MemorySystem, Proposal, Vote
    >>> with MemorySystem(":memory:") as memory:
    ...     consensus = ConsensusEngine(memory)
    ...     for agent in ("hedge", "trend", "carry"):
    ...         _ = consensus.register_agent(agent, weight=1)
    ...     id_ = consensus.submit_proposal(
    ...         Proposal(proposer="hedge", data={"action": "rebalance"})
    ...     )
    ...     first = consensus.vote(Vote(id_, "hedge", approve=True))
    ...     second = consensus.vote(Vote(id_, "trend", approve=True))
    >>> str(first.approve), str(first.needed), second
    ('1', '2', Approved())
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._store = memory.store
        self._registry = AgentRegistry(memory)

    def register_agent(self, agent_id: str, weight: Exact = 1) -> RegisteredAgent:
        """Set the weight of an agent in the `AgentRegistry`, registering it where it is new."""
        return self._registry.set_weight(agent_id, weight)

    def unregister(self, agent_id: str) -> bool:
        """Take an agent out of the registry; return whether it was there.

        It goes on having its vote on proposals that were made before.
        """
        return self._registry.deregister(agent_id)

    def submit_proposal(self, proposal: Proposal) -> str:
        """Put a proposal to the vote of all who are registered; return its id.

        Raises
        ------
        ConsensusError
            Nobody is registered, or there is a proposal with this id.
        SerializationError
            The data cannot be stored.
        """
        instance("proposal", proposal, Proposal)
        poll = until_unchanged(lambda: self._submit(proposal))
        self._announce(poll.id, {"change": "proposed", "proposer": poll.proposer})
        return poll.id

    def vote(self, vote: Vote) -> ConsensusResult:
        """Write a vote, once and for good; return what the votes then come to.

        Raises
        ------
        ConsensusError
            There is no such proposal, it is decided or has expired, the voter
            was not registered when it was made or has voted already, or the
            vote's weight is more than the registered one.  No vote is written.
        """
        instance("vote", vote, Vote)
        result = until_unchanged(lambda: self._vote(vote))
        change = {"change": "voted", "voter": vote.voter, "approve": vote.approve}
        self._announce(vote.proposal_id, {**change, "result": type(result).__name__})
        return result

    def result(self, id: str) -> ConsensusResult:
        """Return what the votes on a proposal come to.

        The first to be told that it has expired closes it, so that no vote
        that was on its way changes the answer.

        Raises
        ------
        ConsensusError
            There is no such proposal.
        """
        return until_unchanged(lambda: self._look(id)).result

    def get(self, id: str) -> Proposal | None:
        """Return a proposal, or None where there is none with this id."""
        poll = self._poll(segment("id", id))
        return None if poll is None else poll.proposal

    def list(self, only: type[ConsensusResult] | None = None) -> tuple[Proposal, ...]:
        """Return all proposals by id, or those with one kind of result.

        Ids that the engine made are ordered by the millisecond of their submission.
        """
        if only not in (None, Pending, *_ENDED):
            msg = f"only={shown(only)}: give Pending, Approved, Rejected, Expired or None"
            raise ValueError(msg)
        found = []
        for id_ in every_key(self._store, _PROPOSALS):
            poll = self._poll(id_)
            if poll is not None and (only is None or isinstance(self.result(id_), only)):
                found.append(poll.proposal)
        return tuple(found)

    def propose_and_wait(self, proposal: Proposal, timeout: Duration) -> ConsensusResult:
        """Put a proposal to the vote and wait for the others.

        Parameters
        ----------
        proposal
            As for `submit_proposal`.
        timeout
            How long to wait at most, in time of the machine.

        Returns
        -------
        ConsensusResult
            `Approved`, `Rejected` or `Expired`.

        Raises
        ------
        ConsensusError
            Nothing is decided by then; the proposal stays, and `result` has it.
        """
        end = time.monotonic() + micros(timeout, "timeout") / 1e6
        id_ = self.submit_proposal(proposal)
        while True:
            result = self.result(id_)
            if not isinstance(result, Pending):
                return result
            left = end - time.monotonic()
            if left <= 0:
                msg = (
                    f"proposal {id_} is undecided after timeout={shown(timeout)}: "
                    f"{result.approve} of {result.needed} approve, {result.remaining} have not "
                    "voted; it goes on, ask result() later"
                )
                raise ConsensusError(msg)
            time.sleep(min(_PAUSE, left))

    def _submit(self, proposal: Proposal) -> Poll:
        agent = self._memory.agent_id
        if agent not in {None, proposal.proposer}:
            msg = f"proposer={shown(proposal.proposer)}: agent {agent!r} proposes for itself"
            raise ConsensusError(msg)
        weights, unchanged = self._registry.weights()
        if not weights:
            msg = "nobody is registered, so nobody could vote: register agents first"
            raise ConsensusError(msg)
        id_ = proposal.id or self._store.new_id()
        if self._store.get(_PROPOSALS, id_) is not None:
            msg = f"id={shown(id_)}: there is such a proposal; give another id, or none"
            raise ConsensusError(msg)
        now = self._now()
        lasts = proposal.expires_in
        poll = Poll(
            id_,
            proposal.proposer,
            proposal.data,
            share("quorum", proposal.quorum),
            weights,
            now,
            None if lasts is None else now + micros(lasts),
        )
        self._store.commit(
            [
                *unchanged,
                Expect(_PROPOSALS, id_, None),
                Put(_PROPOSALS, id_, b""),
                Put(_of(id_), "proposal", poll.packed()),
                Put(_of(id_), _TALLY, Tally().packed()),
            ]
        )
        return poll

    def _vote(self, vote: Vote) -> ConsensusResult:
        seen = self._look(vote.proposal_id)
        cast = _cast(vote, seen, self._now())
        place = _of(seen.poll.id)
        self._store.commit(
            [
                Expect(place, _TALLY, seen.tally.packed()),
                Put(place, _TALLY, replace(seen.tally, votes=seen.tally.votes + 1).packed()),
                Expect(_votes_of(seen.poll.id), cast.voter, None),
                Put(_votes_of(seen.poll.id), cast.voter, cast.packed()),
            ]
        )
        return fold(seen.poll, [*seen.votes, cast], cast.at)

    def _look(self, id: str) -> _Seen:
        """Return what the votes come to; close a proposal that has expired.

        Raises
        ------
        ConflictError
            Somebody voted or closed it meanwhile: look again.
        """
        poll, tally, votes = self._read(id)
        now = self._now()
        # A clock that was set back while the store was closed reopens nothing.
        result = fold(poll, votes, now if tally.closed_at is None else max(now, tally.closed_at))
        # An agent changes the tally with its vote only.
        closes = self._memory.agent_id is None
        if isinstance(result, Expired) and tally.closed_at is None and closes:
            closed = replace(tally, closed_at=now)
            place = _of(id)
            self._store.commit(
                [Expect(place, _TALLY, tally.packed()), Put(place, _TALLY, closed.packed())]
            )
            tally = closed
            self._announce(id, {"change": "expired"})
        return _Seen(poll, tally, votes, result)

    def _read(self, id: str) -> tuple[Poll, Tally, tuple[Cast, ...]]:
        segment("proposal_id", id)
        poll = self._poll(id)
        if poll is None:
            msg = f"there is no proposal {shown(id)}: submit one first"
            raise ConsensusError(msg)
        for _ in range(_LOOKS):
            row = self._store.get(_of(id), _TALLY)
            tally = Tally() if row is None else Tally.unpacked(row)
            rows = {voter: self._store.get(_votes_of(id), voter) for voter in poll.weights}
            votes = tuple(Cast.unpacked(voter, row) for voter, row in rows.items() if row)
            if len(votes) == tally.votes:
                return poll, tally, votes
            # A vote was written while they were read one after the other.
            time.sleep(_PAUSE)
        msg = f"proposal {shown(id)} counts {tally.votes} votes and has {len(votes)}"
        raise CorruptionError(msg)

    def _poll(self, id: str) -> Poll | None:
        row = self._store.get(_of(id), "proposal")
        return None if row is None else Poll.unpacked(id, row)

    def _now(self) -> int:
        return to_micros(self._memory.clock.now())

    def _announce(self, id: str, change: Mapping[str, Any]) -> None:
        announce(self._memory, _of(id), {"proposal_id": id, **change})


@dataclass(frozen=True, slots=True)
class _Seen:
    """A proposal, its votes and what they come to, as of one commit."""

    poll: Poll
    tally: Tally
    votes: tuple[Cast, ...]
    result: ConsensusResult


def _cast(vote: Vote, seen: _Seen, now: int) -> Cast:
    """Return the row of a vote that keeps the rules."""
    place = f"proposal {shown(vote.proposal_id)}"
    weight = seen.poll.weights.get(vote.voter)
    if weight is None:
        msg = (
            f"voter={shown(vote.voter)} was not registered when {place} was made: "
            "register agents before a proposal is submitted"
        )
        raise ConsensusError(msg)
    if any(cast.voter == vote.voter for cast in seen.votes):
        msg = f"voter={shown(vote.voter)} has voted on {place}: a vote is given once"
        raise ConsensusError(msg)
    if not isinstance(seen.result, Pending):
        msg = f"{place} is {_ENDED[type(seen.result)]}: submit another one to vote again"
        raise ConsensusError(msg)
    given = weight if vote.weight is None else exact("weight", vote.weight)
    if given > weight:
        msg = (
            f"weight={given} of voter={shown(vote.voter)}: it was registered with {weight}, "
            "which a vote may lower and not raise"
        )
        raise ConsensusError(msg)
    return Cast(vote.voter, vote.approve, given, now)


def _of(id: str) -> str:
    return f"{_PROPOSALS}/{id}"


def _votes_of(id: str) -> str:
    return f"{_PROPOSALS}/{id}/votes"
