"""Records with 256 floats, durable, in batches of 100; and in large ones, as tables too."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from measure import MINUTE, START, embeddings, records

from nt_memory import MemorySystem

BATCHES = 100
LARGE, ROUNDS = 10_000, 5
VECTORS = embeddings((BATCHES + 1) * 100)


def test_remember_many(tmp_path, timed):
    made = records(VECTORS)
    with MemorySystem(tmp_path / "store") as memory:
        timed(
            "records/remember_many_batch100/ours",
            lambda i: memory.remember_many(made[i * 100 : i * 100 + 100]),
            BATCHES,
            per=100,
            unit="records/s",
        )


def test_build_and_remember_many(tmp_path, timed):
    with MemorySystem(tmp_path / "store") as memory:
        timed(
            "records/build_and_remember_many_batch100/ours",
            lambda i: memory.remember_many(records(VECTORS[i * 100 : i * 100 + 100])),
            BATCHES,
            per=100,
            unit="records/s",
        )


def columns(vectors):
    """Return the same fields as a table of NumPy."""
    number = np.arange(len(vectors))
    return {
        "namespace": "market",
        "kind": "state",
        "event_time": np.datetime64(START.replace(tzinfo=None), "us")
        + number * np.timedelta64(MINUTE),
        "agent_id": np.array([f"agent-{agent}" for agent in range(10)])[number % 10],
        "symbol": "SPY",
        "attributes.volatility": number.astype(float),
        "embedding": vectors,
    }


def arrow(vectors):
    """Return the same as a table of Arrow."""
    table = columns(vectors)
    words = {name: np.full(len(vectors), table[name]) for name in ("namespace", "kind", "symbol")}
    made = {name: pa.array(column).dictionary_encode() for name, column in words.items()}
    flat = pa.array(vectors.reshape(-1))
    return pa.table(
        {
            **made,
            "event_time": pa.array(table["event_time"], pa.timestamp("us", "UTC")),
            "agent_id": pa.array(table["agent_id"]),
            "attributes.volatility": table["attributes.volatility"],
            "embedding": pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
        }
    )


@pytest.mark.parametrize("form", [records, columns, arrow], ids=["records", "numpy", "arrow"])
def test_remember_a_large_batch(tmp_path, timed, form):
    vectors = embeddings(LARGE)
    with MemorySystem(tmp_path / "store") as memory:
        timed(
            f"records/build_and_remember_many_batch{LARGE}/{form.__name__}",
            lambda _: memory.remember_many(form(vectors)),
            ROUNDS,
            per=LARGE,
            unit="records/s",
        )
