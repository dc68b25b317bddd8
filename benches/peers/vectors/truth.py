"""What an exact search finds, and how much of it was found."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]

BLOCK = 32_768
"""Vectors a product: its result of a thousand queries stays under 150 MB."""


def nearest(vectors: Vectors, queries: Vectors, k: int) -> Ids:
    """Return the k of the largest product, best first, -1 where there are fewer."""
    best = np.full((len(queries), k), -np.inf, dtype=np.float32)
    ids = np.full((len(queries), k), -1, dtype=np.int64)
    rows = np.arange(len(queries))[:, None]
    for start in range(0, len(vectors), BLOCK):
        scores = queries @ vectors[start : start + BLOCK].T
        if scores.shape[1] > k:
            places = np.argpartition(scores, -k, axis=1)[:, -k:]
            scores = scores[rows, places]
        else:
            places = np.broadcast_to(np.arange(scores.shape[1]), scores.shape)
        joined = np.concatenate([best, scores], axis=1)
        joined_ids = np.concatenate([ids, places + start], axis=1)
        order = np.argsort(-joined, axis=1, kind="stable")[:, :k]
        best, ids = joined[rows, order], joined_ids[rows, order]
    return ids


def recall(found: Ids, truth: Ids) -> float:
    """Return the share of the true ones that were found, over all queries."""
    there = (truth[:, :, None] == found[:, None, :]).any(axis=2) & (truth >= 0)
    return float(there.sum() / (truth >= 0).sum())
