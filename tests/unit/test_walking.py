"""Going through all records that were known at a time."""

import asyncio
from itertools import islice

import pytest

from builders import day, record
from nt_memory import AsyncMemorySystem, Filter, HorizonError, Outcome
from nt_memory._walking import walk
from nt_memory.store import Query


def ids(records):
    return [found.id for found in records]


def many(memory, count, **fields):
    memory.remember_many([record(id=f"{n:04}", **fields) for n in range(count)])


def test_all_records_come_in_the_order_of_their_time(memory):
    for n, name in enumerate("cab"):
        memory.remember(record(id=name, event_time=day(n)))
    assert ids(memory.records()) == ["c", "a", "b"]
    assert ids(memory.records(order_by="-event_time")) == ["b", "a", "c"]


@pytest.mark.parametrize("count", [0, 1, 1000, 1001, 2500])
def test_pages_leave_none_out_and_give_none_twice(memory, count):
    many(memory, count)
    assert ids(memory.records()) == [f"{n:04}" for n in range(count)]


@pytest.mark.parametrize("page", [1, 2, 5])
@pytest.mark.parametrize("order_by", ["event_time", "-event_time"])
def test_pages_of_any_size_are_the_whole(memory, page, order_by):
    for n in range(6):
        memory.remember(record(id=str(n), event_time=day(n // 2)))
    found = [raw.id for raw in walk(memory.store, Query(order_by=order_by), page)]
    assert found == ids(memory.records(order_by=order_by))
    assert sorted(found) == list("012345")


def test_only_what_is_asked_for_comes(memory):
    memory.remember_many([record(id="a", symbol="SPY"), record(id="b", symbol="QQQ")])
    memory.remember(record(id="c", symbol="SPY", namespace="other"))
    assert ids(memory.records(filter=Filter(symbol="SPY"), namespace="trades")) == ["a"]


def test_records_are_as_they_were_known(memory):
    memory.remember(record(id="a", outcome=Outcome(1.0, known_at=day(2))))
    memory.remember(record(id="b", event_time=day(3)))
    (found,) = memory.records(as_of=day(1))
    assert (found.id, found.outcome) == ("a", None)


def test_records_are_as_they_were_held(memory):
    memory.remember(record(id="a"))
    commit = memory.recall().commit
    memory.remember(record(id="b"))
    assert ids(memory.records(recorded_by=commit)) == ["a"]


def test_what_is_written_meanwhile_is_not_among_them(memory):
    many(memory, 1500)
    found = memory.records()
    first = ids(islice(found, 10))
    memory.remember(record(id="1499a"))
    memory.settle("1400", {"reward": 1.0})
    rest = list(found)
    assert first + ids(rest) == [f"{n:04}" for n in range(1500)]
    assert all(late.outcome is None for late in rest)


def test_what_is_written_meanwhile_is_not_held_by_a_time_to_come(memory):
    many(memory, 1500)
    found = memory.records(recorded_by=day(99))
    next(found)
    memory.remember(record(id="1499a"))
    assert ids(found)[-1] == "1499"


@pytest.mark.parametrize("order_by", ["reward", "attributes.a", "-", "", None, 3])
def test_only_times_are_an_order(memory, order_by):
    with pytest.raises(ValueError, match="order_by="):
        memory.records(order_by=order_by)


def test_what_retention_erased_is_told(memory, clock):
    memory.configure_namespace("trades", retention=86400.0)
    memory.remember(record())
    clock.advance(5 * 86400.0)
    with pytest.raises(HorizonError):
        list(memory.records(as_of=day(1)))


def test_a_loop_that_waits_goes_through_them_as_well(memory):
    many(memory, 1200)

    async def use():
        async with AsyncMemorySystem(memory) as opened:
            return [found.id async for found in opened.records(filter=Filter(kind="trade"))]

    assert asyncio.run(use()) == [f"{n:04}" for n in range(1200)]
