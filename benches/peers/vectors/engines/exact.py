"""No index: a matrix product with all vectors, by NumPy."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from vectors.truth import nearest

if TYPE_CHECKING:
    from pathlib import Path

    from vectors.engines import Ids, Mask, Vectors


class Index:
    """A matrix."""

    filters = True
    replaces = False

    def __init__(self, dim: int, capacity: int) -> None:
        self._vectors: Vectors = np.empty((0, dim), dtype=np.float32)
        self._capacity = capacity

    def build(self, vectors: Vectors, threads: int) -> None:  # noqa: ARG002
        self._vectors = vectors.copy()

    def search(self, queries: Vectors, k: int, ef: int, threads: int) -> Ids:  # noqa: ARG002
        if threads == 1 or len(queries) == 1:
            return nearest(self._vectors, queries, k)
        # NumPy's own threads are switched off in the workers; products release the GIL.
        with ThreadPoolExecutor(threads) as pool:
            parts = np.array_split(queries, threads)
            return np.concatenate(list(pool.map(lambda q: nearest(self._vectors, q, k), parts)))

    def prepare(self, mask: Mask) -> object:
        return np.flatnonzero(mask)

    def search_allowed(self, query: Vectors, k: int, ef: int, allowed: Ids) -> Ids:  # noqa: ARG002
        places = nearest(self._vectors[allowed], query, k)
        return np.where(places < 0, -1, allowed[places])

    def save(self, path: Path) -> None:
        with path.open("wb") as file:
            np.save(file, self._vectors)

    def load(self, path: Path) -> None:
        with path.open("rb") as file:
            self._vectors = np.load(file)
