"""The file around the versions: its format, its header, and how it comes into being whole."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from nt_memory.errors import SerializationError
from nt_memory.exchange._options import taken, told

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from nt_memory.store import NamespaceOptions, RawRecord

FORMAT = "nt-memory records"
VERSION = 1
FORMATS = ("jsonl.gz", "jsonl", "parquet")


class Contents(NamedTuple):
    """The options of namespaces that a file has, and its rows."""

    options: dict[str, NamespaceOptions]
    rows: Iterator[Row]


@dataclass(frozen=True, slots=True)
class Row:
    """One version, where in the file it stands, and how many bytes it took there."""

    place: str
    size: int
    version: RawRecord


def format_of(path: Path, given: str | None) -> str:
    """Return the format that was named, or that the suffix tells.

    Raises
    ------
    ValueError
        It is none of the formats.
    """
    if given in FORMATS:
        return str(given)
    if given is None:
        for name in FORMATS:
            if path.name.endswith(f".{name}"):
                return name
    told = f"format={given!r}" if given is not None else f"{path} has no suffix that tells a format"
    msg = f"{told}: give one of {', '.join(sorted(FORMATS))}"
    raise ValueError(msg)


def header(options: Mapping[str, NamespaceOptions]) -> dict[str, Any]:
    """Return what a file begins with."""
    return {"format": FORMAT, "version": VERSION, "namespaces": told(options)}


def check_header(header: Any) -> dict[str, NamespaceOptions]:
    """Refuse what is no export, or one of another version; return its options."""
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        msg = f"the file does not begin as an export does, with format {FORMAT!r}"
        raise SerializationError(msg)
    if type(header.get("version")) is not int or header["version"] != VERSION:
        msg = f"{FORMAT!r} of version {header.get('version')!r:.60}; this one reads {VERSION}"
        raise SerializationError(msg)
    return taken(header)


@contextmanager
def at(place: str) -> Iterator[None]:
    """Put a place in front of what is said to be wrong there."""
    try:
        yield
    except RecursionError as error:
        msg = f"{place}: nested too deep"
        raise SerializationError(msg) from error
    except SerializationError as error:
        msg = f"{place}: {error}"
        raise SerializationError(msg) from error


def check_target(path: Path) -> None:
    """Refuse a target that is there, or that has nowhere to be."""
    if os.path.lexists(path):
        msg = f"{path} is there already: delete it or choose another name"
        raise ValueError(msg)
    if not path.parent.is_dir():
        msg = f"there is no directory {path.parent}: make it first"
        raise FileNotFoundError(msg)


@contextmanager
def made_whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a file under a temporary name; give it its own when all went well."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with part.open("xb") as out:
        try:
            yield out
            out.flush()
            os.fsync(out.fileno())
            check_target(path)  # somebody else may have been quicker
            part.rename(path)
        except BaseException:
            part.unlink()
            raise
    sync(path.parent)


def sync(directory: Path) -> None:
    """Put the new name on the disk, too."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
