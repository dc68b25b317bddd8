"""Where experience lies, and the filters that its views share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nt_memory._shown import shown
from nt_memory.errors import NamespaceError
from nt_memory.filters import Filter, between, ge, le

if TYPE_CHECKING:
    from datetime import datetime


def agent_namespace(agent_id: str, name: str) -> str:
    """Return a namespace of an agent.

    Raises
    ------
    NamespaceError
        The id is no single segment of ``[A-Za-z0-9._-]``.

    Examples
    --------
    >>> agent_namespace("hedge", "episodes")
    'swarm/hedge/episodes'
    """
    from nt_memory import _native  # the extension is loaded when it is first used

    try:
        return f"{_native.Namespace.agent_prefix(agent_id)}/{name}"
    except (TypeError, ValueError) as error:
        msg = f"agent_id={shown(agent_id)}: give 1 to 128 characters of A-Z a-z 0-9 . _ -"
        raise NamespaceError(msg) from error


def spell(since: datetime | None, until: datetime | None) -> Filter:
    """Return the filter of a spell of time, both ends included; None leaves it open."""
    if since is not None and until is not None:
        return Filter(event_time=between(since, until))
    if since is not None:
        return Filter(event_time=ge(since))
    return Filter() if until is None else Filter(event_time=le(until))
