"""Write many: a table of columns, a record a row."""

from dataclasses import replace

import numpy as np
import pytest

from conformance.builders import at, axis, do, forget, record, write
from nt_memory.columns import NO_TIME, Lists, Matrix, RawTable, Texts
from nt_memory.errors import (
    DimensionMismatchError,
    ForgottenError,
    InvalidEmbeddingError,
    NamespaceError,
    VectorError,
)
from nt_memory.store import RawOutcome, Settle, Write, WriteMany

NAN = float("nan")


def texts(*words):
    """Return a column of strings; None is none."""
    encoded = [(word or "").encode() for word in words]
    offsets = np.cumsum([0, *map(len, encoded)])
    rows = [-1 if word is None else row for row, word in enumerate(words)]
    return Texts(np.frombuffer(b"".join(encoded), np.uint8), offsets, np.array(rows, np.int64))


def times(*hours):
    return np.array([NO_TIME if hour is None else at(hour) for hour in hours], np.int64)


def matrix(*vectors, present=None):
    shape = np.array(vectors, dtype=np.float32)
    return Matrix(shape, None if present is None else np.array(present))


def table(rows=2, **columns):
    """Return so many trades of the start, with columns as told."""
    plain = {
        "namespace": texts(*["trades"] * rows),
        "kind": texts(*["trade"] * rows),
        "event_time": times(*[0] * rows),
        "id": texts(*"rstuv"[:rows]),
    }
    return RawTable(rows=rows, **{**plain, **columns})


COLUMNS = {
    "known_at": (times(-1, None), [at(-1), at(0)]),
    "agent_id": (texts("one", None), ["one", None]),
    "symbol": (texts("ü", ""), ["ü", ""]),
    "regime": (texts(None, "calm"), [None, "calm"]),
    "expires_at": (times(5, None), [at(5), None]),
    "importance": (np.array([2.5, 0.0]), [2.5, 0.0]),
    "confidence": (np.array([NAN, 0.25]), [None, 0.25]),
    "text": (texts("bought 𝄞", None), ["bought 𝄞", None]),
    "writer": (texts("one", "two"), ["one", "two"]),
    "source": (texts(None, "feed"), [None, "feed"]),
    "trust": (np.array([0.5, 1.0]), [0.5, 1.0]),
    "tags": (Lists(np.array([0, 2, 2]), texts("a", "b")), [["a", "b"], []]),
    "attributes": (
        {"x": np.array([1.5, NAN]), "w": texts("long", None)},
        [{"x": 1.5, "w": "long"}, {}],
    ),
    "reward": (np.array([-1.5, NAN]), [RawOutcome(-1.5, at(0)), None]),
}


@pytest.mark.parametrize("name", sorted(COLUMNS))
def test_a_column_is_a_field_of_each_record(store, name):
    column, expected = COLUMNS[name]
    do(store, WriteMany(table(**{name: column})))
    field = "outcome" if name == "reward" else name
    kept = [getattr(store.fetch(id_), field) for id_ in "rs"]
    assert [list(value) if name == "tags" else value for value in kept] == expected


def test_a_column_that_is_not_given_is_the_default_of_a_record(store):
    do(store, WriteMany(table(1)), Write(record("other")))
    assert replace(store.fetch("r"), id="other") == store.fetch("other")


def test_embeddings_are_read_back_as_they_were_given(store):
    given = {"state": matrix(axis(0), axis(1) * 3), "alt": matrix(axis(2, 3), axis(0, 3))}
    do(store, WriteMany(table(embeddings=given)))
    assert store.fetch("s").embeddings["state"].tolist() == [0, 3, 0, 0]
    assert store.fetch("s").embeddings["alt"].tolist() == [1, 0, 0]


def test_a_row_may_have_no_embedding(store):
    vectors = matrix(axis(0), axis(1) * np.float32(NAN), present=[True, False])
    do(store, WriteMany(table(embeddings={"state": vectors})))
    assert [list(store.fetch(id_).embeddings) for id_ in "rs"] == [["state"], []]


def test_the_result_is_the_ids(store):
    assert do(store, WriteMany(table(3))) == ["r", "s", "t"]


def test_rows_without_an_id_get_one_each(store):
    ids = do(store, WriteMany(table(3, id=texts("", "mine", None))))
    assert (len(set(ids)), ids[1], len(ids[2])) == (3, "mine", 26)


def test_words_may_be_shared_by_rows(store):
    word = texts("SPY")
    do(store, WriteMany(table(3, symbol=replace(word, rows=np.array([0, -1, 0])))))
    assert [store.fetch(id_).symbol for id_ in "rst"] == ["SPY", None, "SPY"]


def test_an_outcome_known_later_is_a_version_of_its_own(store):
    do(store, WriteMany(table(reward=np.array([1.0, 2.0]), outcome_known_at=times(1, None))))
    assert [store.fetch(id_, at(1)).version for id_ in "rs"] == [1, 0]
    assert store.fetch("r", at(1) - 1).outcome is None


def test_the_same_id_twice_is_two_versions(store):
    do(store, WriteMany(table(id=texts("r", "r"), importance=np.array([1.0, 2.0]))))
    kept = store.fetch("r")
    assert (kept.version, kept.importance) == (1, 2.0)


def test_an_operation_sees_the_rows_before_it(store):
    do(store, WriteMany(table()), Settle("s", RawOutcome(1.0)))
    assert store.fetch("s").outcome.reward == 1.0


def test_no_rows_are_no_ids(store):
    assert do(store, WriteMany(table(0))) == []


@pytest.mark.parametrize(
    ("column", "error", "told"),
    [
        ({"kind": texts("x", "x", "")}, ValueError, "row 2: kind"),
        ({"namespace": texts("x", "a b", "x")}, NamespaceError, "row 1: namespace"),
        ({"id": texts("x", "a b", "x")}, ValueError, "row 1: id"),
        ({"event_time": times(0, None, 0)}, ValueError, "row 1: event_time"),
        ({"importance": np.array([0, 1, NAN])}, ValueError, "row 2: importance"),
        ({"confidence": np.array([0, 1, 2.0])}, ValueError, "row 2: confidence"),
        ({"trust": np.array([0, 1, NAN])}, ValueError, "row 2: trust"),
        ({"reward": np.array([0, 1, np.inf])}, ValueError, "row 2: reward"),
        ({"attributes": {"x": np.array([0, np.inf, 1])}}, ValueError, "row 1: attribute"),
    ],
)
def test_the_first_row_that_cannot_be_written_is_told_by_its_number(store, column, error, told):
    with pytest.raises(error, match=told):
        do(store, WriteMany(table(3, **column)))


@pytest.mark.parametrize(
    ("space", "bad", "error"),
    [
        ("state", [NAN, 0, 0, 0], InvalidEmbeddingError),
        ("state", [0, 0, 0, 0], InvalidEmbeddingError),
        ("alt", [1, 0, 0, 0], DimensionMismatchError),
        ("other", [1, 0, 0, 0], VectorError),
    ],
)
def test_an_embedding_that_does_not_fit_refuses_the_batch(store, space, bad, error):
    good = axis(0, 4)
    with pytest.raises(error, match=space):
        do(store, WriteMany(table(embeddings={space: matrix(good, bad)})))
    assert store.stats()["records"] == 0


def test_a_row_that_cannot_be_written_refuses_all_of_the_batch(store):
    write(store, "before")
    forget(store, "before")
    with pytest.raises(ForgottenError, match="row 1"):
        do(store, Write(record("q")), WriteMany(table(3, id=texts("r", "before", "s"))))
    assert [store.fetch(id_) for id_ in "qrs"] == [None, None, None]


@pytest.mark.parametrize(
    "columns",
    [
        {"symbol": texts("one")},
        {"importance": np.array([1.0] * 3)},
        {"known_at": times(0)},
        {"tags": Lists(np.array([0, 1]), texts("one"))},
        {"embeddings": {"state": matrix(axis(0))}},
        {"attributes": {"x": np.array([1.0])}},
    ],
)
def test_columns_have_one_length(store, columns):
    with pytest.raises(ValueError, match="rows, and the table 2"):
        do(store, WriteMany(table(**columns)))
