"""Memory items: lessons in words, from what went well and what did not.

After "ReasoningBank: Scaling Agent Self-Evolving with Reasoning Memory" (2025):
a title, a description and a content, at most three of a trajectory.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, get_args

from nt_memory._shown import shown
from nt_memory._values import pack, unpack
from nt_memory.clock import from_micros
from nt_memory.errors import NtMemoryError
from nt_memory.reasoning.usage import Usage
from nt_memory.reasoning.verdict import Verdict
from nt_memory.records import STATE
from nt_memory.store import RawRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from nt_memory.reasoning.trajectory import Trajectory
    from nt_memory.reasoning.verdict import VerdictResult
    from nt_memory.store import Vector

Source = Literal["success", "failure"]

KIND = "memory_item"
MOST = 3
_WORDS = ("title", "description", "content")


@dataclass(frozen=True, slots=True)
class MemoryItem:
    """A lesson.

    Parameters
    ----------
    title
        What it is about, in a few words.
    description
        The lesson in a sentence.
    content
        What was seen, done and learnt.
    source
        Whether it comes of a success or a failure.
    id, agent_id, trajectory_id, symbol, regime, known_at, good, bad
        Where it comes from and how it did since; set when it is kept.
    """

    title: str
    description: str
    content: str
    source: Source
    id: str = ""
    agent_id: str | None = None
    trajectory_id: str = ""
    symbol: str | None = None
    regime: str | None = None
    known_at: datetime | None = None
    good: int = 0
    bad: int = 0

    def __post_init__(self) -> None:
        for name in _WORDS:
            value = getattr(self, name)
            if not isinstance(value, str) or not value.strip():
                msg = f"{name}={shown(value)}: give words"
                raise ValueError(msg)
        if self.source not in get_args(Source):
            msg = f"source={shown(self.source)}: give 'success' or 'failure'"
            raise ValueError(msg)

    @property
    def confidence(self) -> float:
        """How far it could be relied on so far; see `nt_memory.reasoning.usage`."""
        return Usage(self.good, self.bad).confidence


class Extractor(Protocol):
    """What makes lessons of a trajectory: rules, or a language model."""

    def extract(self, trajectory: Trajectory, verdict: VerdictResult, /) -> Sequence[MemoryItem]:
        """Return at most three items."""
        ...


Extract: TypeAlias = "Callable[[Trajectory, VerdictResult], Sequence[MemoryItem]]"


class RuleExtractor:
    """Lessons by rule: what was done under which circumstances, and how far off it was.

    A success gives one item.  A failure gives one on the direction or the size
    of the error, and one more where the agent had been sure of it.
    """

    def extract(self, trajectory: Trajectory, verdict: VerdictResult, /) -> list[MemoryItem]:
        """Return the items of a verdict; none where it is unknown or neutral."""
        if verdict.verdict is Verdict.GOOD:
            return [self._item("success", trajectory, verdict, "came as expected")]
        if verdict.verdict is not Verdict.BAD:
            return []
        items = [self._item("failure", trajectory, verdict, _fault(verdict))]
        if (
            verdict.direction is False
            and verdict.confidence is not None
            and verdict.confidence > 0.5
        ):
            sure = f"was {verdict.confidence:.0%} sure and wrong"
            items.append(self._item("failure", trajectory, verdict, sure))
        return items

    def _item(
        self, source: Source, trajectory: Trajectory, verdict: VerdictResult, what: str
    ) -> MemoryItem:
        about = _about(trajectory)
        told = f"expected {verdict.predicted:+.4g}, came {verdict.actual:+.4g}"
        advice = {"success": "Trust it again", "failure": "Expect less of it, or stay out"}[source]
        return MemoryItem(
            title=f"{about}: {what}",
            description=f"{about} {what}: {told}.",
            content=f"{_circumstances(trajectory)} {told.capitalize()}. {advice} where alike.",
            source=source,
        )


def checked(items: Any, trajectory: Trajectory) -> list[MemoryItem]:
    """Return what an extractor gave, with where it comes from.

    Raises
    ------
    TypeError, ValueError
        It is no list of at most three items.
    """
    if isinstance(items, (str, bytes)) or not hasattr(items, "__iter__"):
        msg = f"the extractor returned {shown(items)}: return a list of MemoryItem"
        raise TypeError(msg)
    given = list(items)
    for item in given:
        if not isinstance(item, MemoryItem):
            msg = f"the extractor returned {shown(item)} among its items: return MemoryItem(...)"
            raise TypeError(msg)
    if len(given) > MOST:
        msg = f"the extractor returned {len(given)} items: return at most {MOST}"
        raise ValueError(msg)
    return [
        replace(
            item,
            agent_id=trajectory.agent_id,
            trajectory_id=trajectory.id,
            symbol=trajectory.symbol,
            regime=trajectory.regime,
        )
        for item in given
    ]


def namespace_of(agent_id: str) -> str:
    """Return where an agent's items lie."""
    return f"swarm/{agent_id}/items"


def text_of(item: MemoryItem) -> str:
    """Return what is embedded of an item."""
    return f"{item.title}. {item.description}"


def record_of(item: MemoryItem, at: int, state: Vector | None, words: Vector | None) -> RawRecord:
    """Return the record of a new item, known from a time on."""
    vectors = {STATE: state, "text": words}
    usage = Usage(item.good, item.bad)
    return RawRecord(
        id=item.id,
        namespace=namespace_of(item.agent_id or ""),
        kind=KIND,
        event_time=at,
        known_at=at,
        agent_id=item.agent_id,
        symbol=item.symbol,
        regime=item.regime,
        importance=usage.importance,
        confidence=usage.confidence,
        text=text_of(item),
        embeddings={name: vector for name, vector in vectors.items() if vector is not None},
        attributes={"source": item.source, **usage.attributes()},
        payload=pack([getattr(item, name) for name in (*_WORDS, "trajectory_id")]),
        writer=item.agent_id or "root",
        parents=(item.trajectory_id,),
    )


def read(raw: RawRecord) -> MemoryItem:
    """Return the item of a record."""
    title, description, content, trajectory_id = unpack(raw.payload or b"")
    usage = Usage.of(raw)
    source: Source = "success" if raw.attributes["source"] == "success" else "failure"
    return MemoryItem(
        title=title,
        description=description,
        content=content,
        source=source,
        id=raw.id,
        agent_id=raw.agent_id,
        trajectory_id=trajectory_id,
        symbol=raw.symbol,
        regime=raw.regime,
        known_at=from_micros(raw.event_time),
        good=usage.good,
        bad=usage.bad,
    )


def readable(raw: RawRecord) -> MemoryItem | None:
    """Return the item of a record; None for a record that only says that it is one."""
    if raw.namespace != namespace_of(raw.agent_id or ""):
        return None
    try:
        return read(raw)
    except (NtMemoryError, KeyError, TypeError, ValueError):
        return None


def _about(trajectory: Trajectory) -> str:
    done = trajectory.actions[trajectory.judged or 0].type
    whose = f" {trajectory.symbol}" if trajectory.symbol else ""
    where = f" in {trajectory.regime}" if trajectory.regime else ""
    return f"{done}{whose}{where}"


def _fault(verdict: VerdictResult) -> str:
    if verdict.direction is False:
        return "went the other way"
    more = verdict.magnitude is not None and verdict.magnitude > 0.0
    return "came to much more than expected" if more else "came to much less than expected"


def _circumstances(trajectory: Trajectory) -> str:
    observed = trajectory.seen_before(trajectory.judged)
    seen = observed[-1].data if observed else None
    if not isinstance(seen, dict):
        return f"On {trajectory.start_time:%Y-%m-%d}."
    told = (
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in seen.items()
        if isinstance(value, (int, float, str))
    )
    return f"On {trajectory.start_time:%Y-%m-%d}, with {', '.join(told)}."
