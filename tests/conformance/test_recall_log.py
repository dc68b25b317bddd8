"""log_recall and recall_log: entries of a log that writers do not wait for."""

from conformance.builders import write


def test_an_entry_is_read_back(store):
    store.log_recall("1", b"\x00\xff")
    assert store.recall_log("1") == b"\x00\xff"


def test_an_unknown_entry_is_none(store):
    assert store.recall_log("1") is None


def test_an_empty_entry_is_an_entry(store):
    store.log_recall("1", b"")
    assert store.recall_log("1") == b""


def test_the_last_entry_of_an_id_counts(store):
    store.log_recall("1", b"old")
    store.log_recall("1", b"new")
    assert store.recall_log("1") == b"new"


def test_logging_takes_no_commit_number(store):
    store.log_recall("1", b"entry")
    store.flush()
    write(store)
    assert store.fetch("r").commit == 1


def test_entries_are_counted(store):
    for name in "abc":
        store.log_recall(name, b"entry")
    store.flush()
    assert store.stats()["recalls"] == 3
