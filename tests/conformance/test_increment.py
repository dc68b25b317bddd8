"""Increment: decimal counters of 64 bits."""

import pytest

from conformance.builders import HOUR, configure, do, put
from nt_memory.store import Increment

GREATEST = 2**63 - 1


def test_a_counter_starts_at_zero(store):
    assert do(store, Increment("a", "n", 3)) == 3


def test_a_counter_goes_up_and_down(store):
    do(store, Increment("a", "n", 3))
    assert do(store, Increment("a", "n", -5)) == -2


def test_a_counter_is_read_as_decimal_text(store):
    do(store, Increment("a", "n", -12))
    assert store.get("a", "n") == b"-12"


def test_decimal_text_is_a_counter(store):
    put(store, key="n", value=b"41")
    assert do(store, Increment("a", "n", 1)) == 42


@pytest.mark.parametrize("value", [b"", b"v", b"1.5", b" 1", b"1 ", b"1_0", b"\xd9\xa1", b"\xff"])
def test_other_content_is_no_counter(store, value):
    put(store, key="n", value=value)
    with pytest.raises(ValueError, match="decimal counter"):
        do(store, Increment("a", "n", 1))


@pytest.mark.parametrize(("start", "by"), [(GREATEST, 1), (-GREATEST - 1, -1)])
def test_a_counter_stays_within_64_bits(store, start, by):
    do(store, Increment("a", "n", start))
    with pytest.raises(ValueError, match="64 bits"):
        do(store, Increment("a", "n", by))


def test_a_new_counter_takes_a_ttl(store, clock):
    do(store, Increment("a", "n", 1, HOUR))
    clock.advance_us(HOUR)
    assert store.get("a", "n") is None


def test_a_new_counter_takes_the_ttl_of_its_namespace(store, clock):
    configure(store, "a", ttl=HOUR)
    do(store, Increment("a", "n", 1))
    clock.advance_us(HOUR)
    assert store.get("a", "n") is None


def test_a_counter_keeps_its_end(store, clock):
    do(store, Increment("a", "n", 1, HOUR))
    clock.advance_us(HOUR - 1)
    do(store, Increment("a", "n", 1, HOUR))
    clock.advance_us(1)
    assert store.get("a", "n") is None


def test_a_counter_without_an_end_gets_none(store, clock):
    do(store, Increment("a", "n", 1))
    do(store, Increment("a", "n", 1, HOUR))
    clock.advance_us(HOUR)
    assert store.get("a", "n") == b"2"


def test_an_expired_counter_starts_anew(store, clock):
    do(store, Increment("a", "n", 5, HOUR))
    clock.advance_us(HOUR)
    assert do(store, Increment("a", "n", 1)) == 1


@pytest.mark.parametrize("value", [b"9223372036854775808", b"9" * 5000])
def test_a_number_over_64_bits_is_no_counter(store, value):
    put(store, key="n", value=value)
    with pytest.raises(ValueError, match="decimal counter"):
        do(store, Increment("a", "n", -1))


@pytest.mark.parametrize("value", [b"+7", b"007", b"0" * 30 + b"7"])
def test_a_number_may_be_written_out(store, value):
    put(store, key="n", value=value)
    assert do(store, Increment("a", "n", 0)) == 7
