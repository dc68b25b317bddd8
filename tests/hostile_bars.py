"""Targets of hostile input: bars and their files, option chains, features."""

import gzip
import os
from datetime import datetime, time, timedelta, timezone
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import option_chains
from hostile import START, SpiteError, changed, value, with_bad_arguments, with_bad_fields
from markets import random_bars
from nt_memory import (
    BarSeries,
    FeatureSettings,
    FeatureTable,
    OrderRefusedError,
    check_bars,
    read_bars,
)
from nt_memory.agents.options import (
    OptionChain,
    OptionQuote,
    black_scholes_delta,
    black_scholes_gamma,
    load_cboe_chain,
    net_gamma_exposure,
    smart_flow_signal,
)
from nt_memory.clock import to_micros
from papers import SMALL

DAY = 86_400_000_000
EXTREMES = [5e-324, 1e-300, 1e-9, 1.0, 1e9, 1e300, 1.7e308]


def columns_of(rng, count):
    """Return the columns of a random walk, here and there with extreme numbers."""
    made = random_bars(count, rng.randrange(99)) if count else None
    names = ("open", "high", "low", "close", "volume")
    told = {name: np.array(getattr(made, name)) if made else np.empty(0) for name in names}
    for _ in range(rng.choice([0, 0, 1, 3, count])):
        row, bars = rng.randrange(max(count, 1)), rng.choice([1, 9])
        price = rng.choice(EXTREMES)
        for name in names[:4]:
            told[name][row : row + bars] = price
        told["volume"][row : row + 5] = rng.choice([0.0, *EXTREMES])
    return told


def hostile_bars(rng, symbol):
    """Return a series that can be: extreme prices, volumes and times among its bars."""
    count = rng.choice([0, 1, 2, 3, 10, 60, 60])
    step = rng.choice([1, 60_000_000, DAY, DAY])
    first = to_micros(START) - 4000 * DAY
    first = rng.choice([first] * 12 + [-62_135_596_800_000_000, 253_402_300_799_999_000])
    times = first + step * np.arange(count)
    return BarSeries(symbol=symbol, times=times, **columns_of(rng, count))


def refusing(memory, call, *given):
    """Call something after something else was written; a refusal changes nothing."""
    before = memory.stats()["commits"]
    try:
        call(*given)
    except (ValueError, TypeError, OrderRefusedError, SpiteError):
        assert memory.stats()["commits"] == before, "what was refused wrote something"


def bar_series(memory, rng):
    count = rng.choice([1, 3])
    usual = {"symbol": "X", "times": DAY * np.arange(count), **columns_of(rng, count)}
    column = rng.choice(["times", "open", "volume"])
    if rng.random() < 0.3:
        usual[column] = rng.choice([list, tuple])(usual[column].tolist())
    if rng.random() < 0.5:
        with_bad_fields(rng, BarSeries, **usual)
    bars = BarSeries(**usual)
    name, *given = rng.choice([("closed_at", 0), ("outcome", 0, 1), ("head", 1), ("window", 0, 1)])
    with_bad_arguments(rng, getattr(bars, name), *given)


def scratch(name):
    """Return the path of a file of one's own."""
    return Path(f"/dev/shm/hostile-{os.getpid()}-{name}")  # noqa: S108


CELLS = ["", "-", "nan", "inf", "-1", "1e999", "9" * 400, "1,000", "$1", "1M", '"', "\0", "ü", "x"]
CELLS += ["2024-01-02", "0001-01-01", "9999-12-31", "9999-12-31T23:59:59.999999Z", "20240102"]
CELLS += ["1704153600", "9" * 19, "9" * 18, "01/02/2024", "13/13/2024", "2024-01-02T25:00"]
CELLS += [
    "2024-01-02T10:00+23:59",
    "0001-01-01T00:00+14:00",
    "2024-01-02 12:00 PM",
    "²",
    "१२३४५६७८९",
]


def table_of(rng, count):
    """Return the rows of a file of bars."""
    bars, days = random_bars(max(count, 1), 1), rng.choice([1, 1, 7])
    form = rng.choice(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ", "%m/%d/%Y", "%s"])
    rows = []
    for n in range(count):
        at = datetime(2024, 1, 2, tzinfo=timezone.utc) + timedelta(days=days * n)
        told = (bars.open, bars.high, bars.low, bars.close, bars.volume)
        rows.append([at.strftime(form), *(f"{column[n]:.4f}" for column in told)])
    return rows


def csv_of(rng):
    """Return a file of bars, damaged."""
    head = rng.choice(
        [
            ["Date", "Open", "High", "Low", "Close", "Volume"],
            ["open time", "o", "h", "l", "c", "v"],
            ["date", "time", "open", "high", "low", "close"],
            ["symbol", "open", "high", "low", "close", "date"],
        ]
    )
    rows = [head, *table_of(rng, rng.choice([0, 1, 2, 3, 8, 8]))]
    for _ in range(rng.choice([0, 1, 1, 3])):
        row = rng.choice(rows)
        row[rng.randrange(len(row))] = rng.choice(CELLS)
    if rng.random() < 0.1:
        rows.append(rng.choice(rows)[: rng.randrange(7)])
    sign, end = rng.choice(",,,;\t|"), rng.choice(["\n", "\r\n", "\r"])
    return end.join(sign.join(row) for row in rows).encode()


def damaged_csv(rng):
    data = csv_of(rng)
    way = rng.randrange(6)
    if way == 0:
        data = data.decode("utf-8", "ignore").encode("utf-16")
    elif way == 1:
        data = gzip.compress(rng.choice([data, changed(rng, data)]), mtime=0)
    return changed(rng, data) if rng.random() < 0.3 else data


def damaged_parquet(rng):
    rows = table_of(rng, 5)
    at = [datetime(2024, 1, 2, tzinfo=timezone.utc) + timedelta(days=n) for n in range(5)]
    table = {"time": rng.choice([at, [day.date() for day in at], [row[0] for row in rows]])}
    for place, name in enumerate(("open", "high", "low", "close", "volume"), 1):
        table[name] = [float(row[place]) for row in rows]
    odd = [[None] * 5, [[1]] * 5, [b"\xff"] * 5, [{"a": 1}] * 5, ["x"] * 5, [True] * 5, [2**62] * 5]
    odd += [pa.array([2**62, -(2**62), 0, 1, 2], pa.timestamp(unit)) for unit in ("s", "us", "ns")]
    odd += [pa.array([2**30, -(2**30), 0, 1, 2], pa.date32()), pa.array([2**62] * 5, pa.date64())]
    odd += [pa.array([1] * 5, pa.time64("ns")), pa.array([2**62] * 5, pa.duration("s"))]
    odd += [pa.array([1] * 5, pa.decimal128(38, 2)), pa.array(["a"] * 5).dictionary_encode()]
    odd += [pa.array([0] * 5, pa.timestamp("us", "No/Where"))]
    if rng.random() < 0.7:
        table[rng.choice([*table, "symbol", "\0"])] = rng.choice(odd)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(table), sink)
    data = sink.getvalue().to_pybytes()
    return rng.choice([data, changed(rng, data), b"PAR1" + data[:20]])


def bar_files(memory, rng):
    path = scratch("bars.csv")
    path.write_bytes(rng.choice([damaged_csv, damaged_csv, damaged_parquet])(rng))
    usual = {"symbol": None, "timezone": "UTC", "close_time": None, "label": None, "sort": False}
    if rng.random() < 0.5:
        odd = {"symbol": "SPY", "timezone": "Europe/Berlin", "close_time": time(16, 0)}
        odd |= {"label": rng.choice(["open", "close"]), "sort": True}
        name = rng.choice(list(usual))
        usual[name] = rng.choice([odd[name], value(rng)])
    try:
        report = check_bars(path, **usual)
        if not report.problems:
            assert len(read_bars(path, **usual)) == report.bars
        read_bars(path, **usual)
    finally:
        path.unlink()


HEADER = (
    "Expiration Date,Calls,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest,Strike,"
    "Puts,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest"
)
ROW = (
    "Wed Oct 01 2025,SPY251001C00500000,0,0,1,2,7,0.66,0.99,0.001,5,500.00,"
    "SPY251001P00500000,0,0,1,2,3,0,-0.0007,0,16"
)
CHAIN = f"""
SPDR S&P 500,Last: 658.05,Change: -3.05
"Date: September 25, 2025 at 9:05 PM EDT",Bid: 1,Ask: 2
{HEADER}
{ROW}
{ROW}
"""


def chain_files(memory, rng):
    text = CHAIN
    if rng.random() < 0.6:
        cells = text.split(",")
        cells[rng.randrange(len(cells))] = rng.choice([*CELLS, "1e308", "Wed Oct 01 0001", "²"])
        text = ",".join(cells)
    for there in ("2025", "658.05", "500", "EDT", "9:05 PM"):
        if rng.random() < 0.1:
            text = text.replace(
                there, rng.choice(["0001", "9999", "0000", "", "9" * 400, "²", "E"])
            )
    path = scratch("chain.csv")
    data = text.encode()
    path.write_bytes(rng.choice([data, changed(rng, data)]))
    try:
        told = {} if rng.random() < 0.8 else {"rate": value(rng)}
        signals_of(rng, load_cboe_chain(path, **told))
    finally:
        path.unlink()


def signals_of(rng, chain):
    """Read a chain, and what is told of it."""
    assert abs(net_gamma_exposure(chain).value) <= 1.0
    assert abs(smart_flow_signal(chain).value) <= 1.0
    rng.choice([net_gamma_exposure, smart_flow_signal])(chain, quote_age=value(rng))


def chains(memory, rng):
    usual = {"expiry": option_chains.EXPIRY, "strike": 100.0, "call": True, "iv": 0.2}
    usual |= {"volume": 5.0, "open_interest": 3.0}
    numbers = rng.choice(["strike", "volume", "open_interest", "iv", "gamma"])
    usual[numbers] = rng.choice([0.0, *EXTREMES])
    quotes = [OptionQuote(**usual)] * 2
    if rng.random() < 0.3:
        quotes[0] = rng.choice([with_bad_fields(rng, OptionQuote, **usual), value(rng)])
    told = {"symbol": "TEST", "at": option_chains.NOW, "spot": 100.0, "quotes": quotes}
    told |= {"rate": rng.choice([0.0, 1e300, -1e300]), "dividend_yield": 0.0}
    if rng.random() < 0.3:
        told[rng.choice(list(told))] = value(rng)
    chain = OptionChain.of(**told)
    bars = random_bars(30)
    FeatureTable(bars, rng.choice([[chain], [chain, chain], value(rng)]), settings=SMALL)
    signals_of(rng, chain)
    made = {name: getattr(chain, name) for name in OptionChain.__slots__}
    black_scholes_gamma(chain.spot, chain.strike, 0.1, chain.iv)
    with_bad_fields(rng, OptionChain, **made)


def greeks(memory, rng):
    usual = [True, 49.0, rng.choice([50.0, [50.0, 60.0]]), 0.4, rng.choice(EXTREMES), 0.05, 0.0]
    with_bad_arguments(rng, black_scholes_delta, *usual)
    with_bad_arguments(rng, black_scholes_gamma, *usual[1:])


def features(memory, rng):
    settings = with_bad_fields(rng, FeatureSettings) if rng.random() < 0.3 else SMALL
    bars = rng.choice([hostile_bars(rng, "X")] * 9 + [value(rng)])
    table = FeatureTable(bars, settings=rng.choice([settings] * 9 + [value(rng)]))
    for bar in range(len(table)):
        table.at(bar)
    with_bad_arguments(rng, table.at, 0)


BAR_TARGETS = [bar_series, bar_files, chain_files, chains, greeks, features]
