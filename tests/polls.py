"""Builders of votes, and every history of a poll judged by rules in whole numbers."""

from fractions import Fraction
from math import lcm

from nt_memory import (
    Approved,
    ConsensusEngine,
    Expired,
    Pending,
    Proposal,
    Rejected,
    Vote,
)
from nt_memory.coordination.proposals import Cast, Poll

EXPIRES = 100
ONE = Fraction(1)
WEIGHTS = {
    "one": {"a": ONE},
    "two": {"a": ONE, "b": ONE},
    "three": dict.fromkeys("abc", ONE),
    "four": dict.fromkeys("abcd", ONE),
    "tenths": dict(zip("abcd", map(Fraction, ("0.1", "0.2", "0.3", "0.4")), strict=True)),
    "thirds": dict.fromkeys("abc", Fraction(1, 3)),
    "one outweighs": dict(zip("abcd", map(Fraction, (5, 1, 1, 1)), strict=True)),
}
QUORUMS = [Fraction(n) for n in ("2/3", "0.67", "1/2", "1", "0.6", "0.3", "1/1000")]


def with_agents(memory, agents="abc"):
    """Return a consensus of agents of equal weight."""
    engine = ConsensusEngine(memory)
    for agent in agents:
        engine.register_agent(agent)
    return engine


def proposal(**fields):
    """Return the proposal "p", changed as told."""
    return Proposal(**{"id": "p", "proposer": "a", "data": {"action": "rebalance"}, **fields})


def votes(engine, text, id_="p"):
    """Vote as told ("a+ b-": a in favour, b against); return the last result."""
    return [engine.vote(Vote(id_, word[0], word[1] == "+")) for word in text.split()][-1]


def pending(approve, reject, remaining, needed):
    """Return a `Pending` of any numbers."""
    return Pending(*map(Fraction, (approve, reject, remaining, needed)))


def poll(weights, quorum, expires_at=None):
    """Return a proposal of time 0."""
    return Poll("p", "a", None, quorum, weights, created_at=0, expires_at=expires_at)


def verdict(made, votes, now):
    """Return what the rules say, in whole numbers."""
    unit = lcm(*(weight.denominator for weight in made.weights.values()))
    unit = lcm(unit, *(vote.weight.denominator for vote in votes))
    weights = {voter: int(weight * unit) for voter, weight in made.weights.items()}
    ends = made.expires_at
    counted = [vote for vote in votes if ends is None or vote.at < ends]
    in_favour = sum(int(vote.weight * unit) for vote in counted if vote.approve)
    voted = {vote.voter for vote in counted}
    left = sum(weight for voter, weight in weights.items() if voter not in voted)
    share, of = made.quorum.numerator, made.quorum.denominator
    enough = share * sum(weights.values())
    if in_favour * of >= enough:
        return Approved()
    if (in_favour + left) * of < enough:
        return Rejected()
    if ends is not None and now >= ends:
        return Expired()
    against = sum((vote.weight for vote in counted if not vote.approve), Fraction(0))
    return Pending(
        Fraction(in_favour, unit), against, Fraction(left, unit), Fraction(enough, unit * of)
    )


def histories(voters, lowered=()):
    """Go through every order in which some of the voters vote, each for or against.

    A step of a history that changes no row (a second vote, one that comes too
    late, a registration after the proposal, a restart) needs none of its own.
    """
    yield ()
    for voter in voters:
        rest = [other for other in voters if other != voter]
        for approve in (True, False):
            for part in (ONE, *lowered):
                for tail in histories(rest, lowered):
                    yield ((voter, approve, part), *tail)


def check(fold, weights, quorum, lowered=()):
    """Judge every history, with the expiry at each place in it, and each of its beginnings."""
    made = poll(weights, quorum, EXPIRES)
    judged, beginnings = {}, {}
    for history in histories(list(weights), lowered):
        for before in range(len(history) + 1):
            votes = [
                Cast(voter, approve, weights[voter] * part, at if at < before else EXPIRES + at)
                for at, (voter, approve, part) in enumerate(history)
            ]
            in_time = frozenset(history[:before])
            now = votes[-1].at if votes else 0
            for then in {now, max(now, EXPIRES)}:
                result = fold(made, votes, then)
                same = (in_time, then >= EXPIRES)
                if same not in judged:
                    judged[same] = verdict(made, votes, then)
                assert result == judged[same], (weights, quorum, votes, then)
                if then == now:
                    beginnings[history, before] = result
            if votes:
                earlier = beginnings[history[:-1], min(before, len(history) - 1)]
                decided = not isinstance(earlier, Pending)
                assert not decided or earlier == beginnings[history, before], "a decision changed"
