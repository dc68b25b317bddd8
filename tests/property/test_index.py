"""An index answers as a scan does where it meets everybody, and not at all where it must not."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from builders import linked
from nt_memory import _native
from nt_memory.store import Query, RawRecord, Write
from property.machines import AgainstItsPast, AgainstOracle, outcome, plain
from property.test_store import FEW, on
from stores import Native, open_native
from strategies import HOUR, START, queries

HALF = settings(FEW, max_examples=60)

GRAPHS = ["compact", "hnsw_rs"]


def meets_all(engine, in_bytes=False):
    """Have few links a node, so that small histories prune, and keep 4,096 nodes on the way."""
    return (engine, 4, 8, 4096, in_bytes)


def meets_one(engine):
    """Have few links a node, and keep one on the way."""
    return (engine, 4, 8, 1, False)


def without_engine(answer):
    """Leave out of an answer what says how it was found."""
    if isinstance(answer, tuple):
        rows, _, forgotten, _, commit, as_of = answer
        return rows, forgotten, commit, as_of
    return answer


class Indexed(AgainstOracle):
    """What a walk through the graph finds is what a scan finds."""

    @rule(data=st.data(), wait=st.booleans())
    def walk(self, data, wait):
        if wait:
            linked(self.store)
        query = data.draw(queries(self.model.stats()["commits"]))
        walked = outcome(lambda: self.store.vector_search(replace(query, exact=False)))
        scanned = outcome(lambda: self.model.vector_search(query))
        assert without_engine(walked) == without_engine(scanned)


@pytest.mark.parametrize("in_bytes", [False, True], ids=["stored codes", "bytes"])
@pytest.mark.parametrize("vector", ["exact", *GRAPHS])
@pytest.mark.parametrize("engine", ["memory", "redb"])
def test_a_walk_finds_what_a_scan_finds_whatever_happened_before(engine, vector, in_bytes):
    store = Native(engine, vector=meets_all(vector, in_bytes))
    run_state_machine_as_test(on(Indexed, store), settings=HALF)


@pytest.mark.parametrize("vector", GRAPHS)
def test_a_question_about_the_past_keeps_its_answer_with_an_index(vector):
    store = Native("memory", vector=meets_one(vector))
    run_state_machine_as_test(on(AgainstItsPast, store), settings=HALF)


@pytest.mark.parametrize("vector", GRAPHS)
def test_switching_engines_changes_no_answer_under_a_manual_clock(vector):
    store = Native("memory", vector=meets_one(vector))
    run_state_machine_as_test(on(AgainstOracle, store), settings=HALF)


def walk_forward(vector, exact):
    """Remember a state an hour and ask for what is like it; return all answers."""
    clock = _native.Clock(manual=True, start_us=START)
    store = open_native("memory", "", clock, vector=vector)
    rng = np.random.default_rng(1)
    answers = []
    for step in range(600):
        state = rng.standard_normal(4).astype(np.float32)
        nearest = Query(vector=state, top_k=1, weights=(1.0, 0.0, 0.0, 0.0), exact=exact)
        answers.append(plain(store.vector_search(nearest)))
        now, seen = clock.now_us(), {"state": state}
        record = RawRecord(f"{step}", "a", "x", event_time=now, known_at=now, embeddings=seen)
        store.commit([Write(record)])
        linked(store)
        clock.advance_us(HOUR)
    store.close()
    return answers


@pytest.mark.parametrize("vector", GRAPHS)
def test_switching_engines_changes_nothing_of_a_backtest(vector):
    scanned = walk_forward(meets_one("exact"), exact=None)
    assert walk_forward(meets_one(vector), exact=None) == scanned
    # An index that answered there would be noticed.
    walked = walk_forward(meets_one(vector), exact=False)
    assert [without_engine(answer) for answer in walked] != [
        without_engine(answer) for answer in scanned
    ]
