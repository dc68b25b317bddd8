"""From judged trajectories to lessons in words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nt_memory._intake import Intake
from nt_memory._shown import shown
from nt_memory.clock import from_micros
from nt_memory.reasoning import items
from nt_memory.reasoning._final import final_since
from nt_memory.reasoning.items import MemoryItem, RuleExtractor
from nt_memory.reasoning.verdict import VerdictJudge
from nt_memory.store import Write

if TYPE_CHECKING:
    from datetime import datetime

    from nt_memory._handle import Handle
    from nt_memory.reasoning.items import Extract, Extractor
    from nt_memory.reasoning.trajectory import Trajectory
    from nt_memory.store import Op


@dataclass(frozen=True, slots=True)
class Extraction:
    """What a turn of extraction did: the new items, and what failed, by trajectory."""

    as_of: datetime
    items: tuple[MemoryItem, ...]
    failed: dict[str, str]


class ItemExtraction:
    """Have an extractor make items of the trajectories that became final, and keep them.

    An item is known from the turn's time on.  Where the extractor raises or
    returns something else than items, that trajectory is told in
    `Extraction.failed` and tried again at the next turn; the others go on.

    Parameters
    ----------
    memory
        Where the trajectories are, and the items go.
    agent_id
        Of this agent only; None of all, each agent's into its own
        ``swarm/<agent_id>/items``.
    extractor
        An `Extractor`, or a function like its ``extract``; `RuleExtractor` by default.
    judge
        Says what was a success; `VerdictJudge` by default.
    """

    def __init__(
        self,
        memory: Handle,
        *,
        agent_id: str | None = None,
        extractor: Extractor | Extract | None = None,
        judge: VerdictJudge | None = None,
    ) -> None:
        self._memory = memory
        self._agent_id = agent_id
        given = RuleExtractor() if extractor is None else extractor
        extract: Any = getattr(given, "extract", given)
        if not callable(extract):
            msg = f"extractor={shown(extractor)}: give an Extractor, or a function like its extract"
            raise TypeError(msg)
        self._extract_items: Extract = extract
        self._judge = judge or VerdictJudge(clock=memory.clock)
        home = "shared/items" if agent_id is None else items.namespace_of(agent_id)
        self._intake = Intake(memory.store, memory.clock, home)

    def run(self, as_of: datetime | None = None) -> Extraction:
        """Take in the trajectories that became final since the last turn.

        Raises
        ------
        ValueError
            ``as_of`` lies before the last turn.
        ConflictError
            Another turn ended meanwhile; nothing was changed, and it can be tried again.
        """
        turn = self._intake.begin(as_of)
        at = from_micros(turn.now.as_of)
        made: list[MemoryItem] = []
        ops: list[Op] = []
        failed: dict[str, str] = {}
        made_there = None if self._agent_id is None else items.namespace_of(self._agent_id)
        for _, trajectory in final_since(turn, self._agent_id, (made_there, items.KIND)):
            try:
                found = self._extract(trajectory, at)
                writes = [self._write(item, trajectory, turn.now.as_of) for item in found]
            except Exception as error:  # noqa: BLE001 (whatever another's code raises)
                failed[trajectory.id] = f"{type(error).__name__}: {error}"
                continue
            made += found
            ops += writes
        self._memory.store.commit([*ops, *turn.end(list(failed))])
        return Extraction(at, tuple(made), failed)

    def _extract(self, trajectory: Trajectory, at: datetime) -> list[MemoryItem]:
        verdict = self._judge.judge(trajectory, at)
        found = items.checked(self._extract_items(trajectory, verdict), trajectory)
        new_id = self._memory.store.new_id
        return [replace(item, id=new_id(), known_at=at) for item in found]

    def _write(self, item: MemoryItem, trajectory: Trajectory, at: int) -> Write:
        words = self._memory.embed_text(items.text_of(item))
        state = trajectory.embedding(trajectory.judged)
        return Write(items.record_of(item, at, state, words))
