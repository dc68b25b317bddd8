"""`MemorySystem`: the one facade of a store."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NoReturn

from nt_memory._agents import Agents
from nt_memory._exchanging import Exchanging
from nt_memory._handle import TEXT, refuse_to_copy, text_encoder
from nt_memory._keyvalue import KeyValue
from nt_memory._locking import Locking
from nt_memory._messaging import Messaging
from nt_memory._remembering import Remembering
from nt_memory._shown import shown
from nt_memory._walking import Walking
from nt_memory.clock import Clock, SystemClock, micros
from nt_memory.config import MemoryConfig
from nt_memory.store import OnDisk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

    from nt_memory import _native
    from nt_memory.coordination import ConsensusEngine
    from nt_memory.embedding import EmbeddingProvider
    from nt_memory.experience.session import Session
    from nt_memory.reasoning import Trajectory
    from nt_memory.store import Store


class MemorySystem(KeyValue, Remembering, Walking, Locking, Messaging, Agents, Exchanging):
    """A memory for agents: values by key, records by time and likeness, messages by topic.

    What a call has written is on the disk when it returns (durability
    "group"), and every later call of any thread sees it.  One process owns a
    directory.  It is safe to share between threads, and does not survive a
    fork.

    Parameters
    ----------
    target
        A directory, ``":memory:"`` (keeps nothing), or a `MemoryConfig`.
    clock
        The only source of time; else the one of the configuration, else the
        machine's.
    store
        An open `Store` to use instead of opening one; it is closed with the
        memory, and shares its clock.
    embedder
        Makes vectors for the space "text"; `HashingEmbedding` by default.

    Raises
    ------
    StoreLockedError
        Another process has the directory open.
    CorruptionError
        The files are damaged.
    ValueError
        A bad setting, named with its value and range.

    Examples
    --------
    >>> from nt_memory import MemorySystem
    >>> with MemorySystem(":memory:") as memory:
    ...     memory.put("strategies", "active", b"wyckoff")
    ...     memory.get("strategies", "active")
    b'wyckoff'
    """

    def __init__(
        self,
        target: str | Path | MemoryConfig,
        *,
        clock: Clock | None = None,
        store: Store | None = None,
        embedder: EmbeddingProvider | None = None,
    ) -> None:
        config = MemoryConfig.of(target)
        encoder = text_encoder(config, embedder)
        clock = _clock(clock, config)
        if store is None:
            store = _open(config, clock, encoder)
            for notice in store.notices():
                warnings.warn(notice, RuntimeWarning, stacklevel=2)
            # The engine's own method takes the same arguments; without a frame
            # of Python between, a hit costs half as much.
            self.__dict__["get"] = store.get
        super().__init__(config, store, clock, encoder)

    @property
    def consensus(self) -> ConsensusEngine:
        """Proposals and votes of the agents on this memory.

        Examples
        --------
        >>> from nt_memory import MemorySystem, Proposal, Vote
        >>> with MemorySystem(":memory:") as memory:
        ...     _ = memory.consensus.register_agent("hedge", weight=1)
        ...     made = memory.consensus.submit_proposal(Proposal(proposer="hedge", data={}))
        ...     memory.consensus.vote(Vote(made, "hedge", approve=True))
        Approved()
        """
        from nt_memory.coordination import ConsensusEngine  # takes its time to import

        return ConsensusEngine(self)

    def agent(self, agent_id: str) -> MemorySystem:
        """Return this memory in the hands of an agent.

        Every call through it is checked in the engine: the agent has its own
        namespace ``swarm/<agent_id>``, reads what is ``shared``, and has what
        `grant` gave it.  What it writes says that it wrote it, and its locks
        are its own.  This holds honest agents apart; code of the same process
        can always reach the memory itself.

        Raises
        ------
        NamespaceError
            The id is no single segment of ``[A-Za-z0-9._-]``.
        AccessDeniedError
            From an agent's handle.

        Examples
        --------
        >>> from nt_memory import MemorySystem, Namespace
        >>> with MemorySystem(":memory:") as memory:
        ...     hedge = memory.agent("hedge")
        ...     hedge.put(Namespace.agent_prefix("hedge"), "limit", b"5")
        ...     memory.get("swarm/hedge", "limit")
        b'5'
        """
        store = self._coordinating().agent(agent_id)
        made = MemorySystem(self._config, clock=self._clock, store=store, embedder=self._embedder)
        made._agent_id = agent_id
        return made

    def session(self, agent_id: str, session_id: str) -> Session:
        """Return a session of an agent, as it was at its last checkpoint, or a new one.

        It holds the working memory, open trajectories and cursors.

        Raises
        ------
        NamespaceError
            The id of the agent is no single segment of ``[A-Za-z0-9._-]``, or that of the
            session too long for a key.

        Examples
        --------
        >>> from nt_memory import MemorySystem
        >>> with MemorySystem(":memory:") as memory:
        ...     session = memory.session("hedge", "monday")
        ...     session.cursors["ticks"] = 1042
        ...     session.checkpoint()
        ...     memory.session("hedge", "monday").cursors
        {'ticks': 1042}
        """
        from nt_memory.experience.session import Session  # takes its time to import

        return Session(self, agent_id, session_id)

    @property
    def config(self) -> MemoryConfig:
        """The configuration that it was opened with."""
        return self._config

    def track_trajectory(self, trajectory: Trajectory) -> str:
        """Keep what is new of a trajectory; return its id.

        `nt_memory.TrajectoryTracker` gives it back, and has the other calls.

        Examples
        --------
        >>> from nt_memory import MemorySystem, Trajectory
        >>> with MemorySystem(":memory:") as memory:
        ...     trajectory = Trajectory("agent_1", clock=memory.clock)
        ...     _ = trajectory.add_action("buy", {"quantity": 10}, predicted_outcome=110.0)
        ...     trajectory.add_outcome(105.0)
        ...     id = memory.track_trajectory(trajectory)
        ...     memory.stats()["total_trajectories"]
        1
        """
        from nt_memory.reasoning import TrajectoryTracker  # takes its time to import

        return TrajectoryTracker(self).track(trajectory)

    def stats(self) -> dict[str, Any]:
        """Return counters and sizes by name (``l1_entries``, ``l3_size_bytes``, ...)."""
        from nt_memory.reasoning import TrajectoryTracker  # as above

        counted = self._store.stats()
        return {**counted, "total_trajectories": TrajectoryTracker(self).count()}

    def flush(self) -> None:
        """Wait until everything, the log of recalls too, is on the disk."""
        self._store.flush()

    def verify(self) -> list[str]:
        """Check every checksum, count and index entry; return one line a problem."""
        return self._store.verify()

    def backup(self, dest: str | Path, *, progress: Callable[[int], object] | None = None) -> int:
        """Write everything, as of one commit, to a new file; return its number of rows.

        Reads and writes go on meanwhile (with sled, writes wait).  The file is
        there when it is whole and on the disk, and not before.

        Parameters
        ----------
        dest
            A file that is not there yet.
        progress
            Called with the number of rows now and then; what it raises ends
            the backup.

        Raises
        ------
        ValueError
            There is such a file.
        CorruptionError
            A row is damaged.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> from nt_memory import MemorySystem
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with MemorySystem(Path(folder, "memory")) as memory:
        ...         memory.put("risk", "limit", b"5")
        ...         rows = memory.backup(Path(folder, "friday.backup"))
        ...     with MemorySystem.restore(
        ...         Path(folder, "friday.backup"), Path(folder, "again")
        ...     ) as again:
        ...         again.get("risk", "limit")
        b'5'
        """
        return _on_disk(self._store).backup(dest, progress)

    def compact(self, *, progress: Callable[[int], object] | None = None) -> tuple[int, int]:
        """Give back the room that the files do not need; return their bytes before and after.

        A store's file has room for what was ever in it at a time.  Its rows
        are copied into a new file, which takes the old one's place; reads and
        writes go on, and while it runs both are on the disk.

        Parameters
        ----------
        progress
            Called with the number of rows now and then; what it raises ends
            the copying, and the old file goes on.

        Raises
        ------
        ValueError
            The engine frees its space by itself (sled), or keeps nothing.
        StorageFullError
            There is no room for a second file.
        """
        return _on_disk(self._store).compact(progress)

    @classmethod
    def restore(
        cls,
        src: str | Path,
        target: str | Path | MemoryConfig,
        *,
        clock: Clock | None = None,
        embedder: EmbeddingProvider | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> Self:
        """Make a memory in a new directory from a backup, and open it.

        The whole file is checked before anything is made; a restore that
        fails or is broken off leaves nothing.  A backup of one engine can be
        restored into another.

        Parameters
        ----------
        src
            A file that `backup` made.
        target
            A directory that is new or empty, or a `MemoryConfig` that names one.
        clock, embedder
            As for opening.
        progress
            Called with the number of rows now and then (each is counted twice:
            checked, written).

        Raises
        ------
        ValueError
            The directory holds something.
        CorruptionError
            The file is damaged, cut off or no backup.
        StorageError
            It has another format; the error names the version that wrote it.
        """
        config = MemoryConfig.of(target)
        if config.cold_engine == "memory":
            msg = "':memory:' keeps nothing: restore into a directory"
            raise ValueError(msg)
        from nt_memory import _native

        _native.Store.restore(src, config.storage_path, config.cold_engine, progress)
        return cls(config, clock=clock, embedder=embedder)

    def __reduce__(self) -> NoReturn:
        refuse_to_copy(self)

    def close(self) -> None:
        """Flush and let go of the directory; a second close does nothing."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _on_disk(store: Store) -> OnDisk:
    if not isinstance(store, OnDisk):
        msg = f"{type(store).__name__} keeps nothing on a disk"
        raise TypeError(msg)
    return store


def _clock(clock: Clock | None, config: MemoryConfig) -> Clock:
    if clock is not None and not isinstance(clock, Clock):
        msg = f"clock={shown(clock)}: give a SystemClock or a ManualClock"
        raise TypeError(msg)
    if clock is not None and config.clock not in {None, clock}:
        msg = (
            f"clock={shown(clock)}, but MemoryConfig has clock={shown(config.clock)}: give it once"
        )
        raise ValueError(msg)
    return clock or config.clock or SystemClock()


def _open(config: MemoryConfig, clock: Clock, encoder: EmbeddingProvider | None) -> _native.Store:
    from nt_memory import _native  # the extension is loaded when it is first used

    vector = config.vector
    spaces = []
    for name, space in config.spaces.items():
        made_by = encoder.id if name == TEXT and encoder is not None else space.encoder
        spaces.append((name, space.dim, space.metric, vector.stored_code, made_by))
    return _native.Store.open(
        None if config.cold_engine == "memory" else str(config.storage_path),
        engine=config.cold_engine,
        cache_max_entries=config.cache.max_entries,
        cache_ttl_us=micros(config.cache.ttl),
        cache_max_bytes=config.cache.max_bytes,
        track_access=config.cache.track_access,
        spaces=spaces,
        vector=(
            vector.engine,
            vector.m,
            vector.ef_construction,
            vector.ef_search,
            vector.quantization == "i8",
        ),
        compression=config.enable_compression,
        max_memory_bytes=config.max_memory_bytes,
        durability=config.durability,
        clock=clock.native,
        seed=config.seed,
    )
