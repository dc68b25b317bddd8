"""Knowledge: patterns, regimes, strategies and correlations that were drawn from experience."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nt_memory._shown import shown
from nt_memory._values import as_vector, finite, mapping, pack, same, texts, unpack
from nt_memory.clock import from_micros, to_micros
from nt_memory.metrics import PerformanceMetrics
from nt_memory.reasoning.usage import Usage
from nt_memory.records import STATE
from nt_memory.store import RawRecord

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from nt_memory.store import Attribute, Vector

KIND = "semantic"
TYPES = ("PATTERN", "REGIME", "STRATEGY", "CORRELATION")
# What each type cannot be without.
_NEEDED = {"REGIME": ("regime_name",), "STRATEGY": ("strategy_name", "applicable_regimes")}
_TEXTS = ("pattern_id", "regime_name", "strategy_name")
# Kept in the payload as they are, for no filter asks for them.
_FIELDS = frozenset(
    (
        *("memory_type", "sharpe_ratio", "max_drawdown", "applicable_regimes"),
        *(*_TEXTS, "expected_return", "win_rate"),
    )
)
_BODY = (
    "conditions",
    "regime_features",
    "typical_duration",
    "transition_probability",
    "success_rate_by_regime",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class SemanticMemory:
    """Something that was learned, with what it was worth.

    Parameters
    ----------
    memory_type
        ``"PATTERN"``, ``"REGIME"``, ``"STRATEGY"`` or ``"CORRELATION"``.
    created_at
        When it was first learned; aware.
    description
        In words; embedded in the space "text" where there is one.
    concept_vector
        What it is like, of shape ``(dim,)``, in the space "state"; None where it has no
        likeness, and then no search by likeness finds it.
    agent_id
        Whose it is; None shares it with all.
    confidence
        How sure it is, 0 to 1.
    last_accessed, access_count
        When it was last retrieved as of then, to the day, and how often; told by the
        store, ignored on the way in.
    pattern_id, conditions, expected_return, win_rate
        Of a pattern: its id, when it applies, and what it led to.
    regime_name, regime_features, typical_duration, transition_probability
        Of a regime: its name, what it looks like, how long it lasts (seconds), and the
        chance of each regime to come next.
    strategy_name, applicable_regimes, success_rate_by_regime
        Of a strategy: its name, where it applies, and how often it succeeded there.
    historical_performance
        What it came to.
    sharpe_ratio, max_drawdown
        Those of ``historical_performance`` by default.
    good, bad
        Verdicts on decisions that had recalled it; see `nt_memory.FeedbackLoop`.
    tags
        Indexed.
    memory_id
        Empty takes a fresh one.
    known_at
        From when this version could be known; told by the store, ignored on the way in.

    Examples
    --------
    >>> from datetime import datetime, timezone
    >>> entry = SemanticMemory(
    ...     memory_type="STRATEGY",
    ...     created_at=datetime(2024, 1, 8, tzinfo=timezone.utc),
    ...     description="buy what rose",
    ...     strategy_name="momentum",
    ...     applicable_regimes=["TRENDING"],
    ...     sharpe_ratio=1.8,
    ... )
    >>> entry.applicable_regimes
    ('TRENDING',)
    """

    memory_type: str
    created_at: datetime
    description: str = ""
    concept_vector: Vector | None = None
    agent_id: str | None = None
    confidence: float | None = None
    last_accessed: datetime | None = None
    access_count: int = 0
    pattern_id: str | None = None
    conditions: Mapping[str, Any] | None = None
    expected_return: float | None = None
    win_rate: float | None = None
    regime_name: str | None = None
    regime_features: Mapping[str, Any] | None = None
    typical_duration: float | None = None
    transition_probability: Mapping[str, float] | None = None
    strategy_name: str | None = None
    applicable_regimes: tuple[str, ...] = ()
    success_rate_by_regime: Mapping[str, float] | None = None
    historical_performance: PerformanceMetrics = field(default_factory=PerformanceMetrics)
    sharpe_ratio: float = None  # type: ignore[assignment]  # set from the performance below
    max_drawdown: float = None  # type: ignore[assignment]  # the same
    good: int = 0
    bad: int = 0
    tags: tuple[str, ...] = ()
    memory_id: str = ""
    known_at: datetime | None = None

    def __post_init__(self) -> None:
        to_micros(self.created_at, "created_at")
        _check_texts(self)
        performance = self.historical_performance
        if not isinstance(performance, PerformanceMetrics):
            msg = f"historical_performance={shown(performance)}: give PerformanceMetrics"
            raise TypeError(msg)
        vector = self.concept_vector
        given = {
            "sharpe_ratio": performance.sharpe if self.sharpe_ratio is None else self.sharpe_ratio,
            "max_drawdown": (
                performance.max_drawdown if self.max_drawdown is None else self.max_drawdown
            ),
        }
        self.__dict__.update(  # it is frozen for everybody else
            concept_vector=None if vector is None else as_vector(vector, "concept_vector"),
            applicable_regimes=texts("applicable_regimes", self.applicable_regimes),
            tags=texts("tags", self.tags),
            transition_probability=_shares("transition_probability", self.transition_probability),
            success_rate_by_regime=_shares("success_rate_by_regime", self.success_rate_by_regime),
            conditions=_body("conditions", self.conditions),
            regime_features=_body("regime_features", self.regime_features),
            **{name: finite(name, value) for name, value in given.items()},
            **_numbers(self),
        )
        _check_type(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SemanticMemory):
            return NotImplemented
        return same(self.__dict__, other.__dict__)

    __hash__ = None  # type: ignore[assignment]


def to_raw(entry: SemanticMemory, namespace: str, known_at: int) -> RawRecord:
    """Return an entry as a record that shows from a time on."""
    attributes: dict[str, Attribute] = {
        "memory_type": entry.memory_type,
        "sharpe_ratio": entry.sharpe_ratio,
        "max_drawdown": entry.max_drawdown,
    }
    for name in (*_TEXTS, "expected_return", "win_rate"):
        value = getattr(entry, name)
        if value is not None:
            attributes[name] = value
    if entry.applicable_regimes:
        attributes["applicable_regimes"] = list(entry.applicable_regimes)
    usage = Usage(entry.good, entry.bad)
    if entry.good or entry.bad:
        attributes.update(usage.attributes())
    body = {name: getattr(entry, name) for name in _BODY if getattr(entry, name) is not None}
    vector = entry.concept_vector
    return RawRecord(
        id=entry.memory_id,
        namespace=namespace,
        kind=KIND,
        event_time=to_micros(entry.created_at),
        known_at=known_at,
        agent_id=entry.agent_id,
        regime=entry.regime_name,
        importance=usage.importance,
        confidence=entry.confidence,
        text=entry.description or None,
        embeddings={} if vector is None else {STATE: vector},
        attributes=attributes,
        payload=pack({**body, "performance": entry.historical_performance.to_json()}),
        tags=entry.tags,
        writer=entry.agent_id or "root",
    )


def from_raw(raw: RawRecord, accesses: tuple[int, datetime | None] = (0, None)) -> SemanticMemory:
    """Return the entry of a record, as its version has it, and how often it was retrieved."""
    body = unpack(raw.payload or b"")
    performance, usage = PerformanceMetrics.from_json(body.pop("performance")), Usage.of(raw)
    # What others have noted with the record, such as its usage, is none of its fields.
    attributes: dict[str, Any] = {
        name: told for name, told in raw.attributes.items() if name in _FIELDS
    }
    return SemanticMemory(
        created_at=from_micros(raw.event_time),
        description=raw.text or "",
        concept_vector=raw.embeddings.get(STATE),
        agent_id=raw.agent_id,
        confidence=raw.confidence,
        historical_performance=performance,
        tags=tuple(raw.tags),
        memory_id=raw.id,
        known_at=from_micros(raw.known_at),
        good=usage.good,
        bad=usage.bad,
        access_count=accesses[0],
        last_accessed=accesses[1],
        **attributes,
        **body,
    )


def _check_texts(entry: SemanticMemory) -> None:
    if entry.memory_type not in TYPES:
        msg = f"memory_type={shown(entry.memory_type)}: give one of {', '.join(TYPES)}"
        raise ValueError(msg)
    for name in ("description", "memory_id", "agent_id", *_TEXTS):
        value = getattr(entry, name)
        is_none = value is None and name not in {"description", "memory_id"}
        if not is_none and not isinstance(value, str):
            msg = f"{name}={shown(value)}: give a string"
            raise ValueError(msg)


def _numbers(entry: SemanticMemory) -> dict[str, float | None]:
    ranges = {
        "confidence": (0.0, 1.0),
        "win_rate": (0.0, 1.0),
        "typical_duration": (0.0,),
        "expected_return": (),
    }
    given = {name: getattr(entry, name) for name in ranges}
    return {
        name: None if value is None else finite(name, value, *ranges[name])
        for name, value in given.items()
    }


def _check_type(entry: SemanticMemory) -> None:
    """Refuse an entry that lacks what its type is found by."""
    for name in _NEEDED.get(entry.memory_type, ()):
        if not getattr(entry, name):
            msg = f"{name}={shown(getattr(entry, name))}: a {entry.memory_type} entry needs one"
            raise ValueError(msg)
    total = sum((entry.transition_probability or {}).values())
    if total > 1.0 + 1e-9:
        msg = f"transition_probability adds up to {total:g}: give chances that add up to at most 1"
        raise ValueError(msg)


def _shares(name: str, given: object) -> dict[str, float] | None:
    if given is None:
        return None
    shares = dict(mapping(name, given))
    texts(name, shares)
    return {key: finite(f"{name}[{shown(key)}]", value, 0.0, 1.0) for key, value in shares.items()}


def _body(name: str, given: object) -> dict[str, Any] | None:
    if given is None:
        return None
    told = dict(mapping(name, given))
    pack(told)  # what cannot be stored is refused here, where it can be told
    return told
