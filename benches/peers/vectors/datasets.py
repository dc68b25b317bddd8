"""Data sets by name and size, made once from fixed seeds and kept as .npy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vectors.clustered import clustered, uniform
from vectors.market import market, market_queries
from vectors.truth import nearest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vectors.truth import Ids, Vectors

K = 10
QUERIES = 1_000
# The stream of random numbers that stored vectors come from, and that of queries.
STORED, ASKED = 0, 1

MAKERS: dict[str, tuple[Callable[[int], Vectors], Callable[[int], Vectors]]] = {
    "clustered": (lambda n: clustered(n, 256, STORED), lambda n: clustered(n, 256, ASKED)),
    "clustered768": (lambda n: clustered(n, 768, STORED), lambda n: clustered(n, 768, ASKED)),
    "uniform": (lambda n: uniform(n, 256, STORED), lambda n: uniform(n, 256, ASKED)),
    "market": (lambda n: market(n, STORED), lambda n: market_queries(n, ASKED)),
}


@dataclass(frozen=True, slots=True)
class DataSet:
    """One data set of one size in the cache."""

    name: str
    size: int
    cache: Path

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return self.cache / f"{self.name}-{self.size}"

    def vectors(self) -> Vectors:
        """Return what is stored, in memory."""
        return self.kept("vectors", lambda: MAKERS[self.name][0](self.size))

    def queries(self) -> Vectors:
        """Return what is asked; none of it is stored."""
        return self.kept("queries", lambda: MAKERS[self.name][1](QUERIES))

    def truth(self) -> Ids:
        """Return the ids of the ten nearest of each query."""
        return self.kept("truth", lambda: nearest(self.vectors(), self.queries(), K))

    def make(self) -> None:
        """Make whatever is not there yet."""
        self.truth()
        self.queries()

    def index(self, engine: str) -> Path:
        """Return where an engine's index is kept."""
        return self.folder / f"{engine}.index"

    def kept(self, name: str, make: Callable[[], npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """Return an array from its file, made first if there is none."""
        path = self.folder / f"{name}.npy"
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            half = path.with_suffix(".tmp.npy")
            np.save(half, make())
            half.replace(path)  # a run that was stopped leaves no half a file
        kept: npt.NDArray[Any] = np.load(path)
        return kept
