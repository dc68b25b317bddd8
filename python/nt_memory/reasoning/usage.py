"""How a memory has done for those who recalled it, and what that makes of its weight."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nt_memory._values import pack, unpack

if TYPE_CHECKING:
    from nt_memory.store import RawRecord


_EPISODE = "episode"


@dataclass(frozen=True, slots=True)
class Usage:
    """Verdicts on the decisions that had recalled a memory.

    Parameters
    ----------
    good, bad
        How many of each; neutral ones say nothing.
    base
        The importance that the memory had before anybody used it.

    Examples
    --------
    >>> Usage(good=3).confidence, Usage(good=3).importance, Usage().importance
    (0.8, 1.6, 1.0)
    """

    good: int = 0
    bad: int = 0
    base: float = 1.0

    @classmethod
    def of(cls, raw: RawRecord) -> Usage:
        """Return what is known of a record."""
        good, bad, base = (raw.attributes.get(f"usage_{name}") for name in cls.__slots__)
        if not (isinstance(good, float) and isinstance(bad, float) and isinstance(base, float)):
            return cls(base=raw.importance)
        return cls(int(good), int(bad), base)

    @property
    def confidence(self) -> float:
        """Mean of Beta(1 + good, 1 + bad), the posterior of a uniform prior."""
        return (1 + self.good) / (2 + self.good + self.bad)

    @property
    def importance(self) -> float:
        """The base, up to twice of it for what proved right, down to none for what misled."""
        return self.base * 2.0 * self.confidence

    def attributes(self) -> dict[str, float]:
        """Return the counts as they are kept with a record."""
        return {f"usage_{name}": float(getattr(self, name)) for name in self.__slots__}

    def add(self, good: int, bad: int) -> Usage:
        """Return it with more verdicts."""
        return replace(self, good=self.good + good, bad=self.bad + bad)


def weighed(raw: RawRecord, usage: Usage, at: int) -> RawRecord:
    """Return the version of a record that is known from a time on, with its new weight.

    Its outcome is told again from then on: a version shows with all that it has.
    """
    outcome = raw.outcome and replace(raw.outcome, known_at=at)
    if outcome is not None and raw.kind == _EPISODE:
        # An episode says itself since when its outcome was known.
        later = {} if outcome.payload is None else unpack(outcome.payload)
        first = raw.outcome and raw.outcome.known_at
        outcome = replace(outcome, payload=pack({"known_at": first, **later}))
    rated = raw.confidence is None or "usage_good" in raw.attributes
    return replace(
        raw,
        known_at=at,
        importance=usage.importance,
        confidence=usage.confidence if rated else raw.confidence,
        attributes={**raw.attributes, **usage.attributes()},
        outcome=outcome,
        parents=(),
    )
