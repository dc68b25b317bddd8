"""The graph of this package by itself; a memory adds times, filters and records."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nt_memory._native import VectorStore
from vectors.engines import EF_CONSTRUCTION, M

if TYPE_CHECKING:
    from pathlib import Path

    from vectors.engines import Ids, Vectors


class Index:
    """One graph, of f16 codes or of bytes; those are not scored again by what is stored."""

    filters = False
    replaces = True

    def __init__(self, dim: int, capacity: int, quantization: str = "f16") -> None:
        self._store = VectorStore(
            dim, m=M, ef_construction=EF_CONSTRUCTION, quantization=quantization
        )
        # Slot and place of each other; a slot that is used again has a new place.
        self._places = np.full(2 * capacity, -1, dtype=np.int64)
        self._slots = np.zeros(capacity, dtype=np.uint32)

    def build(self, vectors: Vectors, threads: int) -> None:
        self._add(np.arange(len(vectors)), vectors, threads)

    def search(self, queries: Vectors, k: int, ef: int, threads: int) -> Ids:
        found = self._store.search(queries, k, ef, threads)
        places: Ids = np.where(found < 0, -1, self._places[found])
        return places

    def replace(self, ids: Ids, vectors: Vectors, threads: int) -> None:
        self._store.remove(self._slots[ids])
        self._add(ids, vectors, threads)

    def save(self, path: Path) -> None:
        # Vectors are added in their order, so until one is replaced slots are places.
        self._store.save(path)

    def load(self, path: Path) -> None:
        self._store.load(path)
        count = len(self._store)
        self._slots[:count] = self._places[:count] = np.arange(count)

    def _add(self, ids: Ids, vectors: Vectors, threads: int) -> None:
        slots = self._store.add(vectors, threads)
        self._places[slots] = ids
        self._slots[ids] = slots
