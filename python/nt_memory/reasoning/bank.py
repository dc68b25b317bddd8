"""`ReasoningBank`: trajectories in, lessons out, and what they led to back in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nt_memory.filters import Filter
from nt_memory.reasoning import items
from nt_memory.reasoning.distill import MemoryDistiller
from nt_memory.reasoning.extraction import ItemExtraction
from nt_memory.reasoning.feedback import FeedbackLoop
from nt_memory.reasoning.tracker import TrajectoryTracker
from nt_memory.reasoning.verdict import VerdictJudge

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import numpy.typing as npt

    from nt_memory.reasoning.distill import Distillation
    from nt_memory.reasoning.extraction import Extraction
    from nt_memory.reasoning.feedback import Feedback
    from nt_memory.reasoning.items import Extract, Extractor, MemoryItem, Source
    from nt_memory.recall import Recall
    from nt_memory.system import MemorySystem

_ITEM = Filter(kind=items.KIND)


@dataclass(frozen=True, slots=True)
class Learnt:
    """What a turn of the bank did: feedback first, then lessons, then patterns."""

    feedback: Feedback
    extraction: Extraction
    distillation: Distillation


@dataclass(frozen=True, slots=True)
class Lessons:
    """Items that were recalled, best first, and the recall, for a decision to cite."""

    recall: Recall
    items: tuple[MemoryItem, ...]

    def __iter__(self) -> Iterator[MemoryItem]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


class ReasoningBank:
    """Learn from trajectories: judge them, keep lessons and patterns, recall, feed back.

    After "ReasoningBank: Scaling Agent Self-Evolving with Reasoning Memory"
    (2025), with known times: what is recalled as of a time was learnt by then.

    Learn from an agent with a bank of its own, or from all with one bank: a decision
    counts once for each bank that takes it in.

    Parameters
    ----------
    memory
        Where everything is kept.
    agent_id
        Learn from this agent only; None from all.
    judge
        `VerdictJudge` by default.
    extractor
        Makes items; `RuleExtractor` by default.
    distiller
        `MemoryDistiller` with its defaults by default.

    Examples
    --------
    >>> from nt_memory import MemorySystem, ReasoningBank
    >>> with MemorySystem(":memory:") as memory:
    ...     bank = ReasoningBank(memory)
    ...     made = bank.tracker.start("hedge", symbol="SPY", regime="TRENDING")
    ...     _ = made.add_action("buy", predicted_outcome=0.02)
    ...     made.add_outcome(-0.01)
    ...     _ = bank.tracker.complete(made)
    ...     learnt = bank.learn()
    ...     [item.title for item in bank.retrieve("buy SPY")]
    ['buy SPY in TRENDING: went the other way']
    """

    def __init__(
        self,
        memory: MemorySystem,
        *,
        agent_id: str | None = None,
        judge: VerdictJudge | None = None,
        extractor: Extractor | Extract | None = None,
        distiller: MemoryDistiller | None = None,
    ) -> None:
        self._memory = memory
        self.agent_id = agent_id
        self.judge = judge or VerdictJudge(clock=memory.clock)
        self.tracker = TrajectoryTracker(memory)
        self.distiller = distiller or MemoryDistiller(memory, agent_id=agent_id)
        self.feedback = FeedbackLoop(memory, agent_id=agent_id, judge=self.judge)
        self.extraction = ItemExtraction(
            memory, agent_id=agent_id, extractor=extractor, judge=self.judge
        )

    def learn(self, as_of: datetime | None = None) -> Learnt:
        """Take in the trajectories that became final since the last turn.

        Its three parts are a batch each; one that was cut off is made up for at
        the next turn.

        Parameters
        ----------
        as_of
            The time of the turn; the clock's now by default, and never before
            that of the last turn.
        """
        at = self._memory.clock.now() if as_of is None else as_of
        return Learnt(self.feedback.run(at), self.extraction.run(at), self.distiller.distill(at))

    def retrieve(
        self,
        text: str | None = None,
        *,
        embedding: npt.ArrayLike | None = None,
        source: Source | None = None,
        symbol: str | None = None,
        regime: str | None = None,
        as_of: datetime | None = None,
        top_k: int = 3,
    ) -> Lessons:
        """Recall the lessons that fit best.

        Parameters
        ----------
        text
            What one is about to do, in words.
        embedding
            Or the state that one is in, as observed: lessons from the most
            similar ones.
        source, symbol, regime
            Only lessons of this kind.
        as_of
            Only those that had been learnt by then; the clock's now by default.
        top_k
            Most lessons.
        """
        given = {"symbol": symbol, "regime": regime}
        wanted = _ITEM & Filter(**{name: v for name, v in given.items() if v is not None})
        if source is not None:
            wanted &= Filter(attributes={"source": source})
        recall = self._memory.recall(
            text=text,
            embedding=embedding,
            namespace=None if self.agent_id is None else items.namespace_of(self.agent_id),
            filter=wanted,
            as_of=as_of,
            top_k=top_k,
        )
        found = (items.readable(hit.record.to_raw()) for hit in recall.hits)
        return Lessons(recall, tuple(item for item in found if item is not None))
