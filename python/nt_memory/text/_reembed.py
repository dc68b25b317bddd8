"""The way of a store's texts to another encoder: a new store, filled as the old one was."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from nt_memory._handle import TEXT
from nt_memory._shown import shown
from nt_memory.clock import ManualClock, from_micros, to_micros
from nt_memory.config import VectorSpace
from nt_memory.embedding import CallableEmbedding
from nt_memory.errors import (
    AccessDeniedError,
    ForgottenError,
    HorizonError,
    RecordNotFoundError,
    VectorError,
)
from nt_memory.exchange._files import check_target, sync
from nt_memory.exchange._history import steps
from nt_memory.store import Configure, Expect, NamespaceOptions, Query, Write
from nt_memory.system import MemorySystem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    from nt_memory.config import MemoryConfig
    from nt_memory.embedding import EmbeddingProvider
    from nt_memory.store import Op, RawRecord, Store, Vector

    Progress: TypeAlias = Callable[[int, int], None]

# Commits whose texts are embedded with one call.
_CHUNK = 256
_FIRST = -(2**62)
# Holds in a store that has no values: a commit of it is a number, and nothing else.
_NOTHING = Expect("reembed", "nothing", None)


def reembed(
    memory: MemorySystem,
    target: str | Path,
    *,
    embedder: EmbeddingProvider,
    progress: Progress | None = None,
) -> MemorySystem:
    """Copy a memory's records to a new directory, their texts embedded anew; open the copy.

    A space takes vectors of one encoder, and a new version in the same store would
    say that the text was written today.  So the history is lived through again
    in a new store: each version is committed at its ``recorded_at`` with its commit
    number, and every question without a text is answered as before, with ``as_of``
    and ``recorded_by``.  What is asked by text is answered as if this encoder
    had been there from the start.  Vectors of other spaces are kept to the bit.

    Every version that has a text is embedded, also one that came with a vector of
    its own in the space "text".  Namespaces keep their options and horizons; in one
    with a retention, ``recorded_by`` of a commit number from before its horizon may
    be answered where the original refuses.  As with `MemorySystem.export`, values
    by key, messages, grants, the log of recalls and forgotten records stay behind:
    a recall that met forgotten ones said ``complete=False``, and the copy says True.

    The copy holds what was committed before the call.  It appears under its name
    when it is whole and on the disk; what breaks off leaves nothing of that name.
    It takes the time of embedding, and one commit for each of the original.

    Parameters
    ----------
    memory
        Open with all its spaces.
    target
        A directory that does not exist.  The copy has the configuration of
        ``memory`` but for it and the space "text" (redb where that is "memory").
    embedder
        The new encoder.
    progress
        Called with the number of versions written and of all.

    Raises
    ------
    ValueError
        The directory is there already.
    FileNotFoundError
        There is no directory to put it in.
    VectorError
        The memory has no space "text"; a record has a vector there and no
        text to make another one of; or the encoder fails.
    AccessDeniedError
        From an agent's handle.
    ForgottenError
        A record was forgotten meanwhile: begin again.

    Examples
    --------
    >>> import tempfile
    >>> from datetime import datetime, timezone
    >>> from nt_memory import HashingEmbedding, MemorySystem, Record
    >>> at = datetime(2024, 1, 2, tzinfo=timezone.utc)
    >>> note = Record(namespace="notes", kind="note", event_time=at, text="rates rise")
    >>> with tempfile.TemporaryDirectory() as folder, MemorySystem(":memory:") as memory:
    ...     _ = memory.remember(note)
    ...     with reembed(memory, f"{folder}/new", embedder=HashingEmbedding(64)) as copy:
    ...         copy.recall(text="rates").hits[0].record.text
    'rates rise'
    """
    target = Path(target)
    checked = _checked(embedder)
    config = _configuration(memory, target, embedder)
    check_target(target)
    with _made_whole(target) as part:
        history = _History(memory.store)
        clock = ManualClock(from_micros(history.start))
        made = replace(config, storage_path=part, durability="none", clock=clock)
        with MemorySystem(made, embedder=embedder) as copy:
            _live_through(history, copy.store, clock, checked, progress)
            now = max(to_micros(memory.clock.now()), clock.native.now_us())
            clock.native.set_us(now)
            _configure(memory.store, copy.store, now)
            copy.flush()
    return MemorySystem(config, clock=memory.clock, embedder=embedder)


def _checked(embedder: EmbeddingProvider) -> CallableEmbedding:
    """Return an encoder that is asked the same, and whose answers are checked."""
    if not all(hasattr(embedder, name) for name in ("id", "dim", "embed")):
        msg = f"embedder={shown(embedder)}: give an EmbeddingProvider, with id, dim and embed()"
        raise TypeError(msg)
    return CallableEmbedding(embedder.embed, id=embedder.id, dim=embedder.dim)


def _configuration(memory: MemorySystem, target: Path, embedder: EmbeddingProvider) -> MemoryConfig:
    if memory.agent_id is not None:
        msg = f"this is the handle of agent {memory.agent_id!r}, which has a part only: "
        raise AccessDeniedError(msg + "re-embed from the memory itself")
    config = memory.config
    if TEXT not in config.spaces:
        msg = "the memory is open without the space 'text': there is nothing to embed anew"
        raise VectorError(msg)
    spaces = {**config.spaces, TEXT: VectorSpace(dim=embedder.dim, encoder=embedder.id)}
    engine = "redb" if config.cold_engine == "memory" else config.cold_engine
    return replace(config, storage_path=target, spaces=spaces, cold_engine=engine, clock=None)


@dataclass(frozen=True, slots=True, order=True)
class _Step:
    """Where a record changed: the commit, when it was, and how many versions it wrote."""

    commit: int
    recorded_at: int
    id: str
    versions: int


class _History:
    """The changes of a store's records, in the order in which they were committed.

    Only where they are is held; the versions are read again when their turn comes.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.until = store.vector_search(Query(top_k=1, bodies=False)).commit
        self.steps = sorted(step for id_ in store.select() for step in self._steps(id_))
        self.start = self.steps[0].recorded_at if self.steps else 0
        self.versions = sum(step.versions for step in self.steps)

    def operations(self, ids: set[str]) -> dict[tuple[int, str], list[Op]]:
        """Return what writes each of these records, by commit and id."""
        found: dict[tuple[int, str], list[Op]] = {}
        for id_ in ids:
            for raw, op in steps(self._versions(id_)):
                found.setdefault((raw.commit, id_), []).append(op)
        return found

    def _versions(self, id_: str) -> list[RawRecord]:
        return [raw for raw in self._store.versions(id_) if raw.commit <= self.until]

    def _steps(self, id_: str) -> Iterator[_Step]:
        try:
            versions = self._versions(id_)
        except (ForgottenError, RecordNotFoundError):
            return  # since the ids were listed
        counts: dict[tuple[int, int], int] = {}
        for raw in versions:
            _check_text(raw)
            at = (raw.commit, raw.recorded_at)
            counts[at] = counts.get(at, 0) + 1
        for (commit, recorded_at), count in counts.items():
            yield _Step(commit, recorded_at, id_, count)


def _check_text(raw: RawRecord) -> None:
    if raw.text is None and TEXT in raw.embeddings:
        msg = (
            f"version {raw.version} of record {raw.id!r} has a vector in the space 'text' and no "
            "text to make another one of: write it without that vector, or forget it"
        )
        raise VectorError(msg)


def _live_through(
    history: _History,
    store: Store,
    clock: ManualClock,
    encoder: CallableEmbedding,
    progress: Progress | None,
) -> None:
    """Commit every change as it was committed, and the numbers between."""
    done, number = 0, 0
    for chunk in _chunks(history.steps):
        ready = _embedded(history.operations({step.id for step in chunk}), chunk, encoder)
        for commit, its in groupby(chunk, attrgetter("commit")):
            changes = list(its)
            number = _count_up(store, number, commit - 1)
            clock.native.set_us(changes[0].recorded_at)
            number = store.commit([op for step in changes for op in ready[commit, step.id]]).number
            done += sum(step.versions for step in changes)
            if progress is not None:
                progress(done, history.versions)
    _count_up(store, number, history.until)


def _chunks(steps_: Sequence[_Step]) -> Iterator[list[_Step]]:
    """Yield whole commits, at least so many changes at a time."""
    chunk: list[_Step] = []
    for _, its in groupby(steps_, attrgetter("commit")):
        chunk += its
        if len(chunk) >= _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _count_up(store: Store, number: int, until: int) -> int:
    """Let the numbers pass of commits that changed no record."""
    while number < until:
        number = store.commit([_NOTHING]).number
    return number


def _embedded(
    found: dict[tuple[int, str], list[Op]], chunk: list[_Step], encoder: CallableEmbedding
) -> dict[tuple[int, str], list[Op]]:
    """Return the operations of a chunk, their texts embedded with one call."""
    ready = {(step.commit, step.id): found[step.commit, step.id] for step in chunk}
    writes = [op for ops in ready.values() for op in ops if isinstance(op, Write)]
    texts = list({op.record.text: None for op in writes if op.record.text is not None})
    vectors = dict(zip(texts, encoder.embed(texts), strict=True))
    return {at: [_anew(op, vectors) for op in ops] for at, ops in ready.items()}


def _anew(op: Op, vectors: Mapping[str, Vector]) -> Op:
    """Return an operation with the new vector of its text."""
    if not isinstance(op, Write) or op.record.text is None:
        return op
    embeddings = {**op.record.embeddings, TEXT: vectors[op.record.text]}
    return Write(replace(op.record, embeddings=embeddings))


def _configure(source: Store, copy: Store, now: int) -> None:
    """Give namespaces their options, and horizons that a longer retention left behind."""
    ops = []
    for name, options in sorted(source.configured().items()):
        horizon = _horizon(source, name)
        if horizon is not None and horizon < now:
            ops.append(Configure(name, NamespaceOptions(retention=now - horizon)))
        ops.append(Configure(name, options))
    if ops:
        copy.commit(ops)


def _horizon(source: Store, namespace: str) -> int | None:
    """Return the first time that can be asked for in a namespace."""
    own = {"test": {"field": "namespace", "op": "eq", "value": namespace}}
    ids = source.select(namespace, own)
    try:
        if ids:
            source.fetch(ids[0], _FIRST)
        else:  # without records, the horizons below it say no more than they do anyway
            source.vector_search(Query(namespace=namespace, as_of=_FIRST, top_k=1, bodies=False))
    except HorizonError as error:
        return None if error.horizon is None else to_micros(error.horizon)
    return None


@contextmanager
def _made_whole(target: Path) -> Iterator[Path]:
    """Name a directory to be filled; give it its own name when all went well."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)  # of a process that ended and had this number
    try:
        yield part
        sync(part)
        check_target(target)  # somebody else may have been quicker
        part.rename(target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    sync(target.parent)
