"""From text to vectors: the provider protocol and a deterministic default."""

from __future__ import annotations

import re
import unicodedata
import zlib
from typing import TYPE_CHECKING, Protocol

from nt_memory._shown import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    import numpy.typing as npt

_WORD = re.compile(r"\w+")
_GRAM = 3
_MAX_DIM = 65_536
_WORD_WEIGHT = 1.0
_GRAM_WEIGHT = 0.5  # a power of two: sums are exact, so the result is the same everywhere


class EmbeddingProvider(Protocol):
    """What turns text into vectors.

    ``id`` names the encoder and its version: a space takes vectors of one
    encoder only.  ``dim`` is the length of its vectors.
    """

    @property
    def id(self) -> str:
        """Name and version of the encoder."""
        ...

    @property
    def dim(self) -> int:
        """Length of a vector."""
        ...

    def embed(self, texts: Sequence[str], /) -> npt.NDArray[np.float32]:
        """Return one vector a text, float32 of shape ``(len(texts), dim)``, none all zero."""
        ...


class HashingEmbedding:
    """Hash words and the three-letter pieces of words into a unit vector.

    Texts that share words, or parts of words, are similar; it knows no
    meaning.  The vector depends on nothing but the text (case and Unicode
    form folded): no model, no seed, no hash randomisation.  An empty text has
    a vector of its own.

    Parameters
    ----------
    dim
        Length of the vectors, at least 2.

    Notes
    -----
    Feature hashing with signs: Weinberger et al., "Feature Hashing for Large
    Scale Multitask Learning", 2009.

    Examples
    --------
    >>> vectors = HashingEmbedding().embed(["fed hikes rates", "Fed hiked rates", "gold"])
    >>> vectors.shape
    (3, 256)
    >>> bool(vectors[0] @ vectors[1] > vectors[0] @ vectors[2])
    True
    """

    def __init__(self, dim: int = 256) -> None:
        if not isinstance(dim, int) or not 2 <= dim <= _MAX_DIM:
            msg = f"dim={shown(dim)}: give an integer from 2 to {_MAX_DIM:,}"
            raise ValueError(msg)
        self.dim = dim
        self.id = f"hashing-v1-{dim}"

    def embed(self, texts: Sequence[str], /) -> npt.NDArray[np.float32]:
        """Return one unit vector a text, float32 of shape ``(len(texts), dim)``."""
        import numpy as np

        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, text in enumerate(texts):
            vectors[row] = self._embed(text)
        return vectors

    def _embed(self, text: str) -> npt.NDArray[np.float64]:
        import numpy as np

        codes, weights = zip(*_features(text), strict=True)
        hashes = _mix(np.array(codes, dtype=np.uint64))
        signs = np.where(hashes >> np.uint64(63), 1.0, -1.0)
        slots = (hashes % np.uint64(self.dim)).astype(np.intp)
        sums = np.bincount(slots, signs * np.array(weights), self.dim)
        squared = float(sums @ sums)
        if squared == 0.0:  # every feature met its opposite
            return self._embed("")
        return np.asarray(sums / np.sqrt(squared), dtype=np.float64)


def _features(text: str) -> Iterator[tuple[int, float]]:
    """Yield the code and weight of each feature; the empty word stands for no words."""
    for word in _WORD.findall(unicodedata.normalize("NFKC", text).casefold()) or [""]:
        marked = f"<{word}>"
        yield zlib.crc32(marked.encode()), _WORD_WEIGHT
        for start in range(len(marked) - _GRAM + 1):
            yield zlib.crc32(marked[start : start + _GRAM].encode()) | 1 << 32, _GRAM_WEIGHT


def _mix(codes: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Spread checksums over 64 bits (the finaliser of SplitMix64)."""
    import numpy as np

    mixed = codes + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    spread: npt.NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
    return spread
