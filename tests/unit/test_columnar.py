"""Values packed as columns come back to the bit."""

import contextlib
import json
import math
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_memory import SerializationError
from nt_memory._native import compress, decompress
from nt_memory._values import pack, same
from nt_memory.reasoning.columnar import from_columns, shuffle, to_columns, unshuffle

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-300, 300),
    st.floats(allow_nan=True),
    st.decimals(-10_000, 10_000, places=2).map(float),
    st.text(max_size=5),
    st.sampled_from(["buy", "sell"]),
    st.binary(max_size=4),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
    ),
    max_leaves=12,
)


def told(value):
    """Return a value so that equal means the same bits, types and order of keys."""
    if isinstance(value, float):
        return "float", struct.pack("<d", value)
    if isinstance(value, dict):
        return "dict", [(key, told(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [told(item) for item in value]
    return type(value).__name__, value


@settings(max_examples=500, deadline=None)
@given(st.lists(values, max_size=12))
def test_what_comes_out_is_what_went_in(rows):
    assert told(from_columns(to_columns(rows))) == told(rows)


@given(st.lists(st.floats(allow_nan=True), max_size=30))
def test_floats_keep_their_bits(numbers):
    assert told(from_columns(to_columns(numbers))) == told(numbers)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=30))
def test_integers_of_any_size_come_back(numbers):
    assert from_columns(to_columns(numbers)) == numbers


def test_zeros_of_both_signs_stay_apart():
    assert [math.copysign(1.0, x) for x in from_columns(to_columns([0.0, -0.0]))] == [1.0, -1.0]


def test_arrays_and_large_numbers_are_kept_as_they_are():
    rows = [{"a": np.arange(3), "b": 2**64 - 1}, {"a": np.zeros((2, 2)), "b": 0}]
    assert same(from_columns(to_columns(rows)), rows)


def test_rows_of_bars_take_a_third():
    rng = np.random.default_rng(0)
    close = np.round(100.0 + np.cumsum(rng.normal(0, 1, 1000)), 2)
    rows = [
        {"close": float(price), "volume": int(v), "at": 1_700_000_000_000_000 + n * 86_400_000_000}
        for n, (price, v) in enumerate(zip(close, rng.integers(1, 10**6, 1000), strict=True))
    ]
    assert len(compress(to_columns(rows))) * 3 < len(compress(pack(rows)))


@given(st.binary(max_size=2000))
def test_blocks_of_lz4_come_back(data):
    assert decompress(compress(data)) == data


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=40))
def test_shuffled_bytes_come_back(numbers):
    given_ = np.array(numbers, dtype=np.uint32)
    assert (unshuffle(shuffle(given_), given_.dtype, len(given_)) == given_).all()


@pytest.mark.parametrize("bad", [b"", b"\x00", b"\xff\xff\xff\xff", b"\x08\x00\x00\x00\x00"])
def test_damaged_blocks_are_refused(bad):
    with pytest.raises(SerializationError):
        decompress(bad)


@settings(max_examples=300, deadline=None)
@given(st.lists(values, min_size=1, max_size=6), st.data())
def test_damaged_columns_are_refused_or_read_as_something_else(rows, data):
    packed = bytearray(to_columns(rows))
    packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(SerializationError):
        from_columns(bytes(packed))


def test_every_damaged_byte_of_mixed_columns_is_refused_or_read_as_something_else():
    whole = to_columns([None, [], {"k": 1}, {"k": "a", "l": ()}, 1.5])
    for at in range(len(whole)):
        for flip in (1, 2, 4, 0x40, 0x80, 0xFF):
            packed = bytearray(whole)
            packed[at] ^= flip
            with contextlib.suppress(SerializationError):
                from_columns(bytes(packed))


def test_json_of_rows_is_not_needed():
    rows = [{"k": n} for n in range(10)]
    assert len(to_columns(rows)) < len(json.dumps(rows))
