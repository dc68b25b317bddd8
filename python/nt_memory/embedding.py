"""From text to vectors: the protocol, a deterministic default, and any function as an encoder."""

from __future__ import annotations

import re
import sys
import unicodedata
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from nt_memory._shown import shown
from nt_memory._values import as_vectors
from nt_memory._values import texts as checked_texts
from nt_memory.errors import DimensionMismatchError, InvalidEmbeddingError, VectorError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import numpy.typing as npt

_WORD = re.compile(r"\w+")
_GRAM = 3
_MAX_DIM = 65_536
# Letters of a word whose features are kept.
_SHORT = 32
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

        # The empty word stands for no words.
        words = _WORD.findall(unicodedata.normalize("NFKC", text).casefold()) or [""]
        features = [(_kept if len(word) <= _SHORT else _features)(word) for word in words]
        hashes = _mix(np.array([code for codes, _ in features for code in codes], dtype=np.uint64))
        signs = np.where(hashes >> np.uint64(63), 1.0, -1.0)
        slots = (hashes % np.uint64(self.dim)).astype(np.intp)
        weights = np.array([weight for _, weights in features for weight in weights])
        sums = np.bincount(slots, signs * weights, self.dim)
        squared = float(sums @ sums)
        if squared == 0.0:  # every feature met its opposite
            return self._embed("")
        return np.asarray(sums / np.sqrt(squared), dtype=np.float64)


class CallableEmbedding:
    """Make an encoder of a function: a model that runs here, or the client of a service.

    What the function returns is checked, row by row, before anything is stored.

    Parameters
    ----------
    function
        Takes a list of strings and returns a vector for each, in their order: a
        list of lists, of arrays, or one array of shape ``(len(texts), dim)``.
        Floats of any width are converted to float32.
    id
        Names the model and its version.  A space takes vectors of one encoder
        only and goes by this name, so another model needs another one.
    dim
        Length of a vector, 1 or more.
    batch_size
        Most texts that the function is called with; all of them by default.

    Examples
    --------
    >>> def lengths(texts):
    ...     return [[len(text), 1.0] for text in texts]
    >>> encoder = CallableEmbedding(lengths, id="lengths-v1", dim=2)
    >>> encoder.embed(["gold", "oil"]).tolist()
    [[4.0, 1.0], [3.0, 1.0]]
    """

    def __init__(
        self,
        function: Callable[[list[str]], npt.ArrayLike],
        *,
        id: str,
        dim: int,
        batch_size: int | None = None,
    ) -> None:
        if not callable(function):
            msg = f"function={shown(function)}: give what takes a list of strings"
            raise TypeError(msg)
        if not isinstance(id, str) or not id.strip():
            msg = f"id={shown(id)}: give the name and version of the model, such as 'my-model-v1'"
            raise ValueError(msg)
        _whole("dim", dim, _MAX_DIM)
        if batch_size is not None:
            _whole("batch_size", batch_size, sys.maxsize)
        self.id = id
        self.dim = dim
        self._function = function
        self._batch_size = batch_size

    def embed(self, texts: Sequence[str], /) -> npt.NDArray[np.float32]:
        """Return one vector a text, float32 of shape ``(len(texts), dim)``.

        The function is not called where there are no texts.

        Raises
        ------
        VectorError
            The function raised, which is chained, or made more or fewer vectors
            than there are texts.
        DimensionMismatchError
            Its vectors are not of length ``dim``.
        InvalidEmbeddingError
            A vector is no row of numbers, holds NaN or infinity, or is all zero;
            its text is told.
        """
        import numpy as np

        given = checked_texts("texts", texts)
        vectors = np.empty((len(given), self.dim), dtype=np.float32)
        step = self._batch_size or max(len(given), 1)
        for start in range(0, len(given), step):
            vectors[start : start + step] = self._call(list(given[start : start + step]))
        return vectors

    def _call(self, texts: list[str]) -> npt.NDArray[np.float32]:
        try:
            made = self._function(list(texts))  # a copy, as it may change what it is given
        except Exception as error:
            msg = (
                f"encoder {self.id!r} failed on {_counted(len(texts), 'text')}, the first of them "
                f"{shown(texts[0])}: {type(error).__name__}: {error}"
            )
            raise VectorError(msg) from error
        return self._checked(made, texts)

    def _checked(self, made: npt.ArrayLike, texts: list[str]) -> npt.NDArray[np.float32]:
        import numpy as np

        try:
            count = len(made)  # type: ignore[arg-type]
        except TypeError as error:
            msg = f"encoder {self.id!r} made {shown(made)}: give a vector for each text"
            raise InvalidEmbeddingError(msg) from error
        if count != len(texts):
            told = f"{_counted(count, 'vector')} of {_counted(len(texts), 'text')}"
            msg = f"encoder {self.id!r} made {told}: give one for each, in their order"
            raise VectorError(msg)
        vectors = as_vectors(made, f"what encoder {self.id!r} made")
        if vectors.shape[1] != self.dim:
            msg = (
                f"encoder {self.id!r} made vectors of {vectors.shape[1]} floats, and says "
                f"dim={self.dim}: make them equal"
            )
            raise DimensionMismatchError(msg)
        for wrong, what in (
            (~np.isfinite(vectors).all(axis=1), "that holds NaN or infinity"),
            (~vectors.any(axis=1), "of zeros, which has no direction"),
        ):
            if wrong.any():
                text = shown(texts[int(wrong.argmax())])
                msg = f"encoder {self.id!r} made a vector {what}, of the text {text}"
                raise InvalidEmbeddingError(msg)
        return vectors


def _whole(name: str, value: object, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= high:
        msg = f"{name}={shown(value)}: give an integer from 1 to {high:,}"
        raise ValueError(msg)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _features(word: str) -> tuple[list[int], list[float]]:
    """Return the codes and the weights of a word and of its pieces."""
    marked = f"<{word}>"
    pieces = [marked[start : start + _GRAM] for start in range(len(marked) - _GRAM + 1)]
    codes = [zlib.crc32(piece.encode()) | 1 << 32 for piece in pieces]
    return [zlib.crc32(marked.encode()), *codes], [_WORD_WEIGHT] + [_GRAM_WEIGHT] * len(pieces)


# Agents say the same words again and again.
_kept = lru_cache(maxsize=10_000)(_features)


def _mix(codes: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Spread checksums over 64 bits (the finaliser of SplitMix64)."""
    import numpy as np

    mixed = codes + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    spread: npt.NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
    return spread
