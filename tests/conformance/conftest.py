"""Fixtures: an empty store of every kind, run by a clock that moves when told."""

import pytest

from conformance.builders import START
from nt_memory import _native
from stores import Model, Native

KEEPING = ["model", "redb", "sled"]
# Nothing is kept, and each space has a graph from the first vector on.
GRAPHS = ["compact", "hnsw_rs"]


@pytest.fixture
def clock():
    """A clock at the start."""
    return _native.Clock(manual=True, start_us=START)


@pytest.fixture(params=[*KEEPING, "memory", *GRAPHS])
def kind(request):
    """Which store a test runs on."""
    return request.param


@pytest.fixture
def subject(kind, clock):
    """An open store and the directory that it may be opened on again."""
    if kind in GRAPHS:
        made = Native("memory", vector=(kind, 4, 8, 16, False))
    else:
        made = Model() if kind == "model" else Native(kind)
    made.open(clock)
    yield made
    made.close()


@pytest.fixture
def store(subject):
    """An empty store with the spaces "state" (4 floats, f16) and "alt" (3 floats, f32)."""
    return subject.store
