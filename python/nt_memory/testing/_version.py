"""What the oracle keeps of a record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nt_memory.store import RawRecord


@dataclass(frozen=True)
class Version:
    """One version, the time from which it is shown, and its codes by space."""

    record: RawRecord
    visible_at: int
    codes: dict[str, list[float]]

    @property
    def order(self) -> tuple[int, int, int]:
        """What decides between several visible versions."""
        return self.visible_at, self.record.recorded_at, self.record.version

    def is_expired(self, as_of: int) -> bool:
        """Whether it is hidden at a time."""
        return self.record.expires_at is not None and self.record.expires_at <= as_of


@dataclass(frozen=True)
class Bound:
    """What a question may see."""

    as_of: int
    recorded_by: int | None = None
    commit: int | None = None

    def admits(self, version: Version) -> bool:
        """Whether a version may be seen."""
        record = version.record
        return (
            version.visible_at <= self.as_of
            and (self.recorded_by is None or record.recorded_at <= self.recorded_by)
            and (self.commit is None or record.commit <= self.commit)
        )


@dataclass(frozen=True)
class Entry:
    """A record: its versions, and whether its content was forgotten."""

    versions: tuple[Version, ...] = ()
    forgotten: bool = False

    @property
    def namespace(self) -> str:
        """Where it lies; all versions share it."""
        return self.versions[0].record.namespace

    @property
    def latest(self) -> Version:
        """The greatest version of all."""
        return max(self.versions, key=lambda version: version.order)

    def select(self, bound: Bound) -> Version | None:
        """Return the version shown under a bound, expired or not."""
        seen = [version for version in self.versions if bound.admits(version)]
        return max(seen, key=lambda version: version.order, default=None)

    def is_erased(self, horizon: int) -> bool:
        """Whether nothing of it can be seen at or after a horizon."""
        latest = self.latest
        settled = latest.visible_at <= horizon and latest.record.recorded_at < horizon
        return settled and latest.is_expired(horizon)
