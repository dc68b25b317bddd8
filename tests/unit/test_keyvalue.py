"""Values by namespace and key."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from builders import day
from nt_memory import Bars, ClosedError, HorizonError, NamespaceError, SerializationError


def test_a_value_is_read_back(memory):
    memory.put("risk", "limit", b"5")
    assert memory.get("risk", "limit") == b"5"


def test_a_key_without_a_value_is_none(memory):
    assert memory.get("risk", "limit") is None


def test_arguments_of_get_can_be_named(memory):
    memory.put("risk", "limit", b"5")
    assert memory.get(namespace="risk", key="limit") == b"5"


def test_the_last_value_counts(memory):
    memory.put("risk", "limit", b"5")
    memory.put("risk", "limit", b"6")
    assert memory.get("risk", "limit") == b"6"


def test_any_bytes_like_value_is_stored(memory):
    memory.put("risk", "limit", memoryview(bytearray(b"5")))
    assert memory.get("risk", "limit") == b"5"


@pytest.mark.parametrize("value", ["5", 5, None, ["5"]])
def test_a_value_that_is_no_bytes_names_the_way_out(memory, value):
    with pytest.raises(TypeError, match=r"value is .*: give bytes, or use put_json"):
        memory.put("risk", "limit", value)


@pytest.mark.parametrize("namespace", ["", "a//b", "a b", "..", "/".join("abcdefghi"), "a" * 129])
def test_an_illegal_namespace_is_refused(memory, namespace):
    with pytest.raises(NamespaceError):
        memory.put(namespace, "key", b"")


@pytest.mark.parametrize("key", ["", "k" * 1025])
def test_an_illegal_key_is_refused(memory, key):
    with pytest.raises(NamespaceError):
        memory.put("risk", key, b"")


@pytest.mark.parametrize("ttl", [timedelta(hours=1), 3600, Bars(1, interval=timedelta(hours=1))])
def test_a_value_is_gone_after_its_ttl(memory, clock, ttl):
    memory.put("risk", "limit", b"5", ttl=ttl)
    clock.advance(timedelta(hours=1))
    assert memory.get("risk", "limit") is None


def test_a_value_is_there_before_its_ttl_ends(memory, clock):
    memory.put("risk", "limit", b"5", ttl=3600)
    clock.advance(3599)
    assert memory.get("risk", "limit") == b"5"


def test_a_negative_ttl_is_refused(memory):
    with pytest.raises(ValueError, match="ttl=-1"):
        memory.put("risk", "limit", b"5", ttl=-1)


def test_bars_without_an_interval_are_no_ttl(memory):
    with pytest.raises(ValueError, match="interval"):
        memory.put("risk", "limit", b"5", ttl=Bars(5))


def test_several_values_are_written(memory):
    memory.put_many("risk", {"a": b"1", "b": b"2"})
    assert memory.get_many("risk", ["b", "c", "a"]) == [b"2", None, b"1"]


def test_several_values_are_written_together_or_not_at_all(memory):
    with pytest.raises(NamespaceError):
        memory.put_many("risk", {"a": b"1", "": b"2"})
    assert memory.get("risk", "a") is None


def test_no_values_are_no_commit(memory):
    memory.put_many("risk", {})
    assert memory.recall().commit == 0


def test_a_deleted_key_is_gone(memory):
    memory.put("risk", "limit", b"5")
    memory.delete("risk", "limit")
    assert not memory.exists("risk", "limit")


def test_delete_tells_whether_there_was_a_value(memory):
    memory.put("risk", "limit", b"5")
    assert (memory.delete("risk", "limit"), memory.delete("risk", "limit")) == (True, False)


def test_an_empty_value_exists(memory):
    memory.put("risk", "limit", b"")
    assert memory.exists("risk", "limit")


def test_keys_come_in_order_of_their_bytes(memory):
    memory.put_many("risk", {"b": b"", "a": b"", "B": b""})
    assert memory.keys("risk") == (["B", "a", "b"], None)


def test_keys_are_those_with_the_prefix(memory):
    memory.put_many("risk", {"a/1": b"", "a/2": b"", "b/1": b""})
    assert memory.keys("risk", prefix="a/") == (["a/1", "a/2"], None)


def test_keys_go_on_at_the_cursor(memory):
    memory.put_many("risk", {"a": b"", "b": b"", "c": b""})
    first, cursor = memory.keys("risk", limit=2)
    assert (first, memory.keys("risk", limit=2, cursor=cursor)) == (["a", "b"], (["c"], None))


@pytest.mark.parametrize("limit", [0, -1, 1_000_001])
def test_a_limit_out_of_range_is_refused(memory, limit):
    with pytest.raises(ValueError, match=f"limit={limit}"):
        memory.keys("risk", limit=limit)


def test_compare_and_set_writes_where_the_value_is_expected(memory):
    memory.put("risk", "leader", b"a")
    assert memory.compare_and_set("risk", "leader", b"a", b"b")
    assert memory.get("risk", "leader") == b"b"


def test_compare_and_set_leaves_another_value_alone(memory):
    memory.put("risk", "leader", b"a")
    assert not memory.compare_and_set("risk", "leader", b"x", b"b")
    assert memory.get("risk", "leader") == b"a"


def test_compare_and_set_expects_absence_with_none(memory):
    assert memory.compare_and_set("risk", "leader", None, b"a")
    assert not memory.compare_and_set("risk", "leader", None, b"b")


def test_a_counter_starts_at_zero(memory):
    assert memory.increment("risk", "trades") == 1


def test_a_counter_moves_by_any_number(memory):
    memory.increment("risk", "trades", by=5)
    assert memory.increment("risk", "trades", by=-7) == -2


def test_a_counter_with_a_ttl_is_a_fixed_window(memory, clock):
    memory.increment("risk", "trades", ttl=60)
    clock.advance(59)
    memory.increment("risk", "trades", ttl=60)
    clock.advance(1)
    assert memory.increment("risk", "trades", ttl=60) == 1


def test_a_value_that_is_no_number_is_no_counter(memory):
    memory.put("risk", "trades", b"many")
    with pytest.raises(ValueError, match="trades"):
        memory.increment("risk", "trades")


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "ü", [1, [2]], {"a": {"b": None}}])
def test_json_is_read_back(memory, value):
    memory.put_json("risk", "config", value)
    assert memory.get_json("risk", "config") == value


def test_json_of_a_missing_key_is_none(memory):
    assert memory.get_json("risk", "config") is None


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, b"", np.ones(2), "\ud800"])
def test_what_is_no_json_is_refused(memory, value):
    with pytest.raises(SerializationError, match="risk/config"):
        memory.put_json("risk", "config", value)


def test_a_value_that_is_no_json_is_an_error(memory):
    memory.put("risk", "config", b"{")
    with pytest.raises(SerializationError, match="risk/config is no JSON"):
        memory.get_json("risk", "config")


@pytest.mark.parametrize("dtype", ["f4", "f8", "i8", "u1", "?"])
def test_an_array_keeps_dtype_and_shape(memory, dtype):
    array = np.arange(6).reshape(2, 3).astype(dtype)
    memory.put_array("models", "weights", array)
    back = memory.get_array("models", "weights")
    assert (back.dtype, back.tolist()) == (array.dtype, array.tolist())


def test_an_array_of_a_missing_key_is_none(memory):
    assert memory.get_array("models", "weights") is None


@pytest.mark.parametrize("value", [[1.0, 2.0], np.array([object()]), np.array(["a"])])
def test_what_is_no_array_of_numbers_is_refused(memory, value):
    with pytest.raises(SerializationError):
        memory.put_array("models", "weights", value)


@pytest.mark.parametrize("value", [b"\xc1", b"\x01"])
def test_a_value_that_is_no_array_is_an_error(memory, value):
    memory.put("models", "weights", value)
    with pytest.raises(SerializationError):
        memory.get_array("models", "weights")


def test_a_former_value_is_read_as_of_its_time(memory, clock):
    memory.configure_namespace("risk", history=True)
    memory.put("risk", "limit", b"5")
    clock.advance(timedelta(days=1))
    memory.put("risk", "limit", b"6")
    assert memory.get("risk", "limit", day(10)) == b"5"


def test_as_of_can_be_named(memory):
    memory.configure_namespace("risk", history=True)
    memory.put("risk", "limit", b"5")
    assert memory.get("risk", "limit", as_of=day(11)) == b"5"


def test_history_reaches_no_further_back_than_its_beginning(memory):
    memory.put("risk", "limit", b"5")
    memory.configure_namespace("risk", history=True)
    with pytest.raises(HorizonError, match="risk"):
        memory.get("risk", "limit", as_of=day(9))


def test_a_former_value_needs_history(memory):
    memory.put("risk", "limit", b"5")
    with pytest.raises(ValueError, match="history"):
        memory.get("risk", "limit", as_of=day(10))


def test_a_naive_as_of_is_refused(memory):
    memory.configure_namespace("risk", history=True)
    with pytest.raises(ValueError, match="naive"):
        memory.get("risk", "limit", as_of=datetime(2024, 1, 2))  # noqa: DTZ001 (the point)


def test_a_value_takes_the_ttl_of_its_namespace(memory, clock):
    memory.configure_namespace("risk", ttl=timedelta(minutes=1))
    memory.put("risk", "limit", b"5")
    clock.advance(timedelta(minutes=1))
    assert memory.get("risk", "limit") is None


@pytest.mark.parametrize("option", ["ttl", "retention"])
def test_a_negative_duration_of_a_namespace_is_refused(memory, option):
    with pytest.raises(ValueError, match=f"{option}=-1"):
        memory.configure_namespace("risk", **{option: -1})


def test_a_closed_memory_says_so(memory):
    memory.close()
    with pytest.raises(ClosedError):
        memory.put("risk", "limit", b"5")


def test_a_memory_can_be_closed_twice(memory):
    memory.close()
    memory.close()


def test_a_fresh_memory_has_nothing_to_complain_about(memory):
    memory.put("risk", "limit", b"5")
    memory.flush()
    assert memory.verify() == []


def test_stats_count_what_is_stored(memory):
    before = memory.stats()["l3_entries"]
    memory.put("risk", "limit", b"5")
    assert memory.stats()["l3_entries"] > before
