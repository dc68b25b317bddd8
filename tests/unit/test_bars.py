"""Bars from files: every common way of writing them, and every bad row named."""

from datetime import datetime, time, timedelta, timezone

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bar_files import NAMES, TIMES, write_csv, write_parquet, write_text
from markets import random_bars
from nt_memory.backtest import load_sp500
from nt_memory.bars import Gap, check_bars, read_bars
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
        ({"close_time": "16:00"}, "close_time=16:00 another; leave close_time out"),
    ],
)
def test_a_wrong_way_to_read_times_is_refused(tmp_path, how, message):
    assert message in told(tmp_path, f"{HEAD}2024-01-02 10:00,{BAR}", **how)


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
