"""What is read, thought over and written, when somebody else writes in between."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from nt_memory.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Callable

R = TypeVar("R")

# So often in a row somebody else was quicker only where writers fight over one record.
_ATTEMPTS = 10


def retried(attempt: Callable[[], R]) -> R:
    """Read, think and write, again from the start where what was read has changed meanwhile.

    Raises
    ------
    ConflictError
        Somebody else was quicker each of ten times.
    """
    for _ in range(_ATTEMPTS - 1):
        with suppress(ConflictError):
            return attempt()
    return attempt()
