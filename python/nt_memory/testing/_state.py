"""All that the oracle holds, and what a batch does to it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from nt_memory.errors import (
    ConflictError,
    ForgottenError,
    NamespaceError,
    RecordNotFoundError,
    SettledError,
    VectorError,
)
from nt_memory.store import (
    Configure,
    Delete,
    Expect,
    ExpectNew,
    ExpectUnchanged,
    Forget,
    Increment,
    NamespaceOptions,
    Op,
    Put,
    RawOutcome,
    RawRecord,
    Settle,
    Write,
    WriteMany,
)
from nt_memory.testing._table import write_rows
from nt_memory.testing._version import Entry, Version

if TYPE_CHECKING:
    from collections.abc import Callable

    from nt_memory.testing._ranking import Space

MAX_VALUE = 64 << 20
COUNTER = re.compile(rb"[+-]?0*[0-9]{1,19}")
MAX_COUNTER = 2**63 - 1
LEGAL = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")


@dataclass(frozen=True)
class Value:
    """What was put under a key; ``data`` None marks a deletion."""

    data: bytes | None
    expires_at: int | None
    recorded_at: int

    def live(self, at: int) -> bytes | None:
        """Return the data, unless it had ended by then."""
        return None if self.expires_at is not None and self.expires_at <= at else self.data


@dataclass
class State:
    """A store's content at one commit; a batch works on a copy."""

    spaces: dict[str, Space]
    new_id: Callable[[], str]
    number: int = 0
    recorded_at: int = -(2**63)
    values: dict[tuple[str, str], Value] = field(default_factory=dict)
    history: dict[tuple[str, str], tuple[Value, ...]] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    options: dict[str, NamespaceOptions] = field(default_factory=dict)
    horizons: dict[str, int] = field(default_factory=dict)
    since: dict[str, int] = field(default_factory=dict)
    """When each namespace with a history began to keep it."""
    purged: dict[str, int] = field(default_factory=dict)
    """Greatest commit, by namespace, of records whose ids were given anew."""

    def copy(self) -> State:
        """Return a state that can change without this one."""
        return replace(
            self,
            values=dict(self.values),
            history=dict(self.history),
            entries=dict(self.entries),
            options=dict(self.options),
            horizons=dict(self.horizons),
            since=dict(self.since),
            purged=dict(self.purged),
        )

    def horizon(self, namespace: str, now: int) -> int | None:
        """Return the first time that can be asked for; it moves with the clock."""
        kept = self.horizons.get(namespace)
        retention = self.options.get(namespace, NamespaceOptions()).retention
        if retention is None:
            return kept
        return now - retention if kept is None else max(kept, now - retention)

    def live(self, namespace: str, key: str, at: int) -> bytes | None:
        """Return the live value of a key."""
        value = self.values.get((namespace, key))
        return None if value is None else value.live(at)

    def apply(self, op: Op) -> Any:
        """Apply one operation; `number` and `recorded_at` are those of the batch."""
        steps: dict[type, Callable[[Any], Any]] = {
            Put: self._put,
            Delete: self._delete,
            Increment: self._increment,
            Expect: self._expect,
            ExpectNew: self._expect_new,
            ExpectUnchanged: self._expect_unchanged,
            Write: lambda op: self._write(op.record),
            WriteMany: lambda op: write_rows(op.table, self._write),
            Settle: self._settle,
            Forget: self._forget,
            Configure: self._configure,
        }
        return steps[type(op)](op)

    # values

    def _put(self, op: Put) -> None:
        check_name(op.namespace, op.key)
        self._set(op.namespace, op.key, op.value, self._expiry(op.namespace, op.ttl))

    def _set(self, namespace: str, key: str, data: bytes | None, expires_at: int | None) -> None:
        if data is not None and len(data) > MAX_VALUE:
            msg = f"value has {len(data)} bytes; keep it under 64 MiB"
            raise ValueError(msg)
        value = Value(data, expires_at, self.recorded_at)
        self.values[namespace, key] = value
        if self.options.get(namespace, NamespaceOptions()).history:
            self.history[namespace, key] = (*self.history.get((namespace, key), ()), value)

    def _delete(self, op: Delete) -> bool:
        check_name(op.namespace, op.key)
        live = self.live(op.namespace, op.key, self.recorded_at) is not None
        if (op.namespace, op.key) in self.values:
            self._set(op.namespace, op.key, None, None)
            del self.values[op.namespace, op.key]
        return live

    def _increment(self, op: Increment) -> int:
        check_name(op.namespace, op.key)
        current, expires_at = 0, None
        data = self.live(op.namespace, op.key, self.recorded_at)
        if data is None:
            expires_at = self._expiry(op.namespace, op.ttl)
        else:
            expires_at = self.values[op.namespace, op.key].expires_at
            if not (COUNTER.fullmatch(data) and -MAX_COUNTER - 1 <= int(data) <= MAX_COUNTER):
                msg = (
                    f"{op.namespace}/{op.key} holds no decimal counter; "
                    "increment only keys that increment made"
                )
                raise ValueError(msg)
            current = int(data)
        result = current + op.by
        if not -MAX_COUNTER - 1 <= result <= MAX_COUNTER:
            msg = f"counter {op.namespace}/{op.key} is {current}; adding {op.by} leaves 64 bits"
            raise ValueError(msg)
        self._set(op.namespace, op.key, str(result).encode(), expires_at)
        return result

    def _expect(self, op: Expect) -> None:
        check_name(op.namespace, op.key)
        if self.live(op.namespace, op.key, self.recorded_at) != op.value:
            msg = f"{op.namespace}/{op.key} holds something else; read it again and retry"
            raise ConflictError(msg)

    def _expiry(self, namespace: str, ttl: int | None) -> int | None:
        if ttl is not None and ttl <= 0:
            msg = f"ttl is {ttl} us; use a positive duration, or none"
            raise ValueError(msg)
        if ttl is None:
            ttl = self.options.get(namespace, NamespaceOptions()).ttl
        return None if ttl is None else self.recorded_at + ttl

    def _configure(self, op: Configure) -> None:
        check_namespace(op.namespace)
        for name, duration in (("ttl", op.options.ttl), ("retention", op.options.retention)):
            if duration is not None and duration <= 0:
                msg = f"{name} of {op.namespace!r} is not positive; leave it out for none"
                raise ValueError(msg)
        kept = self.horizon(op.namespace, self.recorded_at)
        if kept is not None:
            self.horizons[op.namespace] = kept
        if op.options.history != self.options.get(op.namespace, NamespaceOptions()).history:
            self._begin_history(op.namespace)
        self.options[op.namespace] = op.options

    def _begin_history(self, namespace: str) -> None:
        """Let go of a history, and begin one with what the namespace holds."""
        self.since[namespace] = self.recorded_at
        self.history = {name: kept for name, kept in self.history.items() if name[0] != namespace}
        for name, value in self.values.items():
            if name[0] == namespace:
                self.history[name] = (replace(value, recorded_at=self.recorded_at),)

    # records

    def known(self, id_: str) -> Entry | None:
        """Return a record that later versions can build on.

        Raises
        ------
        ForgottenError
            Its content is gone.
        """
        entry = self.entries.get(id_)
        if entry is None:
            return None
        horizon = self.horizon(entry.namespace, self.recorded_at)
        if horizon is not None and entry.is_erased(horizon):
            return None
        if entry.forgotten:
            msg = f"record {id_} was forgotten; its content is gone, use a new id"
            raise ForgottenError(msg)
        return entry

    def _write(self, record: RawRecord) -> str:
        check_record(record)
        check_namespace(record.namespace)
        codes = {name: self.space(name).code(vector) for name, vector in record.embeddings.items()}
        id_ = record.id or self.new_id()
        entry = self.known(id_)
        if entry is not None:
            base = entry.latest.record
            if (base.namespace, base.kind) != (record.namespace, record.kind):
                msg = (
                    f"record {id_} is a {base.kind!r} in {base.namespace!r}; "
                    "a later version keeps kind and namespace"
                )
                raise ValueError(msg)
        elif id_ in self.entries:
            self._purge(self.entries[id_])
        number = 0 if entry is None else 1 + max(v.record.version for v in entry.versions)
        expires_at = record.expires_at
        ttl = self.options.get(record.namespace, NamespaceOptions()).ttl
        if expires_at is None and ttl is not None:
            expires_at = record.known_at + ttl
        plain = self._stamp(replace(record, id=id_, expires_at=expires_at, outcome=None), number)
        added = [Version(plain, plain.known_at, codes)]
        if record.outcome is not None:
            settled = self._settled(plain, record.outcome, codes)
            if settled.visible_at == plain.known_at:
                added = [settled]
            else:
                later = replace(settled.record, version=number + 1)
                added.append(replace(settled, record=later))
        versions = () if entry is None else entry.versions
        self.entries[id_] = Entry((*versions, *added))
        return id_

    def _purge(self, entry: Entry) -> None:
        commits = [version.record.commit for version in entry.versions]
        self.purged[entry.namespace] = max(self.purged.get(entry.namespace, 0), *commits)

    def _expect_new(self, op: ExpectNew) -> None:
        check_id(op.id)
        if self.known(op.id) is not None:
            msg = f"there is a record {op.id} already; use another id, or leave out ExpectNew"
            raise ConflictError(msg)

    def _expect_unchanged(self, op: ExpectUnchanged) -> None:
        for id_ in op.ids:
            check_id(id_)
            entry = self.known(id_)
            if entry is None:
                raise not_found(id_)
            if any(version.record.commit > op.commit for version in entry.versions):
                msg = (
                    f"record {id_} was written to after commit {op.commit}; read it again and retry"
                )
                raise ConflictError(msg)

    def _settle(self, op: Settle) -> int:
        check_id(op.id)
        check_reward(op.outcome.reward)
        entry = self.known(op.id)
        if entry is None:
            raise not_found(op.id)
        base = entry.latest
        if base.record.outcome is not None and not op.revise:
            msg = f"record {op.id} has an outcome; pass revise=True to correct it"
            raise SettledError(msg)
        version = self._settled(base.record, op.outcome, base.codes)
        if version.visible_at < base.visible_at:
            msg = (
                f"the revised outcome of {op.id} would be known before the one it corrects; "
                "give a later known_at"
            )
            raise ValueError(msg)
        number = 1 + max(v.record.version for v in entry.versions)
        record = self._stamp(version.record, number)
        self.entries[op.id] = Entry((*entry.versions, replace(version, record=record)))
        return number

    def _settled(self, base: RawRecord, outcome: RawOutcome, codes: dict[str, Any]) -> Version:
        known_at = outcome.known_at
        if known_at is None:
            known_at = max(self.recorded_at, base.known_at)
        if known_at < base.known_at:
            msg = (
                f"the outcome's known_at ({known_at}) lies before the record's ({base.known_at}); "
                "an outcome cannot be known before its record"
            )
            raise ValueError(msg)
        return Version(replace(base, outcome=replace(outcome, known_at=known_at)), known_at, codes)

    def _stamp(self, record: RawRecord, number: int) -> RawRecord:
        return replace(record, recorded_at=self.recorded_at, commit=self.number, version=number)

    def _forget(self, op: Forget) -> int:
        count = 0
        for id_ in op.ids:
            check_id(id_)
            try:
                entry = self.known(id_)
            except ForgottenError:
                continue
            if entry is None:
                raise not_found(id_)
            self.entries[id_] = replace(entry, forgotten=True)
            count += 1
        return count

    def space(self, name: str) -> Space:
        """Return a space; raise VectorError for one that there is not."""
        if name not in self.spaces:
            msg = f"there is no space {name!r}; this store has {sorted(self.spaces)}"
            raise VectorError(msg)
        return self.spaces[name]


def not_found(id_: str) -> RecordNotFoundError:
    """Return the error of an unknown id."""
    msg = f"there is no record {id_}; check the id, or whether retention has passed it"
    return RecordNotFoundError(msg)


def check_namespace(namespace: str) -> None:
    """Raise NamespaceError for a namespace that is not well formed."""
    segments = namespace.split("/")
    for segment in segments:
        if not 1 <= len(segment) <= 128 or segment in {".", ".."} or not LEGAL.issuperset(segment):
            break
    else:
        if len(segments) <= 8:
            return
    msg = (
        f"namespace {namespace!r} is not well formed; "
        "use 1 to 8 segments of [A-Za-z0-9._-] joined by '/'"
    )
    raise NamespaceError(msg)


def check_name(namespace: str, key: str) -> None:
    """Raise NamespaceError for a namespace or key that is not well formed."""
    check_namespace(namespace)
    if not 1 <= len(key.encode()) <= 1024:
        msg = f"key has {len(key.encode())} bytes; use 1 to 1024"
        raise NamespaceError(msg)


def check_id(id_: str) -> None:
    """Raise ValueError for an id that cannot be stored."""
    if not (1 <= len(id_) <= 128 and all("!" <= c <= "~" for c in id_)):
        msg = (
            f"id {id_!r} is not usable; "
            "use 1 to 128 printable ASCII characters without spaces, or leave it empty"
        )
        raise ValueError(msg)


def check_reward(reward: float) -> None:
    """Raise ValueError for a reward that is no number."""
    if not math.isfinite(reward):
        msg = f"reward is {reward}; use a finite number"
        raise ValueError(msg)


def check_record(record: RawRecord) -> None:
    """Raise ValueError for a field out of its range."""
    if record.id:
        check_id(record.id)
    if not 1 <= len(record.kind.encode()) <= 128:
        msg = f"kind has {len(record.kind)} bytes; use 1 to 128"
        raise ValueError(msg)
    for name, value in (("confidence", record.confidence), ("trust", record.trust)):
        if value is not None and not 0.0 <= value <= 1.0:
            msg = f"{name} is {value}; use a number from 0 to 1"
            raise ValueError(msg)
    if not (math.isfinite(record.importance) and record.importance >= 0.0):
        msg = f"importance is {record.importance}; use a finite number >= 0"
        raise ValueError(msg)
    for name, attribute in record.attributes.items():
        if isinstance(attribute, float) and not math.isfinite(attribute):
            msg = f"attribute {name!r} is not finite; leave it out where it is unknown"
            raise ValueError(msg)
    if record.outcome is not None:
        check_reward(record.outcome.reward)
