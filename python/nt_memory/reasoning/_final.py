"""Trajectories that have become final since a view's last turn, each once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nt_memory._intake import parents_of
from nt_memory.filters import Filter
from nt_memory.reasoning import _form
from nt_memory.store import Query

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nt_memory._intake import Turn
    from nt_memory.reasoning.trajectory import Trajectory
    from nt_memory.store import RawRecord


def trajectories_of(agent_id: str | None) -> Query:
    """Return the query for an agent's trajectories, or for all."""
    scope = None if agent_id is None else _form.namespace_of(agent_id)
    return Query(namespace=scope, filter=Filter(kind=_form.KIND).tree())


def final_since(
    turn: Turn, agent_id: str | None, result: tuple[str | None, str] | None = None
) -> Iterator[tuple[RawRecord, Trajectory]]:
    """Go through those that are final now and were not at the last turn, or were put off.

    ``result`` is the namespace and the kind of what is made of them: a copy of a memory
    has that, and no mark.
    """
    taken = parents_of(turn.store, *result) if turn.before is None and result else frozenset()
    for raw in turn.news(trajectories_of(agent_id)):
        if raw.id in taken:
            continue
        trajectory = _form.readable(raw)
        if trajectory is not None and trajectory.is_final and not _was_final(turn, raw.id):
            yield raw, trajectory


def _was_final(turn: Turn, id_: str) -> bool:
    if turn.before is None or id_ in turn.before.waiting:
        return False
    raw = turn.shown_before(id_)
    before = None if raw is None else _form.readable(raw)
    return before is not None and before.is_final
