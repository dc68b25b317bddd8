"""What a reader of a chart is told at the pointer."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime


def script() -> str:
    """Return the script that reads the chart with the cursor in it."""
    return files(__package__).joinpath("cursor.js").read_text(encoding="utf-8")


def readings(at: Sequence[datetime], parts: Sequence[Mapping[str, Any]]) -> str:
    """Return what the script reads, as an element of the page.

    Parameters
    ----------
    at
        When each point of the chart is.
    parts
        Each with a ``name``, or ``names`` by point, and ``values``: texts, or None where there
        is nothing to tell.
    """
    data = {"dates": [f"{time:%Y-%m-%d}" for time in at], "parts": parts}
    # A name may hold anything; no tag may end the script early.
    told = json.dumps(data).replace("<", "\\u003c")
    return f'<script type="application/json" id="readings">{told}</script>'
