"""Filters: which records a group of queries may find, and what it then should find.

One mask serves a group of queries, as a filter of an agent serves many questions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vectors.datasets import K
from vectors.truth import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vectors.datasets import DataSet
    from vectors.truth import Ids, Vectors

SHARES = (0.1, 0.01, 0.001, 0.0001)
KINDS = ("independent", "far")
GROUPS = 5
GROUP = 20


@dataclass(frozen=True, slots=True)
class Filtered:
    """Queries of one group, what they may find, and the nearest among that."""

    queries: Ids
    mask: npt.NDArray[np.bool_]
    truth: Ids


def make(data: DataSet) -> None:
    """Make every mask and its truth, where they are not there yet."""
    for kind in KINDS:
        for share in SHARES:
            for _ in filtered(data, kind, share):
                pass


def filtered(data: DataSet, kind: str, share: float) -> Iterator[Filtered]:
    """Yield every group of one kind of filter.

    ``independent``: a share of all records, by chance.  ``far``: the share that is farthest
    from the group, by the cosine to whichever of its queries is nearest.
    """
    queries = groups(data.queries())
    allowed = data.kept(f"allowed-{kind}-{share}", lambda: _allowed(data, queries, kind, share))
    truth = data.kept(f"truth-{kind}-{share}", lambda: _truth(data, queries, allowed))
    for number, group in enumerate(queries):
        mask = np.zeros(data.size, dtype=np.bool_)
        mask[allowed[number]] = True
        yield Filtered(group, mask, truth[number])


def _allowed(data: DataSet, queries: Ids, kind: str, share: float) -> Ids:
    count = max(1, round(share * data.size))
    if kind == "independent":
        random = np.random.default_rng([13, round(1 / share)])
        rows = [random.choice(data.size, count, replace=False) for _ in queries]
        return np.sort(rows, axis=1)
    vectors, asked = data.vectors(), data.queries()
    closeness = [(vectors @ asked[group].T).max(axis=1) for group in queries]
    return np.sort([np.argsort(one, kind="stable")[:count] for one in closeness], axis=1)


def _truth(data: DataSet, queries: Ids, allowed: Ids) -> Ids:
    vectors, asked = data.vectors(), data.queries()
    found = []
    for group, ids in zip(queries, allowed, strict=True):
        places = nearest(vectors[ids], asked[group], K)
        found.append(np.where(places < 0, -1, ids[places]))
    return np.stack(found)


def groups(queries: Vectors) -> Ids:
    """Return queries that are close to one another, a group a row: the first left, its nearest."""
    left = np.arange(len(queries))
    found = []
    for _ in range(GROUPS):
        near = np.argsort(-(queries[left] @ queries[left[0]]), kind="stable")[:GROUP]
        found.append(left[near])
        left = np.delete(left, near)
    return np.stack(found)
