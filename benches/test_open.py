"""How long a store of 1,000,000 values or records takes until its first answer, and to close."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta, timezone
from time import perf_counter

import pytest

from nt_memory import MemoryConfig, MemorySystem, Record

START = datetime(2020, 1, 1, tzinfo=timezone.utc)
VALUES = 1_000_000
VALUE = bytes(range(200))
BATCH = 2000
# Ends without a close, as by a kill.
LEFT_OPEN = """
import os, sys
from nt_memory import MemoryConfig, MemorySystem
memory = MemorySystem(MemoryConfig(storage_path=sys.argv[1], cold_engine=sys.argv[2]))
memory.put("one", "key", b"")
os._exit(0)
"""


def filled(path, engine: str) -> None:
    with MemorySystem(
        MemoryConfig(storage_path=path, cold_engine=engine, durability="none")
    ) as memory:
        for first in range(0, VALUES, BATCH):
            memory.put_many("many", {f"key-{i:08}": VALUE for i in range(first, first + BATCH)})


def remembered(path, engine: str) -> None:
    """Remember records of ten agents, without embeddings, and put the value that is asked for."""
    with MemorySystem(
        MemoryConfig(storage_path=path, cold_engine=engine, durability="none")
    ) as memory:
        for first in range(0, VALUES, BATCH):
            memory.remember_many(
                Record(
                    namespace=f"swarm/agent-{i % 10}/trades",
                    kind="trade",
                    agent_id=f"agent-{i % 10}",
                    symbol="SPY",
                    event_time=START + timedelta(minutes=i),
                    attributes={"size": float(i % 7)},
                    payload={"i": i},
                )
                for i in range(first, first + BATCH)
            )
        memory.put("many", f"key-{VALUES // 2:08}", VALUE)


def first_answer(path, engine: str) -> tuple[float, float]:
    """Milliseconds until a value is read, and those that closing takes."""
    started = perf_counter()
    memory = MemorySystem(MemoryConfig(storage_path=path, cold_engine=engine))
    assert memory.get("many", f"key-{VALUES // 2:08}") == VALUE
    answered = perf_counter()
    memory.close()
    return (answered - started) * 1e3, (perf_counter() - answered) * 1e3


@pytest.mark.parametrize("engine", ["redb", "sled"])
@pytest.mark.parametrize(("what", "fill"), [("values", filled), ("records", remembered)])
def test_open(tmp_path, engine, what, fill, results):
    path = tmp_path / "store"
    fill(path, engine)
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    results.number(f"open/1m_{what}/{engine}/size", size / 1e6, "MB")
    answer, close = first_answer(path, engine)
    results.number(f"open/1m_{what}/{engine}/closed", answer, "ms")
    results.number(f"open/1m_{what}/{engine}/close", close, "ms")
    (path / "SEAL").write_bytes(b"")
    results.number(f"open/1m_{what}/{engine}/empty_seal", first_answer(path, engine)[0], "ms")
    subprocess.run([sys.executable, "-c", LEFT_OPEN, str(path), engine], check=True)
    results.number(f"open/1m_{what}/{engine}/killed", first_answer(path, engine)[0], "ms")
