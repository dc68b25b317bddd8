"""Snapshots of a market, and order books."""

from datetime import datetime

import pytest

from builders import day
from markets import random_bars
from nt_memory import MarketSnapshot, OrderBook

BOOK = OrderBook(bids=[(99.5, 1.0)], asks=[(100.5, 3.0)])


def snapshot(**fields):
    """Return a snapshot of three bars, changed as told."""
    told = {"symbol": "SPY", "at": day(3), "prices": [1.0, 2.0, 3.0], "volumes": [4.0, 5.0, 6.0]}
    return MarketSnapshot(**{**told, **fields})


def test_a_snapshot_tells_its_last_bar_and_its_history():
    seen = snapshot()
    assert seen.price == 3.0
    assert seen.get_price_history(2).tolist() == [2.0, 3.0]
    assert seen.get_volume_history(3).tolist() == [4.0, 5.0, 6.0]
    assert (seen.spread, seen.orderbook_imbalance) == (None, None)


def test_a_book_tells_spread_and_imbalance():
    seen = snapshot(book=BOOK)
    assert (seen.spread, seen.orderbook_imbalance) == (1.0, -0.5)


def test_a_snapshot_of_bars_is_that_of_the_last_close():
    bars = random_bars(10)
    seen = MarketSnapshot.of(bars)
    assert (seen.symbol, seen.at, seen.price) == ("TEST", bars.closed_at(-1), bars.close[-1])


def test_what_was_given_can_change_without_a_snapshot():
    prices = [1.0, 2.0, 3.0]
    seen = snapshot(prices=prices)
    prices[0] = 9.0
    assert seen.prices.tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(ValueError, match="read-only"):
        seen.prices[0] = 9.0


@pytest.mark.parametrize("n", [0, 4, -1, 1.0, True])
def test_a_history_that_is_not_there_is_refused(n):
    with pytest.raises(ValueError, match=f"n={n}: give 1 to 3"):
        snapshot().get_price_history(n)


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"symbol": ""}, "symbol="),
        ({"prices": [], "volumes": []}, "prices is empty"),
        ({"prices": [1.0, 0.0, 1.0]}, r"prices\[1\]"),
        ({"volumes": [1.0]}, "prices has 3 bars, volumes 1"),
        ({"at": datetime(2024, 1, 2)}, "at="),  # noqa: DTZ001 (it is refused)
    ],
)
def test_a_bad_snapshot_is_refused(fields, match):
    with pytest.raises(ValueError, match=match):
        snapshot(**fields)


def test_a_book_of_another_type_is_refused():
    with pytest.raises(TypeError, match="book="):
        snapshot(book={"bids": []})


@pytest.mark.parametrize(
    ("bids", "asks", "match"),
    [
        ([], [(1.0, 1.0)], "bids is empty"),
        ([(1.0, 1.0)], [], "asks is empty"),
        ([(2.0, 1.0)], [(1.0, 1.0)], "no bid lies above an ask"),
        ([(1.0, 0.0)], [(2.0, 1.0)], r"bids\[0\] size"),
        ([(1.0, 1.0)], [(-2.0, 1.0)], r"asks\[0\] price"),
        ([(1.0, 1.0), (1.5, 1.0)], [(2.0, 1.0)], r"bids\[1\] price=1.5"),
        ([(1.0, 1.0)], [(2.0, 1.0), (2.0, 1.0)], r"asks\[1\] price=2"),
        ([(float("nan"), 1.0)], [(2.0, 1.0)], r"bids\[0\] price=nan"),
        ([1.0], [(2.0, 1.0)], "bids="),
    ],
)
def test_a_bad_book_is_refused(bids, asks, match):
    with pytest.raises(ValueError, match=match):
        OrderBook(bids, asks)


def test_a_locked_book_has_no_spread():
    assert OrderBook(bids=[(2.0, 1.0)], asks=[(2.0, 1.0)]).spread == 0.0
