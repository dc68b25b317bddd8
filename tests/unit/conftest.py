"""Fixtures of the tests of export and import."""

import pytest

from builders import axis, day, record
from nt_memory import Outcome

SUFFIXES = [".jsonl", ".jsonl.gz", ".parquet"]


@pytest.fixture
def copy(open_on, clock):
    """A second empty memory."""
    with open_on(clock) as opened:
        yield opened


@pytest.fixture(params=SUFFIXES)
def path(request, tmp_path):
    """A file to be made, in each format."""
    return tmp_path / f"records{request.param}"


@pytest.fixture
def lines(memory, tmp_path):
    """Change the lines of an export of one settled record; return the new file."""
    memory.remember(record(id="one", embedding=axis(0), outcome=Outcome(1.0, known_at=day(3))))
    memory.export(tmp_path / "good.jsonl")

    def change(edit):
        rows = (tmp_path / "good.jsonl").read_bytes().splitlines()
        bad = tmp_path / "bad.jsonl"
        bad.write_bytes(b"".join(row + b"\n" for row in edit(rows)))
        return bad

    return change
