"""Vectors around centres, and vectors around nothing.

Both come in blocks, each from its own seed, so that a smaller set is the beginning of a larger one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Maker = Callable[[np.random.Generator, int], Vectors]

CENTRES = 1_000
INNER = 32
"""Dimensions that vary in earnest, as in embeddings of texts and of market states."""
SPREAD = 1.0
"""Deviation around a centre, beside 1 of the centres: clusters overlap, and a greedy way through
a graph goes wrong now and then.  With clusters apart every engine finds everything."""
NOISE = 0.2
"""Length of what is left in all dimensions, beside vectors of length 1."""
BLOCK = 10_000


def clustered(count: int, dim: int, stream: int) -> Vectors:
    """Return unit vectors around 1,000 overlapping centres in a subspace of 32 dimensions."""
    shared = np.random.default_rng([7, dim])
    centres = shared.standard_normal((CENTRES, INNER), dtype=np.float32)
    basis = shared.standard_normal((INNER, dim), dtype=np.float32)

    def block(random: np.random.Generator, size: int) -> Vectors:
        inner = centres[random.integers(CENTRES, size=size)]
        inner += SPREAD * random.standard_normal((size, INNER), dtype=np.float32)
        noise = random.standard_normal((size, dim), dtype=np.float32)
        return unit(unit(inner @ basis) + np.float32(NOISE / np.sqrt(dim)) * noise)

    return _blocks(count, [7, dim, stream], block)


def uniform(count: int, dim: int, stream: int) -> Vectors:
    """Return unit vectors in every direction alike: nothing to learn, the worst case."""

    def block(random: np.random.Generator, size: int) -> Vectors:
        return unit(random.standard_normal((size, dim), dtype=np.float32))

    return _blocks(count, [8, dim, stream], block)


def unit(vectors: Vectors) -> Vectors:
    """Return vectors scaled to length 1."""
    scaled: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled


def _blocks(count: int, seed: list[int], make: Maker) -> Vectors:
    starts = range(0, count, BLOCK)
    blocks = (make(np.random.default_rng([*seed, start]), BLOCK) for start in starts)
    return np.concatenate([one[: count - start] for start, one in zip(starts, blocks, strict=True)])
