"""Proposals, votes, and what they come to."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

from nt_memory._shown import shown
from nt_memory._values import pack, segment, unpack
from nt_memory.clock import micros
from nt_memory.coordination._checks import Exact, exact, share
from nt_memory.errors import CorruptionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from nt_memory.clock import Duration

TWO_THIRDS = Fraction(2, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What agents are asked to agree on.

    Parameters
    ----------
    id
        One level of a namespace; empty asks the engine for a fresh ULID.
    proposer
        Who asks; need not have a vote.
    data
        What it is about: JSON types, bytes and NumPy arrays.
    quorum
        The share of the weight of all voters that has to approve, above 0 and
        up to 1.  It is exact: a float is taken at its decimal text, so 0.67 of
        three equal voters takes all three, and two thirds is
        ``Fraction(2, 3)``.
    expires_in
        How long votes are taken, from the submission; None sets no end.

    Raises
    ------
    ValueError
        A field is out of its range.
    NamespaceError
        An id is not one level of a namespace.

    Examples
    --------
    >>> Proposal(proposer="hedge", data={"action": "rebalance"}).quorum
    Fraction(2, 3)
    """

    id: str = ""
    proposer: str
    data: Any
    quorum: Exact = TWO_THIRDS
    expires_in: Duration | None = None

    def __post_init__(self) -> None:
        if self.id:
            segment("id", self.id)
        segment("proposer", self.proposer)
        object.__setattr__(self, "quorum", share("quorum", self.quorum))
        if self.expires_in is not None and micros(self.expires_in, "expires_in") == 0:
            msg = f"expires_in={shown(self.expires_in)}: give a duration above 0, or None"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Vote:
    """What one agent says to a proposal.

    Parameters
    ----------
    proposal_id
        To which.
    voter
        Who says it.
    approve
        Whether it is in favour.
    weight
        At most the voter's registered weight; None takes all of it.  What is
        held back counts for neither side.

    Raises
    ------
    ValueError
        The weight is no finite number above 0, or ``approve`` no bool.
    NamespaceError
        An id is not one level of a namespace.
    """

    proposal_id: str
    voter: str
    approve: bool
    weight: Exact | None = None

    def __post_init__(self) -> None:
        segment("proposal_id", self.proposal_id)
        segment("voter", self.voter)
        if not isinstance(self.approve, bool):
            msg = f"approve={shown(self.approve)}: give True or False"
            raise TypeError(msg)
        if self.weight is not None:
            object.__setattr__(self, "weight", exact("weight", self.weight))


@dataclass(frozen=True, slots=True)
class Approved:
    """Enough weight is in favour; for good."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Not enough weight can be in favour any more; for good."""


@dataclass(frozen=True, slots=True)
class Expired:
    """The time for votes ended without a decision; for good."""


@dataclass(frozen=True, slots=True)
class Pending:
    """Nothing is decided.

    Parameters
    ----------
    approve, reject
        The weight of the votes in favour and against.
    remaining
        The weight of those who have not voted.
    needed
        The weight in favour at which the proposal is approved.
    """

    approve: Fraction
    reject: Fraction
    remaining: Fraction
    needed: Fraction


ConsensusResult: TypeAlias = Approved | Rejected | Pending | Expired


@dataclass(frozen=True, slots=True)
class Poll:
    """A proposal with all that was fixed when it was made (times in microseconds).

    ``weights`` has every agent that was registered then, and nobody else.
    """

    id: str
    proposer: str
    data: Any
    quorum: Fraction
    weights: Mapping[str, Fraction]
    created_at: int
    expires_at: int | None = None

    @property
    def needed(self) -> Fraction:
        """The weight in favour at which it is approved."""
        return self.quorum * sum(self.weights.values(), Fraction(0))

    @property
    def proposal(self) -> Proposal:
        """What was proposed."""
        lasts = None
        if self.expires_at is not None:
            lasts = timedelta(microseconds=self.expires_at - self.created_at)
        return Proposal(
            id=self.id,
            proposer=self.proposer,
            data=self.data,
            quorum=self.quorum,
            expires_in=lasts,
        )

    def packed(self) -> bytes:
        """Return the row of the store."""
        return pack(
            {
                "proposer": self.proposer,
                "data": self.data,
                "quorum": str(self.quorum),
                "weights": {voter: str(weight) for voter, weight in self.weights.items()},
                "created_at": self.created_at,
                "expires_at": self.expires_at,
            }
        )

    @classmethod
    def unpacked(cls, id: str, row: bytes) -> Poll:
        """Return what `packed` wrote."""
        fields = unpack(row)
        weights = {voter: Fraction(weight) for voter, weight in fields["weights"].items()}
        return cls(
            id,
            fields["proposer"],
            fields["data"],
            Fraction(fields["quorum"]),
            weights,
            fields["created_at"],
            fields["expires_at"],
        )


@dataclass(frozen=True, slots=True)
class Cast:
    """A vote as it was written: with its full weight, and when."""

    voter: str
    approve: bool
    weight: Fraction
    at: int

    def packed(self) -> bytes:
        """Return the row of the store."""
        return pack({"approve": self.approve, "weight": str(self.weight), "at": self.at})

    @classmethod
    def unpacked(cls, voter: str, row: bytes) -> Cast:
        """Return what `packed` wrote."""
        with _readable(f"the vote of {voter!r}"):
            fields = unpack(row)
            return cls(voter, fields["approve"] is True, Fraction(fields["weight"]), fields["at"])


@dataclass(frozen=True, slots=True)
class Tally:
    """How far the voting on a proposal is.

    Every vote rewrites it in its own batch, so whoever judges the votes can
    write what follows from them on the condition that none came in between.
    ``closed_at`` is when somebody was first told that the proposal had expired.
    """

    votes: int = 0
    closed_at: int | None = None

    def packed(self) -> bytes:
        """Return the row of the store."""
        return pack({"votes": self.votes, "closed_at": self.closed_at})

    @classmethod
    def unpacked(cls, row: bytes) -> Tally:
        """Return what `packed` wrote."""
        with _readable("the tally of a proposal"):
            return cls(**unpack(row))


@contextmanager
def _readable(what: str) -> Iterator[None]:
    """Say what a row was meant to be, where it is something else."""
    try:
        yield
    except (TypeError, ValueError, KeyError, ZeroDivisionError) as error:
        msg = f"{what} cannot be read: {error}; restore a backup, or propose anew"
        raise CorruptionError(msg) from error


def fold(poll: Poll, votes: Iterable[Cast], now: int) -> ConsensusResult:
    """Return what votes come to at a time.

    It looks at nothing else, and the order of the votes changes nothing.  A
    vote that was cast when the proposal had expired does not count; a decision
    of the votes before it stays.

    Examples
    --------
    >>> weights = {"hedge": Fraction(1), "trend": Fraction(1), "carry": Fraction(1)}
    >>> poll = Poll("p", "hedge", None, Fraction(2, 3), weights, created_at=0, expires_at=60)
    >>> votes = [Cast("hedge", True, Fraction(1), at=1), Cast("trend", True, Fraction(1), at=2)]
    >>> fold(poll, votes[:1], now=59).remaining
    Fraction(2, 1)
    >>> fold(poll, votes[:1], now=60)
    Expired()
    >>> fold(poll, votes, now=60)
    Approved()
    """
    approve = reject = Fraction(0)
    remaining = dict(poll.weights)
    for vote in votes:
        if poll.expires_at is not None and vote.at >= poll.expires_at:
            continue
        weight = remaining.pop(vote.voter, None)
        if weight is None:  # who has no vote
            continue
        given = min(max(vote.weight, Fraction(0)), weight)
        if vote.approve:
            approve += given
        else:
            reject += given
    left = sum(remaining.values(), Fraction(0))
    if approve >= poll.needed:
        return Approved()
    if approve + left < poll.needed:
        return Rejected()
    if poll.expires_at is not None and now >= poll.expires_at:
        return Expired()
    return Pending(approve, reject, left, poll.needed)
