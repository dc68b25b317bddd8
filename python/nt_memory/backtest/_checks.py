"""Whole numbers that are given as settings."""

from __future__ import annotations

from nt_memory._shown import shown


def whole(name: str, value: object, least: int) -> int:
    """Return a whole number that is large enough; the error names what was given."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        msg = f"{name}={shown(value)}: give a whole number, {least} or more"
        raise ValueError(msg)
    return value
