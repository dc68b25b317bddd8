"""What the parts of `MemorySystem` share: the store and how text becomes a vector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from nt_memory._shown import shown
from nt_memory._values import as_vector
from nt_memory.embedding import HashingEmbedding
from nt_memory.errors import CoordinationError, VectorError
from nt_memory.locks import checked
from nt_memory.shared_store import Coordinating

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nt_memory.clock import Clock
    from nt_memory.config import MemoryConfig
    from nt_memory.embedding import EmbeddingProvider
    from nt_memory.locks import LockToken
    from nt_memory.shared_store import Locks
    from nt_memory.store import Op, Store, Vector

TEXT = "text"


class Handle:
    """A store with its configuration, clock and text encoder."""

    def __init__(
        self, config: MemoryConfig, store: Store, clock: Clock, embedder: EmbeddingProvider | None
    ) -> None:
        self._config = config
        self._store = store
        self._clock = clock
        self._embedder = embedder
        self._agent_id: str | None = None
        self.__locks: Locks | None = None

    @property
    def clock(self) -> Clock:
        """The clock that the store runs by."""
        return self._clock

    @property
    def store(self) -> Store:
        """The engine, for views that need a batch with preconditions."""
        return self._store

    @property
    def locks(self) -> Locks:
        """The locks of the store, for views that need what is below `LockToken`.

        Raises
        ------
        CoordinationError
            The store has none.
        """
        if self.__locks is None:
            self.__locks = self._coordinating().locks()
        return self.__locks

    def _coordinating(self) -> Coordinating:
        if isinstance(self._store, Coordinating):
            return self._store
        msg = f"{type(self._store).__name__} has no locks and no agents: open an embedded memory"
        raise CoordinationError(msg)

    @property
    def agent_id(self) -> str | None:
        """The agent in whose hands the memory is; None for its owner."""
        return self._agent_id

    def _commit(self, ops: Sequence[Op], fence: LockToken | None = None) -> list[Any]:
        """Commit a batch, with a lock or without; return one result an operation."""
        if fence is None:
            return self._store.commit(ops).results
        return self._store.commit([checked(fence).fence(self.locks), *ops]).results[1:]

    def embed_text(self, text: str) -> Vector | None:
        """Return the vector of a text for the space "text"; None where there is no such space."""
        return None if self._embedder is None else self._embed([text])[0]

    def _embed(self, texts: Sequence[str]) -> list[Vector]:
        """Return one vector a text for the space "text"."""
        if self._embedder is None:
            msg = "there is no space 'text': open with spaces={..., 'text': VectorSpace(dim=256)}"
            raise VectorError(msg)
        rows = self._embedder.embed(texts)
        if len(rows) != len(texts):
            msg = f"encoder {self._embedder.id!r} made {len(rows)} vectors of {len(texts)} texts"
            raise VectorError(msg)
        return [as_vector(row, f"vector of encoder {self._embedder.id!r}") for row in rows]


def refuse_to_copy(memory: object) -> NoReturn:
    """Say what to do instead of copying or pickling an open memory."""
    msg = (
        f"an open {type(memory).__name__} cannot be copied or pickled, as one process owns "
        "its directory: pass the path or the MemoryConfig, and open it there"
    )
    raise TypeError(msg)


def text_encoder(
    config: MemoryConfig, embedder: EmbeddingProvider | None
) -> EmbeddingProvider | None:
    """Return the encoder of the space "text"; None where there is no such space.

    Raises
    ------
    ValueError
        The encoder does not fit the space.
    """
    space = config.spaces.get(TEXT)
    if space is None:
        if embedder is not None:
            msg = f"embedder {embedder.id!r} needs a space 'text': name one in MemoryConfig.spaces"
            raise ValueError(msg)
        return None
    if embedder is not None and not all(hasattr(embedder, name) for name in ("id", "dim", "embed")):
        msg = f"embedder={shown(embedder)}: give an EmbeddingProvider, with id, dim and embed()"
        raise TypeError(msg)
    encoder = embedder if embedder is not None else HashingEmbedding(space.dim)
    if encoder.dim != space.dim:
        msg = (
            f"embedder {encoder.id!r} makes vectors of {encoder.dim} floats, "
            f"spaces['text'].dim={space.dim}: make them equal"
        )
        raise ValueError(msg)
    if space.encoder not in {None, encoder.id}:
        msg = (
            f"spaces['text'].encoder={space.encoder!r}, but the embedder is {encoder.id!r}: "
            "pass the embedder that made the space, or name another space"
        )
        raise ValueError(msg)
    return encoder
