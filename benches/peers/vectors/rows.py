"""The file of results: one JSON object a line, in the form of `measure.Results`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Row = dict[str, Any]


class Rows:
    """Rows by name; what is added is on disk when the call returns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        lines = path.read_text().splitlines() if path.exists() else []
        self._rows: dict[str, Row] = {row["name"]: row for row in map(json.loads, lines)}

    def has(self, prefix: str) -> bool:
        """Say whether a part was measured: whether any row's name starts like this."""
        return any(name.startswith(prefix) for name in self._rows)

    def replace(self, prefix: str, rows: Iterable[Row]) -> None:
        """Put rows in the place of all that start like this."""
        kept = {name: row for name, row in self._rows.items() if not name.startswith(prefix)}
        self._rows = kept | {row["name"]: row for row in rows}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        half = self._path.with_suffix(".tmp")
        half.write_text(
            "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in self._rows.values())
        )
        half.replace(self._path)

    def get(self, name: str) -> Row | None:
        """Return one row."""
        return self._rows.get(name)

    def under(self, prefix: str) -> list[Row]:
        """Return all rows whose names start like this."""
        return [row for name, row in self._rows.items() if name.startswith(prefix)]
