"""Options of namespaces go with the records of an export."""

from datetime import timedelta

import pytest

from builders import record, with_fields
from nt_memory import SerializationError

OPTIONS = {
    "trades": {"history": True, "ttl": timedelta(hours=5), "retention": timedelta(days=9)},
    "trades/spy": {"ttl": timedelta(days=1), "fenced": "desk"},
    "other": {"history": True},
}


def configure(memory, names=OPTIONS):
    for name in names:
        memory.configure_namespace(name, **OPTIONS[name])


def test_options_of_namespaces_come_back(memory, copy, path):
    configure(memory)
    memory.configure_namespace("plain")
    memory.export(path)
    copy.import_(path)
    assert copy.store.configured() == {name: memory.store.configured()[name] for name in OPTIONS}


def test_options_are_chosen_with_their_records(memory, copy, path):
    configure(memory)
    memory.export(path, namespace="trades")
    copy.import_(path)
    assert sorted(copy.store.configured()) == ["trades", "trades/spy"]


def test_a_ttl_comes_after_the_records(memory, copy, path):
    memory.remember(record(id="one"))
    configure(memory)
    memory.remember(record(id="two"))
    memory.export(path)
    copy.import_(path)
    before, after = (
        [s.versions(i)[0].expires_at for i in ("one", "two")] for s in (memory.store, copy.store)
    )
    assert before == after
    assert before[0] is None


def test_options_that_are_there_already_are_left(memory, copy, path):
    configure(memory)
    configure(copy)
    memory.export(path)
    before = copy.stats()["commits"]
    copy.import_(path)
    assert copy.stats()["commits"] == before


def test_other_options_are_told_before_anything_is_written(memory, copy, path):
    memory.remember(record(id="one"))
    configure(memory)
    memory.export(path)
    copy.configure_namespace("trades", ttl=timedelta(hours=6))
    with pytest.raises(ValueError, match=r"'trades' has .*ttl=21600.*options=False; 0 records"):
        copy.import_(path)
    assert copy.store.select() == []
    assert copy.import_(path, options=False) == 1
    assert list(copy.store.configured()) == ["trades"]


def test_options_from_before_there_were_locks_are_imported(lines, copy):
    old = {"history": True, "ttl": None, "retention": None}
    copy.import_(lines(lambda rows: with_fields(rows, place=0, namespaces={"trades": old})))
    assert copy.store.namespace_options("trades").history
    assert copy.store.namespace_options("trades").fenced is None


def test_a_file_from_before_options_were_told_is_imported(lines, copy):
    old = lines(lambda rows: [b'{"format":"nt-memory records","version":1}', *rows[1:]])
    assert copy.import_(old) == 1
    assert copy.store.configured() == {}


BAD_OPTIONS = [
    5,
    {"trades": None},
    {"trades": {}},
    {"trades": {"history": 1, "ttl": None, "retention": None}},
    {"trades": {"history": True, "ttl": 1.5, "retention": None}},
    {"trades": {"history": True, "ttl": 0, "retention": None}},
    {"trades": {"history": True, "ttl": None, "retention": 2**63}},
    {"trades": {"history": True, "ttl": None, "retention": True}},
    {"trades": {"history": True, "ttl": None, "retention": None, "fenced": 1}},
    {"a//b": {"history": True, "ttl": None, "retention": None}},
    {"\ud800": {"history": True, "ttl": None, "retention": None}},
]


@pytest.mark.parametrize("namespaces", BAD_OPTIONS, ids=repr)
def test_bad_options_are_refused_before_anything_is_written(lines, copy, namespaces):
    bad = lines(lambda rows: with_fields(rows, place=0, namespaces=namespaces))
    with pytest.raises(SerializationError, match=r"bad.jsonl, (line 1|the header): .*; 0 records"):
        copy.import_(bad)
    assert (copy.store.select(), copy.store.configured()) == ([], {})
