"""Files of bars as columns of text: CSV, plain or packed, and Parquet."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nt_memory._shown import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
# A header is looked for in this many lines: some files begin with where they are from.
_FIRST_LINES = 5
# What a column may be called, without case and signs, the best name first.
ALIASES: Final = {
    "time": (
        "closetime",
        "datetime",
        "timestamp",
        "date",
        "time",
        "gmttime",
        "ts",
        "unix",
        "epoch",
        "opentime",
        "indexlevel0",
        "index",
        "",
    ),
    "open": ("open", "o", "openprice"),
    "high": ("high", "h", "highprice"),
    "low": ("low", "l", "lowprice"),
    "close": ("close", "c", "closelast", "closeprice", "last", "price"),
    "volume": ("volume", "vol", "v", "tickvolume", "tickvol"),
    "symbol": ("symbol", "ticker"),
}
# Begins like a volume, and is a price: "Volume Weighted Average".
_NO_VOLUME: Final = re.compile("weighted|average|avg")
NEEDED: Final = ("time", "open", "high", "low", "close")


@dataclass(frozen=True, slots=True)
class BarFile:
    """The cells of a file, as text, and where they stand.

    Parameters
    ----------
    path
        The file.
    fields
        Name of the column in the file, by field; "day" where time has a column of its own.
    ignored
        Columns that are not read.
    cells
        A list of texts by field.
    lines
        Line of each row in the file; of a Parquet file its number, from 1.
    commas
        Whether a comma may stand between thousands.
    row
        What ``lines`` count.
    """

    path: Path
    fields: dict[str, str]
    ignored: tuple[str, ...]
    cells: dict[str, list[str]]
    lines: list[int]
    commas: bool
    row: str


def plain(name: str) -> str:
    """Return a column's name without case, signs, and a number in front."""
    return re.sub(r"^\d+(?=[a-z])", "", re.sub(r"[^a-z0-9]", "", name.lower()))


def read_file(path: Path) -> BarFile:
    """Read the columns of bars of a file.

    Raises
    ------
    ValueError
        It is no such file, is damaged or empty, or lacks a column.
    """
    data = path.read_bytes()
    if data[:4] == b"PAR1":
        return _parquet(path)
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            msg = f"{path}: the gzip file is damaged ({error}); get it again"
            raise ValueError(msg) from error
    try:
        text = data.decode("utf-16" if data[:2] in _UTF16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"{path}: neither text in UTF-8, gzip nor Parquet; save it as CSV in UTF-8"
        raise ValueError(msg) from error
    return _csv(path, text)


def _csv(path: Path, text: str) -> BarFile:
    delimiter = _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        rows = [(reader.line_num, row) for row in reader if any(row)]
    except csv.Error as error:
        msg = f"{path}: line {reader.line_num}: {error}; save it as plain CSV"
        raise ValueError(msg) from error
    if not rows:
        msg = f"{path}: is empty; give a header and one line a bar"
        raise ValueError(msg)
    head, rows = _header(rows)
    names = [name.strip() for name in head]
    for line, row in rows:
        if len(row) != len(names):
            msg = (
                f"{path}: line {line}: {shown(delimiter.join(row))} has {len(row)} fields, the "
                f"header has {len(names)}; mend the line"
            )
            raise ValueError(msg)
    fields = _fields(path, names)
    columns = list(zip(*(row for _, row in rows), strict=True)) or [()] * len(names)
    _prefer_ticks(fields, names, lambda name: columns[names.index(name)])
    places = {field: names.index(name) for field, name in fields.items()}
    return BarFile(
        path=path,
        fields=fields,
        ignored=tuple(name for name in names if name not in fields.values()),
        cells={field: [cell.strip() for cell in columns[at]] for field, at in places.items()},
        lines=[line for line, _ in rows],
        commas=delimiter != ";",
        row="line",
    )


def _delimiter(text: str) -> str:
    """Return what the first lines have most of."""
    first = "\n".join(text.splitlines()[:_FIRST_LINES])
    return max(",;\t|", key=first.count)


Rows = list[tuple[int, list[str]]]


def _header(rows: Rows) -> tuple[list[str], Rows]:
    """Split the line that names the columns from those with bars."""
    first = [row[0].strip() for _, row in rows[:3]]
    # Price,Close,... / Ticker,SPY,... / Date,,... is how yfinance writes one symbol.
    if first[:2] == ["Price", "Ticker"] and first[2:] in (["Date"], ["Datetime"]):
        return ["Date", *rows[0][1][1:]], rows[3:]
    for at, (_, row) in enumerate(rows[:_FIRST_LINES]):
        found = {plain(name) for name in row}
        if found & set(ALIASES["close"]) and found & set(ALIASES["time"]):
            return row, rows[at + 1 :]
    return rows[0][1], rows[1:]


def _fields(path: Path, names: Sequence[str]) -> dict[str, str]:
    """Choose the column of each field, the best name first."""
    fields = {}
    for field, aliases in ALIASES.items():
        for alias in aliases:
            found = [name for name in names if plain(name) == alias]
            if len(found) > 1:
                msg = f"{path}: columns {shown(found)} could all be the {field}; rename all but one"
                raise ValueError(msg)
            if found:
                fields[field] = found[0]
                break
    if "volume" not in fields:
        # "Volume BTC" before "Volume USDT": what is traded comes before what is paid.
        named = [
            name
            for name in names
            if plain(name).startswith("volume") and not _NO_VOLUME.search(plain(name))
        ]
        if named:
            fields["volume"] = named[0]
    missing = [field for field in NEEDED if field not in fields]
    if missing:
        msg = (
            f"{path}: no column for {', '.join(missing)} among {shown(list(names))}; name them in "
            "the first line, for example date,open,high,low,close,volume"
        )
        raise ValueError(msg)
    # A date and a time of day in two columns.
    if plain(fields["time"]) == "date":
        clock = [name for name in names if plain(name) == "time"]
        if clock:
            fields["day"], fields["time"] = fields["time"], clock[0]
    return fields


def _prefer_ticks(
    fields: dict[str, str], names: Sequence[str], cells: Callable[[str], Iterable[str]]
) -> None:
    """Take the volume in ticks where the other one is 0 throughout, as MetaTrader writes it."""
    ticks = [name for name in names if plain(name) in {"tickvolume", "tickvol"}]
    if "volume" not in fields or len(ticks) != 1:
        return
    if all(cell.strip() in {"", "0", "0.0"} for cell in cells(fields["volume"])):
        fields["volume"] = ticks[0]


def _parquet(path: Path) -> BarFile:
    try:
        import pyarrow.parquet as pq
        from pyarrow import ArrowException
    except ImportError as error:
        msg = 'pyarrow is missing; install it with: pip install "nt-memory[arrow]"'
        raise ImportError(msg) from error
    try:
        table = pq.read_table(path)
    except (ArrowException, OSError) as error:
        msg = f"{path}: the Parquet file is damaged ({error}); get it again"
        raise ValueError(msg) from error
    fields = _fields(path, table.column_names)

    def texts_of(name: str) -> list[str]:
        try:
            return [_text(value) for value in _values(table[name])]
        except (ArrowException, OverflowError, ValueError, LookupError) as error:
            msg = (
                f"{path}: column {shown(name)}: has values that cannot be read ({shown(error)}); "
                "write times within the years 1 to 9999, in a zone that there is"
            )
            raise ValueError(msg) from error

    _prefer_ticks(fields, table.column_names, texts_of)
    cells = {field: texts_of(name) for field, name in fields.items()}
    return BarFile(
        path=path,
        fields=fields,
        ignored=tuple(name for name in table.column_names if name not in fields.values()),
        cells=cells,
        lines=list(range(1, table.num_rows + 1)),
        commas=False,
        row="row",
    )


def _values(column: object) -> list[object]:
    """Return a column's values; times to the microsecond, which is what a datetime holds."""
    import pyarrow as pa

    kind = column.type  # type: ignore[attr-defined]
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        column = column.cast(pa.timestamp("us", kind.tz), safe=False)  # type: ignore[attr-defined]
    values: list[object] = column.to_pylist()  # type: ignore[attr-defined]
    return values


def _text(value: object) -> str:
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else str(value)
