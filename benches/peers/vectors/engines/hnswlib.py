"""hnswlib, f32: the graph's reference in C++."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import hnswlib
import numpy as np
import numpy.typing as npt

from vectors.engines import EF_CONSTRUCTION, SEED, M

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vectors.engines import Ids, Mask, Vectors


class Index:
    """One index of hnswlib."""

    filters = True
    replaces = True

    def __init__(self, dim: int, capacity: int) -> None:
        self._index = hnswlib.Index(space="ip", dim=dim)
        self._capacity = capacity

    def build(self, vectors: Vectors, threads: int) -> None:
        self._index.init_index(
            max_elements=self._capacity,
            M=M,
            ef_construction=EF_CONSTRUCTION,
            random_seed=SEED,
            allow_replace_deleted=True,
        )
        self._index.add_items(vectors, np.arange(len(vectors)), num_threads=threads)

    def search(self, queries: Vectors, k: int, ef: int, threads: int) -> Ids:
        self._index.set_ef(ef)
        labels, _ = self._index.knn_query(queries, k=k, num_threads=threads)
        return self._ids(labels)

    def prepare(self, mask: Mask) -> object:
        # The filter is a call from C++ into Python for each vector met: this one is a slot in C.
        return mask.tolist().__getitem__, int(mask.sum())

    def search_allowed(self, query: Vectors, k: int, ef: int, allowed: object) -> Ids:
        is_allowed, there = cast("tuple[Callable[[int], bool], int]", allowed)
        self._index.set_ef(ef)
        found = np.full((1, k), -1, dtype=np.int64)
        # Where it finds fewer than asked it gives none; so it is asked for fewer and fewer.
        for count in range(min(k, there), 0, -1):
            try:
                labels, _ = self._index.knn_query(query, k=count, num_threads=1, filter=is_allowed)
            except RuntimeError:
                continue
            found[:, :count] = self._ids(labels)
            break
        return found

    def replace(self, ids: Ids, vectors: Vectors, threads: int) -> None:
        for label in ids.tolist():
            self._index.mark_deleted(label)
        # Under new labels: a freed place may go to another label, and then two share one.
        fresh = ids + self._capacity
        self._index.add_items(vectors, fresh, num_threads=threads, replace_deleted=True)

    def save(self, path: Path) -> None:
        self._index.save_index(str(path))

    def load(self, path: Path) -> None:
        self._index.load_index(str(path), self._capacity, allow_replace_deleted=True)

    def _ids(self, labels: npt.NDArray[np.uint64]) -> Ids:
        ids: Ids = labels.astype(np.int64) % self._capacity
        return ids
