"""Let values and records come and go, and watch memory and disk: ``python -m crash.soak``."""

import argparse
import resource
import sys
import tempfile
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np

from nt_memory import ManualClock, MemoryConfig, MemorySystem, Record, VectorSpace

START = datetime(2024, 1, 1, tzinfo=timezone.utc)
DAY = timedelta(days=1)
KEYS = 5_000
RECORDS = 500
# A file beside the content that it has room for, and a second one while it is compacted.
MOST_GROWTH = 1.1


def resident():
    """Return the megabytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def on_disk(path):
    """Return the megabytes of a folder."""
    return sum(file.stat().st_size for file in Path(path).rglob("*") if file.is_file()) / 1e6


def day(memory, rng, number):
    """Write, read, recall and let expire what a busy day brings."""
    keys = [f"key-{key}" for key in rng.integers(0, KEYS, 500)]
    memory.put_many("state", {key: rng.bytes(int(rng.integers(10, 2_000))) for key in keys})
    memory.get_many("state", keys)
    memory.put("models", f"model-{number % 3}", rng.bytes(200_000))
    vectors = rng.normal(size=(RECORDS, 64)).astype(np.float32)
    ids = memory.remember_many(
        Record(
            namespace="trades",
            kind="trade",
            event_time=memory.clock.now(),
            embeddings={"state": vector},
            attributes={"order": f"order {number} {place}"},
            tags=(f"tag {number}",),
        )
        for place, vector in enumerate(vectors)
    )
    memory.settle(ids[0], {"reward": 1.0})
    memory.forget(ids[1:50])
    for vector in vectors[:20]:
        # What is logged is kept, and so would add to the disk.
        memory.recall(embedding=vector, top_k=5, log=False)
    memory.clock.advance(DAY)


def grows(samples):
    """Whether the last third of the samples lies above the third before it."""
    third = len(samples) // 3
    before, after = samples[third : 2 * third], samples[2 * third :]
    return max(after) > MOST_GROWTH * max(before)


def soak(path, seconds, told=lambda *_: None, samples=60):
    """Run days for so long; return samples of resident memory and disk in megabytes."""
    config = MemoryConfig(
        storage_path=path,
        spaces={"state": VectorSpace(dim=64)},
        max_memory_bytes=64 << 20,
        clock=ManualClock(START),
    )
    rng = np.random.default_rng(0)
    seen, number, begun = [], 0, time.monotonic()
    with MemorySystem(config) as memory:
        memory.configure_namespace("trades", ttl=5 * DAY, retention=5 * DAY)
        while len(seen) < samples:
            day(memory, rng, number)
            number += 1
            if number % 100 == 0:
                memory.compact()
            if time.monotonic() - begun > seconds * (len(seen) + 1) / samples:
                seen.append((resident(), on_disk(path)))
                told(number, *seen[-1])
        problems = memory.verify()
    assert problems == []
    return seen


def main():
    """Print samples as they come; exit with 1 if memory or disk grew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    minutes = parser.parse_args().minutes

    def told(number, memory, disk):
        sys.stdout.write(f"day {number:>7,}  {memory:8.1f} MB resident  {disk:8.1f} MB on disk\n")
        sys.stdout.flush()

    with tempfile.TemporaryDirectory() as place:
        seen = soak(place, minutes * 60, told)
    grown = [
        name
        for name, row in zip(("memory", "disk"), zip(*seen, strict=True), strict=True)
        if grows(row)
    ]
    sys.stdout.write(f"grew: {', '.join(grown) or 'nothing'}\n")
    raise SystemExit(bool(grown))


if __name__ == "__main__":
    main()
