"""`MemorySystem`: the one facade of a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nt_memory._exchanging import Exchanging
from nt_memory._handle import TEXT, text_encoder
from nt_memory._keyvalue import KeyValue
from nt_memory._recalling import Recalling
from nt_memory._remembering import Remembering
from nt_memory.clock import Clock, SystemClock, micros
from nt_memory.config import MemoryConfig

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

    from nt_memory.embedding import EmbeddingProvider
    from nt_memory.store import Store


class MemorySystem(KeyValue, Remembering, Recalling, Exchanging):
    """A memory for agents: values by key, records by time and likeness.

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
            # The engine's own method takes the same arguments; without a frame
            # of Python between, a hit costs half as much.
            self.__dict__["get"] = store.get
        super().__init__(config, store, clock, encoder)

    @property
    def clock(self) -> Clock:
        """The clock that the store runs by."""
        return self._clock

    @property
    def config(self) -> MemoryConfig:
        """The configuration that it was opened with."""
        return self._config

    @property
    def store(self) -> Store:
        """The engine, for views that need a batch with preconditions."""
        return self._store

    def stats(self) -> dict[str, Any]:
        """Return counters and sizes by name (``l1_entries``, ``l3_size_bytes``, ...)."""
        return self._store.stats()

    def flush(self) -> None:
        """Wait until everything, the log of recalls too, is on the disk."""
        self._store.flush()

    def verify(self) -> list[str]:
        """Check every checksum, count and index entry; return one line a problem."""
        return self._store.verify()

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


def _clock(clock: Clock | None, config: MemoryConfig) -> Clock:
    if clock is not None and config.clock not in {None, clock}:
        msg = f"clock={clock!r}, but MemoryConfig has clock={config.clock!r}: give it once"
        raise ValueError(msg)
    return clock or config.clock or SystemClock()


def _open(config: MemoryConfig, clock: Clock, encoder: EmbeddingProvider | None) -> Store:
    from nt_memory import _native  # the extension is loaded when it is first used

    spaces = []
    for name, space in config.spaces.items():
        made_by = encoder.id if name == TEXT and encoder is not None else space.encoder
        spaces.append((name, space.dim, space.metric, config.vector.quantization, made_by))
    return _native.Store.open(
        None if config.cold_engine == "memory" else str(config.storage_path),
        engine=config.cold_engine,
        cache_max_entries=config.cache.max_entries,
        cache_ttl_us=micros(config.cache.ttl),
        cache_max_bytes=config.cache.max_bytes,
        track_access=config.cache.track_access,
        spaces=spaces,
        compression=config.enable_compression,
        max_memory_bytes=config.max_memory_bytes,
        durability=config.durability,
        clock=clock.native,
        seed=config.seed,
    )
