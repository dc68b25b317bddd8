"""The loop closes: what a decision led to changes what is recalled next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nt_memory import _recall_log
from nt_memory._intake import KEY, Intake, visible_at
from nt_memory.clock import from_micros, to_micros
from nt_memory.errors import (
    AccessDeniedError,
    ForgottenError,
    HorizonError,
    RecordNotFoundError,
)
from nt_memory.reasoning import calibration
from nt_memory.reasoning._final import final_since
from nt_memory.reasoning.calibration import AgentCalibration
from nt_memory.reasoning.usage import Usage, weighed
from nt_memory.reasoning.verdict import Verdict, VerdictJudge
from nt_memory.store import Expect, ExpectUnchanged, Op, Write

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from nt_memory._handle import Handle
    from nt_memory._intake import Turn
    from nt_memory.reasoning.trajectory import Trajectory
    from nt_memory.reasoning.verdict import VerdictResult


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a turn of feedback did.

    Parameters
    ----------
    as_of
        The time of the turn.
    verdicts
        How many decisions were judged.
    memories
        Usage of each memory that a good or a bad decision had recalled, by id.
    lost
        Recalls that were cited and are not in the log, and memories that were
        forgotten since, or that an agent may read and not write.
    """

    as_of: datetime
    verdicts: int
    memories: dict[str, Usage]
    lost: int


class FeedbackLoop:
    """Judge decisions, and weigh the memories that they stood on.

    A decision says which recalls it stood on (`Trajectory.cite`), and the log
    of recalls says which memories were in them.  When the decision's verdict is
    good or bad, each of them is weighed anew: its confidence is the mean of a
    Beta posterior over these verdicts, and its importance, a part of every
    score, goes with it from none to twice of what it was.  The agent's
    calibration learns of every verdict.

    Each decision counts once, when it is final; a turn is one batch, and its
    results are known from its time on.

    Parameters
    ----------
    memory
        Where the trajectories, the log and the memories are.
    agent_id
        Of this agent only; None of all.
    judge
        Says what is good and bad; `VerdictJudge` by default.
    """

    def __init__(
        self,
        memory: Handle,
        *,
        agent_id: str | None = None,
        judge: VerdictJudge | None = None,
    ) -> None:
        self._memory = memory
        self._judge = judge or VerdictJudge(clock=memory.clock)
        self._agent_id = agent_id
        home = "shared/feedback" if agent_id is None else f"swarm/{agent_id}/feedback"
        self._home = home
        self._intake = Intake(memory.store, memory.clock, home)

    def run(self, as_of: datetime | None = None) -> Feedback:
        """Take in the decisions that became final since the last turn.

        Raises
        ------
        ValueError
            ``as_of`` lies before the last turn.
        ConflictError
            Another turn ended meanwhile, or something else was told of a memory that it
            weighs; nothing was changed, and it can be tried again.
        """
        turn = self._intake.begin(as_of)
        agents: dict[str, AgentCalibration] = {}
        tallies: dict[str, list[int]] = {}
        verdicts = lost = 0
        for _, trajectory in final_since(turn, self._agent_id):
            verdict = self._judge.judge(trajectory, from_micros(turn.now.as_of))
            if verdict.verdict is Verdict.UNKNOWN:
                continue
            verdicts += 1
            agent = trajectory.agent_id
            agents[agent] = (agents.get(agent) or self._calibration(agent, turn)).add(verdict)
            lost += self._tally(trajectory, verdict, tallies)
        ops = self._unchanged(agents)
        memories = {}
        for id_, (good, bad) in tallies.items():
            found = self._weigh(id_, good, bad, turn.now.as_of)
            if found is None:
                lost += 1
                continue
            memories[id_], writes = found
            ops += writes
        ops += [Write(calibration.record_of(told, turn.now.as_of)) for told in agents.values()]
        self._memory.store.commit([*ops, *turn.end()])
        return Feedback(from_micros(turn.now.as_of), verdicts, memories, lost)

    def calibration(self, agent_id: str, as_of: datetime | None = None) -> AgentCalibration:
        """Return how well an agent had predicted, as known at a time."""
        at = None if as_of is None else to_micros(as_of, "as_of")
        raw = self._memory.store.fetch(calibration.id_of(agent_id), at)
        return AgentCalibration(agent_id) if raw is None else calibration.read(raw)

    def _calibration(self, agent_id: str, turn: Turn) -> AgentCalibration:
        raw = turn.now.fetch(self._memory.store, calibration.id_of(agent_id))
        return AgentCalibration(agent_id) if raw is None else calibration.read(raw)

    def _tally(
        self, trajectory: Trajectory, verdict: VerdictResult, tallies: dict[str, list[int]]
    ) -> int:
        """Count a verdict for each memory that was recalled; return how many recalls are lost."""
        if verdict.verdict is Verdict.NEUTRAL:
            return 0
        used: dict[str, None] = {}
        lost = 0
        for recall_id in trajectory.recalls:
            entry = self._memory.store.recall_log(recall_id)
            if entry is None:
                lost += 1
                continue
            used |= {row[0]: None for row in _recall_log.decode(entry).hits}
        for id_ in used:
            tallies.setdefault(id_, [0, 0])[verdict.verdict is Verdict.BAD] += 1
        return lost

    def _unchanged(self, agents: Iterable[str]) -> list[Op]:
        """Return the preconditions that nobody else weighs or distils the same meanwhile."""
        homes = {f"swarm/{agent}" for agent in agents} | {"shared"}
        places = {f"{home}/{name}" for home in homes for name in ("feedback", "patterns")}
        store = self._memory.store
        return [
            Expect(place, KEY, store.get(place, KEY)) for place in sorted(places - {self._home})
        ]

    def _weigh(self, id_: str, good: int, bad: int, at: int) -> tuple[Usage, list[Op]] | None:
        """Return the new usage of a memory, and its versions; None where that cannot be written."""
        store = self._memory.store
        try:
            found = store.fetch(id_, at)
            versions = store.versions(id_)
        except (ForgottenError, HorizonError, RecordNotFoundError):
            return None
        if found is None:
            return None
        usage = Usage.of(found).add(good, bad)
        # What is told of it meanwhile would be hidden by what is written here.
        ops: list[Op] = [ExpectUnchanged([id_], versions[-1].commit)]
        ops += [Write(weighed(found, usage, at))]
        # What was told in advance, and would hide the new weight when it shows.
        later = [raw for raw in versions if visible_at(raw) > at]
        ops += [Write(weighed(raw, usage, visible_at(raw))) for raw in later]
        try:
            if self._memory.agent_id is not None:
                store.commit(ops, dry_run=True)
        except AccessDeniedError:
            return None
        return usage, ops
