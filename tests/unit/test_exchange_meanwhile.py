"""Import into a memory that others write to meanwhile."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from builders import record
from nt_memory import MemorySystem


class Meanwhile:
    """A store to which somebody else writes a record just before each commit."""

    def __init__(self, store, write):
        self._store, self._write = store, write

    def __getattr__(self, name):
        return getattr(self._store, name)

    def commit(self, ops, /, **options):
        if not options:
            self._write()
        return self._store.commit(ops, **options)


def test_a_record_that_is_written_meanwhile_is_named_and_nothing_changes(memory, copy, path):
    memory.remember_many([record(id="one"), record(id="two")])
    memory.export(path)
    write = Meanwhile(copy.store, lambda: copy.remember(record(id="two", importance=5.0)))
    with pytest.raises(ValueError, match=r"a record 'two' already.*; 0 records were imported"):
        MemorySystem(copy.config, store=write).import_(path)
    assert copy.store.select() == ["two"]
    assert [raw.importance for raw in copy.store.versions("two")] == [5.0]


def test_two_imports_at_once_write_each_record_once(tmp_path):
    path = tmp_path / "records.jsonl"
    with MemorySystem(":memory:") as memory:
        memory.remember_many(record(id=f"{n}") for n in range(500))
        memory.export(path)

    def attempt(copy):
        try:
            return copy.import_(path)
        except ValueError:
            return 0

    with MemorySystem(":memory:") as copy, ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(attempt, [copy, copy])) == [0, 500]
        assert {len(copy.store.versions(f"{n}")) for n in range(500)} == {1}
