"""Retrieval of experiences among 100,000 episodes: one agent, and ten at the same time."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import numpy as np
import pytest
from measure import MINUTE, START, embeddings

from nt_memory import (
    Action,
    AsyncMemoryRetrievalService,
    EpisodicMemory,
    EpisodicStore,
    MemoryRetrievalService,
    MemorySystem,
)

STORED = 100_000
QUERIES = 10_000
AGENTS = 10
EACH = 100
ROUNDS = 5
REGIMES = ("TRENDING", "MEAN_REVERTING", "VOLATILE")


@pytest.fixture(scope="module")
def vectors():
    return embeddings(STORED + QUERIES)


def episodes(vectors, owners):
    """Return one settled episode a vector, a minute apart, of so many agents in turn."""
    for i, vector in enumerate(vectors):
        yield EpisodicMemory(
            agent_id=f"agent-{i % owners}",
            timestamp=START + i * MINUTE,
            state_vector=vector,
            action=Action("BUY", 0.5),
            product_id="SPY",
            regime=REGIMES[i % len(REGIMES)],
            market_phase="OPEN",
            pattern_ids=("breakout",),
            reward=float(vector[0]),
            next_state_vector=vectors[(i + 1) % len(vectors)],
            outcome_known_at=START + i * MINUTE + timedelta(hours=1),
        )


@pytest.fixture(scope="module", params=[1, AGENTS], ids=["of_one", "of_ten"])
def owners(request):
    """How many agents the episodes are of."""
    return request.param


@pytest.fixture(scope="module")
def memory(vectors, owners, tmp_path_factory):
    with MemorySystem(tmp_path_factory.mktemp("experience") / "store") as memory:
        store = EpisodicStore(memory)
        made = list(episodes(vectors[:STORED], owners))
        for at in range(0, STORED, 2000):
            store.add_many(made[at : at + 2000])
        while memory.stats()["l2_waiting"]:
            time.sleep(0.05)
        yield memory


@pytest.fixture(scope="module")
def queries(vectors):
    return vectors[STORED:]


@pytest.mark.parametrize("log", [True, False], ids=["logged", "not_logged"])
def test_one_agent(memory, owners, queries, timed, log):
    service = MemoryRetrievalService(memory, log=log)
    found = service.retrieve_similar_experiences(queries[0], "agent-0")
    assert len(found) == 10
    assert not found.exact  # ten thousand are enough for the index
    how = "logged" if log else "not_logged"
    timed(
        f"experience/one_agent_{owners}x{STORED // owners}_{how}/ours",
        lambda i: service.retrieve_similar_experiences(queries[i % QUERIES], f"agent-{i % owners}"),
        QUERIES if log else QUERIES // 10,
    )


async def ask(service, owners, queries):
    """Let ten agents ask, each one question after the other; return seconds, and those of each."""
    seconds = []

    async def agent(number):
        for i in range(EACH):
            query = queries[number * EACH + i]
            began = time.perf_counter()
            await service.retrieve_similar_experiences(query, f"agent-{number % owners}")
            seconds.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(agent(number) for number in range(AGENTS)))
    return time.perf_counter() - began, seconds


def test_ten_agents_at_the_same_time(memory, owners, queries, results):
    """With batching and without, in turns: the load of others meets both."""
    service = MemoryRetrievalService(memory)
    whole = {True: [], False: []}
    single = {True: [], False: []}

    async def run(batching):
        async with AsyncMemoryRetrievalService(service, batching=batching) as asked:
            return await ask(asked, owners, queries)

    for _ in range(ROUNDS):
        for batching in (True, False):
            total, seconds = asyncio.run(run(batching))
            whole[batching].append(total)
            single[batching] += seconds
    for batching, how in ((True, "batched"), (False, "one_by_one")):
        name = f"experience/ten_agents_{owners}x{STORED // owners}_{how}"
        results.latency(f"{name}/ours", [second * 1e9 for second in single[batching]])
        rate = AGENTS * EACH / float(np.median(whole[batching]))
        results.number(f"{name}_rate/ours", rate, "queries/s")
