"""The extension itself: payloads, namespaces, the clock."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nt_memory import NamespaceError, SerializationError
from nt_memory._native import Clock, Namespace, distance_kernel, pack, unpack
from nt_memory._values import same

DEEPEST = 64
DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?"),
)
ARRAYS = hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
)
PAYLOADS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
SEGMENTS = st.text("abcXYZ019._-", min_size=1, max_size=128).filter(lambda s: s not in {".", ".."})
NAMESPACES = st.lists(SEGMENTS, min_size=1, max_size=8).map("/".join)


def nested(depth, wrap):
    """Return None within so many lists or mappings."""
    value = None
    for _ in range(depth):
        value = wrap(value)
    return value


def array_bytes(dtype, shape, data):
    """Return an array as it is packed, without any check."""
    sizes = b"".join(size.to_bytes(8, "little") for size in shape)
    body = bytes([len(dtype)]) + dtype + bytes([len(shape)]) + sizes + data
    return b"\xc8" + len(body).to_bytes(2, "big") + b"\x01" + body


def decoded(data):
    """Return what bytes are decoded to; None where they are refused in the right way."""
    try:
        return unpack(data)
    except SerializationError:
        return None


@given(PAYLOADS)
def test_a_payload_survives_packing(payload):
    assert unpack(pack(payload)) == payload


@given(PAYLOADS)
def test_packing_is_deterministic(payload):
    assert pack(unpack(pack(payload))) == pack(payload)


@pytest.mark.parametrize("number", [0.0, -0.0, float("inf"), float("-inf"), float("nan")])
def test_a_float_keeps_its_bits(number):
    assert np.float64(unpack(pack(number))).tobytes() == np.float64(number).tobytes()


@given(ARRAYS)
def test_an_array_keeps_dtype_shape_and_bits(array):
    found = unpack(pack(array))
    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    assert found.tobytes() == array.tobytes()


def test_an_array_within_a_payload_survives():
    payload = {"weights": [np.arange(6, dtype=np.float16).reshape(2, 3)], "bias": np.array(1.5)}
    assert same(unpack(pack(payload)), payload)


def test_an_array_of_any_layout_is_kept_by_its_elements():
    array = np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1)[::-1]
    assert np.array_equal(unpack(pack(array)), array)


def test_an_unpacked_array_can_be_written_to():
    array = unpack(pack(np.zeros(3)))
    array[0] = 1.0
    assert array.tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("scalar", [np.float32(1.5), np.int8(-3), np.bool_(True), np.str_("a")])  # noqa: FBT003
def test_a_numpy_scalar_becomes_a_plain_value(scalar):
    found = unpack(pack(scalar))
    assert (found, type(found)) == (scalar.item(), type(scalar.item()))


def test_a_tuple_becomes_a_list():
    assert unpack(pack((1, (2, 3)))) == [1, [2, 3]]


@pytest.mark.parametrize("wrap", [lambda v: [v], lambda v: {"a": v}], ids=["list", "mapping"])
@pytest.mark.parametrize("depth", [1, DEEPEST // 2, DEEPEST])
def test_the_deepest_value_that_is_packed_is_unpacked(wrap, depth):
    value = nested(depth, wrap)
    assert unpack(pack(value)) == value


@pytest.mark.parametrize("wrap", [lambda v: [v], lambda v: {"a": v}], ids=["list", "mapping"])
def test_a_value_nested_too_deep_is_refused(wrap):
    with pytest.raises(SerializationError, match="deep"):
        pack(nested(DEEPEST + 1, wrap))


def test_a_value_that_holds_itself_is_refused():
    value = []
    value.append(value)
    with pytest.raises(SerializationError, match="deep"):
        pack(value)


@pytest.mark.parametrize(
    "value",
    [
        {1, 2},
        object(),
        bytearray(b"a"),
        1j,
        2**64,
        -(2**63) - 1,
        10**5000,
        {1: "a"},
        {b"a": 1},
        "\ud800",
        {"\ud800": 1},
        np.array([None]),
        np.array(["a"]),
        np.zeros(2, dtype=complex),
        np.zeros(2, dtype="M8[s]"),
        np.zeros(2, dtype=[("a", "f4")]),
        np.datetime64("2024-01-02"),
        np.datetime64("2024-01-02", "ns"),
        np.timedelta64(1, "ns"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_that_cannot_be_kept_is_refused(value):
    with pytest.raises(SerializationError):
        pack({"payload": [value]})


@given(st.binary(max_size=200))
@example(b"")
@example(b"\xdd\xff\xff\xff\xff")
@example(b"\xdf\xff\xff\xff\xff")
@example(b"\xc9\xff\xff\xff\xff\x01")
@example(b"\x91" * 100_000)
@example(b"\x81\xa1a" * 100_000)
@example(b"\x81\x91\x01\x01")
def test_any_bytes_are_decoded_or_refused(data):
    decoded(data)


@given(PAYLOADS | ARRAYS, st.data())
def test_changed_bytes_are_decoded_or_refused(payload, data):
    changed = bytearray(pack(payload))
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    decoded(bytes(changed))


@given(PAYLOADS | ARRAYS, st.data())
def test_truncated_bytes_are_refused(payload, data):
    packed = pack(payload)
    cut = data.draw(st.integers(0, len(packed) - 1))
    with pytest.raises(SerializationError):
        unpack(packed[:cut])


@given(PAYLOADS, st.binary(min_size=1, max_size=20))
def test_bytes_that_follow_a_value_are_refused(payload, more):
    with pytest.raises(SerializationError):
        unpack(pack(payload) + more)


@given(
    st.text("<>|=biufOcSUVmM0123456789,() ", max_size=8).map(str.encode) | st.binary(max_size=8),
    st.lists(st.integers(0, 4) | st.integers(0, 2**64 - 1), max_size=5),
    st.binary(max_size=64),
)
@example(b"<f4", [2**64 - 1], b"")
@example(b"<f4", [0, 2**62], b"")
@example(b"<f4", [1] * 200, bytes(4))
@example(b"<fzz", [0], b"")
def test_a_made_up_array_is_plain_or_refused(dtype, shape, data):
    found = decoded(array_bytes(dtype, shape, data))
    assert found is None or found.dtype.kind in "biuf"


@pytest.mark.parametrize("dtype", [b"<f4,<f4", b"<f4,O", b"|O", b"|O8", b"|V4", b"(2,)<f4"])
def test_an_array_of_anything_but_numbers_is_refused(dtype):
    with pytest.raises(SerializationError):
        unpack(array_bytes(dtype, [0], b""))


@pytest.mark.parametrize("key", [b"\x01", b"\xc0", b"\x91\x01", b"\xa1\xff"])
def test_a_key_that_is_no_text_is_refused(key):
    with pytest.raises(SerializationError):
        unpack(b"\x81" + key + b"\x01")


def test_an_unknown_extension_is_refused():
    with pytest.raises(SerializationError, match="5"):
        unpack(b"\xd4\x05\x00")


@given(NAMESPACES)
def test_a_namespace_is_made_of_its_segments(namespace):
    Namespace.validate(namespace)
    assert "/".join(Namespace.parse(namespace)) == namespace


BAD_NAMESPACES = [
    "",
    "/",
    "a/",
    "/a",
    "a//b",
    ".",
    "a/..",
    "a b",
    "ä",
    "a\0",
    "a" * 129,
    "a/" * 8 + "a",
]


@pytest.mark.parametrize("namespace", BAD_NAMESPACES)
@pytest.mark.parametrize("check", [Namespace.validate, Namespace.parse])
def test_an_illegal_namespace_is_refused(check, namespace):
    with pytest.raises(NamespaceError):
        check(namespace)


@given(st.text(max_size=20))
def test_any_text_is_a_namespace_or_refused(text):
    try:
        Namespace.validate(text)
    except NamespaceError:
        return
    assert "/".join(Namespace.parse(text)) == text


@given(SEGMENTS, st.lists(SEGMENTS, max_size=6))
def test_what_an_agent_builds_is_its_own(agent, segments):
    namespace = Namespace.build(agent, *segments)
    assert namespace == "/".join([Namespace.agent_prefix(agent), *segments])
    assert Namespace.extract_agent_id(namespace) == agent
    assert Namespace.belongs_to_agent(namespace, agent)
    assert Namespace.extract_key(namespace) == ("/".join(segments) or None)


@pytest.mark.parametrize("agent", ["", "a/b", "..", "a b"])
@pytest.mark.parametrize("make", [Namespace.build, Namespace.agent_prefix])
def test_an_illegal_agent_id_is_refused(make, agent):
    with pytest.raises(NamespaceError):
        make(agent)


def test_a_namespace_too_deep_is_not_built():
    with pytest.raises(NamespaceError):
        Namespace.build("a", *"bcdefgh")


@pytest.mark.parametrize("namespace", ["models", "swarm", "swarms/x/pos", "a/swarm/x"])
def test_a_namespace_outside_the_swarm_belongs_to_nobody(namespace):
    assert Namespace.extract_agent_id(namespace) is None
    assert Namespace.extract_key(namespace) is None


def test_an_agent_does_not_own_what_another_with_a_longer_name_owns():
    assert not Namespace.belongs_to_agent("swarm/xy/pos", "x")


def test_agents_are_listed_once_and_sorted():
    assert Namespace.get_agent_ids(["swarm/b/x", "models", "swarm/a", "swarm/b"]) == ["a", "b"]


def test_namespaces_of_an_agent_keep_their_order():
    given_ones = ["swarm/a/z", "swarm/b", "models", "swarm/a", "swarm/ab/c"]
    assert Namespace.filter_by_agent(given_ones, "a") == ["swarm/a/z", "swarm/a"]


@given(NAMESPACES, NAMESPACES)
def test_a_prefix_goes_by_whole_segments(namespace, prefix):
    segments, start = Namespace.parse(namespace), Namespace.parse(prefix)
    assert Namespace.has_prefix(namespace, prefix) == (segments[: len(start)] == start)


def test_a_manual_clock_stands_where_it_was_set():
    clock = Clock(manual=True, start_us=5)
    assert (clock.manual, clock.now_us(), clock.monotonic_us()) == (True, 5, 0)


def test_a_manual_clock_moves_both_times():
    clock = Clock(manual=True, start_us=5)
    clock.advance_us(10)
    clock.set_us(20)
    assert (clock.now_us(), clock.monotonic_us()) == (20, 15)


def test_a_manual_clock_is_not_set_back():
    clock = Clock(manual=True, start_us=5)
    with pytest.raises(ValueError, match="only forward"):
        clock.set_us(4)
    assert clock.now_us() == 5


@pytest.mark.parametrize("move", [lambda clock: clock.advance_us(1), lambda clock: clock.set_us(1)])
def test_the_systems_clock_is_not_moved(move):
    with pytest.raises(ValueError, match="clock"):
        move(Clock())


def test_the_systems_clock_never_goes_back():
    clock = Clock()
    for tell in (clock.now_us, clock.monotonic_us):
        times = [tell() for _ in range(1000)]
        assert times == sorted(times)


def test_a_clock_far_ahead_is_not_moved_over_the_end():
    clock = Clock(manual=True, start_us=2**63 - 1)
    with pytest.raises((ValueError, OverflowError)):
        clock.advance_us(1)
    assert clock.now_us() == 2**63 - 1


def test_the_distance_kernel_has_a_name():
    assert distance_kernel()
