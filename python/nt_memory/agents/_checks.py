"""Checks that the agents share."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from nt_memory._shown import shown
from nt_memory._values import as_vector, finite, mapping, whole
from nt_memory.agents.features.types import (
    AnalogueFeatures,
    HedgeFeatures,
    LiquidityFeatures,
    MarkovFeatures,
    SentimentFeatures,
    VolumeProfile,
    WyckoffFeatures,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nt_memory.agents.features import AgentFeatures

GROUPS: Mapping[str, type] = {
    "hedge": HedgeFeatures,
    "liquidity": LiquidityFeatures,
    "sentiment": SentimentFeatures,
    "wyckoff": WyckoffFeatures,
    "markov": MarkovFeatures,
    "analogue": AnalogueFeatures,
}
_TEXTS = frozenset({"state"})


def text(name: str, value: object) -> str:
    """Return a text that is not empty.

    Raises
    ------
    ValueError
        It is something else.
    """
    if not isinstance(value, str) or not value.strip() or not _encodes(value):
        msg = f"{name}={shown(value)}: give a text that is not empty, of characters of Unicode"
        raise ValueError(msg)
    return value


def _encodes(value: str) -> bool:
    """Whether a text can be written: half a pair of surrogates cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def bounded(
    limits: Any, counts: tuple[str, ...] = (), **ranges: tuple[float, float] | None
) -> None:
    """Check the numbers of a dataclass: whole ones, those of a range, all others at least 0."""
    for field in fields(limits):
        value = getattr(limits, field.name)
        if field.name in counts:
            whole(field.name, value)
        else:
            finite(field.name, value, *(ranges.get(field.name) or (0.0,)))


def checked_features(features: AgentFeatures) -> AgentFeatures:
    """Return features whose groups are whole and whose numbers are finite.

    Raises
    ------
    ValueError, TypeError
        A group or a value is missing, unknown or no number; it is named.
    """
    for group, told in mapping("features", features).items():
        if group not in GROUPS:
            msg = f"features[{shown(group)}]: give some of {', '.join(GROUPS)}"
            raise ValueError(msg)
        _checked(f"features['{group}']", told, GROUPS[group])
    return features


def _vector(name: str, value: object) -> None:
    if not np.isfinite(as_vector(value, name)).all():  # type: ignore[arg-type]
        msg = f"{name}: has a NaN or an infinity; give finite numbers"
        raise ValueError(msg)


def _checked(name: str, told: object, wanted: type) -> None:
    given = mapping(name, told)
    for field in wanted.__annotations__:
        if field not in given:
            msg = f"{name}[{field!r}] is missing: give it, or leave the whole group out"
            raise ValueError(msg)
        place, value = f"{name}[{field!r}]", given[field]
        if field == "volume_profile":
            _checked(place, value, VolumeProfile)
        elif field in _TEXTS:
            text(place, value)
        elif field == "embedding":
            _vector(place, value)
        else:
            finite(place, value)
