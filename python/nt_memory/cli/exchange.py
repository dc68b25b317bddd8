"""``ntm export`` and ``ntm import``: records to a file and back."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from nt_memory.cli.stores import open_store
from nt_memory.system import MemorySystem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def export(path: Path, file: Path, namespace: str | None, *, as_json: bool) -> None:
    """Export a store and say how many records there were."""
    with open_store(path) as memory, _bar("exporting") as progress:
        count = memory.export(file, namespace=namespace, progress=progress)
    _say("exported", count, file, as_json=as_json)


def import_(path: Path, file: Path, *, options: bool, as_json: bool) -> None:
    """Import a file and say how many records it had."""
    if not file.is_file():  # before a store is made for it
        msg = f"no file at {file}: give one that ntm export wrote"
        raise FileNotFoundError(msg)
    with MemorySystem(path) as memory, _bar("importing") as progress:
        count = memory.import_(file, options=options, progress=progress)
    _say("imported", count, file, as_json=as_json)


def _say(done: str, count: int, file: Path, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"records": count, "file": str(file)}, indent=2))
    else:
        typer.echo(f"{done} {count:,} records, {file}")


@contextmanager
def _bar(name: str) -> Iterator[Callable[[int, int], None]]:
    console = Console(stderr=True)
    columns = (TextColumn(name), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(name, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
