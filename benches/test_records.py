"""Records with 256 floats, durable, in batches of 100."""

from __future__ import annotations

from measure import embeddings, records

from nt_memory import MemorySystem

BATCHES = 100
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
