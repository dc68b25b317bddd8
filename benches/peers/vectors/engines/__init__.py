"""One module an engine, and what each of them can do.

A module has a class `Index` that keeps to `Engine`.  An engine joins by a line in
`ENGINES`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from pathlib import Path

Vectors = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

M = 16
EF_CONSTRUCTION = 200
SEED = 100


class Engine(Protocol):
    """What the harness asks of an index; ids are the places of vectors in the data set.

    Vectors have length 1, so that the inner product is the cosine.
    """

    filters: bool
    """Whether `search_allowed` is there."""
    replaces: bool
    """Whether `replace` is there."""

    def __init__(self, dim: int, capacity: int) -> None: ...

    def build(self, vectors: Vectors, threads: int) -> None:
        """Add all vectors, in their order, to an empty index."""

    def search(self, queries: Vectors, k: int, ef: int, threads: int) -> Ids:
        """Return the nearest, best first: shape (queries, k), -1 where there are fewer."""

    def search_allowed(self, query: Vectors, k: int, ef: int, allowed: object) -> Ids:
        """Return the same for one query of shape (1, dim), among the allowed ones only."""

    def prepare(self, mask: Mask) -> object:
        """Turn a mask into what the engine filters by; not timed."""

    def replace(self, ids: Ids, vectors: Vectors, threads: int) -> None:
        """Delete these, then add them again, as one would to update half of an index."""

    def save(self, path: Path) -> None:
        """Write the index to one file."""

    def load(self, path: Path) -> None:
        """Read it into memory."""


# Name: module, arguments of its `Index`, and the most vectors it is asked to hold by default.
ENGINES: dict[str, tuple[str, dict[str, str], int]] = {
    "ours": ("ours", {}, 1_000_000),
    "ours_i8": ("ours", {"quantization": "i8"}, 1_000_000),
    "exact": ("exact", {}, 1_000_000),
    "hnswlib": ("hnswlib", {}, 1_000_000),
    "usearch_f16": ("usearch", {"dtype": "f16"}, 1_000_000),
    "usearch_f32": ("usearch", {"dtype": "f32"}, 100_000),
    "usearch_i8": ("usearch", {"dtype": "i8"}, 100_000),
    "faiss": ("faiss", {}, 100_000),
}


def create(name: str, dim: int, capacity: int) -> Engine:
    """Return an empty index of an engine."""
    module, arguments, _ = ENGINES[name]
    index: Engine = import_module(f"vectors.engines.{module}").Index(dim, capacity, **arguments)
    return index
