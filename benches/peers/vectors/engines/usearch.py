"""usearch, in f32, f16 or i8."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import usearch.index

from vectors.engines import EF_CONSTRUCTION, M

if TYPE_CHECKING:
    from pathlib import Path

    from vectors.engines import Ids, Vectors


class Index:
    """One index of usearch; its binding for Python has no filter."""

    filters = False
    replaces = True

    def __init__(self, dim: int, capacity: int, dtype: str) -> None:
        self._index = usearch.index.Index(
            ndim=dim,
            # In eight bits a vector is not of length 1 any more.
            metric="cos" if dtype == "i8" else "ip",
            dtype=dtype,
            connectivity=M,
            expansion_add=EF_CONSTRUCTION,
        )
        self._capacity = capacity

    def build(self, vectors: Vectors, threads: int) -> None:
        self._index.add(np.arange(len(vectors)), vectors, threads=threads)

    def search(self, queries: Vectors, k: int, ef: int, threads: int) -> Ids:
        self._index.expansion_search = ef  # its stub knows no setter, the class has one
        if len(queries) == 1:
            return _padded(self._index.search(queries[0], k, threads=1).keys[None], k)
        found = self._index.search(queries, k, threads=threads)
        keys = found.keys.astype(np.int64)
        keys[np.arange(k) >= np.asarray(found.counts)[:, None]] = -1
        return keys

    def replace(self, ids: Ids, vectors: Vectors, threads: int) -> None:
        self._index.remove(ids, threads=threads)
        self._index.add(ids, vectors, threads=threads)

    def save(self, path: Path) -> None:
        self._index.save(str(path))

    def load(self, path: Path) -> None:
        self._index.load(str(path))


def _padded(keys: Ids, k: int) -> Ids:
    if keys.shape[1] == k:
        return keys.astype(np.int64)
    return np.pad(keys.astype(np.int64), ((0, 0), (0, k - keys.shape[1])), constant_values=-1)
