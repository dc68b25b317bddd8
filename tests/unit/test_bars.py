"""Bars from files: every common way of writing them, and every bad row named."""

from datetime import date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bar_files import NAMES, TIMES, write_csv, write_parquet, write_text
from markets import random_bars
from nt_memory.backtest import load_sp500
from nt_memory.bars import Gap, check_bars, read_bars
from nt_memory.bars import times as bar_times
from nt_memory.market import BarSeries

HOUR = 3_600_000_000
START = 1_700_000_000_000_000 // HOUR * HOUR + HOUR
HEAD = "date,open,high,low,close,volume\n"
BAR = "1.0,2.0,1.0,2.0,5\n"


def hourly(count, seed=0, step=HOUR):
    bars = random_bars(count, seed=seed)
    return BarSeries("x", START + step * np.arange(count), *columns_of(bars)[1:])


def columns_of(bars):
    return [getattr(bars, name) for name in ("times", "open", "high", "low", "close", "volume")]


def bytes_of(bars):
    return [column.tobytes() for column in columns_of(bars)]


def told(path, text, **how):
    """Return the error of a file."""
    with pytest.raises(ValueError, match=":") as caught:
        read_bars(write_text(path / "x.csv", text), **how)
    return str(caught.value)


@given(
    st.integers(1, 40),
    st.integers(0, 9),
    st.sampled_from(NAMES),
    st.sampled_from(sorted(TIMES)),
    st.sampled_from(",;\t|"),
    st.booleans(),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read_whatever_it_is_called(
    tmp_path, count, seed, names, written, delimiter, packed
):
    bars = hourly(count, seed)
    path = write_csv(
        tmp_path / "x.csv", bars, names=names, time=written, delimiter=delimiter, packed=packed
    )
    assert bytes_of(read_bars(path)) == bytes_of(bars)


@pytest.mark.parametrize(
    "kind",
    [pa.timestamp("us", "UTC"), pa.timestamp("ns"), pa.timestamp("ms", "Asia/Tokyo"), pa.int64()],
    ids=str,
)
def test_parquet_reads_as_csv_does(tmp_path, kind):
    bars = hourly(30)
    assert bytes_of(read_bars(write_parquet(tmp_path / "x.parquet", bars, kind=kind))) == bytes_of(
        bars
    )


def test_a_damaged_parquet_file_says_so(tmp_path):
    path = write_parquet(tmp_path / "x.parquet", hourly(5))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"x\.parquet: the Parquet file is damaged"):
        read_bars(path)


def test_a_bad_row_of_parquet_is_told_by_its_number(tmp_path):
    bars = hourly(5)
    close = bars.close.copy()
    close[3] = np.nan
    broken = BarSeries.window(bars, 0, 5)
    object.__setattr__(broken, "close", close)
    with pytest.raises(ValueError, match=r"x\.parquet: row 4: close='nan'"):
        read_bars(write_parquet(tmp_path / "x.parquet", broken))


def test_the_shipped_history_reads_as_it_does_elsewhere(tmp_path):
    shipped = load_sp500()
    rows = zip(*(column.tolist() for column in columns_of(shipped)), strict=True)
    lines = [
        ",".join([f"{shipped.closed_at(bar):%m/%d/%Y}", *map(repr, row[1:])])
        for bar, row in enumerate(rows)
    ]
    path = write_text(tmp_path / "spx.csv", HEAD + "\n".join(lines))
    read = read_bars(path, symbol="SPX", close_time="21:00")
    assert read.symbol == "SPX"
    assert bytes_of(read) == bytes_of(shipped)


zones = st.sampled_from(["UTC", "America/New_York", "Asia/Tokyo", "Pacific/Apia", "Asia/Kolkata"])
strange = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["0", "-0", "1e999", "nan", "2024-01-02", "24:00", "١٢", '"', "\x00", "1_0"]),
    st.integers().map(str),
)


@given(
    st.integers(0, 5), st.integers(0, 5), strange, st.booleans(), st.sampled_from(["open", None])
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_with_any_cell_is_a_series_or_is_refused_by_name(
    tmp_path, row, at, cell, sort, label
):
    lines = write_csv(tmp_path / "x.csv", hourly(5)).read_text().splitlines()
    cells = lines[row].split(",")
    cells[at] = cell
    lines[row] = ",".join(cells)
    path = write_text(tmp_path / "x.csv", "\n".join(lines))
    try:
        bars = read_bars(path, sort=sort, label=label)
    except ValueError as error:
        assert "x.csv: " in str(error)  # noqa: PT017 (either is right)
    else:
        assert check_bars(path, sort=sort, label=label).problems == ()
        assert 0 < len(bars) <= 5


dates = st.lists(st.dates(), min_size=1, max_size=5)


@given(dates, st.sampled_from(["open", "close", None]), st.booleans(), zones)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_dates_are_a_series_or_are_refused_by_name(tmp_path, days, label, sort, zone):
    text = HEAD + "".join(f"{day:%Y-%m-%d},{BAR}" for day in days)
    path = write_text(tmp_path / "x.csv", text)
    try:
        bars = read_bars(path, label=label, sort=sort, timezone=zone)
    except ValueError as error:
        assert "x.csv: " in str(error)  # noqa: PT017 (either is right)
    else:
        assert len(bars) == len(days)


@given(st.binary(max_size=200))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_a_series_or_are_refused_by_name(tmp_path, data):
    path = tmp_path / "x.csv"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"x\.csv: "):
        read_bars(path)


# Names


def test_a_file_without_a_column_says_which(tmp_path):
    assert told(tmp_path, "date,open,close\n").endswith(
        "x.csv: no column for high, low among ['date', 'open', 'close']; name them in the first "
        "line, for example date,open,high,low,close,volume"
    )


def test_two_columns_of_one_name_are_refused(tmp_path):
    assert "['Close', 'close']" in told(tmp_path, "date,open,high,low,Close,close\n")


def test_an_adjusted_close_is_ignored_and_told(tmp_path):
    text = "Date,Open,High,Low,Close,Adj Close,Volume\n2024-01-02,1,2,1,2,1.5,5\n"
    path = write_text(tmp_path / "x.csv", text)
    assert read_bars(path).close.tolist() == [2.0]
    assert check_bars(path).ignored == ("Adj Close",)


def test_without_a_column_of_volume_it_is_zero(tmp_path):
    path = write_text(tmp_path / "x.csv", "date,open,high,low,close\n2024-01-02,1,1,1,1\n")
    assert read_bars(path).volume.tolist() == [0.0]
    assert check_bars(path).without_volume == 1


@pytest.mark.parametrize("cell", ["", "-", "nan", "N/A"])
def test_a_volume_that_is_not_told_is_zero_and_counted(tmp_path, cell):
    text = f"{HEAD}2024-01-02,1,1,1,1,{cell}\n2024-01-03,1,1,1,1,7\n"
    path = write_text(tmp_path / "x.csv", text)
    assert read_bars(path).volume.tolist() == [0.0, 7.0]
    assert check_bars(path).without_volume == 1


def test_prices_as_web_pages_write_them_are_read(tmp_path):
    text = (
        "Date,Close/Last,Vol.,Open,High,Low\n"
        '12/31/2024,"$1,234.50",1.5M,$1234,"$1,240","$1,230.00"\n'
    )
    bars = read_bars(write_text(tmp_path / "x.csv", text))
    assert (bars.close[0], bars.volume[0], bars.high[0]) == (1234.5, 1.5e6, 1240.0)


def test_a_decimal_comma_is_refused_rather_than_read_as_thousands(tmp_path):
    text = "date;open;high;low;close\n2024-01-02;1,234;1,234;1,234;1,234\n"
    assert "open='1,234': a price is a positive number" in told(tmp_path, text) or (
        "close='1,234'" in told(tmp_path, text)
    )


def test_lines_before_the_header_are_passed_over(tmp_path):
    text = (
        "https://www.example.com\nUnix,Date,Symbol,Open,High,Low,Close,Volume BTC,Volume USDT\n"
        "1704067200,2024-01-01 00:30:00,BTCUSDT,1,2,1,2,5,6\n"
    )
    bars = read_bars(write_text(tmp_path / "x.csv", text))
    assert (bars.symbol, bars.volume[0]) == ("BTCUSDT", 5.0)


def test_the_three_header_lines_of_one_symbol_are_read(tmp_path):
    text = (
        "Price,Close,High,Low,Open,Volume\nTicker,SPY,SPY,SPY,SPY,SPY\nDate,,,,,\n"
        "2024-01-02,2,2,1,1,5\n"
    )
    assert read_bars(write_text(tmp_path / "x.csv", text)).open.tolist() == [1.0]


def test_the_rows_of_one_of_several_symbols_are_read(tmp_path):
    text = "symbol,date,open,high,low,close\n" + "".join(
        f"{name},2024-01-0{day},{price},{price},{price},{price}\n"
        for day in (2, 3)
        for name, price in (("A", 1), ("B", 2))
    )
    path = write_text(tmp_path / "x.csv", text)
    assert read_bars(path, symbol="B").close.tolist() == [2.0, 2.0]
    assert "holds ['A', 'B']; choose one with symbol=" in told(tmp_path, text)
    assert "symbol='C' is not among ['A', 'B']" in told(tmp_path, text, symbol="C")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (HEAD.encode(), "has a header and no bars"),
        (b"\xff\x00\x81", "neither text in UTF-8, gzip nor Parquet"),
        (b"\x1f\x8b12345678", "the gzip file is damaged"),
        (HEAD.encode() + b"2024-01-02,1,1,1,1\n", "line 2: '2024-01-02,1,1,1,1' has 5 fields"),
    ],
)
def test_what_is_no_file_of_bars_says_so(tmp_path, data, message):
    path = tmp_path / "x.csv"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message):
        read_bars(path)


def test_a_file_that_is_not_there_is_not_found(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_bars(tmp_path / "x.csv")


# Numbers


@pytest.mark.parametrize("cell", ["0", "-1", "nan", "inf", "", "abc", "1,5"])
@pytest.mark.parametrize("column", ["open", "high", "low", "close"])
def test_a_price_that_is_none_is_told_with_its_line(tmp_path, cell, column):
    row = {"date": "2024-01-03", "open": "1", "high": "1", "low": "1", "close": "1"}
    row[column] = f'"{cell}"'
    text = "date,open,high,low,close\n2024-01-02,1,1,1,1\n\n" + ",".join(row.values()) + "\n"
    message = told(tmp_path, text)
    assert f"x.csv: line 4: {column}={cell!r}: a price is a positive number" in message
    assert "mend or remove the row" in message


@pytest.mark.parametrize("cell", ["-1", "inf", "abc"])
def test_a_volume_that_is_none_is_told_with_its_line(tmp_path, cell):
    assert f"line 2: volume='{cell}'" in told(tmp_path, f"{HEAD}2024-01-02,1,1,1,1,{cell}\n")


def test_a_high_below_the_close_is_told_with_its_line(tmp_path):
    message = told(tmp_path, f"{HEAD}2024-01-02,1,1.5,1,2,5\n")
    assert "line 2: open=1, high=1.5, low=1, close=2: high and low do not enclose" in message


def test_a_high_below_the_close_by_rounding_is_raised_and_counted(tmp_path):
    path = write_text(tmp_path / "x.csv", f"{HEAD}2024-01-02,1,1.9999999999999998,1,2,5\n")
    assert read_bars(path).high.tolist() == [2.0]
    assert check_bars(path).rounded == 1


def test_all_problems_are_listed_in_the_order_of_the_rows(tmp_path):
    text = f"{HEAD}2024-01-02,0,1,1,1,5\n2024-01-03,1,1,1,1,-5\n2024-01-03,{BAR}"
    report = check_bars(write_text(tmp_path / "x.csv", text))
    assert [problem.split(": ")[1] for problem in report.problems] == ["line 2", "line 3", "line 4"]
    assert "(2 more: check_bars lists them)" in told(tmp_path, text)


# Times


def test_a_date_closes_at_its_end_without_a_close_time(tmp_path):
    path = write_text(tmp_path / "x.csv", f"{HEAD}2024-01-02,{BAR}")
    bars = read_bars(path, timezone="America/New_York")
    assert bars.closed_at(0) == datetime(2024, 1, 3, 5, tzinfo=timezone.utc)


def known_early(tmp_path, zone, day):
    """Whether a dated bar is known before its day is over where it was traded."""
    path = write_text(tmp_path / "x.csv", f"{HEAD}{day},{BAR}")
    closed = read_bars(path, timezone=zone).closed_at(0).astimezone(ZoneInfo(zone))
    return closed.date() <= day


@given(zones, st.dates(date(1990, 1, 1), date(2030, 1, 1)))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_dated_bar_is_never_known_before_its_day_is_over(tmp_path, zone, day):
    assert not known_early(tmp_path, zone, day)


def test_a_bar_that_closes_when_its_day_begins_is_caught(tmp_path, monkeypatch):
    monkeypatch.setattr(bar_times, "_close_of", lambda day, _: datetime.combine(day, time()))
    assert known_early(tmp_path, "America/New_York", date(2024, 1, 2))


@pytest.mark.parametrize("close_time", ["16:00", time(16)])
def test_a_close_time_follows_the_summer_time_of_its_zone(tmp_path, close_time):
    text = f"{HEAD}2024-01-02,{BAR}2024-07-02,{BAR}"
    bars = read_bars(
        write_text(tmp_path / "x.csv", text), timezone="America/New_York", close_time=close_time
    )
    assert [bars.closed_at(bar).hour for bar in (0, 1)] == [21, 20]


@pytest.mark.parametrize("stamp", ["2024-01-02 00:00:00-05:00", "1704153600", "20240102"])
def test_a_time_at_midnight_is_a_date(tmp_path, stamp):
    path = write_text(tmp_path / "x.csv", f"{HEAD}{stamp},{BAR}")
    bars = read_bars(path, timezone="America/New_York", close_time="16:00")
    assert bars.closed_at(0) == datetime(2024, 1, 2, 21, tzinfo=timezone.utc)


def test_a_date_and_a_time_in_two_columns_are_one(tmp_path):
    text = "date,time,open,high,low,close\n2024-01-02,10:30,1,1,1,1\n"
    bars = read_bars(write_text(tmp_path / "x.csv", text), timezone="America/New_York")
    assert bars.closed_at(0) == datetime(2024, 1, 2, 15, 30, tzinfo=timezone.utc)


def test_bars_labelled_by_their_open_close_one_interval_later(tmp_path):
    bars = hourly(5)
    path = write_csv(tmp_path / "x.csv", bars)
    assert (read_bars(path, label="open").times - bars.times).tolist() == [HOUR] * 5
    named = write_csv(tmp_path / "y.csv", bars, names=("Open time", *NAMES[0][1:]))
    assert read_bars(named).times.tolist() == read_bars(path, label="open").times.tolist()


MONTHS = HEAD + "".join(f"2024-{month:02}-01,{BAR}" for month in (1, 2, 3))


def test_months_labelled_by_their_first_day_close_at_the_end_of_the_last(tmp_path):
    bars = read_bars(write_text(tmp_path / "x.csv", MONTHS), label="open")
    closes = [bars.closed_at(bar).date() for bar in range(3)]
    assert closes == [date(2024, 2, 1), date(2024, 3, 1), date(2024, 4, 1)]


def test_months_labelled_by_their_last_day_close_at_its_end(tmp_path):
    bars = read_bars(write_text(tmp_path / "x.csv", MONTHS), label="close", close_time="16:00")
    assert bars.closed_at(2) == datetime(2024, 3, 1, 16, tzinfo=timezone.utc)


def test_months_have_to_say_which_day_they_are_labelled_by(tmp_path):
    message = told(tmp_path, MONTHS)
    assert "line 2: date='2024-01-01': bars are 29 days apart or more; say whether" in message


def test_the_last_of_months_out_of_order_is_not_known_early(tmp_path):
    head, *rows = MONTHS.splitlines()
    path = write_text(tmp_path / "x.csv", "\n".join([head, *rows[::-1]]))
    bars = read_bars(path, label="open", sort=True)
    assert bars.closed_at(2).date() == date(2024, 4, 1)


def test_one_bar_labelled_by_its_open_does_not_tell_its_length(tmp_path):
    message = told(tmp_path, f"{HEAD}2024-01-02T10:00,{BAR}", label="open")
    assert "line 2: date: tells when a bar opened, and not how long it is" in message


def test_an_hour_that_a_zone_has_twice_is_read_as_both(tmp_path):
    text = HEAD + "".join(f"2024-11-03 {at},{BAR}" for at in ("00:30", "01:30", "01:30", "02:30"))
    bars = read_bars(write_text(tmp_path / "x.csv", text), timezone="America/New_York")
    assert np.diff(bars.times).tolist() == [HOUR] * 3


def test_an_hour_that_a_zone_skips_is_refused(tmp_path):
    message = told(tmp_path, f"{HEAD}2024-03-10 02:30,{BAR}", timezone="America/New_York")
    assert "line 2: date='2024-03-10 02:30': is a time that clocks in America/New_York" in message


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (("2024-01-02T10:00Z", "2024-01-02T11:00"), "line 3: date='2024-01-02T11:00': has none"),
        (("2024-01-02T10:00", "1704193200"), "line 3: date='1704193200': has a time zone"),
        (("2024-01-02", "2024-01-02"), "line 3: date='2024-01-02': line 2 has a bar at this time"),
        (("2024-01-03", "2024-01-02"), "line 3: date='2024-01-02': is before the row above"),
        (("2024-01-02", "yesterday"), "line 3: date='yesterday': is no time"),
        (("2024-01-02", "2024-13-02"), "line 3: date='2024-13-02': "),
        (("2024-01-02", "2024-01-02T25:00"), "line 3: date='2024-01-02T25:00': is no time of day"),
        (("2024-01-02", "12345"), "line 3: date='12345': is no time since 1970"),
        (("01/02/2024", "01/03/2024"), "line 2: date: '01/02/2024' may have the day or the month"),
        (("13/02/2024", "02/13/2024"), "have day and month in another order"),
        (("", "2024-01-03"), "line 2: date='': is no time"),
    ],
)
def test_a_bad_time_is_told_with_its_line(tmp_path, rows, message):
    assert message in told(tmp_path, HEAD + "".join(f"{row},{BAR}" for row in rows))


@pytest.mark.parametrize(("stamp", "day"), [("12/31/2024", 31), ("31.12.2024", 31)])
def test_the_order_of_day_and_month_is_seen(tmp_path, stamp, day):
    bars = read_bars(write_text(tmp_path / "x.csv", f"{HEAD}{stamp},{BAR}"), close_time="16:00")
    assert bars.closed_at(0).day == day


def test_rows_out_of_order_are_sorted_on_demand(tmp_path):
    bars = hourly(20)
    path = write_csv(tmp_path / "x.csv", bars)
    head, *rows = path.read_text().splitlines()
    write_text(path, "\n".join([head, *rows[::-1]]))
    assert bytes_of(read_bars(path, sort=True)) == bytes_of(bars)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"timezone": "Mars"}, "timezone='Mars'"),
        ({"timezone": None}, "timezone=None"),
        ({"timezone": "../etc"}, "timezone="),
        ({"close_time": "25:00"}, "close_time='25:00'"),
        ({"close_time": 16}, "close_time=16"),
        ({"label": "middle"}, "label='middle'"),
        ({"close_time": "16:00"}, "close_time=16:00 another; leave it out"),
    ],
)
def test_a_wrong_way_to_read_times_is_refused(tmp_path, how, message):
    assert message in told(tmp_path, f"{HEAD}2024-01-02 10:00,{BAR}", **how)


NEW_YORK = {"timezone": "America/New_York"}


def rows(*times):
    """Return a file with a bar at each time, whose prices are 1, 2, 3, ... in its order."""
    return HEAD + "".join(f"{at},{n},{n},{n},{n},5\n" for n, at in enumerate(times, 1))


def read(path, *times, **how):
    bars = read_bars(write_text(path / "x.csv", rows(*times)), **how)
    return [f"{bars.closed_at(bar):%m-%d %H:%M}" for bar in range(len(bars))]


@pytest.mark.parametrize("stamp", ["2024-01-02 00:00:00+00:00", "2024-01-02T00:00:00Z"])
def test_a_midnight_in_utc_closes_at_the_close_time_of_the_zone(tmp_path, stamp):
    assert read(tmp_path, stamp, **NEW_YORK, close_time="16:00") == ["01-02 21:00"]


@pytest.mark.parametrize("stamp", ["2024-01-02T00:00:00Z", "1704153600"])
@pytest.mark.parametrize(
    ("zone", "closed"), [("Asia/Tokyo", "01-03 00:00"), ("America/New_York", "01-03 05:00")]
)
def test_a_midnight_in_utc_is_over_with_the_day_of_utc_and_of_the_zone(
    tmp_path, stamp, zone, closed
):
    assert read(tmp_path, stamp, timezone=zone) == [closed]


@pytest.mark.parametrize("days", [2, 3, 4, 7])
def test_bars_of_several_days_have_to_say_which_day_they_are_labelled_by(tmp_path, days):
    times = [date(2024, 1, 1) + timedelta(days=days * n) for n in range(6)]
    message = told(tmp_path, rows(*times))
    assert f"bars are {days} days apart or more; say whether" in message
    assert read(tmp_path, *times, label="open")[0] == f"01-{1 + days:02} 00:00"


@pytest.mark.parametrize("label", ["open", "close"])
@pytest.mark.parametrize("stray", [1, 2, 3, 4])
def test_a_week_that_is_not_over_is_refused(tmp_path, label, stray):
    weeks = [date(2024, 1, 1) + timedelta(days=7 * n) for n in range(6)]
    times = [*weeks, weeks[-1] + timedelta(days=stray)]
    message = told(tmp_path, rows(*times), label=label)
    assert f"line 8: date='{times[-1]}': is nearer to the bar before than the usual 7" in message
    assert "remove the row of the unfinished bar" in message
    assert "bars are 7 days apart or more" in told(tmp_path, rows(*times))


def test_a_month_that_is_not_over_is_refused(tmp_path):
    message = told(tmp_path, MONTHS + f"2024-03-20,{BAR}", label="open")
    assert "line 5: date='2024-03-20': is nearer to the bar before" in message


def test_weeks_that_holidays_shorten_and_short_months_are_read(tmp_path):
    fridays = ["2024-03-15", "2024-03-22", "2024-03-28", "2024-04-05", "2024-04-12"]
    assert len(read(tmp_path, *fridays, label="close")) == 5
    assert len(read(tmp_path, *(f"2023-{n:02}-01" for n in range(1, 13)), label="open")) == 12


def test_daily_bars_with_weekends_and_holidays_stay_daily(tmp_path):
    days = ["2024-01-12", "2024-01-16", "2024-01-17", "2024-01-18", "2024-01-19", "2024-01-22"]
    assert read(tmp_path, *days)[0] == "01-13 00:00"


@pytest.mark.parametrize("days", [["2024-01-01"], ["2024-01-01", "2024-01-08"]])
def test_too_few_dates_labelled_by_the_open_do_not_tell_their_length(tmp_path, days):
    message = told(tmp_path, rows(*days), label="open")
    assert "line 2: date='2024-01-01': is the first day of a bar, and nothing tells" in message
    assert len(read(tmp_path, *days, label="close")) == len(days)


def test_two_days_in_a_row_labelled_by_the_open_are_days(tmp_path):
    assert read(tmp_path, "2024-01-01", "2024-01-02", label="open") == [
        "01-02 00:00",
        "01-03 00:00",
    ]


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (("2024-01-02 15:00", "2024-01-03"), "line 3: date='2024-01-03': has no time of day"),
        (("2024-01-02", "2024-01-03 15:00"), "line 3: date='2024-01-03 15:00': has a time of day"),
        (("01/22/2024", "01/23/2024 3:00 PM"), "line 3: date='01/23/2024 3:00 PM': has a time"),
    ],
)
def test_dates_among_times_are_refused(tmp_path, times, message):
    assert message in told(tmp_path, rows(*times))


def test_midnights_among_times_are_times(tmp_path):
    assert read(tmp_path, "2024-01-01 23:00", "2024-01-02 00:00", "2024-01-02T01:00") == [
        "01-01 23:00",
        "01-02 00:00",
        "01-02 01:00",
    ]


TWICE = ("00:30", "01:00", "01:30", "01:00", "01:30", "02:00")


@pytest.mark.parametrize("order", [1, -1])
def test_an_hour_shown_twice_is_told_apart_whichever_row_is_first(tmp_path, order):
    text = rows(*(f"2024-11-03 {at}" for at in TWICE[::order]))
    bars = read_bars(write_text(tmp_path / "x.csv", text), **NEW_YORK, sort=True)
    assert np.diff(bars.times).tolist() == [HOUR // 2] * 5
    assert bars.close.tolist() == [1, 2, 3, 4, 5, 6][::order]


def test_rows_in_no_order_are_refused_where_a_time_is_shown_twice(tmp_path):
    times = ["2024-11-03 02:00", "2024-11-03 01:00", "2024-11-03 03:00", "2024-11-03 01:00"]
    for sort in (True, False):
        message = told(tmp_path, rows(*times), **NEW_YORK, sort=sort)
        assert "line 3: date='2024-11-03 01:00': clocks in America/New_York show this" in message
    assert len(read(tmp_path, *(f"{at}:0{n}" for n, at in enumerate(times)), sort=True)) == 4


def test_rows_in_no_order_are_sorted_where_no_time_is_shown_twice(tmp_path):
    times = ["2024-11-04 02:00", "2024-11-04 01:00", "2024-11-04 03:00"]
    assert read(tmp_path, *times, **NEW_YORK, sort=True)[0] == "11-04 06:00"


@pytest.mark.parametrize("stamp", ["202412311600", "2024123116"])
def test_digits_that_may_be_a_day_and_an_hour_are_refused(tmp_path, stamp):
    message = told(tmp_path, rows(stamp))
    assert f"date='{stamp}': may be a date and a time of day or a time since 1970" in message


def test_digits_that_are_no_day_are_a_time_since_1970(tmp_path):
    assert read(tmp_path, "2024993116") == ["03-03 10:05"]


def test_an_explicit_label_comes_before_the_name_of_a_column(tmp_path):
    named = rows("2024-01-02T10:00", "2024-01-02T11:00").replace("date", "open time")
    path = write_text(tmp_path / "x.csv", named)
    assert read_bars(path, label="close").closed_at(0).hour == 10
    assert read_bars(path).closed_at(0).hour == 11


# Commas and volumes


@pytest.mark.parametrize("cell", ["149,123", "$149,123"])
def test_a_comma_of_thousands_or_of_decimals_is_refused(tmp_path, cell):
    text = f'date,open,high,low,close\n2024-01-02,149,"{cell}",149,149\n'
    message = told(tmp_path, text)
    assert f"line 2: high='{cell}': may have a comma of thousands or of decimals" in message


@pytest.mark.parametrize("other", ["149123.0", "1,149,123"])
def test_a_price_with_a_point_or_two_commas_tells_that_commas_are_of_thousands(tmp_path, other):
    text = f'date,open,high,low,close\n2024-01-02,"149,123","{other}","149,123","149,123"\n'
    assert read_bars(write_text(tmp_path / "x.csv", text)).close.tolist() == [149123.0]


def test_volumes_keep_their_thousands(tmp_path):
    text = f'{HEAD}2024-01-02,1,1,1,1,"149,123"\n'
    assert read_bars(write_text(tmp_path / "x.csv", text)).volume.tolist() == [149123.0]


@pytest.mark.parametrize(("traded", "volume"), [("0", "TICKVOL"), ("7", "VOL")])
def test_ticks_are_the_volume_where_no_other_is_told(tmp_path, traded, volume):
    text = (
        "<DATE>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\n"
        f"2024.01.02\t1\t1\t1\t1\t9\t0\n2024.01.03\t1\t1\t1\t1\t8\t{traded}\n"
    )
    path = write_text(tmp_path / "x.csv", text)
    assert check_bars(path).columns["volume"] == f"<{volume}>"
    assert read_bars(path).volume[1] == (8.0 if volume == "TICKVOL" else 7.0)


def test_ticks_are_the_volume_in_parquet_too(tmp_path):
    columns = {name: [1.0] for name in ("open", "high", "low", "close", "tick_volume")}
    table = pa.table({"date": ["2024-01-02"], **columns, "volume": [0.0]})
    pq.write_table(table, tmp_path / "x.parquet")
    assert read_bars(tmp_path / "x.parquet").volume.tolist() == [1.0]


def test_an_average_weighted_by_volume_is_no_volume(tmp_path):
    text = "date,open,high,low,close,Volume Weighted Average\n2024-01-02,1,1,1,1,1\n"
    report = check_bars(write_text(tmp_path / "x.csv", text))
    assert report.ignored == ("Volume Weighted Average",)
    assert report.without_volume == 1


# Gaps


def report_of(tmp_path, times, **how):
    text = HEAD + "".join(f"{at:%Y-%m-%dT%H:%M:%SZ},{BAR}" for at in times)
    return check_bars(write_text(tmp_path / "x.csv", text), **how)


def at(day, hour=21):
    return datetime(2024, 1, 1, hour, tzinfo=timezone.utc) + timedelta(days=day)


def test_weekends_are_no_gaps_and_a_missing_weekday_is_one(tmp_path):
    days = [day for day in range(60) if day % 7 < 5 and day != 16]
    report = report_of(tmp_path, [at(day) for day in days])
    assert report.gaps == (Gap(at(15), at(17), 1),)
    assert report.interval == timedelta(days=1)


def test_a_weekend_is_a_gap_where_weekends_are_traded(tmp_path):
    report = report_of(tmp_path, [at(day) for day in range(60) if day not in {26, 27}])
    assert [gap.missing for gap in report.gaps] == [2]


def test_nights_are_no_gaps_and_missing_hours_are(tmp_path):
    hours = [at(day, hour) for day in range(40) if day % 7 < 5 for hour in range(15, 22)]
    lost = {at(8, 17), at(8, 18), at(10, 15), at(11, 21), *(at(15, h) for h in range(15, 22))}
    report = report_of(tmp_path, [hour for hour in hours if hour not in lost])
    assert [gap.missing for gap in report.gaps] == [2, 1, 1, 7]


def test_the_end_of_summer_time_is_no_gap(tmp_path):
    zone = ZoneInfo("America/New_York")
    days = [date(2024, 10, 1) + timedelta(days=day) for day in range(60)]
    hours = [
        datetime(day.year, day.month, day.day, hour, tzinfo=zone).astimezone(timezone.utc)
        for day in days
        if day.weekday() < 5
        for hour in range(10, 17)
    ]
    assert report_of(tmp_path, hours, timezone="America/New_York").gaps == ()


def test_months_have_gaps_too(tmp_path):
    months = [datetime(2023, month, 1, 1, tzinfo=timezone.utc) for month in range(1, 13)]
    report = report_of(tmp_path, months[:5] + months[6:])
    assert [(gap.after.month, gap.missing) for gap in report.gaps] == [(5, 1)]


def test_bars_without_a_regular_step_have_no_gaps(tmp_path):
    times = [at(0, 0) + timedelta(minutes=n * n) for n in range(50)]
    assert report_of(tmp_path, times).gaps == ()


def test_gaps_do_not_keep_a_series_from_being_read(tmp_path):
    path = write_text(tmp_path / "x.csv", f"{HEAD}2024-01-02,{BAR}2024-06-03,{BAR}")
    assert len(read_bars(path)) == 2


@pytest.mark.parametrize(
    "times",
    [
        pa.array([2**62] * 3, pa.timestamp("us")),
        pa.array([2**30, 0, 1], pa.date32()),
        pa.array([0, 1, 2], pa.timestamp("us", "No/Where")),
    ],
)
def test_times_of_parquet_that_cannot_be_are_told_by_their_column(tmp_path, times):
    prices = {name: [1.0] * 3 for name in ("open", "high", "low", "close")}
    pq.write_table(pa.table({"time": times, **prices}), tmp_path / "x.parquet")
    with pytest.raises(ValueError, match=r"x\.parquet: column 'time': has values that cannot"):
        read_bars(tmp_path / "x.parquet")


def test_a_label_that_is_no_text_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match="label="):
        read_bars(tmp_path / "x.csv", label=[])


def test_a_symbol_that_is_no_text_is_refused_by_name(tmp_path):
    write_text(tmp_path / "x.csv", HEAD + "2024-01-02," + BAR)
    with pytest.raises(TypeError, match="symbol=5"):
        read_bars(tmp_path / "x.csv", symbol=5)
