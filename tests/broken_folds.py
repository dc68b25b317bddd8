"""Folds of votes that break a rule each, to be caught."""

from fractions import Fraction

from nt_memory import Approved, Expired, Pending, Rejected
from nt_memory.coordination.proposals import fold
from polls import poll


def sums(poll, votes):
    """Return the weights in favour, left and in all, of the votes that count."""
    counted = [vote for vote in votes if poll.expires_at is None or vote.at < poll.expires_at]
    favour = sum(vote.weight for vote in counted if vote.approve)
    voted = {vote.voter for vote in counted}
    left = sum(weight for voter, weight in poll.weights.items() if voter not in voted)
    return favour, left, sum(poll.weights.values())


def more_than_the_quorum(poll, votes, now):
    favour, _, total = sums(poll, votes)
    if favour == poll.quorum * total:
        votes = [vote for vote in votes if not vote.approve]
        return Pending(*map(Fraction, (favour, total, 0, total)))
    return fold(poll, votes, now)


def in_floats(poll, votes, now):
    counted = [vote for vote in votes if poll.expires_at is None or vote.at < poll.expires_at]
    favour = sum(float(vote.weight) for vote in counted if vote.approve)
    needed = float(poll.quorum) * sum(map(float, poll.weights.values()))
    exact = fold(poll, votes, now)
    if favour >= needed:
        return Approved()
    return exact if exact != Approved() else Pending(*map(Fraction, (favour, 0, 0, needed)))


def rejects_one_vote_late(poll, votes, now):
    result = fold(poll, votes, now)
    before = fold(poll, votes[:-1], now) if votes else result
    return before if result == Rejected() and before != Rejected() else result


def expires_though_decided(poll, votes, now):
    over = poll.expires_at is not None and now >= poll.expires_at
    return Expired() if over else fold(poll, votes, now)


def counts_late_votes(made, votes, now):
    result = fold(poll(made.weights, made.quorum), votes, now)
    return fold(made, votes, now) if isinstance(result, Pending) else result


def counts_only_who_voted(poll, votes, now):
    favour, left, total = sums(poll, votes)
    voted = total - left
    return Approved() if voted and favour >= poll.quorum * voted else fold(poll, votes, now)


def never_rejects(poll, votes, now):
    result = fold(poll, votes, now)
    return Expired() if result == Rejected() else result


def the_last_vote_decides(poll, votes, now):
    result = fold(poll, votes, now)
    if isinstance(result, Pending) and len(votes) == len(poll.weights) - 1 > 0:
        return Approved() if votes[-1].approve else Rejected()
    return result


BROKEN = [
    more_than_the_quorum,
    in_floats,
    rejects_one_vote_late,
    expires_though_decided,
    counts_late_votes,
    counts_only_who_voted,
    never_rejects,
    the_last_vote_decides,
]
