"""Many records as columns: what `nt_memory.store.WriteMany` carries.

Everything is a plain NumPy array: times are int64 microseconds since the epoch
(UTC) with `NO_TIME` for none, numbers float64 with NaN for none, strings UTF-8.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Table: TypeAlias = "Mapping[str, Any] | ArrowStream | ArrowArray"

NO_TIME = -(2**63)  # NaT


class ArrowStream(Protocol):
    """A table that hands its data over by Arrow's C interface, chunk by chunk."""

    def __arrow_c_stream__(self, requested_schema: object | None = None, /) -> object:
        """Return a capsule with the data."""
        ...


class ArrowArray(Protocol):
    """The same in one piece: a batch of rows."""

    def __arrow_c_array__(self, requested_schema: object | None = None, /) -> object:
        """Return capsules with the schema and the data."""
        ...


def is_arrow(value: object) -> bool:
    """Whether something hands its data over by Arrow's C interface."""
    return hasattr(value, "__arrow_c_stream__") or hasattr(value, "__arrow_c_array__")


def is_table(value: object) -> bool:
    """Whether something is a table rather than records."""
    return isinstance(value, Mapping) or is_arrow(value)


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """Strings: word ``rows[i]`` in row ``i``, none where that is negative.

    Word ``k`` is the UTF-8 in ``data[offsets[k]:offsets[k + 1]]``.
    """

    data: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]

    def get(self, row: int) -> str | None:
        """Return the string of a row."""
        number = int(self.rows[row])
        return None if number < 0 else self.word(number)

    def word(self, word: int) -> str:
        """Return a word by its number."""
        return self.data[self.offsets[word] : self.offsets[word + 1]].tobytes().decode()


@dataclass(frozen=True, slots=True, eq=False)
class Lists:
    """Several strings a row: ``items`` from ``offsets[i]`` to ``offsets[i + 1]`` in row ``i``."""

    offsets: npt.NDArray[np.int64]
    items: Texts


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """An embedding a row, where it is ``present``; ``numbers`` has shape ``(rows, dim)``."""

    numbers: npt.NDArray[np.float32]
    present: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RawTable:
    """The fields of `nt_memory.store.RawRecord` as columns of one length, ``rows``.

    A column that is None is the field's default in every row.  A row without
    ``known_at`` takes its ``event_time``, one without ``reward`` has no outcome.
    """

    rows: int
    namespace: Texts
    kind: Texts
    event_time: npt.NDArray[np.int64]
    known_at: npt.NDArray[np.int64] | None = None
    id: Texts | None = None
    agent_id: Texts | None = None
    symbol: Texts | None = None
    regime: Texts | None = None
    expires_at: npt.NDArray[np.int64] | None = None
    importance: npt.NDArray[np.float64] | None = None
    confidence: npt.NDArray[np.float64] | None = None
    text: Texts | None = None
    embeddings: Mapping[str, Matrix] = field(default_factory=dict)
    attributes: Mapping[str, Texts | npt.NDArray[np.float64]] = field(default_factory=dict)
    reward: npt.NDArray[np.float64] | None = None
    outcome_known_at: npt.NDArray[np.int64] | None = None
    tags: Lists | None = None
    writer: Texts | None = None
    source: Texts | None = None
    trust: npt.NDArray[np.float64] | None = None
