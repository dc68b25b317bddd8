"""Verdicts: what was expected against what came."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from nt_memory._shown import shown
from nt_memory._values import finite
from nt_memory.clock import SystemClock, from_micros, to_micros

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from nt_memory.clock import Clock
    from nt_memory.reasoning.trajectory import Trajectory

Floats: TypeAlias = npt.NDArray[np.float64]

# An error that is 5 % but for its rounding is 5 %.
_ROUNDING = 1e-12


class Verdict(str, Enum):
    """How far off a prediction was."""

    GOOD = "good"
    NEUTRAL = "neutral"
    BAD = "bad"
    UNKNOWN = "unknown"


_BY_CODE = (Verdict.GOOD, Verdict.NEUTRAL, Verdict.BAD, Verdict.UNKNOWN)


@dataclass(frozen=True, slots=True)
class VerdictResult:
    """The verdict on one trajectory; what cannot be said is None.

    Parameters
    ----------
    trajectory_id
        Which.
    verdict
        By the last action that predicted and whose outcome was known.
    predicted, actual
        What was compared.
    error
        ``|actual - predicted| / max(|predicted|, eps)``.
    direction
        Whether the sign was right; None for a prediction of zero.
    magnitude
        ``(|actual| - |predicted|) / max(|predicted|, eps)``: above 0 where more came.
    confidence
        How sure the agent was of the direction.
    brier
        Squared distance of the confidence from what happened (1 or 0).
    """

    trajectory_id: str
    verdict: Verdict
    predicted: float | None = None
    actual: float | None = None
    error: float | None = None
    direction: bool | None = None
    magnitude: float | None = None
    confidence: float | None = None
    brier: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Verdicts:
    """Verdicts as columns of one length; NaN where nothing can be said.

    ``code`` is 0 good, 1 neutral, 2 bad, 3 unknown; ``direction`` 1 right and 0
    wrong; the others are those of `VerdictResult`.
    """

    trajectory_ids: list[str]
    code: npt.NDArray[np.int8]
    predicted: Floats
    actual: Floats
    error: Floats
    direction: Floats
    magnitude: Floats
    confidence: Floats
    brier: Floats

    def __len__(self) -> int:
        return len(self.trajectory_ids)

    def __iter__(self) -> Iterator[VerdictResult]:
        return (self[row] for row in range(len(self)))

    @overload
    def __getitem__(self, row: int) -> VerdictResult: ...
    @overload
    def __getitem__(self, row: slice) -> list[VerdictResult]: ...
    def __getitem__(self, row: int | slice) -> VerdictResult | list[VerdictResult]:
        if isinstance(row, slice):
            return [self[place] for place in range(len(self))[row]]
        direction = _told(self.direction[row])
        return VerdictResult(
            self.trajectory_ids[row],
            _BY_CODE[self.code[row]],
            _told(self.predicted[row]),
            _told(self.actual[row]),
            _told(self.error[row]),
            None if direction is None else bool(direction),
            _told(self.magnitude[row]),
            _told(self.confidence[row]),
            _told(self.brier[row]),
        )

    def counts(self) -> dict[Verdict, int]:
        """Return how many there are of each verdict."""
        found = np.bincount(self.code, minlength=len(_BY_CODE))
        return dict(zip(_BY_CODE, found.tolist(), strict=True))

    @property
    def hit_rate(self) -> float | None:
        """Share of directions that were right; None where none can be said."""
        return _mean(self.direction)

    @property
    def brier_score(self) -> float | None:
        """Mean of the Brier scores (Brier 1950): 0 is perfect, 0.25 is a coin; None without any."""
        return _mean(self.brier)


class VerdictJudge:
    """Judge trajectories by what they predicted and what was known to come of it.

    Parameters
    ----------
    good, neutral
        Relative errors up to which a verdict is good, and neutral; beyond, and
        where the sign was wrong, it is bad.
    eps
        Least size that errors are measured against, so that a prediction of zero
        has one: it is good where the outcome is at most ``good * eps``.
    clock
        Says what is known where no ``as_of`` is given; the machine's by default.

    Examples
    --------
    >>> from nt_memory import Trajectory, VerdictJudge
    >>> trajectory = Trajectory("agent_1")
    >>> _ = trajectory.add_action("buy", predicted_outcome=110.0)
    >>> trajectory.add_outcome(105.0)
    >>> VerdictJudge().judge(trajectory).verdict.value
    'good'
    """

    def __init__(
        self,
        good: float = 0.05,
        neutral: float = 0.25,
        *,
        eps: float = 1e-9,
        clock: Clock | None = None,
    ) -> None:
        self.good = finite("good", good, 0.0)
        self.neutral = finite("neutral", neutral, 0.0)
        self.eps = finite("eps", eps, 0.0)
        if self.neutral < self.good:
            msg = f"neutral={shown(neutral)} is below good={shown(good)}: give at least that"
            raise ValueError(msg)
        if self.eps == 0.0:
            msg = f"eps={shown(eps)}: give a number above 0"
            raise ValueError(msg)
        self._clock = clock or SystemClock()

    def judge(self, trajectory: Trajectory, as_of: datetime | None = None) -> VerdictResult:
        """Return the verdict on one trajectory by what was known at a time."""
        return self.judge_batch([trajectory], as_of)[0]

    def judge_batch(
        self, trajectories: Sequence[Trajectory], as_of: datetime | None = None
    ) -> Verdicts:
        """Return the verdicts on several.

        Parameters
        ----------
        trajectories
            Of each, the last action that predicted and whose outcome was known
            is judged; where there is none the verdict is unknown.
        as_of
            What is known at this time counts; the clock's now by default.
        """
        at = self._clock.now() if as_of is None else from_micros(to_micros(as_of, "as_of"))
        rows = [_pair(trajectory, at) for trajectory in trajectories]
        ids = [trajectory.id for trajectory in trajectories]
        columns = np.array(rows, dtype=np.float64).reshape(-1, 3).T
        return self._columns(ids, *columns)

    def _columns(self, ids: list[str], p: Floats, a: Floats, confidence: Floats) -> Verdicts:
        with np.errstate(invalid="ignore", over="ignore"):
            size = np.maximum(np.abs(p), self.eps)
            error = np.abs(a - p) / size
            magnitude = (np.abs(a) - np.abs(p)) / size
            known = ~np.isnan(error)
            direction = np.where(known & (p != 0.0), np.sign(a) == np.sign(p), np.nan)
            wrong_sign = np.sign(a) * np.sign(p) < 0.0
            code = np.select(
                [
                    ~known,
                    wrong_sign,
                    error <= self.good + _ROUNDING,
                    error <= self.neutral + _ROUNDING,
                ],
                [3, 2, 0, 1],
                2,
            )
            brier = (confidence - direction) ** 2
        return Verdicts(
            ids, code.astype(np.int8), p, a, error, direction, magnitude, confidence, brier
        )


def _pair(trajectory: Trajectory, at: datetime) -> tuple[float, float, float]:
    """Return prediction, outcome and confidence of what is judged."""
    best = None
    for outcome in trajectory.outcomes:
        if outcome.known_at <= at and (best is None or outcome.action > best.action):
            action = trajectory.actions[outcome.action]
            if action.predicted_outcome is not None:
                best = outcome
    if best is None:
        return np.nan, np.nan, np.nan
    action = trajectory.actions[best.action]
    assert action.predicted_outcome is not None  # noqa: S101 (for the type checker)
    sure = np.nan if action.confidence is None else action.confidence
    return action.predicted_outcome, best.value, sure


def _told(number: float) -> float | None:
    return None if np.isnan(number) else float(number)


def _mean(column: Floats) -> float | None:
    known = column[~np.isnan(column)]
    return float(known.mean()) if len(known) else None
