"""Builders of option chains for the tests."""

from datetime import datetime, timedelta, timezone

from nt_memory.agents.options import OptionChain, OptionQuote

NOW = datetime(2024, 1, 8, 21, tzinfo=timezone.utc)
EXPIRY = NOW + timedelta(days=11)


def quote(strike=100.0, *, call=True, expiry=EXPIRY, iv=0.2, **columns):
    """Build an option with open interest and volume."""
    columns = {"open_interest": 10.0, "volume": 10.0, **columns}
    return OptionQuote(expiry, strike, call, iv=iv, **columns)


def chain(*quotes, at=NOW, spot=100.0, symbol="TEST", **fields):
    """Build a chain of quotes; a call and a put at the money without any."""
    quotes = quotes or (quote(), quote(call=False))
    return OptionChain.of(symbol, at, spot, quotes, **fields)


def leaning(puts, at, symbol="TEST"):
    """Build a chain with so many open puts to ten open calls."""
    expiry = at + timedelta(days=11)
    return chain(
        quote(expiry=expiry),
        quote(call=False, expiry=expiry, open_interest=puts, volume=puts),
        at=at,
        symbol=symbol,
    )
