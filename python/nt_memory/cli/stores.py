"""``ntm stats``, ``verify`` and ``recall``: look into a store without changing it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import typer

from nt_memory.filters import Filter
from nt_memory.system import MemorySystem

if TYPE_CHECKING:
    from pathlib import Path

    from nt_memory.recall import Hit


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to recall, as it was typed."""

    text: str | None
    namespace: str | None
    kind: str | None
    symbol: str | None
    as_of: str | None
    top: int


def stats(path: Path, *, as_json: bool) -> None:
    """Print counters and sizes by name."""
    with open_store(path) as memory:
        found = memory.stats()
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    # What was never asked of this store has no rate and no latency.
    found = {name: value for name, value in found.items() if value not in (None, {})}
    width = max(map(len, found))
    for name, value in found.items():
        told = f"{value:,}" if isinstance(value, int) else str(value)
        typer.echo(f"{name:<{width}}  {told}")


def verify(path: Path, *, as_json: bool) -> None:
    """Print one line a problem; exit with 1 if there is any."""
    with open_store(path) as memory:
        problems = memory.verify()
    if as_json:
        typer.echo(json.dumps({"problems": problems}, indent=2))
    else:
        typer.echo("\n".join(problems) or "no problem found")
    if problems:
        raise typer.Exit(1)


def recall(path: Path, wanted: Wanted, *, as_json: bool) -> None:
    """Print what is recalled, with the parts of each score."""
    tests = {"kind": wanted.kind, "symbol": wanted.symbol}
    with open_store(path) as memory:
        found = memory.recall(
            text=wanted.text,
            namespace=wanted.namespace,
            filter=Filter(**{name: value for name, value in tests.items() if value is not None}),
            as_of=_time(wanted.as_of),
            top_k=wanted.top,
            order_by=None if wanted.text else "-event_time",
            log=False,
        )
    if as_json:
        typer.echo(json.dumps([_told(hit) for hit in found], indent=2))
    else:
        typer.echo(found.explain())


def _told(hit: Hit) -> dict[str, object]:
    record = hit.record
    return {
        **hit.explain(),
        "namespace": record.namespace,
        "kind": record.kind,
        "symbol": record.symbol,
        "event_time": record.event_time.isoformat(),
        "text": record.text,
        "reward": None if record.outcome is None else record.outcome.reward,
    }


def open_store(path: Path) -> MemorySystem:
    """Open a store that is there; opening would make one that is not."""
    if not path.is_dir() or not any(path.iterdir()):
        msg = f"no store at {path}: give the directory of one, such as runs/demo-1/store"
        raise FileNotFoundError(msg)
    return MemorySystem(path)


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        msg = f"--as-of {text!r} is no time: write 2008-10-10 or 2008-10-10T21:00"
        raise typer.BadParameter(msg) from error
    return at if at.tzinfo is not None else at.replace(tzinfo=timezone.utc)
