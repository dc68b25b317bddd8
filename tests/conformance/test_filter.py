"""Filters in a search: each test of each field, and how tests combine."""

import pytest

from conformance.builders import at, found, settle, write

RECORDS = {
    "full": {
        "namespace": "trades/fx",
        "kind": "trade",
        "agent_id": "one",
        "symbol": "EURUSD",
        "regime": "calm",
        "writer": "one",
        "tags": ("fast", "small"),
        "event_time": at(-2),
        "known_at": at(-1),
        "expires_at": at(9),
        "importance": 0.5,
        "confidence": 0.75,
        "attributes": {"size": 2.0, "side": "long", "legs": ["near", "far"]},
    },
    "bare": {"namespace": "notes", "kind": "note", "event_time": at(0), "known_at": at(0)},
}
TEXTS = ["kind", "agent_id", "symbol", "regime", "writer", "attributes.side"]
NUMBERS = ["importance", "confidence", "reward", "attributes.size"]
TIMES = ["event_time", "known_at", "recorded_at", "visible_at", "expires_at"]
# In every store that these tests search, "full" has a reward of -1.5.
VALUES = {
    **{field: RECORDS["full"].get(field) for field in TEXTS + NUMBERS + TIMES},
    "recorded_at": at(0),
    "visible_at": at(-1),
    "reward": -1.5,
    "attributes.side": "long",
    "attributes.size": 2.0,
}
# What "bare" has as well, in its own way.
SHARED = {"kind", "writer", "importance", *TIMES} - {"expires_at"}


@pytest.fixture(autouse=True)
def filled(store):
    """A record with every field, settled, and one with the necessary ones."""
    for name, fields in RECORDS.items():
        write(store, name, **fields)
    settle(store, "full", -1.5, at(-1))


def passes(store, field, op, value):
    return set(found(store, filter={"test": {"field": field, "op": op, "value": value}}))


def is_among(store, name, field, op, value):
    return name in passes(store, field, op, value)


@pytest.mark.parametrize("field", TEXTS + NUMBERS + TIMES)
def test_eq_is_the_value(store, field):
    assert is_among(store, "full", field, "eq", VALUES[field])


@pytest.mark.parametrize("field", TEXTS)
@pytest.mark.parametrize("other", ["", "other", 1, 1.5])
def test_eq_is_not_another_value(store, field, other):
    assert passes(store, field, "eq", other) == set()


@pytest.mark.parametrize("field", NUMBERS + TIMES)
def test_eq_is_not_another_number(store, field):
    assert not is_among(store, "full", field, "eq", VALUES[field] + 1)


@pytest.mark.parametrize("field", NUMBERS + TIMES)
def test_a_number_is_no_text(store, field):
    assert passes(store, field, "eq", str(VALUES[field])) == set()


@pytest.mark.parametrize("field", ["attributes.size"])
def test_an_integer_equals_the_number(store, field):
    assert is_among(store, "full", field, "eq", 2)


@pytest.mark.parametrize("field", TEXTS + NUMBERS + TIMES)
def test_ne_is_the_opposite_of_eq(store, field):
    value = VALUES[field]
    assert passes(store, field, "ne", value) == set(RECORDS) - passes(store, field, "eq", value)


@pytest.mark.parametrize("field", TEXTS + NUMBERS + TIMES)
def test_in_is_any_of_the_values(store, field):
    assert is_among(store, "full", field, "in", ["other", VALUES[field]])


@pytest.mark.parametrize("field", TEXTS + NUMBERS + TIMES)
def test_in_nothing_is_never(store, field):
    assert passes(store, field, "in", []) == set()


@pytest.mark.parametrize("field", TEXTS + NUMBERS + TIMES)
def test_not_in_is_the_opposite_of_in(store, field):
    values = ["other", VALUES[field]]
    assert passes(store, field, "not_in", values) == set(RECORDS) - passes(
        store, field, "in", values
    )


@pytest.mark.parametrize("field", sorted(set(TEXTS + NUMBERS + TIMES) - SHARED))
@pytest.mark.parametrize("op", ["eq", "contains", "gt", "ge", "lt", "le"])
def test_a_missing_field_passes_no_test(store, field, op):
    assert not is_among(store, "bare", field, op, VALUES[field])


@pytest.mark.parametrize("field", sorted(set(TEXTS + NUMBERS + TIMES) - SHARED))
def test_a_missing_field_is_different(store, field):
    assert is_among(store, "bare", field, "ne", VALUES[field])
    assert is_among(store, "bare", field, "not_in", [VALUES[field]])


@pytest.mark.parametrize("field", NUMBERS + TIMES)
@pytest.mark.parametrize(
    ("op", "step", "holds"),
    [
        ("gt", -1, True),
        ("gt", 0, False),
        ("gt", 1, False),
        ("ge", -1, True),
        ("ge", 0, True),
        ("ge", 1, False),
        ("lt", -1, False),
        ("lt", 0, False),
        ("lt", 1, True),
        ("le", -1, False),
        ("le", 0, True),
        ("le", 1, True),
    ],
)
def test_numbers_and_times_have_an_order(store, field, op, step, holds):
    assert is_among(store, "full", field, op, VALUES[field] + step) is holds


@pytest.mark.parametrize("field", NUMBERS + TIMES)
@pytest.mark.parametrize(
    ("low", "high", "holds"), [(-1, 1, True), (0, 0, True), (1, 2, False), (1, -1, False)]
)
def test_between_has_both_its_bounds(store, field, low, high, holds):
    value = VALUES[field]
    assert is_among(store, "full", field, "between", [value + low, value + high]) is holds


@pytest.mark.parametrize("field", [*TEXTS, "tags", "attributes.legs"])
@pytest.mark.parametrize("op", ["gt", "ge", "lt", "le"])
@pytest.mark.parametrize("value", ["", "m", 0])
def test_text_has_no_order(store, field, op, value):
    assert passes(store, field, op, value) == set()


@pytest.mark.parametrize("field", NUMBERS + TIMES)
def test_a_number_is_not_compared_with_text(store, field):
    assert passes(store, field, "ge", "0") == set()


@pytest.mark.parametrize("field", TIMES)
def test_a_time_is_compared_with_whole_microseconds_only(store, field):
    assert passes(store, field, "ge", 0.5) == set()


@pytest.mark.parametrize("field", TEXTS)
def test_contains_is_a_part_of_the_text(store, field):
    assert is_among(store, "full", field, "contains", VALUES[field][1:-1])


@pytest.mark.parametrize("field", TEXTS)
def test_contains_is_no_other_text(store, field):
    assert passes(store, field, "contains", "%") == set()


@pytest.mark.parametrize("field", NUMBERS + TIMES)
def test_a_number_contains_nothing(store, field):
    assert passes(store, field, "contains", VALUES[field]) == set()


@pytest.mark.parametrize(("field", "element"), [("tags", "fast"), ("attributes.legs", "far")])
@pytest.mark.parametrize("op", ["eq", "contains"])
def test_a_list_has_an_element(store, field, element, op):
    assert passes(store, field, op, element) == {"full"}


@pytest.mark.parametrize(("field", "part"), [("tags", "fas"), ("attributes.legs", "fa")])
@pytest.mark.parametrize("op", ["eq", "contains"])
def test_an_element_is_a_whole_word(store, field, part, op):
    assert passes(store, field, op, part) == set()


@pytest.mark.parametrize(("field", "element"), [("tags", "fast"), ("attributes.legs", "far")])
def test_a_list_is_in_values_that_it_has_one_of(store, field, element):
    assert passes(store, field, "in", ["other", element]) == {"full"}


@pytest.mark.parametrize("field", ["tags", "attributes.legs"])
def test_a_list_is_not_without_an_element_it_has(store, field):
    element = {"tags": "small", "attributes.legs": "near"}[field]
    assert passes(store, field, "ne", element) == {"bare"}


@pytest.mark.parametrize(
    ("value", "holds"),
    [("trades", True), ("trades/fx", True), ("trades/f", False), ("trade", False), ("fx", False)],
)
def test_a_namespace_is_itself_and_those_below(store, value, holds):
    assert is_among(store, "full", "namespace", "eq", value) is holds
    assert is_among(store, "full", "namespace", "in", ["other", value]) is holds
    assert is_among(store, "full", "namespace", "ne", value) is not holds


def test_a_namespace_contains_a_part_of_its_text(store):
    assert passes(store, "namespace", "contains", "des/f") == {"full"}


def test_the_reward_is_that_of_the_visible_version(store):
    settle(store, "full", 4.0, at(1), revise=True)
    positive = {"test": {"field": "reward", "op": "gt", "value": 0}}
    assert [found(store, filter=positive, as_of=at(hour)) for hour in (0, 1)] == [[], ["full"]]


def test_known_at_is_that_of_the_record_and_not_of_its_outcome(store):
    settle(store, "full", 4.0, at(0), revise=True)
    assert is_among(store, "full", "known_at", "eq", at(-1))


def test_visible_at_is_from_when_the_version_shows(store):
    settle(store, "full", 4.0, at(0), revise=True)
    assert is_among(store, "full", "visible_at", "eq", at(0))
    assert is_among(store, "bare", "visible_at", "eq", at(0))
    settle(store, "bare", 1.0, at(2))
    assert is_among(store, "bare", "visible_at", "eq", at(0))


def test_a_filter_tests_the_visible_version_only(store):
    write(store, "bare", **{**RECORDS["bare"], "symbol": "SPY"})
    write(store, "bare", **RECORDS["bare"])
    assert passes(store, "symbol", "eq", "SPY") == set()


TRADE, NOTE = (
    {"test": {"field": "kind", "op": "eq", "value": value}} for value in ("trade", "note")
)


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({"and": []}, {"full", "bare"}),
        ({"or": []}, set()),
        ({"and": [TRADE]}, {"full"}),
        ({"and": [TRADE, NOTE]}, set()),
        ({"or": [TRADE, NOTE]}, {"full", "bare"}),
        ({"not": TRADE}, {"bare"}),
        ({"not": {"not": TRADE}}, {"full"}),
        ({"not": {"or": [TRADE, NOTE]}}, set()),
        ({"and": [{"or": [TRADE, NOTE]}, {"not": NOTE}]}, {"full"}),
    ],
)
def test_tests_combine(store, tree, expected):
    assert set(found(store, filter=tree)) == expected


@pytest.mark.parametrize(
    "tree",
    [
        {},
        {"xor": []},
        {"and": [], "or": []},
        {"and": TRADE},
        {"not": []},
        {"test": {"field": "kind", "op": "eq"}},
        {"test": {"field": "kind", "op": "like", "value": "x"}},
        {"test": {"field": "text", "op": "eq", "value": "x"}},
        {"test": {"field": "kind", "op": "in", "value": "x"}},
        {"test": {"field": "kind", "op": "not_in", "value": "x"}},
        {"test": {"field": "importance", "op": "between", "value": 1}},
        {"test": {"field": "importance", "op": "between", "value": [1]}},
        {"test": {"field": "importance", "op": "between", "value": [1, 2, 3]}},
        {"test": {"field": "importance", "op": "eq", "value": True}},
        {"test": {"field": "importance", "op": "eq", "value": None}},
        {"test": {"field": "kind", "op": "in", "value": ["x", False]}},
    ],
)
def test_a_tree_that_is_not_well_formed_is_refused(store, tree):
    with pytest.raises(ValueError, match=r"filter|field|between"):
        found(store, filter=tree)
