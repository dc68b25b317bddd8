"""The states that returns come in: a hidden Markov model, fitted once and filtered forward.

In state k a log return is normal around ``mean + pull * the return before`` with a
deviation of its own, and each bar the state changes with the chances of a row of a matrix
(Hamilton, 1989).  The pull is what tells a market that turns back from one that is quiet.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise, permutations
from operator import mul
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nt_memory.market import Floats

MOST_STATES = 4
_ROUNDS = 200
# A round of fitting that gains less than this of the log likelihood is the last.
_GAIN = 1e-7
# No state is narrower than this share of all returns: a run of equal prices is no state.
_NARROWEST = 0.02
_STILL = 1e-12
# Bars over which a fit's first guess is made.
_GLANCE = 21
_ROOT_2 = math.sqrt(2.0)
_ROOT_TAU = math.sqrt(2.0 * math.pi)
# A state that lasts less on average is no regime.
_LEAST_STAY = 5.0
# What the states leave may be so many standard errors from nothing.
_LEFT = 3.5
_LAGS = 10


@dataclass(frozen=True, slots=True)
class States:
    """A fitted model of two to four states.

    Parameters
    ----------
    means, pulls, deviations
        Of each state: its mean log return a bar, how much of the return before comes
        again, and the standard deviation around both.
    changes
        The chance of each state (column) to follow each (row).
    """

    means: tuple[float, ...]
    pulls: tuple[float, ...]
    deviations: tuple[float, ...]
    changes: tuple[tuple[float, ...], ...]

    def stays(self) -> tuple[float, ...]:
        """Return for how many bars each state lasts on average."""
        return tuple(1.0 / max(1.0 - row[k], 1e-6) for k, row in enumerate(self.changes))

    def ranks(self, returns: Sequence[float]) -> Floats:
        """Return the chance that was given to a lower value, of each return from the second on.

        Where the model is right they are independent and uniform from 0 to 1 (Rosenblatt,
        1952).
        """
        belief, found = self.start(), []
        for before, now in pairwise(returns):
            lower = (
                0.5 * math.erfc((mean + pull * before - now) / (deviation * _ROOT_2))
                for mean, pull, deviation in zip(
                    self.means, self.pulls, self.deviations, strict=True
                )
            )
            found.append(sum(p * below for p, below in zip(self.ahead(belief), lower, strict=True)))
            belief = self.filter(belief, before, now)
        return np.array(found)

    def ahead(self, belief: Sequence[float]) -> list[float]:
        """Return the chance of each state a bar later."""
        return [sum(map(mul, belief, column)) for column in zip(*self.changes, strict=True)]

    def start(self) -> tuple[float, ...]:
        """Return what is believed before the first return: each state as likely."""
        return (1.0 / len(self.means),) * len(self.means)

    def filter(self, belief: Sequence[float], before: float, now: float) -> tuple[float, ...]:
        """Return the chance of each state after a log return, given the one before it."""
        logs = []
        for k, prior in enumerate(self.ahead(belief)):
            z = (now - self.means[k] - self.pulls[k] * before) / self.deviations[k]
            logs.append(math.log(prior) - math.log(self.deviations[k]) - 0.5 * z * z)
        most = max(logs)
        weights = [math.exp(log - most) for log in logs]
        total = sum(weights)
        return tuple(weight / total for weight in weights)


def fit_states(returns: Floats) -> States | None:
    """Fit models of one to four states; return the best that the returns bear out.

    The best is that of the least criterion of Hannan and Quinn; BIC needs thousands of
    returns for a third state that is plainly there.

    Deterministic: two first guesses each, by how wide and by where the returns of the last
    21 bars lie, improved by expectation and maximisation.

    Parameters
    ----------
    returns
        Log returns, oldest first.

    Returns
    -------
    None where one state does, where a state lasts less than five bars, or where something
    is left that the states do not explain: where the ranks of the returns follow from
    those of the ten bars before, their widths from the widths, or their widths from the
    ranks (a market that moves more after losses), by more than 3.5 standard errors.
    """
    scale = float(returns.std()) if len(returns) > 1 else 0.0
    if scale <= _STILL:
        return None
    r = returns / scale
    before, now = r[:-1], r[1:]
    best, least = None, _criterion(_single(before, now), len(now), 1)
    for count in range(2, MOST_STATES + 1):
        for guess in _guesses(r, count):
            fitted, likelihood = _improve(guess, before, now)
            told = _criterion(likelihood, len(now), count)
            if told < least and _borne_out(fitted.scaled(scale), returns):
                best, least = fitted.scaled(scale), told
    return best


def _borne_out(states: States, returns: Floats) -> bool:
    if min(states.stays()) < _LEAST_STAY:
        return False
    rank = states.ranks(returns.tolist()) - 0.5
    width = np.abs(rank)
    left = (_follows(rank, rank), _follows(width, width), _follows(rank, width))
    return max(map(abs, left)) < _LEFT


def _follows(first: Floats, then: Floats) -> float:
    """Return the sum of the correlations at lags 1 to 10, in its standard errors."""
    n = len(first)
    x, y = ((values - values.mean()) / values.std() for values in (first, then))
    total = sum(float(x[:-lag] @ y[lag:]) / n for lag in range(1, _LAGS + 1))
    return total * math.sqrt(n / _LAGS)


def _criterion(likelihood: float, n: int, count: int) -> float:
    """Return the criterion of Hannan and Quinn (1979): the less, the better the model."""
    parameters = 3 * count + count * (count - 1)
    return 2.0 * parameters * math.log(math.log(n)) - 2.0 * likelihood


@dataclass(frozen=True, slots=True, eq=False)
class _Model:
    emission: Floats  # mean, pull, deviation; one row a state
    changes: Floats

    def likelihoods(self, before: Floats, now: Floats) -> tuple[Floats, Floats]:
        """Return how likely each return is in each state, over the largest, and its logarithm."""
        mean, pull, deviation = self.emission.T
        z = (now[:, None] - mean - before[:, None] * pull) / deviation
        logs = -0.5 * z * z - np.log(deviation * _ROOT_TAU)
        most = logs.max(axis=1)
        return np.exp(logs - most[:, None]), most

    def scaled(self, scale: float) -> States:
        mean, pull, deviation = self.emission.T
        return States(
            tuple(map(float, mean * scale)),
            tuple(map(float, pull)),
            tuple(map(float, deviation * scale)),
            tuple(tuple(map(float, row)) for row in self.changes),
        )


def _guesses(r: Floats, count: int) -> list[_Model]:
    """Return first guesses: states by the spread, and by the mean, of the latest returns."""
    width = min(_GLANCE, len(r))
    latest = np.lib.stride_tricks.sliding_window_view(
        np.concatenate([np.full(width - 1, r[0]), r]), width
    )
    changes = np.full((count, count), 0.05 / (count - 1))
    np.fill_diagonal(changes, 0.95)
    made = []
    for measure in (latest.std(axis=1), latest.mean(axis=1)):
        bounds = np.quantile(measure, np.linspace(0.0, 1.0, count + 1)[1:-1])
        member = np.eye(count)[np.searchsorted(bounds, measure)]
        made.append(_Model(_emission(member[1:] + 1e-3, r[:-1], r[1:]), changes))
    return made


def _single(before: Floats, now: Floats) -> float:
    model = _Model(_emission(np.ones((len(now), 1)), before, now), np.ones((1, 1)))
    return float(model.likelihoods(before, now)[1].sum())


def _emission(weights: Floats, before: Floats, now: Floats) -> Floats:
    """Return mean, pull and deviation of each state by weighted least squares."""
    total = weights.sum(axis=0)
    x, y = (weights.T @ before) / total, (weights.T @ now) / total
    xx = (weights.T @ (before * before)) / total - x * x
    xy = (weights.T @ (before * now)) / total - x * y
    pull = np.clip(xy / np.maximum(xx, 1e-12), -0.95, 0.95)
    mean = y - pull * x
    rest = now[:, None] - mean - before[:, None] * pull
    spread = (weights * rest * rest).sum(axis=0) / total
    return np.stack([mean, pull, np.sqrt(np.maximum(spread, _NARROWEST**2))], axis=1)


def _improve(model: _Model, before: Floats, now: Floats) -> tuple[_Model, float]:
    """Improve a model by expectation and maximisation; return it with its log likelihood."""
    last = -math.inf
    for _ in range(_ROUNDS):
        likely, most = model.likelihoods(before, now)
        count = likely.shape[1]
        ahead, steps = _forward(likely, model.changes, np.full(count, 1.0 / count))
        likelihood = float(steps.sum() + most.sum())
        if likelihood - last < _GAIN * abs(likelihood):
            break
        last = likelihood
        # What comes after a bar, by the same recursion from the end.
        behind = _forward(likely[::-1], model.changes.T, np.ones(count))[0][::-1]
        pairs = ahead[:-1, :, None] * model.changes * behind[1:, None, :]
        pairs /= pairs.sum(axis=(1, 2), keepdims=True)
        chances = np.concatenate([pairs.sum(axis=2), ahead[-1:]])
        changes = pairs.sum(axis=0) + 1e-3
        changes /= changes.sum(axis=1, keepdims=True)
        model = _Model(_emission(chances + 1e-9, before, now), changes)
    return model, last


def _forward(likely: Floats, changes: Floats, start: Floats) -> tuple[Floats, Floats]:
    """Run ``v <- (v @ changes) * likely[t]`` with v scaled to sum 1; return all v and log sums.

    All blocks of a series go side by side, first from each single state, so that about
    2 sqrt(n) steps are done in Python instead of n.
    """
    n, count = likely.shape
    length = math.isqrt(n - 1) + 1
    blocks = -(-n // length)
    padded = np.concatenate([likely, np.ones((blocks * length - n, count))])
    steps = padded.reshape(blocks, length, count).transpose(1, 0, 2)
    through = np.broadcast_to(np.eye(count), (blocks, count, count))
    for step in steps:
        through = (through @ changes) * step[:, None, :]
        through = through / through.max(axis=(1, 2), keepdims=True)
    begin = np.empty((blocks, count))
    begin[0] = start
    for block in range(1, blocks):
        v = begin[block - 1] @ through[block - 1]
        begin[block] = v / v.sum()
    found, sums = np.empty((length, blocks, count)), np.empty((length, blocks))
    v = begin
    for place, step in enumerate(steps):
        v = (v @ changes) * step
        sums[place] = v.sum(axis=1)
        v = v / sums[place][:, None]
        found[place] = v
    told = found.transpose(1, 0, 2).reshape(-1, count)[:n]
    return told, np.log(sums).T.reshape(-1)[:n]


def named(states: States) -> tuple[int, ...]:
    """Return which of (volatile, quiet, trending, mean reverting) each state is, each once.

    Of all ways to give the names, the one under which they fit best together: volatile and
    quiet by how wide a state is beside the others, trending by its drift over a stay in its
    deviations, mean reverting by its pull.
    """
    deviation = np.array(states.deviations)
    wide = np.log(deviation) - np.log(deviation).mean()
    stay = np.sqrt(states.stays())
    drift = np.abs(states.means) / deviation * stay
    fits = np.stack([wide, -wide, 0.5 * drift - 0.5, -np.array(states.pulls) * stay - 0.5], axis=1)
    rows = np.arange(len(deviation))
    ways = permutations(range(MOST_STATES), len(deviation))
    return max(ways, key=lambda way: float(fits[rows, list(way)].sum()))
