"""The contract between the typed views and an engine.

A `Store` is the only door to stored data: the embedded engine
(``nt_memory._native.Store``) and its oracle (`nt_memory.testing.ModelStore`)
both implement it, and one conformance suite runs on both.  Everything that
crosses here is plain: times are int64 microseconds since the epoch (UTC),
payloads are MessagePack bytes, embeddings are float32 arrays.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from os import PathLike

    import numpy as np
    import numpy.typing as npt

    from nt_memory.columns import RawTable

    Vector: TypeAlias = npt.NDArray[np.float32]

Attribute: TypeAlias = "str | float | list[str]"


@dataclass(frozen=True, slots=True)
class RawOutcome:
    """What a decision led to, and from when that could be known."""

    reward: float
    known_at: int | None = None
    payload: bytes | None = None


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One version of a record, as an engine stores it.

    ``recorded_at``, ``commit`` and ``version`` are stamped by the engine and
    ignored on the way in.
    """

    id: str
    namespace: str
    kind: str
    event_time: int
    known_at: int
    agent_id: str | None = None
    symbol: str | None = None
    regime: str | None = None
    expires_at: int | None = None
    importance: float = 1.0
    confidence: float | None = None
    text: str | None = None
    embeddings: Mapping[str, Vector] = field(default_factory=dict)
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    payload: bytes | None = None
    outcome: RawOutcome | None = None
    tags: Sequence[str] = ()
    writer: str = "root"
    source: str | None = None
    trust: float = 1.0
    parents: Sequence[str] = ()
    recorded_at: int = 0
    commit: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True)
class NamespaceOptions:
    """What `Configure` sets for one namespace (durations in microseconds).

    ``fenced`` names the lock without which nothing is written there.
    """

    history: bool = False
    ttl: int | None = None
    retention: int | None = None
    fenced: str | None = None


# --- operations of a batch -------------------------------------------------


@dataclass(frozen=True, slots=True)
class Put:
    """Set a key.  ``ttl`` counts from the commit; None takes the namespace's."""

    namespace: str
    key: str
    value: bytes
    ttl: int | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a key; one that does not exist is no error.  Result: whether it existed."""

    namespace: str
    key: str


@dataclass(frozen=True, slots=True)
class Increment:
    """Add to a decimal counter (absent or expired counts as 0).  Result: the new value.

    ``ttl`` is taken when the counter is created and kept afterwards, so a
    counter with a ttl is a fixed window.
    """

    namespace: str
    key: str
    by: int
    ttl: int | None = None


@dataclass(frozen=True, slots=True)
class Expect:
    """Precondition: the key holds exactly ``value`` (None: absent or expired)."""

    namespace: str
    key: str
    value: bytes | None


@dataclass(frozen=True, slots=True)
class ExpectNew:
    """Precondition: no record has this id (a forgotten one is a `ForgottenError`)."""

    id: str


@dataclass(frozen=True, slots=True)
class ExpectUnchanged:
    """Precondition: these records are there, and none was written to after a commit.

    What the batch itself has written before counts.
    """

    ids: Sequence[str]
    commit: int


@dataclass(frozen=True, slots=True)
class Write:
    """A new record, or a new version of the one with this id.  Result: the id.

    An empty id asks the engine for a fresh ULID.  A later version keeps the
    namespace and kind.  An outcome known later than the record becomes a
    version of its own, so that it is visible from its own known-at only.
    """

    record: RawRecord


@dataclass(frozen=True, slots=True)
class WriteMany:
    """A `Write` a row of a table.  Result: the list of ids.

    The first row that cannot be written refuses the batch; the error begins
    with its number, as in ``row 17: ...``, counted from 0.
    """

    table: RawTable


@dataclass(frozen=True, slots=True)
class Settle:
    """A new version that carries an outcome.  Result: the version number."""

    id: str
    outcome: RawOutcome
    revise: bool = False


@dataclass(frozen=True, slots=True)
class Forget:
    """Erase the content of records and leave tombstones.  Result: how many were newly forgotten."""

    ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class Configure:
    """Set a namespace's options (that namespace exactly, not those below it)."""

    namespace: str
    options: NamespaceOptions


@dataclass(frozen=True, slots=True)
class Fence:
    """Precondition: a lock is held with this number, and stays so until the batch is done."""

    resource: str
    number: int


@dataclass(frozen=True, slots=True)
class SetRights:
    """Set the paths that an agent reads and writes beside its own; none of either for no rights."""

    agent: str
    read: Sequence[str] = ()
    write: Sequence[str] = ()


Op: TypeAlias = (
    Put
    | Delete
    | Increment
    | Expect
    | ExpectNew
    | ExpectUnchanged
    | Write
    | WriteMany
    | Settle
    | Forget
    | Configure
    | Fence
    | SetRights
)


@dataclass(frozen=True, slots=True)
class Commit:
    """An accepted batch: its number (1, 2, ...), its time, one result an operation."""

    number: int
    recorded_at: int
    results: list[Any]


# --- search ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Query:
    """What to find, as of when, and how to rank it.

    ``filter`` is the tree of `nt_memory.Filter.tree`.  ``recorded_by_time``
    and ``recorded_by_commit`` (at most one of them) bound what the system held.
    ``weights`` are (similarity, recency, importance, outcome).  ``exact``
    False lets an index answer, True looks at every match, None lets an index
    answer where that changes nothing but speed and recall.  ``after`` is the value
    (None where it has none) and the id of a match in the order of ``order_by``: what
    comes behind it is returned.  ``bodies`` False leaves ``Match.record`` None.
    ``within`` are namespaces, each with all below it, beyond which nothing is seen.
    """

    space: str = "state"
    vector: Vector | None = None
    namespace: str | None = None
    filter: Mapping[str, Any] | None = None
    as_of: int | None = None
    recorded_by_time: int | None = None
    recorded_by_commit: int | None = None
    top_k: int = 10
    half_life: float | None = None
    weights: tuple[float, float, float, float] = (0.6, 0.2, 0.1, 0.1)
    order_by: str | None = None
    after: tuple[float | None, str] | None = None
    diversity: float = 0.0
    min_trust: float | None = None
    exact: bool | None = None
    bodies: bool = True
    within: list[str] | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """One ranked record; a part that does not apply is None."""

    id: str
    version: int
    score: float
    similarity: float | None
    recency: float | None
    importance: float
    outcome: float | None
    record: RawRecord | None


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Ranked matches and what they were drawn from.

    ``matched`` counts the visible records that passed the filter (those that
    the index found, where it answered), ``forgotten`` those that would have
    but were forgotten, ``exact`` says that every match was looked at,
    ``commit`` is the last batch the search saw and ``as_of`` the time it was
    asked for.
    """

    matches: list[Match]
    matched: int
    forgotten: int
    exact: bool
    commit: int
    as_of: int


class Store(Protocol):
    """The dozen operations that every engine has."""

    def commit(self, ops: Sequence[Op], /, *, dry_run: bool = False) -> Commit:
        """Apply a batch whole or not at all; it is on the disk on return.

        A dry run is checked and answered as if it were applied, and changes
        nothing.  Operations are checked in order, each against the state with its
        predecessors applied.  ``recorded_at`` is the clock's now, never
        earlier than the commit before.

        Raises
        ------
        ConflictError
            An `Expect`, `ExpectNew` or `ExpectUnchanged` does not hold.
        SettledError
            A `Settle` without ``revise`` on a record that has an outcome.
        RecordNotFoundError, ForgottenError
            A `Settle`, `Forget`, `ExpectNew`, `ExpectUnchanged` or `Write` names a record
            that is not there (any more).
        """
        ...

    def get(self, namespace: str, key: str, as_of: int | None = None, /) -> bytes | None:
        """Return the value of a key; ``as_of`` needs a namespace with history."""
        ...

    def scan(
        self, namespace: str, prefix: str, limit: int, cursor: str | None, /
    ) -> tuple[list[str], str | None]:
        """List live keys in byte order after ``cursor``; the cursor is None at the end."""
        ...

    def fetch(
        self,
        id: str,
        as_of: int | None = None,
        recorded_by_time: int | None = None,
        recorded_by_commit: int | None = None,
        /,
    ) -> RawRecord | None:
        """Return the version of a record visible at ``as_of``; None where there was none."""
        ...

    def versions(self, id: str, /) -> list[RawRecord]:
        """Return all versions of a record, in the order in which they were written.

        What retention has erased is not among them.

        Raises
        ------
        RecordNotFoundError, ForgottenError
            There is no such record (any more).
        """
        ...

    def vector_search(self, query: Query, /) -> SearchResult:
        """Filter, score and rank records as of a time."""
        ...

    def vector_searches(self, queries: Sequence[Query], /) -> list[SearchResult]:
        """Do so for several queries; what is written meanwhile may be seen by some of them."""
        ...

    def select(
        self, namespace: str | None = None, tree: Mapping[str, Any] | None = None, /
    ) -> list[str]:
        """Return the ids of all records that pass a filter, whenever they show.

        It looks at the greatest version of each, expired or not, known or not
        yet; forgotten records are left out.
        """
        ...

    def log_recall(
        self, id: str, entry: bytes, as_of: int | None = None, namespace: str | None = None, /
    ) -> None:
        """Queue a recall for the next group commit; does not wait.

        With ``as_of``, the entry is kept as long as ``namespace`` (everything
        where it is None) can be searched as of then; else for ever.
        """
        ...

    def recall_log(self, id: str, /) -> bytes | None:
        """Return a logged recall, waiting for those still queued; None where none is kept."""
        ...

    def new_id(self) -> str:
        """Return a fresh ULID."""
        ...

    def configured(self) -> dict[str, NamespaceOptions]:
        """Return every configured namespace with its options."""
        ...

    def stats(self) -> dict[str, Any]:
        """Return counters and sizes by name."""
        ...

    def flush(self) -> None:
        """Wait until everything queued is on the disk."""
        ...

    def verify(self) -> list[str]:
        """Check every checksum, count and index entry; one line a problem."""
        ...

    def close(self) -> None:
        """Flush and let go of the directory; a second close does nothing."""
        ...


@runtime_checkable
class OnDisk(Protocol):
    """What a store that keeps its rows on a disk can do as well."""

    def backup(
        self, file: str | PathLike[str], progress: Callable[[int], object] | None = None, /
    ) -> int:
        """Write every row, as of one commit, to a new file; return their number."""
        ...

    def compact(self, progress: Callable[[int], object] | None = None, /) -> tuple[int, int]:
        """Give back the room that the files do not need; return their bytes before and after."""
        ...
