"""`get` of 100 bytes from Python, through one function of two arguments for everybody.

`MemorySystem.get` has that shape already.  The peers take one key, so each is wrapped in a
function `f(namespace, key)` that makes it: that is what an agent would write around them.
"""

from __future__ import annotations

import random
from contextlib import ExitStack
from statistics import median

import cachetools
import diskcache
import lmdb
import pytest
from measure import (
    BATCH,
    CALLS,
    KEYS,
    VALUE,
    Get,
    Key,
    batched,
    by_namespace,
    calls_in_order,
    keys,
    time_batches,
    time_loop,
)

from nt_memory import MemorySystem

ROUNDS = 5


def ours(path, stack: ExitStack, pairs: list[Key]) -> Get:
    memory = stack.enter_context(MemorySystem(path))
    for namespace, values in by_namespace(pairs).items():
        memory.put_many(namespace, values)
    return memory.get


def plain_dict(_path, _stack: ExitStack, pairs: list[Key]) -> Get:
    values = dict.fromkeys(pairs, VALUE)
    return lambda namespace, key: values.get((namespace, key))


def lru_cache(_path, _stack: ExitStack, pairs: list[Key]) -> Get:
    cache: cachetools.LRUCache[Key, bytes] = cachetools.LRUCache(KEYS)
    for pair in pairs:
        cache[pair] = VALUE
    return lambda namespace, key: cache.get((namespace, key))


def disk_cache(path, stack: ExitStack, pairs: list[Key]) -> Get:
    cache = stack.enter_context(diskcache.Cache(str(path)))
    with cache.transact():
        for namespace, key in pairs:
            cache.set(f"{namespace}/{key}", VALUE)
    return lambda namespace, key: cache.get(f"{namespace}/{key}")


def lmdb_transaction(path, stack: ExitStack, pairs: list[Key]) -> Get:
    environment = stack.enter_context(lmdb.open(str(path), map_size=1 << 28))
    with environment.begin(write=True) as transaction:
        for namespace, key in pairs:
            transaction.put(f"{namespace}/{key}".encode(), VALUE)

    def get(namespace: str, key: str) -> bytes | None:
        with environment.begin() as transaction:
            return transaction.get(f"{namespace}/{key}".encode())

    return get


def empty(_path, _stack: ExitStack, _pairs: list[Key]) -> Get:
    return lambda namespace, key: None  # noqa: ARG005 (what a call of Python costs by itself)


SUBJECTS = {
    "ours": ours,
    "dict": plain_dict,
    "cachetools": lru_cache,
    "lmdb": lmdb_transaction,
    "diskcache": disk_cache,
    "empty": empty,
}


@pytest.fixture(scope="module")
def held() -> list[Key]:
    """Return the strings that everybody stores."""
    return keys(KEYS)


@pytest.fixture(scope="module")
def subjects(tmp_path_factory, held):
    folder = tmp_path_factory.mktemp("get")
    with ExitStack() as stack:
        made = {name: make(folder / name, stack, held) for name, make in SUBJECTS.items()}
        for name, get in made.items():
            assert name == "empty" or all(get(*pair) == VALUE for pair in held[::1000])
        yield made


def same_key(held: list[Key], _seed: int) -> list[list[Key]]:
    return batched([held[500]] * CALLS)


def hot_1k(held: list[Key], seed: int) -> list[list[Key]]:
    chosen = random.Random(seed)
    return batched([held[chosen.randrange(1000)] for _ in range(CALLS)])


def random_100k(_held: list[Key], seed: int) -> list[list[Key]]:
    return calls_in_order(KEYS, seed)


def random_100k_hashed(held: list[Key], seed: int) -> list[list[Key]]:
    batches = random_100k(held, seed)
    for batch in batches:
        for pair in batch:
            hash(pair)  # a string keeps its hash once it was asked for
    return batches


@pytest.mark.parametrize("order", [same_key, hot_1k, random_100k, random_100k_hashed])
def test_get(order, subjects, held, results):
    """All in turns, several rounds; the row is the round with the median p50."""
    rounds: dict[str, list[list[float]]] = {name: [] for name in subjects}
    loops = []
    for turn in range(ROUNDS):
        for name, get in subjects.items():
            batches = order(held, turn)
            count = len(batches) if name not in {"lmdb", "diskcache"} else 200
            rounds[name].append(time_batches(get, batches[:count]))
        loops.append(time_loop(order(held, turn)))
    loop = median(loops)
    for name, times in rounds.items():
        middle = sorted(times, key=median)[ROUNDS // 2]
        rest = [max(time - loop, 0.0) for time in middle]
        results.latency(f"get/{order.__name__}/{name}", rest, BATCH, loop_p50=round(loop, 1))
