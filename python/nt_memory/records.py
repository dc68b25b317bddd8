"""Records: what an agent saw, did or learned, with the three times that matter.

``event_time`` is when it happened in the market, ``known_at`` from when an
agent could know it, ``recorded_at`` when it was written.  An `Outcome` has a
``known_at`` of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nt_memory._shown import shown
from nt_memory._values import as_vector, finite, mapping, pack, same, texts, unpack
from nt_memory.clock import LAST, from_micros, to_micros
from nt_memory.store import Attribute, RawOutcome, RawRecord

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import numpy.typing as npt

STATE = "state"
_TEXT_FIELDS = ("namespace", "kind", "id", "agent_id", "symbol", "regime", "text")
_REQUIRED_TEXTS = frozenset({"namespace", "kind", "id"})


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a decision led to, and from when that could be known.

    Parameters
    ----------
    reward
        The result in the unit of its kind, for example percent of equity; finite.
    payload
        Anything more: JSON types, bytes and NumPy arrays.
    known_at
        From when it could be known; None takes the time of the commit, or the
        record's known_at where that is later.
    """

    reward: float
    payload: Any = None
    known_at: datetime | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "reward", finite("reward", self.reward))
        if self.known_at is not None:
            to_micros(self.known_at, "known_at")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Outcome):
            return NotImplemented
        return (self.reward, self.known_at) == (other.reward, other.known_at) and same(
            self.payload, other.payload
        )

    __hash__ = None  # type: ignore[assignment]

    def to_raw(self) -> RawOutcome:
        """Return the form in which a `Store` takes it."""
        known_at = None if self.known_at is None else to_micros(self.known_at)
        payload = None if self.payload is None else pack(self.payload)
        return RawOutcome(self.reward, known_at, payload)

    @classmethod
    def from_raw(cls, raw: RawOutcome) -> Outcome:
        """Return the outcome that a `Store` gave."""
        return cls(
            raw.reward,
            None if raw.payload is None else unpack(raw.payload),
            None if raw.known_at is None else from_micros(raw.known_at),
        )


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a record comes from.

    Parameters
    ----------
    writer
        Who wrote it.
    source
        What it was taken from, for example a feed or a document.
    trust
        0 (none) to 1 (full); a recall may ask for a least trust.
    parents
        Ids of the records it was made of.
    """

    writer: str = "root"
    source: str | None = None
    trust: float = 1.0
    parents: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.writer, str) or not self.writer:
            msg = f"writer={shown(self.writer)}: give a non-empty string"
            raise ValueError(msg)
        if self.source is not None and not isinstance(self.source, str):
            msg = f"source={shown(self.source)}: give a string or None"
            raise ValueError(msg)
        object.__setattr__(self, "trust", finite("trust", self.trust, 0.0, 1.0))
        if self.parents != ():
            object.__setattr__(self, "parents", texts("parents", self.parents))


_ROOT = Provenance()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Record:
    """One memory.  Frozen; arrays and mappings are copied in.

    Parameters
    ----------
    namespace, kind
        Where it belongs and what it is (``"trade"``, ``"signal"``, ...).
    event_time
        When it happened; aware.
    known_at
        From when an agent could know it; ``event_time`` by default.  It may be
        earlier (a scheduled event).
    id
        Empty asks the engine for a fresh ULID.  An id that exists gets a new version.
    agent_id, symbol, regime
        Indexed strings, or None.
    expires_at
        From when it is hidden; None takes the namespace's ttl.
    importance
        At least 0.
    confidence
        0 to 1, or None.
    text
        Words; embedded in the space ``"text"`` where there is one.
    embedding
        Shorthand for ``embeddings={"state": embedding}``.
    embeddings
        A vector a space, kept as read-only float32 of shape ``(dim,)``.
    attributes
        Indexed values by name: strings, finite numbers (as float) or lists of strings.
    payload
        Anything more: JSON types, bytes and NumPy arrays.
    outcome
        What it led to, where that is known.
    tags
        Indexed strings.
    provenance
        Who wrote it and how far it can be trusted.
    recorded_at, commit, version
        Stamped by the engine, ignored on the way in.

    Examples
    --------
    >>> from datetime import datetime, timezone
    >>> at = datetime(2024, 1, 2, tzinfo=timezone.utc)
    >>> record = Record(namespace="swarm/hedge", kind="trade", event_time=at, symbol="SPY")
    >>> record.known_at == at
    True
    """

    namespace: str
    kind: str
    event_time: datetime
    known_at: datetime = None  # type: ignore[assignment]  # set to event_time below
    id: str = ""
    agent_id: str | None = None
    symbol: str | None = None
    regime: str | None = None
    expires_at: datetime | None = None
    importance: float = 1.0
    confidence: float | None = None
    text: str | None = None
    embedding: npt.NDArray[Any] | None = None
    embeddings: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    payload: Any = None
    outcome: Outcome | None = None
    tags: tuple[str, ...] = ()
    provenance: Provenance = _ROOT
    recorded_at: datetime | None = None
    commit: int = 0
    version: int = 0

    def __post_init__(self) -> None:
        _check_texts(self)
        to_micros(self.event_time, "event_time")
        if self.known_at is None:
            object.__setattr__(self, "known_at", self.event_time)
        else:
            to_micros(self.known_at, "known_at")
        if self.expires_at is not None:
            to_micros(self.expires_at, "expires_at")
        object.__setattr__(self, "importance", finite("importance", self.importance, 0.0))
        if self.confidence is not None:
            confidence = finite("confidence", self.confidence, 0.0, 1.0)
            object.__setattr__(self, "confidence", confidence)
        if self.embedding is not None or self.embeddings != {}:
            _set_embeddings(self)
        given = mapping("attributes", self.attributes)
        attributes = {name: _attribute(name, value) for name, value in given.items()}
        object.__setattr__(self, "attributes", attributes)
        if self.tags != ():
            object.__setattr__(self, "tags", texts("tags", self.tags))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record):
            return NotImplemented
        return all(same(getattr(self, name), getattr(other, name)) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def to_raw(self) -> RawRecord:
        """Return the form in which a `Store` takes it."""
        provenance = self.provenance
        event_time = to_micros(self.event_time)
        same_time = self.known_at is self.event_time
        return RawRecord(
            id=self.id,
            namespace=self.namespace,
            kind=self.kind,
            event_time=event_time,
            known_at=event_time if same_time else to_micros(self.known_at),
            agent_id=self.agent_id,
            symbol=self.symbol,
            regime=self.regime,
            expires_at=None if self.expires_at is None else to_micros(self.expires_at),
            importance=self.importance,
            confidence=self.confidence,
            text=self.text,
            embeddings=self.embeddings,
            attributes=self.attributes,
            payload=None if self.payload is None else pack(self.payload),
            outcome=None if self.outcome is None else self.outcome.to_raw(),
            tags=self.tags,
            writer=provenance.writer,
            source=provenance.source,
            trust=provenance.trust,
            parents=provenance.parents,
        )

    @classmethod
    def from_raw(cls, raw: RawRecord) -> Record:
        """Return the record that a `Store` gave."""
        return cls(
            namespace=raw.namespace,
            kind=raw.kind,
            event_time=from_micros(raw.event_time),
            known_at=from_micros(raw.known_at),
            id=raw.id,
            agent_id=raw.agent_id,
            symbol=raw.symbol,
            regime=raw.regime,
            expires_at=None if raw.expires_at is None else _expiry(raw.expires_at),
            importance=raw.importance,
            confidence=raw.confidence,
            text=raw.text,
            embeddings=raw.embeddings,
            attributes=raw.attributes,
            payload=None if raw.payload is None else unpack(raw.payload),
            outcome=None if raw.outcome is None else Outcome.from_raw(raw.outcome),
            tags=tuple(raw.tags),
            provenance=Provenance(raw.writer, raw.source, raw.trust, tuple(raw.parents)),
            recorded_at=from_micros(raw.recorded_at),
            commit=raw.commit,
            version=raw.version,
        )


def _expiry(at: int) -> datetime:
    """Return when a record is hidden; a long ttl may lead beyond what a datetime can say."""
    return LAST if at > to_micros(LAST) else from_micros(at)


def _attribute(name: object, value: object) -> Attribute:
    if not isinstance(name, str):
        msg = f"attributes: {shown(name)} is no name: give a string"
        raise TypeError(msg)
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)):
        return list(texts(f"attributes[{name!r}]", value))
    if isinstance(value, bool) or value is None:
        field = f"attributes[{name!r}]={shown(value)}"
        msg = f"{field}: give a string, a number or a list of strings"
        raise ValueError(msg)
    return finite(f"attributes[{name!r}]", value)


def _check_texts(record: Record) -> None:
    for name in _TEXT_FIELDS:
        value = getattr(record, name)
        if not isinstance(value, str) and (value is not None or name in _REQUIRED_TEXTS):
            msg = f"{name}={shown(value)}: give a string"
            raise ValueError(msg)
    if not record.kind:
        msg = "kind='': say what the record is, as in kind='trade'"
        raise ValueError(msg)
    if not isinstance(record.provenance, Provenance):
        msg = f"provenance={shown(record.provenance)}: give a Provenance"
        raise TypeError(msg)
    if record.outcome is not None and not isinstance(record.outcome, Outcome):
        msg = f"outcome={shown(record.outcome)}: give an Outcome or None"
        raise TypeError(msg)


def _set_embeddings(record: Record) -> None:
    """Copy the vectors in, with ``embedding`` as the one of the space "state"."""
    given, spaces = record.embedding, mapping("embeddings", record.embeddings)
    if given is not None and STATE in spaces and spaces[STATE] is not given:
        msg = (
            "embedding and embeddings['state'] are two different vectors: "
            "give one of them (None for embedding)"
        )
        raise ValueError(msg)
    copies = {name: as_vector(value, f"embeddings[{name!r}]") for name, value in spaces.items()}
    if given is not None and STATE not in copies:
        copies[STATE] = as_vector(given)
    object.__setattr__(record, "embeddings", copies)
    object.__setattr__(record, "embedding", copies.get(STATE))
