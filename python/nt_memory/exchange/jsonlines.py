"""JSON lines: a header, then one object a version."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import fields
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any, cast

from nt_memory.clock import from_micros, to_micros
from nt_memory.errors import SerializationError
from nt_memory.exchange._checks import checked, named, vector
from nt_memory.exchange._files import Contents, Row, at, check_header, header
from nt_memory.exchange._payload import dumps, from_json, loads, to_json
from nt_memory.store import RawOutcome, RawRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nt_memory.store import NamespaceOptions

MAX_LINE = 100_000_000
_TIMES = ("event_time", "known_at", "expires_at", "recorded_at")
_FIELDS = tuple(field.name for field in fields(RawRecord))
_OUTCOME_FIELDS = ("reward", "known_at", "payload")
# Half as large as without, and not much slower; higher levels cost much time for little.
_LEVEL = 3


class Writer:
    """Writes versions as lines."""

    def __init__(
        self, raw: IO[bytes], options: Mapping[str, NamespaceOptions], *, packed: bool
    ) -> None:
        # No name and no time, so that the same records give the same bytes.
        self._gzip = gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) if packed else None
        self._out = cast("IO[bytes]", self._gzip or raw)
        self._line(header(options))

    def write(self, raw: RawRecord) -> None:
        """Write one version."""
        told = {name: getattr(raw, name) for name in _FIELDS}
        for name in _TIMES:
            told[name] = _iso(raw.id, told[name])
        told["embeddings"] = {name: found.tolist() for name, found in raw.embeddings.items()}
        told["payload"] = None if raw.payload is None else to_json(raw.payload)
        told["outcome"] = None if raw.outcome is None else _outcome(raw.id, raw.outcome)
        for name in ("tags", "parents"):
            told[name] = list(told[name])
        told["attributes"] = dict(raw.attributes)
        self._line(told)

    def close(self) -> None:
        """Write what is left; the file itself stays open."""
        if self._gzip is not None:
            self._gzip.close()

    def _line(self, told: dict[str, Any]) -> None:
        self._out.write(dumps(told).encode() + b"\n")


def read(raw: IO[bytes], *, packed: bool) -> Contents:
    """Read the header; versions follow, one line at a time.

    Raises
    ------
    SerializationError
        A line is wrong; it is named.
    """
    source = cast("IO[bytes]", gzip.GzipFile(fileobj=raw) if packed else raw)
    with at("line 1"):
        return Contents(check_header(loads(_line(source))), _rows(source))


def _rows(source: IO[bytes]) -> Iterator[Row]:
    number = 1
    while True:
        number += 1
        with at(f"line {number}"):
            line = _line(source)
            if not line:
                return
            version = _version(loads(line))
        yield Row(f"line {number}", len(line), version)


def _line(source: IO[bytes]) -> bytes:
    try:
        line = source.readline(MAX_LINE + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        msg = f"the file is damaged or cut off ({error})"
        raise SerializationError(msg) from error
    if len(line) > MAX_LINE:
        msg = f"longer than {MAX_LINE:,} bytes"
        raise SerializationError(msg)
    if line and not line.endswith(b"\n"):
        msg = "the file is cut off: the line has no end"
        raise SerializationError(msg)
    return line


def _version(told: Any) -> RawRecord:
    named(told, _FIELDS, "the version")
    for name in _TIMES:
        if told[name] is not None:
            told[name] = _micros(name, told[name])
    if told["payload"] is not None:
        told["payload"] = from_json(told["payload"])
    if told["outcome"] is not None:
        told["outcome"] = _taken(named(told["outcome"], _OUTCOME_FIELDS, "outcome"))
    spaces = told["embeddings"]
    if not isinstance(spaces, dict):
        msg = f"embeddings is {type(spaces).__name__}, not an object"
        raise SerializationError(msg)
    told["embeddings"] = {name: vector(f"embeddings.{name}", spaces[name]) for name in spaces}
    return checked(told)


def _outcome(id_: str, raw: RawOutcome) -> dict[str, Any]:
    payload = None if raw.payload is None else to_json(raw.payload)
    return {"reward": raw.reward, "known_at": _iso(id_, raw.known_at), "payload": payload}


def _taken(told: dict[str, Any]) -> RawOutcome:
    payload = None if told["payload"] is None else from_json(told["payload"])
    return RawOutcome(told["reward"], _micros("outcome.known_at", told["known_at"]), payload)


def _iso(id_: str, at: int | None) -> str | None:
    try:
        return None if at is None else from_micros(at).isoformat(timespec="microseconds")
    except OverflowError as error:
        msg = f"record {id_!r} has a time outside of the years 1 to 9999: export to .parquet"
        raise SerializationError(msg) from error


def _micros(name: str, told: Any) -> int:
    try:
        return to_micros(datetime.fromisoformat(told), name)
    except (TypeError, ValueError) as error:
        msg = f"{name} is {told!r:.60}, not a time such as 2024-01-02T21:00:00.000000+00:00"
        raise SerializationError(msg) from error
