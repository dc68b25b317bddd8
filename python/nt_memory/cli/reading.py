"""The options that tell how files of bars are to be read, of all commands that read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal
from zoneinfo import ZoneInfo

import typer

from nt_memory.bars import read_bars
from nt_memory.bars.gaps import gaps_of
from nt_memory.bars.times import interval

if TYPE_CHECKING:
    from pathlib import Path

    from nt_memory.market import BarSeries

Timezone = Annotated[
    str, typer.Option(help="Of times that tell none, such as America/New_York.", metavar="NAME")
]
CloseTime = Annotated[
    str | None,
    typer.Option(help="When a bar that tells its date has closed, there.", metavar="HH:MM"),
]
Label = Annotated[
    Literal["close", "open"] | None,
    typer.Option(help="What a bar's time is: when it closed, or when it opened."),
]
Sort = Annotated[bool, typer.Option("--sort", help="Sort rows that are not in order.")]

_TYPED = {"sort=True": "--sort", "label='close'": "--label close", "label='open'": "--label open"}


@dataclass(frozen=True, slots=True)
class Reading:
    """How files are to be read, as it was typed; the fields are those of `read_bars`."""

    timezone: str = "UTC"
    close_time: str | None = None
    label: Literal["close", "open"] | None = None
    sort: bool = False

    def bars(self, path: Path, symbol: str | None = None) -> BarSeries:
        """Read the bars of a file and tell of gaps; what helps is told as it is typed."""
        try:
            bars = read_bars(
                path, symbol, self.timezone, self.close_time, label=self.label, sort=self.sort
            )
        except ValueError as error:
            told = str(error)
            for argument, option in _TYPED.items():
                told = told.replace(argument, option)
            raise ValueError(told) from error
        self._tell_gaps(path, bars)
        return bars

    def _tell_gaps(self, path: Path, bars: BarSeries) -> None:
        """Say where bars seem to be missing: no calendar is known, and nothing is filled in."""
        times = bars.times.tolist()
        gaps = gaps_of(times, interval(times), ZoneInfo(self.timezone))
        missing = sum(gap.missing for gap in gaps)
        if missing:
            longest = max(gaps, key=lambda gap: gap.missing)
            typer.echo(
                f"{path.name}: {missing:,} bars may be missing in {len(gaps):,} gaps, "
                f"{longest.missing:,} of them after {longest.after:%Y-%m-%d %H:%M}; holidays count",
                err=True,
            )
