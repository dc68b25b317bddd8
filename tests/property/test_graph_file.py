"""Whatever is in the file of a graph, the memory opens, and answers exactly as before.

NT_MEMORY_FUZZ_SECONDS says how long each way takes, NT_MEMORY_FUZZ_SEED which files are made.
"""

import os
import random
import shutil
import struct
import sys
import time

import numpy as np
import pytest

from builders import linked
from crash.reseal import crc32c
from hostile import changed
from nt_memory import _native
from nt_memory.store import Forget, Query, RawRecord, Write
from stores import open_native

SECONDS = float(os.environ.get("NT_MEMORY_FUZZ_SECONDS", "10"))
SEED = os.environ.get("NT_MEMORY_FUZZ_SEED", "0")
HANGS = 10
COUNT = 120
FILE = "0.vectors"
COMPACT = ("compact", 4, 8, 64, False)
MAGIC = 8
HEAD = 8


def open_store(path):
    return open_native("redb", path, _native.Clock(manual=True, start_us=0), vector=COMPACT)


def writes(first, last):
    rows = np.random.default_rng(first).normal(size=(last - first, 4)).astype(np.float32)
    return [
        Write(RawRecord(f"{n}", "a", "x", event_time=0, known_at=0, embeddings={"state": row}))
        for n, row in zip(range(first, last), rows, strict=True)
    ]


def answers(store):
    vectors = np.random.default_rng(9).normal(size=(5, 4)).astype(np.float32)
    found = [store.vector_search(Query(vector=vector, top_k=10)) for vector in vectors]
    return [[(match.id, match.score) for match in result.matches] for result in found]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A closed store, its graph's file, and what it answers."""
    path = tmp_path_factory.mktemp("graph") / "store"
    store = open_store(path)
    store.commit(writes(0, COUNT))
    linked(store)
    said = answers(store)
    store.close()
    return path, (path / FILE).read_bytes(), said


def damaged(rng, data):
    """Return a file as a disk or a stranger may leave it."""
    return changed(rng, data)


def forged(rng, data):
    """Return a file whose checksums fit what is wrong in it."""
    data, at = bytearray(data), MAGIC
    blocks = []
    while at < len(data):
        length = struct.unpack_from("<I", data, at)[0]
        blocks.append((at, length))
        at += HEAD + length
    for at, length in rng.choices(blocks, k=rng.choice([1, 1, 3])):
        for _ in range(rng.choice([1, 1, 4])):
            place = at + HEAD + rng.randrange(length)
            data[place] = rng.choice([0, 1, 2, 255, 128, rng.randrange(256)])
    for number, (at, length) in enumerate(blocks):
        # One block has all rows of a store of this size.
        start = crc32c(struct.pack("<Q", number))
        content = bytes(data[at + HEAD : at + HEAD + length])
        struct.pack_into("<I", data, at + 4, crc32c(content, start))
    return bytes(data)


def survives(whole, data, is_true):
    """Open a copy of the store with a file, go on with it, and open it again."""
    path, _, said = whole
    begun = time.monotonic()
    copy = path.with_name("copy")
    shutil.copytree(path, copy)
    (copy / FILE).write_bytes(data)
    try:
        for first in (COUNT, 2 * COUNT):
            store = open_store(copy)
            try:
                assert not is_true or first > COUNT or answers(store) == said
                store.commit(writes(first, first + 20))
                store.commit([Forget([f"{n}" for n in range(first, first + 15)])])
                linked(store)
                store.vector_search(Query(vector=np.ones(4, np.float32), top_k=5, exact=False))
                assert not is_true or store.verify() == []
            finally:
                store.close()
    finally:
        shutil.rmtree(copy)
    assert time.monotonic() - begun < HANGS


@pytest.mark.parametrize(("make", "is_true"), [(damaged, True), (forged, False)])
def test_a_store_opens_and_goes_on_whatever_its_graph_file_holds(whole, make, is_true):
    until, tried = time.monotonic() + SECONDS / 2, 0
    while time.monotonic() < until or tried < 20:
        rng = random.Random(f"{make.__name__} {SEED} {tried}")
        try:
            survives(whole, make(rng, whole[1]), is_true)
        except BaseException as error:
            msg = f"{make.__name__}, seed {SEED}, file {tried}: {error}"
            raise AssertionError(msg) from error
        tried += 1
    sys.stdout.write(f"{make.__name__}: {tried} files\n")


def test_a_reader_that_believed_the_file_would_be_caught(whole):
    """A forged file is not true; one that is taken for true fails."""

    def believe():
        for seed in range(200):
            survives(whole, forged(random.Random(seed), whole[1]), is_true=True)

    with pytest.raises(AssertionError):
        believe()
