"""Groups of vectors that point the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from nt_memory._shown import shown

if TYPE_CHECKING:
    from collections.abc import Callable

Vectors: TypeAlias = npt.NDArray[np.float32]
Labels: TypeAlias = npt.NDArray[np.int64]
Method = Literal["leader", "hdbscan"]

NO_GROUP = -1
# Rows compared at a time: a block of similarities stays small beside the vectors.
_BLOCK = 256
# It settles in two or three; a point on an edge could go to and fro.
_ROUNDS = 10


def cluster(
    vectors: Vectors, *, similarity: float, least: int, method: Method = "leader"
) -> Labels:
    """Group vectors by direction; the same input gives the same groups.

    Parameters
    ----------
    vectors
        Shape ``(n, dim)``, none all zero.
    similarity
        Least cosine between a vector and the middle of its group.
    least
        Fewest members of a group, 1 or more.
    method
        ``"leader"``: each vector joins the nearest group whose middle is near
        enough, or begins one; middles that come near enough are joined, and
        members go to the nearest until none moves (Hartigan 1975, chapter 3).
        Its time grows with n times the number of groups.  ``"hdbscan"``:
        by density (Campello et al. 2013; scikit-learn), which does not use
        `similarity`; needs the extra ``stats``.

    Returns
    -------
    Labels
        A group's number a vector, from 0 in the order of first members; -1 for
        those in none.

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.array([[1, 0], [0, 1], [2, 0.1], [0.1, 3], [-1, 0]], dtype=np.float32)
    >>> cluster(rows, similarity=0.8, least=2).tolist()
    [0, 1, 0, 1, -1]
    """
    if method not in get_args(Method):
        msg = f"method={shown(method)}: give 'leader' or 'hdbscan'"
        raise ValueError(msg)
    if not len(vectors):
        return np.zeros(0, dtype=np.int64)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    found = _hdbscan(units, least) if method == "hdbscan" else _leaders(units, similarity)
    return _numbered(found, least)


def _leaders(units: Vectors, similarity: float) -> Labels:
    labels = _first_pass(units, similarity)
    for _ in range(_ROUNDS):
        moved = _settled(units, _joined(units, labels, similarity), similarity)
        if (moved == labels).all():
            break
        labels = moved
    return labels


def _first_pass(units: Vectors, similarity: float) -> Labels:
    """Join the nearest middle of several, else the nearest who began a group, else begin one.

    What is in no group yet is compared with every beginner, the rest with the few
    middles only: stray vectors cost as much as there are of them, squared.
    """
    labels = np.full(len(units), NO_GROUP, dtype=np.int64)
    sums, firsts = (np.zeros((_BLOCK, units.shape[1]), dtype=np.float32) for _ in range(2))
    sizes = np.zeros(_BLOCK, dtype=np.int64)
    count = 0
    for start in range(0, len(units), _BLOCK):
        block = units[start : start + _BLOCK]
        into = labels[start : start + _BLOCK]
        shared = np.flatnonzero(sizes > 1)
        _nearest(block, _middles(sums[shared]), similarity, into, shared)
        left = np.flatnonzero(into == NO_GROUP)
        into[left] = _begin(block[left], firsts[:count], similarity)
        while into.max() >= len(sums):
            sums, firsts = (np.concatenate([rows, np.zeros_like(rows)]) for rows in (sums, firsts))
            sizes = np.concatenate([sizes, np.zeros_like(sizes)])
        new, first = np.unique(into, return_index=True)
        firsts[new[new >= count]] = block[first[new >= count]]
        count = max(count, int(into.max()) + 1)
        np.add.at(sums, into, block)
        np.add.at(sizes, into, 1)
    return labels


def _begin(rows: Vectors, firsts: Vectors, similarity: float) -> Labels:
    """Join the nearest beginner; of who is left, let the first gather those near it, and so on."""
    into = np.full(len(rows), NO_GROUP, dtype=np.int64)
    _nearest(rows, firsts, similarity, into, np.arange(len(firsts)))
    left = np.flatnonzero(into == NO_GROUP)
    alike = rows[left] @ rows[left].T >= similarity
    waiting = np.ones(len(left), dtype=bool)
    number = len(firsts)
    for row in range(len(left)):
        if waiting[row]:
            members = waiting & alike[row]
            members[row] = True
            into[left[members]] = number
            waiting &= ~members
            number += 1
    return into


def _nearest(
    rows: Vectors, middles: Vectors, similarity: float, into: Labels, numbers: Labels
) -> None:
    """Write the number of the nearest middle where it is near enough."""
    if not len(middles):
        return
    alike = rows @ middles.T
    best = alike.argmax(axis=1)
    near = alike[np.arange(len(rows)), best] >= similarity
    into[near] = numbers[best[near]]


def _joined(units: Vectors, labels: Labels, similarity: float) -> Labels:
    """Join groups whose middles are near, the larger ones first."""
    sums, sizes = _sums(units, labels)
    order = np.argsort(-sizes, kind="stable")
    shared = np.flatnonzero(sizes[order] > 1)
    # One of its own is left to the next step: it has no middle but itself.
    joined = np.arange(len(sizes))
    joined[order[shared]] = len(sizes) + _first_pass(_middles(sums[order[shared]]), similarity)
    return joined[labels]


def _settled(units: Vectors, labels: Labels, similarity: float) -> Labels:
    """Let each vector go to the nearest middle that several share, where one is near enough."""
    labels = _numbered(labels, 1)
    sums, sizes = _sums(units, labels)
    shared = np.flatnonzero(sizes > 1)
    # Whoever finds none near stays alone, with a number that no group has.
    moved = len(sizes) + np.arange(len(units), dtype=np.int64)
    middles = _middles(sums[shared])
    for start in range(0, len(units), _BLOCK):
        rows = slice(start, start + _BLOCK)
        _nearest(units[rows], middles, similarity, moved[rows], shared)
    return _numbered(moved, 1)


def _sums(units: Vectors, labels: Labels) -> tuple[Vectors, Labels]:
    sizes = np.bincount(labels)
    sums = np.zeros((len(sizes), units.shape[1]), dtype=np.float32)
    np.add.at(sums, labels, units)
    return sums, sizes


def _middles(sums: Vectors) -> Vectors:
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    # Opposite vectors cancel out: such a group has no direction, and nobody is near it.
    middles: Vectors = np.divide(sums, lengths, out=np.zeros_like(sums), where=lengths > 0)
    return middles


def _numbered(labels: Labels, least: int) -> Labels:
    """Give groups numbers in the order of their first members; those below `least` are none."""
    kept = labels != NO_GROUP
    numbered = np.full(len(labels), NO_GROUP, dtype=np.int64)
    groups, first, inverse, sizes = np.unique(
        labels[kept], return_index=True, return_inverse=True, return_counts=True
    )
    order = np.argsort(first[sizes >= least])
    numbers = np.full(len(groups), NO_GROUP, dtype=np.int64)
    numbers[np.flatnonzero(sizes >= least)[order]] = np.arange(len(order))
    numbered[kept] = numbers[inverse]
    return numbered


def _hdbscan(units: Vectors, least: int) -> Labels:
    try:
        from sklearn.cluster import HDBSCAN
    except ImportError as error:
        msg = "method='hdbscan' needs scikit-learn: pip install 'nt-memory[stats]'"
        raise ImportError(msg) from error
    fit: Callable[[Vectors], Labels] = HDBSCAN(
        min_cluster_size=max(least, 2), copy=True
    ).fit_predict
    return np.asarray(fit(units), dtype=np.int64)
