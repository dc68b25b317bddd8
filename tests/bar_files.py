"""Writers of bar files for the tests, one for each way in which the world writes them."""

import gzip
from datetime import datetime, timedelta, timezone

import pyarrow as pa
import pyarrow.parquet as pq

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
PRICES = ("open", "high", "low", "close", "volume")
NAMES = [
    ("time", *PRICES),
    ("Date", "Open", "High", "Low", "Close", "Volume"),
    ("timestamp", "o", "h", "l", "c", "v"),
    ("DATETIME", "OPEN", "HIGH", "LOW", "CLOSE", "VOL"),
    ("Date", "1. open", "2. high", "3. low", "4. close", "5. volume"),
    ("<DATE>", "<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>", "<TICKVOL>"),
    ("", "Open", "High", "Low", "Close/Last", "Vol."),
]


def _at(micros):
    return EPOCH + timedelta(microseconds=int(micros))


def _tokyo(micros):
    return _at(micros).astimezone(timezone(timedelta(hours=9))).isoformat()


# Each writes a time in microseconds that is a whole second.
TIMES = {
    "s": lambda at: str(at // 10**6),
    "s with a fraction": lambda at: f"{at // 10**6}.0",
    "ms": lambda at: str(at // 10**3),
    "us": str,
    "ns": lambda at: str(at * 10**3),
    "iso": lambda at: _at(at).isoformat(),
    "naive": lambda at: f"{_at(at):%Y-%m-%d %H:%M:%S}",
    "zulu": lambda at: f"{_at(at):%Y-%m-%dT%H:%M:%S}.000000Z",
    "offset": _tokyo,
    "dots": lambda at: f"{_at(at):%Y.%m.%d %H:%M:%S}",
    "compact": lambda at: f"{_at(at):%Y%m%d %H:%M:%S}",
    "am or pm": lambda at: f"{_at(at):%Y/%m/%d %I:%M:%S %p}",
}


def rows_of(bars):
    """Return a row of texts a bar, the time in microseconds first."""
    columns = [getattr(bars, name).tolist() for name in ("times", *PRICES)]
    return [[row[0], *map(repr, row[1:])] for row in zip(*columns, strict=True)]


def write_csv(path, bars, *, names=NAMES[0], time="iso", delimiter=",", packed=False):
    """Write bars as CSV."""
    rows = [[TIMES[time](row[0]), *row[1:]] for row in rows_of(bars)]
    text = "".join(delimiter.join(row) + "\n" for row in [names, *rows])
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    return path


def write_parquet(path, bars, *, names=NAMES[0], kind=None):
    """Write bars as Parquet, the time of an Arrow type."""
    columns = [getattr(bars, name) for name in ("times", *PRICES)]
    times = pa.array(columns[0]).cast(pa.timestamp("us"))
    times = times.cast(kind or pa.timestamp("us", "UTC"))
    pq.write_table(pa.table([times, *map(pa.array, columns[1:])], names=list(names)), path)
    return path


def write_text(path, text):
    """Write lines as they are."""
    path.write_text(text, encoding="utf-8")
    return path
