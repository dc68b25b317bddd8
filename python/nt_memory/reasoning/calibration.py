"""How well an agent predicts."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from nt_memory._values import pack, unpack
from nt_memory.store import RawRecord

if TYPE_CHECKING:
    from nt_memory.reasoning.verdict import VerdictResult

KIND = "calibration"


@dataclass(frozen=True, slots=True)
class AgentCalibration:
    """The predictions of an agent against what came, so far.

    Parameters
    ----------
    agent_id
        Whose.
    n
        Predictions whose outcome was known.
    good, neutral, bad
        Verdicts on them.
    hits, directions
        Directions that were right, of how many.
    brier_sum, rated
        Sum of the Brier scores, of how many predictions with a confidence.
    predicted, actual
        Sums of the sizes of both.
    """

    agent_id: str
    n: int = 0
    good: int = 0
    neutral: int = 0
    bad: int = 0
    hits: int = 0
    directions: int = 0
    brier_sum: float = 0.0
    rated: int = 0
    predicted: float = 0.0
    actual: float = 0.0

    @property
    def hit_rate(self) -> float | None:
        """Share of directions that were right; None without any."""
        return self.hits / self.directions if self.directions else None

    @property
    def brier_score(self) -> float | None:
        """Mean Brier score: 0 is perfect, 0.25 is a coin; None without a confidence."""
        return self.brier_sum / self.rated if self.rated else None

    @property
    def scale(self) -> float | None:
        """Size of what came over size of what was predicted: below 1 it expects too much."""
        return self.actual / self.predicted if self.predicted > 0.0 else None

    def add(self, verdict: VerdictResult) -> AgentCalibration:
        """Return it with one verdict more; one that is unknown changes nothing."""
        if verdict.predicted is None or verdict.actual is None:
            return self
        name = verdict.verdict.value
        return replace(
            self,
            n=self.n + 1,
            **{name: getattr(self, name) + 1},
            hits=self.hits + (verdict.direction is True),
            directions=self.directions + (verdict.direction is not None),
            brier_sum=self.brier_sum + (verdict.brier or 0.0),
            rated=self.rated + (verdict.brier is not None),
            predicted=self.predicted + abs(verdict.predicted),
            actual=self.actual + abs(verdict.actual),
        )


def id_of(agent_id: str) -> str:
    """Return the id of an agent's record."""
    return f"calibration-{agent_id}"


def record_of(calibration: AgentCalibration, at: int) -> RawRecord:
    """Return the version that is known from a time on."""
    agent = calibration.agent_id
    told = {
        "n": float(calibration.n),
        "hit_rate": calibration.hit_rate,
        "brier_score": calibration.brier_score,
        "scale": calibration.scale,
    }
    return RawRecord(
        id=id_of(agent),
        namespace=f"swarm/{agent}/calibration",
        kind=KIND,
        event_time=at,
        known_at=at,
        agent_id=agent,
        attributes={name: value for name, value in told.items() if value is not None},
        payload=pack(asdict(calibration)),
        writer=agent,
    )


def read(raw: RawRecord) -> AgentCalibration:
    """Return the calibration of a record."""
    return AgentCalibration(**unpack(raw.payload or b""))
