"""The rows of a file of bars as numbers, and what is wrong with each."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nt_memory._shown import shown
from nt_memory.bars.files import plain, read_file
from nt_memory.bars.times import (
    are_dates,
    closed,
    interval,
    last_days,
    period,
    reader,
    shown_twice,
    tells_clock,
    unfinished,
)
from nt_memory.clock import to_micros

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from nt_memory.bars.times import Stamp, Zone
    from nt_memory.market import Floats

PRICES = ("open", "high", "low", "close")
# A high that lies so little below the close does so by rounding, and is raised to it.
_ROUNDING = 1e-9
_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+(\.\d*)?")
_MAY_BE_DECIMALS = re.compile(r"\d{1,3},\d{3}")
_SCALES = {"K": 1e3, "M": 1e6, "B": 1e9}
_CURRENCY = "$€£"
# Bars of so many days or more come with the week or month that is not over.
_WEEK = 5
_NOT_TOLD = {"", "-", "--", "nan", "null", "none", "n/a"}


class BarTable:
    """What a file says of one symbol; ``problems`` is empty where it is a series.

    Raises
    ------
    ValueError
        There is nothing to look at: no bars, or not of the symbol.
    """

    def __init__(
        self, path: str | os.PathLike[str], symbol: str | None, zone: Zone, *, sort: bool
    ) -> None:
        self.file = read_file(Path(path))
        self._rows = list(range(len(self.file.lines)))
        self.symbol = self._choose(symbol)
        if not self._rows:
            msg = f"{path}: has a header and no bars; give one line a bar"
            raise ValueError(msg)
        self._found: list[tuple[int, str]] = []
        self.prices = {name: self._column(name) for name in PRICES}
        self._check_commas()
        self.volume, self.without_volume = self._volume()
        self.rounded = self._enclose()
        self.times = self._times(zone)
        if self.times and not self._in_order(sort=sort):
            self.times = []

    @property
    def problems(self) -> list[str]:
        """What is wrong, in the order of the rows."""
        return [problem for _, problem in sorted(self._found)]

    def _choose(self, symbol: str | None) -> str:
        """Keep the rows of the symbol, and return its name."""
        if symbol is not None and not isinstance(symbol, str):
            msg = f"symbol={shown(symbol)}: give the name of an instrument, or None"
            raise TypeError(msg)
        cells = self.file.cells.get("symbol")
        if cells is None:
            name = self.file.path.name.partition(".")[0] if symbol is None else symbol
        else:
            known = list(dict.fromkeys(cells))
            if symbol is None and len(known) > 1:
                msg = f"{self.file.path}: holds {shown(known)}; choose one with symbol="
                raise ValueError(msg)
            name = known[0] if symbol is None and known else symbol or ""
            if known and name not in known:
                msg = f"{self.file.path}: symbol={shown(name)} is not among {shown(known)}"
                raise ValueError(msg)
            self._rows = [row for row, cell in enumerate(cells) if cell == name]
        return name

    def _cells(self, field: str) -> list[str]:
        cells = self.file.cells[field]
        return [cells[row] for row in self._rows]

    def _wrong(self, row: int, problem: str) -> None:
        line = self.file.lines[self._rows[row]]
        self._found.append((row, f"{self.file.path}: {self.file.row} {line}: {problem}"))

    def _column(self, name: str) -> Floats:
        """Return prices; one that cannot be read is NaN."""
        cells = self._cells(name)
        values = _numbers(cells, commas=self.file.commas)
        for row in np.flatnonzero(~(np.isfinite(values) & (values > 0.0))).tolist():
            self._wrong(
                row,
                f"{self.file.fields[name]}={shown(cells[row])}: a price is a positive number; "
                "mend or remove the row",
            )
            values[row] = np.nan
        return values

    def _check_commas(self) -> None:
        """Refuse 149,123 where no other price tells a thousand from a decimal comma."""
        if not self.file.commas:
            return
        texts = {name: [cell.lstrip(_CURRENCY) for cell in self._cells(name)] for name in PRICES}
        every = [text for column in texts.values() for text in column]
        if any("." in text or text.count(",") > 1 for text in every):
            return
        for name, column in texts.items():
            row = next((i for i, text in enumerate(column) if _MAY_BE_DECIMALS.fullmatch(text)), -1)
            if row >= 0:
                self._wrong(
                    row,
                    f"{self.file.fields[name]}={shown(self._cells(name)[row])}: may have a comma "
                    "of thousands or of decimals; write numbers with a point, and without commas",
                )
                return

    def _volume(self) -> tuple[Floats, int]:
        """Return volumes, 0 where none is told, and how many those are."""
        if "volume" not in self.file.fields:
            return np.zeros(len(self._rows)), len(self._rows)
        cells = self._cells("volume")
        told = np.array([cell.lower() not in _NOT_TOLD for cell in cells])
        values = np.where(told, _numbers(cells, commas=self.file.commas), 0.0)
        for row in np.flatnonzero(~(np.isfinite(values) & (values >= 0.0))).tolist():
            self._wrong(
                row,
                f"{self.file.fields['volume']}={shown(cells[row])}: a volume is a number and not "
                "negative; mend it or leave it empty",
            )
        return values, int((~told).sum())

    def _enclose(self) -> int:
        """Check that highs and lows enclose the rest; mend what is rounding, and count it."""
        prices = np.array([self.prices[name] for name in PRICES])
        top, bottom = prices.max(axis=0), prices.min(axis=0)
        high, low = self.prices["high"], self.prices["low"]
        wrong = (top > high * (1.0 + _ROUNDING)) | (bottom < low * (1.0 - _ROUNDING))
        for row in np.flatnonzero(wrong).tolist():
            told = ", ".join(f"{name}={self.prices[name][row]:.10g}" for name in PRICES)
            self._wrong(row, f"{told}: high and low do not enclose the others; mend the row")
        rounded = ~wrong & ((top > high) | (bottom < low))
        self.prices["high"] = np.where(rounded, top, high)
        self.prices["low"] = np.where(rounded, bottom, low)
        return int(rounded.sum())

    def _times(self, zone: Zone) -> list[int]:
        """Return when each bar closed; nothing where one cannot be read."""
        cells = self._cells("time")
        name = self.file.fields["time"]
        if "day" in self.file.fields:
            cells = [f"{day} {at}" for day, at in zip(self._cells("day"), cells, strict=True)]
        before = len(self._found)
        stamps = self._stamps(cells)
        if len(self._found) > before:
            return []
        dated = are_dates(stamps)
        days = period(stamps) if dated else 0
        # What is said of the file comes before what it calls its column.
        opens = (zone.label or ("open" if plain(name) == "opentime" else "close")) == "open"
        first = f"{name}={shown(cells[0])}"
        if zone.close_time is not None and not dated:
            other = f"close_time={zone.close_time:%H:%M}"
            self._wrong(0, f"{first}: tells a time of day, and {other} another; leave it out")
        elif days and zone.label is None and not opens:
            self._wrong(
                0,
                f"{first}: bars are {days} days apart or more; say whether this is the first day "
                "of its bar, label='open', or the last, label='close'",
            )
        elif dated and opens and not days and _may_be_longer(stamps):
            self._wrong(
                0,
                f"{first}: is the first day of a bar, and nothing tells how many it lasts; give "
                "more bars, or the last day of each and label='close'",
            )
        elif days >= _WEEK and (row := unfinished(stamps, days)) is not None:
            self._wrong(
                row,
                f"{name}={shown(cells[row])}: is nearer to the bar before than the usual {days} "
                "days; remove the row of the unfinished bar",
            )
        else:
            times = self._closes(last_days(stamps) if days and opens else stamps, cells, zone)
            return self._after_opening(times) if opens and not dated and times else times
        return []

    def _closes(self, stamps: list[Stamp], cells: list[str], zone: Zone) -> list[int]:
        """Return when the bars of all stamps closed, or nothing."""
        rows = range(len(stamps))
        dated = are_dates(stamps)
        times = self._closes_of(rows, stamps, cells, zone)
        if not times or dated or _rise(times):
            return times
        twice = next((row for row in rows if shown_twice(stamps[row], zone)), None)
        if twice is None:
            return times
        # Which of the two it is can be told from the rows around it: the newest may be first.
        times = self._closes_of(reversed(rows), stamps, cells, zone)
        if _rise(times):
            return times[::-1]
        self._wrong(
            twice,
            f"{self.file.fields['time']}={shown(cells[twice])}: clocks in {zone.timezone} show "
            "this time twice, and rows in no order do not tell which it is; give times an offset, "
            "or the rows in order",
        )
        return []

    def _closes_of(
        self, rows: Iterable[int], stamps: list[Stamp], cells: list[str], zone: Zone
    ) -> list[int]:
        """Return when the bars closed, each row read as the one after that before."""
        dated = are_dates(stamps)
        after = None
        times = []
        for row in rows:
            try:
                after = closed(stamps[row], zone, dated=dated, after=after)
            except (ValueError, OverflowError) as error:
                self._wrong(row, f"{self.file.fields['time']}={shown(cells[row])}: {error}")
                continue
            times.append(to_micros(after))
        return times if len(times) == len(stamps) else []

    def _stamps(self, cells: list[str]) -> list[Stamp]:
        """Read all times, which have to be of one kind."""
        name = self.file.fields["time"]
        try:
            read = reader(cells)
        except ValueError as error:
            self._wrong(0, f"{name}: {error}")
            return []
        clock = tells_clock(cells[0])
        stamps: list[Stamp] = []
        for row, cell in enumerate(cells):
            try:
                stamp = read(cell)
            except (ValueError, OverflowError) as error:
                self._wrong(row, f"{name}={shown(cell)}: {error}")
                continue
            if stamps and (stamp.offset is None) != (stamps[0].offset is None):
                kinds = ("a time zone", "none") if stamps[0].offset is None else ("none", "one")
                self._wrong(
                    row,
                    f"{name}={shown(cell)}: has {kinds[0]}, the first bar has {kinds[1]}; "
                    "write all times alike",
                )
            elif not stamp.epoch and tells_clock(cell) != clock:
                kinds = ("no time of day", "one") if clock else ("a time of day", "none")
                self._wrong(
                    row,
                    f"{name}={shown(cell)}: has {kinds[0]}, the first bar has {kinds[1]}; "
                    "write all times alike",
                )
            stamps.append(stamp)
        return stamps

    def _after_opening(self, times: list[int]) -> list[int]:
        step = interval(sorted(set(times)))
        if step <= 0:
            self._wrong(
                0,
                f"{self.file.fields['time']}: tells when a bar opened, and not how long it is; "
                "give more bars, or the time when it closed and label='close'",
            )
            return []
        return [at + step for at in times]

    def _in_order(self, *, sort: bool) -> bool:
        """Sort the rows, or refuse them; whether the times rise now."""
        order = sorted(range(len(self.times)), key=self.times.__getitem__)
        name, cells = self.file.fields["time"], self._cells("time")
        for earlier, later in pairwise(order):
            if self.times[earlier] == self.times[later]:
                other = f"{self.file.row} {self.file.lines[self._rows[earlier]]}"
                self._wrong(
                    later,
                    f"{name}={shown(cells[later])}: {other} has a bar at this time too; "
                    "remove one of them",
                )
        back = next((i for i in range(1, len(order)) if self.times[i] < self.times[i - 1]), None)
        if back is not None and not sort:
            self._wrong(
                back,
                f"{name}={shown(cells[back])}: is before the row above it; sort the file, or "
                "give sort=True",
            )
            return False
        self._rows = [self._rows[at] for at in order]
        self.times = [self.times[at] for at in order]
        self.prices = {field: values[order] for field, values in self.prices.items()}
        self.volume = self.volume[order]
        return True


def _rise(times: list[int]) -> bool:
    return all(earlier <= later for earlier, later in pairwise(times))


def _may_be_longer(stamps: list[Stamp]) -> bool:
    """Whether bars of dates may last longer than a day, and there are too few to tell."""
    days = sorted({stamp.at for stamp in stamps})
    return len(days) == 1 or (len(days) == 2 and (days[1] - days[0]).days > 1)


def _numbers(cells: list[str], *, commas: bool) -> Floats:
    """Read numbers; NaN where a cell is none."""
    try:
        return np.array(cells).astype(np.float64)
    except ValueError:
        return np.array([_number(cell, commas=commas) for cell in cells])


def _number(cell: str, *, commas: bool) -> float:
    """Read a number with a currency sign, thousands or a unit, as web pages write it."""
    text = cell.lstrip(_CURRENCY)
    scale = _SCALES.get(text[-1:].upper())
    if scale is not None:
        text = text[:-1]
    if commas and _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    try:
        return float(text) * (scale or 1.0)
    except ValueError:
        return np.nan
