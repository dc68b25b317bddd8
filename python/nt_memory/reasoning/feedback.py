"""The loop closes: what a decision led to changes what is recalled next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nt_memory import _recall_log
from nt_memory._intake import Intake
from nt_memory.clock import from_micros, to_micros
from nt_memory.errors import ForgottenError
from nt_memory.reasoning import calibration
from nt_memory.reasoning._final import final_since
from nt_memory.reasoning.calibration import AgentCalibration
from nt_memory.reasoning.usage import Usage, weighed
from nt_memory.reasoning.verdict import Verdict, VerdictJudge
from nt_memory.store import Op, RawRecord, Write

if TYPE_CHECKING:
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
        forgotten since.
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
        self._intake = Intake(memory.store, memory.clock, home)

    def run(self, as_of: datetime | None = None) -> Feedback:
        """Take in the decisions that became final since the last turn.

        Raises
        ------
        ValueError
            ``as_of`` lies before the last turn.
        ConflictError
            Another turn ended meanwhile; nothing was changed, and it can be tried again.
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
        ops: list[Op] = []
        memories = {}
        for id_, (good, bad) in tallies.items():
            found = self._shown(id_, turn)
            if found is None:
                lost += 1
                continue
            usage = Usage.of(found).add(good, bad)
            memories[id_] = usage
            ops.append(Write(weighed(found, usage, turn.now.as_of)))
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

    def _shown(self, id_: str, turn: Turn) -> RawRecord | None:
        try:
            return turn.now.fetch(self._memory.store, id_)
        except ForgottenError:
            return None
