"""The versions of a record as the operations that make them again."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from nt_memory.store import RawRecord, Settle, Write

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nt_memory.store import Op

# What a settlement or the store gives anew.
_OWN = {"outcome", "embeddings", "recorded_at", "commit", "version"}
_CONTENT = [field.name for field in fields(RawRecord) if field.name not in _OWN]


def operations(versions: Sequence[RawRecord]) -> list[Op]:
    """Return what writes these versions, in their order and with their numbers counted from 0."""
    return [op for _, op in steps(versions)]


def steps(versions: Sequence[RawRecord]) -> Iterator[tuple[RawRecord, Write | Settle]]:
    """Yield what writes these versions, each with the last version that it makes.

    A version that is the latest before it but for its outcome is a `Settle`.
    A plain version that is followed, in its commit, by itself with an outcome
    known later is one `Write`, which makes both.
    """
    latest: RawRecord | None = None
    place = 0
    while place < len(versions):
        raw = versions[place]
        following = versions[place + 1] if place + 1 < len(versions) else None
        if following is not None and _brings(raw, following):
            yield following, Write(following)
            place += 1
            latest = _later(latest, raw)
            raw = following
        elif latest is not None and _settles(latest, raw) and raw.outcome is not None:
            yield raw, Settle(raw.id, raw.outcome, revise=latest.outcome is not None)
        else:
            yield raw, Write(raw)
        latest = _later(latest, raw)
        place += 1


def visible_at(raw: RawRecord) -> int:
    """Return from when a version is shown."""
    known_at = raw.known_at if raw.outcome is None else raw.outcome.known_at
    return raw.known_at if known_at is None else known_at


def _later(latest: RawRecord | None, raw: RawRecord) -> RawRecord:
    """Return the version that a settlement builds on, after one more was written."""
    return latest if latest is not None and visible_at(latest) > visible_at(raw) else raw


def _brings(plain: RawRecord, settled: RawRecord) -> bool:
    return (
        plain.outcome is None
        and settled.outcome is not None
        and plain.commit == settled.commit
        and visible_at(settled) > settled.known_at
        and _alike(plain, settled)
    )


def _settles(latest: RawRecord, raw: RawRecord) -> bool:
    return raw.outcome is not None and visible_at(raw) >= visible_at(latest) and _alike(latest, raw)


def _alike(one: RawRecord, other: RawRecord) -> bool:
    """Compare all but outcome and stamps; vectors to the bit."""
    return (
        all(getattr(one, name) == getattr(other, name) for name in _CONTENT)
        and one.embeddings.keys() == other.embeddings.keys()
        and all(
            one.embeddings[k].tobytes() == other.embeddings[k].tobytes() for k in one.embeddings
        )
    )
