"""What like situations have led to, and how much that says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Evidence:
    """The weighted mean of outcomes, and how many of its standard errors it is from zero."""

    mean: float
    t: float

    def direction(self, threshold: float) -> int:
        """Return the sign of the mean, or 0 where |t| is below the threshold."""
        return int(np.sign(self.mean)) if abs(self.t) >= threshold else 0


@dataclass(frozen=True, slots=True)
class Analogue:
    """An earlier situation: how alike it is (0..1) and what it led to."""

    id: str
    at: datetime
    similarity: float
    reward: float


def weigh(rewards: Sequence[float], weights: Sequence[float]) -> Evidence:
    """Weigh outcomes of at least two analogues.

    With weights w and outcomes r the mean is m = sum(w r) / sum(w), and its
    standard error sqrt(n / (n - 1) * sum(w^2 (r - m)^2)) / sum(w), which is
    the usual one where the weights are equal (Cochran 1977, for a ratio
    mean).  t is m over it; 0 where the mean is 0, infinite where all outcomes
    are one and the same.

    Examples
    --------
    >>> weigh([0.02, 0.04], [1.0, 1.0])
    Evidence(mean=0.03, t=3.0)
    """
    r, w = np.asarray(rewards), np.asarray(weights)
    if not w.any():
        return Evidence(0.0, 0.0)  # nothing was alike
    mean = float((w * r).sum() / w.sum())
    spread = float(np.sqrt(len(r) / (len(r) - 1) * ((w * (r - mean)) ** 2).sum()) / w.sum())
    if mean == 0.0:
        return Evidence(0.0, 0.0)
    return Evidence(mean, mean / spread if spread > 0.0 else float(np.copysign(np.inf, mean)))


def of_analogues(analogues: Sequence[Analogue]) -> Evidence | None:
    """Weigh analogues by their similarity; None of fewer than two."""
    if len(analogues) < 2:
        return None
    return weigh([each.reward for each in analogues], [each.similarity for each in analogues])
