"""Durable puts of 100 bytes: on the disk when the call returns, for everybody."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager

import diskcache
import lmdb
import pytest
from measure import VALUE, keys

from nt_memory import MemorySystem

PAIRS = keys(20_000)
SINGLE = 500
BATCHES = 100
NAMESPACE = "swarm/agent-1"


def ours(path, stack: ExitStack):
    memory = stack.enter_context(MemorySystem(path))

    def put(names: list[str]) -> None:
        if len(names) == 1:
            memory.put(NAMESPACE, names[0], VALUE)
        else:
            memory.put_many(NAMESPACE, dict.fromkeys(names, VALUE))

    return put


def disk_cache(path, stack: ExitStack):
    # Its default syncs at checkpoints only; 2 is FULL, a sync a transaction.
    cache = stack.enter_context(diskcache.Cache(str(path), sqlite_synchronous=2))

    def put(names: list[str]) -> None:
        with cache.transact():
            for name in names:
                cache.set(f"{NAMESPACE}/{name}", VALUE)

    return put


def lmdb_sync(path, stack: ExitStack):
    environment = stack.enter_context(lmdb.open(str(path), map_size=1 << 28, sync=True))

    def put(names: list[str]) -> None:
        with environment.begin(write=True) as transaction:
            for name in names:
                transaction.put(f"{NAMESPACE}/{name}".encode(), VALUE)

    return put


@contextmanager
def opened(make, path):
    with ExitStack() as stack:
        yield make(path, stack)


SUBJECTS = {"ours": ours, "lmdb": lmdb_sync, "diskcache": disk_cache}


@pytest.mark.parametrize("subject", SUBJECTS)
def test_single(subject, tmp_path, timed):
    with opened(SUBJECTS[subject], tmp_path / "store") as put:
        timed(f"put/single/{subject}", lambda i: put([PAIRS[i][1]]), SINGLE)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_batch_of_100(subject, tmp_path, timed):
    names = [key for _, key in PAIRS]
    with opened(SUBJECTS[subject], tmp_path / "store") as put:
        timed(
            f"put/batch100/{subject}",
            lambda i: put(names[i * 100 : i * 100 + 100]),
            BATCHES,
            per=100,
            unit="puts/s",
        )
