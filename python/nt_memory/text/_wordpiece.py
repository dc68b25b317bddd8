"""From text to the numbers of word pieces, as BERT without case reads it.

Wu et al., "Google's Neural Machine Translation System", 2016, has the pieces;
Devlin et al., "BERT", 2018, how a text becomes words before.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from itertools import chain, islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_UNKNOWN, _BEGIN, _END = "[UNK]", "[CLS]", "[SEP]"
_INSIDE = "##"
_LONGEST_WORD = 100
_KNOWN_CHARACTERS = 8192
# Characters that are words by themselves, as Chinese has no spaces.
_IDEOGRAPHS = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)
# Cn, not assigned, and Cs, half a pair, are left: which ones are assigned depends on the Python.
_CONTROLS = frozenset({"Cc", "Cf", "Co"})


class WordPieces:
    """Cut texts into the pieces of a vocabulary.

    Parameters
    ----------
    vocabulary
        Number of each piece; a piece inside of a word begins with ``##``.
    most
        Most numbers of a text, begin and end included; what comes behind them
        is not read.
    """

    def __init__(self, vocabulary: Mapping[str, int], most: int) -> None:
        self._numbers = vocabulary
        self._longest = max(map(len, vocabulary))
        self._unknown, self._begin, self._end = (
            vocabulary[name] for name in (_UNKNOWN, _BEGIN, _END)
        )
        self._room = most - 2

    def numbers(self, text: str) -> list[int]:
        """Return the numbers of a text's pieces, between that of the begin and that of the end."""
        pieces = chain.from_iterable(map(self._pieces, words(text)))
        return [self._begin, *islice(pieces, self._room), self._end]

    def _pieces(self, word: str) -> list[int]:
        """Return the longest piece that the word begins with, then that of the rest, to the end."""
        if len(word) > _LONGEST_WORD:
            return [self._unknown]
        found, start = [], 0
        while start < len(word):
            number, start = self._next(word, start)
            if number is None:
                return [self._unknown]
            found.append(number)
        return found

    def _next(self, word: str, start: int) -> tuple[int | None, int]:
        before = _INSIDE if start else ""
        for end in range(min(len(word), start + self._longest), start, -1):
            number = self._numbers.get(before + word[start:end])
            if number is not None:
                return number, end
        return None, start


def words(text: str) -> Iterator[str]:
    """Yield the words of a text: no case, no accents; each mark of punctuation is one.

    Examples
    --------
    >>> list(words("Café-Prices  rose."))
    ['cafe', '-', 'prices', 'rose', '.']
    """
    if not text.isascii():
        text = unicodedata.normalize("NFD", text.translate(_CLEAN))
        yield from text.translate(_PLAIN).split()
    else:
        yield from text.translate(_CLEAN).translate(_PLAIN).split()


class _Characters:
    """What each character becomes, as `str.translate` asks for it."""

    def __init__(self, becomes: Callable[[str], str | None]) -> None:
        self._becomes = lru_cache(_KNOWN_CHARACTERS)(lambda code: becomes(chr(code)))

    def __getitem__(self, code: int) -> str | None:
        return self._becomes(code)


def _clean(character: str) -> str | None:
    if character in "\t\n\r":
        return " "
    if character == "\ufffd" or unicodedata.category(character) in _CONTROLS:
        return None
    if any(first <= ord(character) <= last for first, last in _IDEOGRAPHS):
        return f" {character} "
    return character


def _plain(character: str) -> str | None:
    category = unicodedata.category(character)
    if category == "Mn":
        return None
    # In ASCII, signs such as $ and + count as punctuation, too.
    is_sign = character.isascii() and category.startswith("S")
    if is_sign or category.startswith("P"):
        return f" {character} "
    return character.lower()


_CLEAN = _Characters(_clean)
_PLAIN = _Characters(_plain)
