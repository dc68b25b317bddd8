"""``ntm backup``, ``restore`` and ``compact``: keep a store safe and small."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from nt_memory.cli.stores import open_store
from nt_memory.config import MemoryConfig
from nt_memory.system import MemorySystem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from nt_memory.config import ColdEngine


def backup(path: Path, dest: Path, *, as_json: bool) -> None:
    """Write everything in a store, as of one commit, to a new file."""
    with open_store(path) as memory, _rows("backing up") as told:
        rows = memory.backup(dest, progress=told)
    size = dest.stat().st_size
    _say({"file": str(dest), "rows": rows, "bytes": size}, as_json=as_json)


def restore(src: Path, path: Path, engine: ColdEngine, *, as_json: bool) -> None:
    """Make a store in a new directory from a backup, and check it."""
    config = MemoryConfig(storage_path=path, cold_engine=engine)
    with _rows("restoring") as told, MemorySystem.restore(src, config, progress=told) as memory:
        problems = memory.verify()
    _say({"store": str(path), "problems": problems}, as_json=as_json)
    if problems:
        raise typer.Exit(1)


def compact(path: Path, *, as_json: bool) -> None:
    """Give back the room that a store's file does not need."""
    with open_store(path) as memory, _rows("compacting") as told:
        before, after = memory.compact(progress=told)
    _say({"store": str(path), "bytes before": before, "bytes after": after}, as_json=as_json)


def _say(found: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    width = max(map(len, found))
    for name, value in found.items():
        typer.echo(f"{name:<{width}}  {_told(value)}")


def _told(value: object) -> str:
    if isinstance(value, list):
        return "\n".join(value) or "none"
    return f"{value:,}" if isinstance(value, int) else str(value)


@contextmanager
def _rows(doing: str) -> Iterator[Callable[[int], None]]:
    """Show how many rows are done, where somebody looks."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(doing)
        yield lambda rows: progress.update(task, description=f"{doing}: {rows:,} rows")
