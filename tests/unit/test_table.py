"""Tables: which there are, and what is said of those that cannot be taken."""

import asyncio
from datetime import datetime, timezone

import numpy as np
import pyarrow as pa
import pytest

from builders import DIM, START, axis, day
from nt_memory import (
    AsyncMemorySystem,
    Filter,
    MemoryConfig,
    MemorySystem,
    NamespaceError,
    VectorError,
    VectorSpace,
)
from tables import DAYS, kept, trades, trades_in_arrow


class Exported:
    """What speaks Arrow's C interface and nothing else."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


def test_a_table_is_one_batch(memory):
    ids = memory.remember_many(trades(symbol="SPY", embedding=np.eye(3, DIM)))
    assert [memory.get_record(id_).commit for id_ in ids] == [1, 1, 1]
    assert memory.recall(embedding=axis(1), filter=Filter(symbol="SPY")).hits[0].id == ids[1]


async def ids_of(given):
    async with await AsyncMemorySystem.open(":memory:") as memory:
        return await memory.remember_many(given)


def test_a_table_is_written_by_the_asynchronous_memory_too():
    assert len(asyncio.run(ids_of(trades()))) == 3


@pytest.mark.parametrize("given", [trades(), trades_in_arrow()], ids=["numpy", "arrow"])
def test_a_table_without_rows_is_no_commit(memory, given):
    empty = given.slice(0, 0) if isinstance(given, pa.Table) else {**given, "event_time": DAYS[:0]}
    assert (memory.remember_many(empty), memory.recall().commit) == ([], 0)


@pytest.mark.parametrize(
    "form",
    [
        lambda table: table,
        lambda table: table.to_batches()[0],
        lambda table: table.to_reader(),
        Exported,
        lambda table: table.to_pandas(),
    ],
    ids=["Table", "RecordBatch", "RecordBatchReader", "exported", "pandas"],
)
def test_whatever_exports_arrow_is_a_table(memory, form):
    assert kept(memory, form(trades_in_arrow()), "event_time") == [day(0), day(1), day(2)]


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        (trades(price=[1, 2, 3]), ValueError, "no column 'price'; use agent_id, .*attributes.NAME"),
        (trades(payload=[1, 2, 3]), ValueError, "no column 'payload'.*by Record"),
        (trades(**{"attributes.": [1, 2, 3]}), ValueError, "no column 'attributes.'"),
        ({**trades(), 7: [1]}, ValueError, "no column 7"),
        ({"namespace": "a", "event_time": DAYS}, ValueError, "no column 'kind': give one"),
        (trades(kind=None), ValueError, "no column 'kind': give one"),
        ({"namespace": "a", "kind": "k", "event_time": START}, ValueError, "how many are there"),
        (trades(symbol=["a"]), ValueError, "symbol has 1 rows and event_time 3"),
        (
            trades_in_arrow().rename_columns(["kind", "kind", "event_time"]),
            ValueError,
            "more than one .*'kind'",
        ),
        (
            trades(**{"embedding": np.eye(3, DIM), "embeddings.state": np.eye(3, DIM)}),
            ValueError,
            "leave one",
        ),
        (trades(symbol=object()), ValueError, "symbol is a column of object: give an array"),
        (trades(namespace=["a", "b c", "d"]), NamespaceError, "row 1: namespace .b c."),
        (Exported(pa.array([1, 2])), (TypeError, AttributeError), "table|attribute"),
    ],
)
def test_a_table_that_is_none_is_refused(memory, given, error, told):
    with pytest.raises(error, match=told):
        memory.remember_many(given)
    assert memory.stats()["records"] == 0


def test_a_column_that_is_none_is_no_column(memory):
    assert kept(memory, trades(symbol=None), "symbol") == [None] * 3


def test_a_row_that_cannot_be_written_keeps_all_out(memory):
    good = trades(id=["a", "b", "c"])
    with pytest.raises(ValueError, match="row 1: importance"):
        memory.remember_many({**good, "importance": [1.0, -1.0, 1.0]})
    assert [memory.get_record(id_) for id_ in "abc"] == [None] * 3
    assert memory.remember_many({**good, "importance": 1.0}) == ["a", "b", "c"]


def test_a_table_too_large_for_the_memory_is_refused_before_it_is_written():
    spaces = {"state": VectorSpace(dim=1024)}
    config = MemoryConfig(cold_engine="memory", spaces=spaces, max_memory_bytes=1 << 20)
    rows = 2000
    given = {
        "namespace": "a",
        "kind": "k",
        "event_time": datetime(2024, 1, 1, tzinfo=timezone.utc),
        "embedding": np.ones((rows, 1024), np.float32),
    }
    with MemorySystem(config) as memory:
        with pytest.raises(
            VectorError, match=r"codes of this table 2048000 more.*write fewer rows"
        ):
            memory.remember_many(given)
        assert memory.stats()["records"] == 0
        assert len(memory.remember_many({**given, "embedding": given["embedding"][:100]})) == 100
