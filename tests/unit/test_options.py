"""Option chains: greeks against vollib, and what the signals rest on."""

import os
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
import vollib.black_scholes_merton.greeks.analytical as reference
from hypothesis import given
from hypothesis import strategies as st

from nt_memory.agents.options import (
    ChainSignal,
    OptionChain,
    black_scholes_delta,
    black_scholes_gamma,
    load_cboe_chain,
    net_gamma_exposure,
    smart_flow_signal,
)
from option_chains import EXPIRY, NOW, chain, quote

DATA = Path(os.environ.get("NT_MEMORY_DATA", Path(__file__).parents[3] / "shared" / "data"))
SPY = DATA / "spy_chain_2025-09-25.csv"

CALL = True

prices = st.floats(1.0, 10_000.0)
counts = st.integers(0, 10_000)
quotes = st.lists(
    st.builds(
        lambda strike, call, iv, interest, volume: quote(
            strike, call=call, iv=iv, open_interest=interest, volume=volume
        ),
        st.floats(50.0, 200.0),
        st.booleans(),
        st.floats(0.05, 2.0),
        counts,
        counts,
    ),
    max_size=12,
)


# Greeks


@given(
    prices,
    st.floats(0.2, 5.0),
    st.floats(1 / 365, 3.0),
    st.floats(0.03, 3.0),
    st.floats(-0.05, 0.2),
    st.floats(0.0, 0.1),
)
def test_greeks_equal_those_of_vollib(spot, moneyness, years, volatility, rate, dividends):
    strike = spot * moneyness
    terms = (spot, strike, years, rate, volatility, dividends)
    ours = (spot, strike, years, volatility, rate, dividends)
    for call, flag in ((True, "c"), (False, "p")):
        assert float(black_scholes_delta(call, *ours)) == pytest.approx(
            reference.delta(flag, *terms), rel=1e-9, abs=1e-9
        )
        assert float(black_scholes_gamma(*ours)) == pytest.approx(
            reference.gamma(flag, *terms), rel=1e-9, abs=1e-9
        )


@given(prices, st.floats(0.5, 2.0), st.floats(0.05, 2.0), st.floats(0.1, 1.0))
def test_gamma_is_the_slope_of_delta(spot, moneyness, years, volatility):
    step = spot * 1e-4
    above, below = (
        float(black_scholes_delta(CALL, spot + side, spot * moneyness, years, volatility))
        for side in (step, -step)
    )
    slope = (above - below) / (2.0 * step)
    assert float(black_scholes_gamma(spot, spot * moneyness, years, volatility)) == pytest.approx(
        slope, rel=1e-4, abs=1e-6 / spot
    )


@pytest.mark.parametrize("terms", [(0.0, 1, 1, 1), (1, -1.0, 1, 1), (1, 1, 0.0, 1), (1, 1, 1, 0.0)])
def test_without_a_price_time_or_volatility_there_are_no_greeks(terms):
    assert np.isnan(black_scholes_delta(CALL, *terms))
    assert np.isnan(black_scholes_gamma(*terms))


# Signals


@given(quotes)
def test_signals_lie_within_one_and_count_every_option(listed):
    options = OptionChain.of("TEST", NOW, 100.0, listed)
    for signal in (net_gamma_exposure(options), smart_flow_signal(options)):
        assert -1.0 <= signal.value <= 1.0
        assert signal.used == len(listed)


@given(quotes)
def test_calls_for_puts_turn_the_gamma_round(listed):
    turned = [replace(option, call=not option.call) for option in listed]
    there, back = (net_gamma_exposure(chain(quote(), *each)) for each in (listed, turned))
    alone = net_gamma_exposure(chain(quote())).weight
    total = there.value * there.weight + back.value * back.weight
    assert total == pytest.approx(2.0 * alone, rel=1e-9, abs=1e-9 * there.weight)


@given(st.integers(0, 2**32 - 1))
def test_signals_equal_their_plain_formulas(seed):
    rng = np.random.default_rng(seed)
    listed = [
        quote(
            float(rng.uniform(80, 120)),
            call=bool(rng.integers(2)),
            iv=float(rng.uniform(0.1, 0.5)),
            open_interest=float(rng.integers(1000)),
            volume=float(1 + rng.integers(1000)),
        )
        for _ in range(20)
    ]
    options = chain(*listed, rate=0.04, dividend_yield=0.01)
    years = (EXPIRY - NOW) / timedelta(days=365)
    net = gross = flow = total = 0.0
    for each in listed:
        flag, sign = ("c", 1.0) if each.call else ("p", -1.0)
        terms = (flag, 100.0, each.strike, years, 0.04, each.iv, 0.01)
        net += sign * reference.gamma(*terms) * each.open_interest
        gross += reference.gamma(*terms) * each.open_interest
        flow += sign * abs(reference.delta(*terms)) * each.volume
        total += abs(reference.delta(*terms)) * each.volume
    assert net_gamma_exposure(options).value == pytest.approx(net / gross, abs=1e-9)
    assert smart_flow_signal(options).value == pytest.approx(flow / total, abs=1e-9)


def test_without_open_interest_or_volume_the_signals_rest_on_nothing():
    options = chain(quote(open_interest=0.0, volume=0.0), quote(call=False, open_interest=0.0))
    assert net_gamma_exposure(options) == ChainSignal(0.0, 0.0, 2, 0, 0, 0)
    assert smart_flow_signal(options).value == -1.0
    assert net_gamma_exposure(OptionChain.of("X", NOW, 1.0, [])) == ChainSignal(0, 0, 0, 0, 0, 0)


def test_a_greek_that_is_told_stands_in_for_a_missing_volatility():
    options = chain(
        quote(iv=None, gamma=0.03, delta=0.5), quote(iv=None, call=False, gamma=0.01, delta=-0.25)
    )
    assert net_gamma_exposure(options).value == pytest.approx(0.5)
    assert smart_flow_signal(options).value == pytest.approx(1 / 3)


def test_an_option_without_volatility_and_greek_is_left_out_and_counted():
    options = chain(quote(), quote(call=False, iv=None), quote(call=False, iv=None, delta=-0.5))
    gamma, flow = net_gamma_exposure(options), smart_flow_signal(options)
    assert (gamma.value, gamma.used, gamma.without_greeks) == (1.0, 1, 2)
    assert (flow.used, flow.without_greeks) == (2, 1)


def test_a_stale_quote_is_left_out_and_counted():
    hour = timedelta(hours=1)
    options = chain(
        quote(quoted_at=NOW - hour),
        quote(call=False, quoted_at=NOW - hour - timedelta(microseconds=1)),
    )
    signal = net_gamma_exposure(options)
    assert (signal.value, signal.used, signal.stale) == (1.0, 1, 1)
    assert net_gamma_exposure(options, quote_age=2 * hour).stale == 0


def test_an_expired_option_is_left_out_and_counted():
    options = chain(quote(), quote(call=False, expiry=NOW))
    signal = smart_flow_signal(options)
    assert (signal.value, signal.used, signal.expired) == (1.0, 1, 1)


# Chains


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"strike": 0.0}, r"strike\[1\]=0\.0: give a positive number"),
        ({"volume": -1.0}, r"volume\[1\]=-1\.0: give a number from 0"),
        ({"open_interest": float("nan")}, r"open_interest\[1\]=nan"),
        ({"iv": -0.1}, r"iv\[1\]=-0\.1"),
        ({"iv": float("inf")}, r"iv\[1\]=inf"),
        ({"delta": float("inf")}, r"delta\[1\]=inf"),
        ({"gamma": -0.1}, r"gamma\[1\]=-0\.1"),
        ({"strike": 10**400}, "strike=.*: give one number an option"),
        ({"iv": "x" * 9000}, "iv=.*: give one number an option"),
        ({"quoted_at": NOW + timedelta(microseconds=1)}, r"quoted_at\[1\]=.*that of the chain"),
        ({"expiry": datetime(2024, 1, 19)}, "expiry=.* is naive"),  # noqa: DTZ001
    ],
)
def test_an_option_that_cannot_be_is_named(columns, message):
    with pytest.raises(ValueError, match=message):
        chain(quote(), quote(**columns))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"spot": 0.0}, "spot=0.0"),
        ({"spot": float("nan")}, "spot=nan"),
        ({"rate": float("inf")}, "rate=inf"),
        ({"spot": 10**400}, "spot="),
        ({"at": datetime(2024, 1, 8)}, "at=.* is naive"),  # noqa: DTZ001
    ],
)
def test_a_chain_that_cannot_be_is_named(fields, message):
    with pytest.raises(ValueError, match=message):
        chain(**fields)


def test_what_is_no_quote_is_refused():
    with pytest.raises(TypeError, match="quotes: 'x' is no OptionQuote"):
        chain("x")


def test_a_greek_of_what_is_no_number_is_refused():
    with pytest.raises(ValueError, match=r"years=.*give a number"):
        black_scholes_gamma(49.0, 50.0, "x" * 9000, 0.2)
    with pytest.raises(ValueError, match=r"strike=.*give a number"):
        black_scholes_delta(CALL, 49.0, 10**400, 0.3, 0.2)


def test_a_greek_beyond_the_floats_is_no_warning():
    assert np.isnan(black_scholes_gamma(5e-324, 50.0, 0.4, 1e300, 1e300))
    assert np.isnan(black_scholes_delta(CALL, 1e300, 50.0, 1e300, 1e300))


def test_contracts_that_add_up_to_no_number_are_refused():
    with pytest.raises(ValueError, match="'TEST' add up to no number"):
        net_gamma_exposure(chain(*[quote(iv=None, gamma=10.0, open_interest=1e308)] * 2))


def test_columns_of_another_length_are_refused():
    columns = {name: getattr(chain(), name) for name in OptionChain.__slots__}
    with pytest.raises(ValueError, match="volume: every column needs one value an option"):
        OptionChain(**{**columns, "volume": [1.0]})


def test_a_bad_age_of_quotes_is_named():
    with pytest.raises(ValueError, match="quote_age="):
        net_gamma_exposure(chain(), quote_age=-1.0)


# The export of CBOE

HEADER = (
    "Expiration Date,Calls,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest,Strike,"
    "Puts,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest"
)
NAME = "SPDR S&P 500 ETF Trust,Last: 1,658.05,Change:  -3.05"
MOMENT = '"Date: September 25, 2025 at 9:05 PM EDT",Bid: 657.81,Ask: 657.83'
ROW = (
    "Wed Oct 01 2025,SPY251001C00500000,0,0,157.1,159.91,7,0.6659,0.9994,0.001,5,500.00,"
    "SPY251001P00500000,0.01,0,0,0.01,3,0,-0.0007,0,16"
)


def export(tmp_path, *lines):
    path = tmp_path / "chain.csv"
    path.write_text("\n" + "\n".join(lines) + "\n")
    return path


def test_an_export_is_read_column_by_column(tmp_path):
    options = load_cboe_chain(export(tmp_path, NAME, MOMENT, HEADER, ROW), rate=0.04)
    assert (options.symbol, options.spot, options.rate) == ("SPY", 1658.05, 0.04)
    assert options.at == datetime(2025, 9, 26, 1, 5, tzinfo=timezone.utc)
    assert options.call.tolist() == [True, False]
    assert options.strike.tolist() == [500.0, 500.0]
    assert options.volume.tolist() == [7.0, 3.0]
    assert options.open_interest.tolist() == [5.0, 16.0]
    assert np.isnan(options.iv).tolist() == [False, True]
    assert options.gamma.tolist() == [0.001, 0.0]
    expiry = datetime(2025, 10, 1, 20, tzinfo=timezone.utc)
    assert options.expiry.tolist() == [int(expiry.timestamp()) * 10**6] * 2


def test_greeks_that_are_all_zero_are_not_told(tmp_path):
    row = ROW.replace("-0.0007", "0")
    assert np.isnan(load_cboe_chain(export(tmp_path, NAME, MOMENT, HEADER, row)).delta[1])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "the third line that is not empty has to be Expiration Date,Calls"),
        ([NAME, MOMENT, HEADER.replace("Gamma", "Vega")], "the third line"),
        (["SPY", MOMENT, HEADER], "line 2: 'SPY' tells no price"),
        ([NAME, "Date: today", HEADER], "line 3: 'Date: today' tells no time"),
        ([NAME, MOMENT, HEADER, ROW, ROW.replace("Oct", "Okt")], "line 6: .*is no day such as"),
        ([NAME, MOMENT, HEADER, ROW.replace("0.6659", "x")], "line 5: .*'x'"),
        ([NAME, MOMENT, HEADER, ROW.replace("SPY251001P", "P")], "line 5: .* is no option such"),
        ([NAME, MOMENT, HEADER, ROW[:60]], "line 5: .* fields, and not 22"),
        ([NAME, MOMENT, HEADER, ROW + ",1"], "line 5: .*has 23 fields, and not 22"),
        (
            [NAME.replace("1,658.05", "0"), MOMENT, HEADER, ROW],
            r"chain\.csv: line 2: .* tells no price",
        ),
        ([NAME, MOMENT, HEADER, ROW.replace(",7,", ",-7,")], r"chain\.csv: line 5: .* is negative"),
        ([NAME, MOMENT, HEADER, ROW.replace("0.001", "inf")], r"line 5: .* is not finite"),
        ([NAME, MOMENT, HEADER, ROW.replace("Oct 01", "Oct 41")], "line 5: .*day is out of range"),
    ],
)
def test_an_export_that_cannot_be_read_says_where(tmp_path, lines, message):
    with pytest.raises(ValueError, match=message):
        load_cboe_chain(export(tmp_path, *lines))


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        ("SPY251001C00500000", "SPY251001P00500000"),
        ("SPY251001P00500000", "SPY251001C00500000"),
        ("SPY251001P00500000", "SPX251001P00500000"),
        ("SPY251001P00500000", "SPY251002P00500000"),
        ("SPY251001C00500000", "SPY251001C00501000"),
        (",500.00,", ",501.00,"),
        ("Wed Oct 01", "Thu Oct 02"),
    ],
)
def test_options_that_are_not_those_of_their_line_are_refused(tmp_path, there, instead):
    lines = [NAME, MOMENT, HEADER, ROW, ROW.replace(there, instead)]
    with pytest.raises(ValueError, match=r"chain\.csv: line 6: .* are not the call and the put of"):
        load_cboe_chain(export(tmp_path, *lines))


def test_a_chain_is_of_the_root_that_most_options_have(tmp_path):
    other = ROW.replace("SPY2", "SPYW2")
    assert load_cboe_chain(export(tmp_path, NAME, MOMENT, HEADER, ROW, ROW, other)).symbol == "SPY"


@pytest.mark.parametrize(
    ("told", "hour"),
    [
        ("September 25, 2025 at 9:05 PM EDT", 1),
        ("September 25, 2025 at 9:05 PM ET", 1),
        ("September 25, 2025 at 9:05 PM", 1),
        ("December 29, 2025 at 9:05 PM EST", 2),
        ("December 29, 2025 at 9:05 PM ET", 2),
        ("November 2, 2025 at 1:05 AM EDT", 5),
        ("November 2, 2025 at 1:05 AM EST", 6),
    ],
)
def test_the_time_of_a_chain_is_on_the_clock_that_it_tells(tmp_path, told, hour):
    at = load_cboe_chain(export(tmp_path, NAME, f'"Date: {told}",Bid: 1', HEADER, ROW)).at
    assert (at.hour, at.minute) == (hour, 5)


@pytest.mark.parametrize(
    "told",
    [
        "September 25, 2025 at 9:05 PM UTC",
        "September 25, 2025 at 9:05 PM CDT",
        "September 25, 2025 at 9:05 PM GMT+1",
        "September 25, 2025 at 21:05",
        "September 25, 2025 at 21:05 PM EDT",
        "September 25, 2025 at 9:65 PM EDT",
        "September 31, 2025 at 9:05 PM EDT",
    ],
)
def test_a_chain_on_another_clock_is_refused(tmp_path, told):
    lines = [NAME, f'"Date: {told}",Bid: 1', HEADER, ROW]
    with pytest.raises(ValueError, match=r"chain\.csv: line 3: .*tells no time of New York"):
        load_cboe_chain(export(tmp_path, *lines))


def test_what_is_no_text_is_no_export(tmp_path):
    path = tmp_path / "chain.csv"
    path.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(ValueError, match="is no text in UTF-8"):
        load_cboe_chain(path)


@pytest.mark.skipif(not SPY.exists(), reason="the real chain is not here")
def test_a_real_chain_has_the_greeks_that_the_exchange_tells():
    options = load_cboe_chain(SPY, rate=0.041, dividend_yield=0.011)
    assert len(options) == 3716
    assert options.open_interest[options.call].sum() == pytest.approx(1.10e6, rel=0.01)
    assert options.open_interest[~options.call].sum() == pytest.approx(4.65e6, rel=0.01)
    told = options.gamma * options.open_interest
    theirs = np.where(options.call, told, -told).sum() / told.sum()
    signal = net_gamma_exposure(options)
    assert signal.value == pytest.approx(theirs, abs=0.02)
    assert (signal.used, signal.stale, signal.expired) == (3716, 0, 0)
    assert -1.0 < smart_flow_signal(options).value < 0.0
