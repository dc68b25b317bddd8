"""Every error that nt-memory raises; each also derives from the built-in that fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class NtMemoryError(Exception):
    """Base of all errors of nt-memory."""


class CacheError(NtMemoryError, RuntimeError):
    """The hot tier failed."""


class VectorError(NtMemoryError, ValueError):
    """An embedding, a space or the vector index is wrong."""


class DimensionMismatchError(VectorError):
    """An embedding has another length than its space."""


class InvalidEmbeddingError(VectorError):
    """An embedding holds NaN or infinity, is all zero, or has a dtype that is no number."""


class StorageError(NtMemoryError, OSError):
    """The durable tier failed; nothing of the batch was acknowledged."""


class StoreLockedError(StorageError):
    """Another process owns the directory; ``pid`` names it where it is known."""

    def __init__(self, message: str, pid: int | None = None) -> None:
        super().__init__(message)
        self.pid = pid


class StorageFullError(StorageError):
    """Too little free space; the write was refused before it began."""


class CorruptionError(StorageError):
    """Stored bytes do not match their checksum, count or log."""


class HorizonError(StorageError, LookupError):
    """The time asked for lies before ``horizon``, where retention has erased."""

    def __init__(self, message: str, horizon: datetime | None = None) -> None:
        super().__init__(message)
        self.horizon = horizon


class ConflictError(StorageError):
    """A precondition of a batch does not hold; nothing was written."""


class RecordNotFoundError(StorageError, LookupError):
    """No record has this id."""


class ForgottenError(StorageError, LookupError):
    """The record was forgotten: its tombstone is left, its content is not."""


class CoordinationError(NtMemoryError, RuntimeError):
    """Agents could not be coordinated."""


class LockTimeoutError(CoordinationError, TimeoutError):
    """A lock was not to be had in time; the message says who holds it and for how long."""


class DeadlockError(CoordinationError):
    """Owners would wait for each other; nobody waits because of it."""


class StaleTokenError(CoordinationError):
    """A lock is not held with this token any more, or a write needs one; nothing was written."""


class AccessDeniedError(NtMemoryError, PermissionError):
    """An agent may not do this; nothing was read or written."""


class ConsensusError(CoordinationError):
    """A proposal or a vote breaks a rule of the consensus, or nothing was decided in time."""


class SignalError(CoordinationError):
    """A signal cannot be published or marked as asked; nothing was written."""


class AgentNotFoundError(CoordinationError, LookupError):
    """No agent is registered under this id."""


class LaggedError(CoordinationError):
    """A reader was too slow and ``missed`` messages; the next read goes on behind them.

    Their sequences lie between ``first_seq`` and ``last_seq``, with those of
    messages that were not for this reader.
    """

    def __init__(
        self, message: str, missed: int = 0, first_seq: int = 0, last_seq: int = 0
    ) -> None:
        super().__init__(message)
        self.missed = missed
        self.first_seq = first_seq
        self.last_seq = last_seq


class RecvTimeoutError(CoordinationError, TimeoutError):
    """No message came within the time that a reader gave."""


class OrderRefusedError(NtMemoryError, ValueError):
    """A broker does not take an order; nothing was traded."""


class SerializationError(NtMemoryError, ValueError):
    """A value cannot be encoded, or stored bytes cannot be decoded."""


class NamespaceError(NtMemoryError, ValueError):
    """A namespace or key is not well formed."""


class SettledError(NtMemoryError, ValueError):
    """The record has an outcome already; pass ``revise=True`` to correct it."""


class ForkError(NtMemoryError, RuntimeError):
    """A store was used in a forked child; open a new one there."""


class ClosedError(NtMemoryError, ValueError):
    """The store was closed."""


class InternalError(NtMemoryError, RuntimeError):
    """A defect in nt-memory; the process goes on, the operation did not happen."""
