"""Filters: keywords to a plain tree, and what they refuse."""

from datetime import datetime

import pytest

from builders import START, day
from nt_memory import Filter, between, contains, ge, gt, le, lt, ne, not_in
from nt_memory.clock import to_micros


def node(field, op, value):
    return {"test": {"field": field, "op": op, "value": value}}


def test_a_value_means_equality():
    assert Filter(kind="trade").tree() == node("kind", "eq", "trade")


def test_a_list_means_any_of_it():
    assert Filter(agent_id=["a", "b"]).tree() == node("agent_id", "in", ["a", "b"])


def test_a_set_means_any_of_it_in_a_fixed_order():
    assert Filter(tags={"b", "a"}).tree() == node("tags", "in", ["a", "b"])


@pytest.mark.parametrize(
    ("condition", "op", "value"),
    [
        (ne(1.0), "ne", 1.0),
        (not_in([1, 2]), "not_in", [1.0, 2.0]),
        (gt(1), "gt", 1.0),
        (ge(1), "ge", 1.0),
        (lt(1), "lt", 1.0),
        (le(1), "le", 1.0),
        (between(1, 2), "between", [1.0, 2.0]),
        (contains("x"), "contains", "x"),
    ],
)
def test_a_condition_names_its_operation(condition, op, value):
    tree = Filter(attributes={"sharpe_ratio": condition}).tree()
    assert tree == node("attributes.sharpe_ratio", op, value)


def test_several_keywords_all_have_to_hold():
    tree = Filter(kind="trade", symbol="SPY").tree()
    assert tree == {"and": [node("kind", "eq", "trade"), node("symbol", "eq", "SPY")]}


def test_an_empty_filter_lets_everything_pass():
    assert Filter().tree() == {"and": []}


@pytest.mark.parametrize(
    "field", ["event_time", "known_at", "recorded_at", "visible_at", "expires_at"]
)
def test_a_time_becomes_microseconds(field):
    assert Filter(**{field: ge(START)}).tree() == node(field, "ge", to_micros(START))


def test_a_range_of_times_becomes_microseconds():
    tree = Filter(event_time=between(day(0), day(1))).tree()
    assert tree["test"]["value"] == [to_micros(day(0)), to_micros(day(1))]


def test_and_joins_the_branches():
    tree = (Filter(kind="a") & Filter(symbol="b", regime="c")).tree()
    assert [branch["test"]["field"] for branch in tree["and"]] == ["kind", "symbol", "regime"]


def test_or_joins_the_branches():
    tree = (Filter(kind="a") | Filter(kind="b") | Filter(kind="c")).tree()
    assert [branch["test"]["value"] for branch in tree["or"]] == ["a", "b", "c"]


def test_not_turns_a_filter_round():
    assert (~Filter(kind="a")).tree() == {"not": node("kind", "eq", "a")}


def test_combining_leaves_the_parts_as_they_were():
    left = Filter(kind="a", symbol="b")
    before = repr(left)
    _ = left & Filter(regime="c")
    assert repr(left) == before


def test_filters_of_the_same_tests_are_equal():
    assert Filter(kind="a") == Filter(kind="a")


def test_an_unknown_field_is_refused_with_those_known():
    with pytest.raises(ValueError, match=r"'agent'.*known are kind, agent_id.*attributes"):
        Filter(agent="a")


def test_a_naive_time_is_refused_by_name():
    with pytest.raises(ValueError, match=r"known_at=.*naive"):
        Filter(known_at=ge(datetime(2024, 1, 2)))  # noqa: DTZ001 (the point of the test)


@pytest.mark.parametrize(
    ("field", "condition"),
    [
        ("kind", 5),
        ("kind", ge("a")),
        ("kind", None),
        ("event_time", 5),
        ("event_time", contains("2024")),
        ("importance", "high"),
        ("importance", START),
        ("reward", float("nan")),
        ("confidence", contains("1")),
        ("tags", [1]),
        ("attributes", {"x": True}),
        ("attributes", {"x": None}),
        ("attributes", {"x": START}),
        ("attributes", {"x": gt("a")}),
        ("attributes", {"x": float("inf")}),
        ("attributes", ["x"]),
    ],
)
def test_a_value_that_the_field_cannot_have_is_refused_by_name(field, condition):
    with pytest.raises(ValueError, match=field):
        Filter(**{field: condition})


def test_a_filter_combines_with_filters_only():
    with pytest.raises(TypeError):
        Filter(kind="a") & {"kind": "b"}
