"""faiss: its HNSW over flat f32."""

from __future__ import annotations

from typing import TYPE_CHECKING

import faiss
import numpy as np

from vectors.engines import EF_CONSTRUCTION, M

if TYPE_CHECKING:
    from pathlib import Path

    from vectors.engines import Ids, Mask, Vectors


class Index:
    """One `IndexHNSWFlat`; it cannot delete."""

    filters = True
    replaces = False

    def __init__(self, dim: int, capacity: int) -> None:
        self._index = faiss.IndexHNSWFlat(dim, M, faiss.METRIC_INNER_PRODUCT)
        self._index.hnsw.efConstruction = EF_CONSTRUCTION
        self._capacity = capacity

    def build(self, vectors: Vectors, threads: int) -> None:
        faiss.omp_set_num_threads(threads)
        self._index.add(vectors)

    def search(self, queries: Vectors, k: int, ef: int, threads: int) -> Ids:
        faiss.omp_set_num_threads(threads)
        parameters = faiss.SearchParametersHNSW(efSearch=ef)
        ids: Ids = self._index.search(queries, k, params=parameters)[1]
        return ids

    def prepare(self, mask: Mask) -> object:
        return faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))

    def search_allowed(self, query: Vectors, k: int, ef: int, allowed: object) -> Ids:
        faiss.omp_set_num_threads(1)
        parameters = faiss.SearchParametersHNSW(efSearch=ef, sel=allowed)
        ids: Ids = self._index.search(query, k, params=parameters)[1]
        return ids

    def save(self, path: Path) -> None:
        faiss.write_index(self._index, str(path))

    def load(self, path: Path) -> None:
        self._index = faiss.read_index(str(path))
