"""Recall over 50,000 records of 256 floats, one in ten matching, beside a scan in NumPy."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from measure import embeddings, records

from nt_memory import Filter, MemorySystem

STORED = 50_000
QUERIES = 300
TOP_K = 10
AGENT = Filter(agent_id="agent-3")


@pytest.fixture(scope="module")
def vectors():
    return embeddings(STORED + QUERIES + 1)


@pytest.fixture(scope="module")
def memory(vectors, tmp_path_factory):
    with MemorySystem(tmp_path_factory.mktemp("recall") / "store") as memory:
        made = records(vectors[:STORED])
        for at in range(0, STORED, 1000):
            memory.remember_many(made[at : at + 1000])
        yield memory


@pytest.fixture(scope="module")
def queries(vectors):
    return vectors[STORED:]


@pytest.fixture(scope="module")
def linear_scan(vectors):
    """Filter by a column, then the best ten of the rest: what one writes without an engine."""
    stored = vectors[:STORED] / np.linalg.norm(vectors[:STORED], axis=1, keepdims=True)
    agents = np.arange(STORED) % 10

    def scan(query: np.ndarray, agent: int | None = None) -> list[tuple[int, float]]:
        query = query / np.linalg.norm(query)
        chosen = np.arange(STORED) if agent is None else np.flatnonzero(agents == agent)
        cosines = stored @ query if agent is None else stored[chosen] @ query
        best = np.argpartition(cosines, -TOP_K)[-TOP_K:]
        best = best[np.argsort(cosines[best])[::-1]]
        return [(int(chosen[i]), float(cosines[i])) for i in best]

    return scan


def test_recall(memory, queries, linear_scan, timed):
    found = memory.recall(embedding=queries[0], filter=AGENT, log=False)
    cosines = [hit.similarity * 2 - 1 for hit in found.hits]
    assert found.matched == STORED // 10
    assert np.allclose(cosines, [score for _, score in linear_scan(queries[0], 3)], atol=1e-3)
    timed(
        "recall/exact_50k_filter_1_in_10/ours",
        lambda i: memory.recall(embedding=queries[i], filter=AGENT, log=False),
        QUERIES,
    )


def test_numpy_with_filter(queries, linear_scan, timed):
    timed(
        "recall/exact_50k_filter_1_in_10/numpy",
        lambda i: linear_scan(queries[i], 3),
        QUERIES,
    )


def test_recall_logged(memory, queries, timed):
    timed(
        "recall/exact_50k_filter_1_in_10_logged/ours",
        lambda i: memory.recall(embedding=queries[i], filter=AGENT, half_life=timedelta(days=1)),
        QUERIES,
    )


def test_search_similar(memory, queries, timed):
    timed(
        "recall/search_similar_50k/ours",
        lambda i: memory.search_similar("market", queries[i], TOP_K),
        QUERIES,
    )


def test_numpy_without_filter(queries, linear_scan, timed):
    timed("recall/search_similar_50k/numpy", lambda i: linear_scan(queries[i]), QUERIES)
