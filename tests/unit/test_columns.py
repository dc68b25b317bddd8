"""Columns of a table: times, words, numbers, tags, embeddings, as NumPy and Arrow have them."""

import numpy as np
import pyarrow as pa
import pytest

from builders import DIM, START, axis, day
from nt_memory import DimensionMismatchError, HashingEmbedding, InvalidEmbeddingError, VectorError
from nt_memory._columns import texts
from tables import DAYS, kept, trades, trades_in_arrow


@pytest.mark.parametrize(
    "times",
    [
        DAYS,
        DAYS.astype("M8[D]"),
        DAYS.astype("M8[ns]") + 999,
        [day(0), day(1), day(2)],
        pa.array(DAYS, pa.timestamp("ns", "UTC")),
        pa.array(DAYS.astype("M8[s]"), pa.timestamp("s", "America/New_York")),
    ],
    ids=["us", "days", "ns are cut", "datetimes", "arrow", "another zone"],
)
def test_a_time_is_read_as_the_moment_that_it_is(memory, times):
    assert kept(memory, trades(event_time=times), "event_time") == [day(0), day(1), day(2)]


@pytest.mark.parametrize("at", [day(1), np.datetime64("2024-01-03")])
def test_one_time_stands_for_all_rows(memory, at):
    assert kept(memory, trades(known_at=at), "known_at") == [day(1)] * 3


def test_a_row_without_known_at_was_known_when_it_happened(memory):
    known = DAYS.copy()
    known[1] = "NaT"
    assert kept(memory, trades(known_at=known), "known_at") == [day(0), day(1), day(2)]


@pytest.mark.parametrize(
    ("times", "told"),
    [
        (np.arange(3), r"event_time is a column of int64.*unit.*astype\('datetime64\[us\]'\)"),
        (["2024", "2025", "2026"], "event_time of row 0='2024': a time is an aware datetime"),
        (pa.array(DAYS), r"event_time is a column of timestamp\[us\], which is naive.*UTC"),
        (pa.array([1, 2, 3]), "event_time is a column of int64: give timestamps"),
        (pa.array([None] * 3), "event_time: row 0 is null"),
        ([day(0), START.replace(tzinfo=None), day(1)], "event_time of row 1.*is naive"),
        (np.array(["2024", "NaT", "2025"], "M8[D]"), "event_time: row 1 is null"),
        (np.array([0, 1, 10**15], "M8[s]"), "event_time: row 2 lies outside of the years"),
        (np.array([0, 1, -(10**6)], "M8[Y]"), "event_time: row 2 lies outside of the years"),
        (DAYS[:, None], r"event_time has shape \(3, 1\)"),
    ],
)
def test_a_time_that_is_not_clear_is_refused(memory, times, told):
    with pytest.raises((ValueError, TypeError), match=told):
        memory.remember_many(trades(event_time=times))
    assert memory.stats()["records"] == 0


# words


def test_strings_that_lie_in_the_middle_of_their_bytes_are_read(memory):
    long = pa.array(["no", "ä", None, "ccc", "no"]).slice(1, 3)
    assert kept(memory, trades_in_arrow(symbol=long), "symbol") == ["ä", None, "ccc"]


def test_dictionaries_of_pieces_may_differ(memory):
    pieces = [pa.array(["a", None]).dictionary_encode(), pa.array(["b"]).dictionary_encode()]
    assert kept(memory, trades_in_arrow(symbol=pa.chunked_array(pieces)), "symbol") == [
        "a",
        None,
        "b",
    ]


def test_a_piece_of_a_large_dictionary_is_read(memory):
    column = pa.array(["a", "b", "c", "d", "e"]).dictionary_encode().slice(2, 3)
    assert kept(memory, trades_in_arrow(symbol=column), "symbol") == ["c", "d", "e"]


def test_a_dictionary_may_hold_a_null(memory):
    column = pa.DictionaryArray.from_arrays(pa.array([0, 1, None]), pa.array([None, "a", "b"]))
    assert kept(memory, trades_in_arrow(symbol=column), "symbol") == [None, "a", None]


def test_many_strings_of_fixed_width_are_read(memory):
    words = np.array([f"word {n}" for n in range(40_000)])
    given = {**trades(), "event_time": np.repeat(DAYS[:1], len(words)), "regime": words}
    ids = memory.remember_many({name: column[:3] for name, column in given.items()} | trades())
    assert len(ids) == 3
    column = texts("regime", words)
    assert [column.get(row) for row in (0, 16_383, 16_384, 39_999)] == [
        *("word 0", "word 16383", "word 16384", "word 39999")
    ]


@pytest.mark.parametrize(
    ("column", "told"),
    [
        ([1, "a", "b"], "symbol: row 0 is 1: give strings"),
        (["a", "b", b"c"], "symbol: row 2 is b'c': give strings"),
        (["a", "\ud800", "b"], "symbol: row 1: .*surrogates.*clean the text"),
        (np.array(["a", "\ud800", "b"]), "symbol: row 1: .*surrogates.*clean the text"),
        (np.arange(3.0), "symbol is a column of float64: give strings"),
        (np.array([b"a"] * 3), r"symbol is a column of \|S1: give strings"),
        (pa.array([1, 2, 3]), "symbol is a column of int64: give strings"),
        (np.ma.array(["a"] * 3, mask=True), "symbol is a masked array: give NaN, NaT or None"),
        (1.5, "symbol is a column of float64: give strings"),
    ],
)
def test_words_that_are_none_are_refused(memory, column, told):
    with pytest.raises((ValueError, TypeError), match=told):
        memory.remember_many(trades(symbol=column))


@pytest.mark.parametrize("name", ["namespace", "kind", "writer"])
def test_what_every_record_has_is_not_null(memory, name):
    with pytest.raises(ValueError, match=f"{name}: row 1 is null: every record has one"):
        memory.remember_many(trades(**{name: ["a", None, "b"]}))


def test_a_writer_has_a_name(memory):
    with pytest.raises(ValueError, match="writer: row 2 is empty"):
        memory.remember_many(trades(writer=["a", "b", ""]))


# numbers


@pytest.mark.parametrize("column", [[1, 2, 3], np.array([1, 2, 3], "u1"), pa.array([1, 2, 3])])
def test_whole_numbers_are_numbers(memory, column):
    assert kept(memory, trades(importance=column), "importance") == [1.0, 2.0, 3.0]


def test_nulls_of_numbers_are_none_where_they_may_be(memory):
    column = pa.array([1, None, 0])
    given = trades(confidence=column, **{"attributes.x": column, "outcome.reward": column})
    records = [memory.get_record(id_) for id_ in memory.remember_many(given)]
    assert [record.confidence for record in records] == [1.0, None, 0.0]
    assert [record.attributes for record in records] == [{"x": 1.0}, {}, {"x": 0.0}]
    assert [record.outcome is None for record in records] == [False, True, False]


@pytest.mark.parametrize(
    ("name", "column", "told"),
    [
        ("importance", [1.0, np.nan, 1.0], "importance: row 1 is null"),
        ("trust", pa.array([1.0, 1.0, None]), "trust: row 2 is null"),
        ("importance", [1.0, -1.0, 1.0], "row 1: importance is -1"),
        ("confidence", [0.0, 0.5, 2.0], "row 2: confidence is 2.*from 0 to 1"),
        ("importance", ["a", "b", "c"], "importance is a column of object: give numbers"),
        ("importance", np.array([True] * 3), "importance is a column of bool: give numbers"),
        ("importance", pa.array([True] * 3), "importance is a column of bool: give numbers"),
        ("attributes.x", np.array([True] * 3), r"attributes.x is a column of bool: give"),
        ("attributes.x", DAYS, r"attributes.x is a column of datetime64\[us\]: give"),
        ("attributes.x", [0.0, np.inf, 0.0], "row 1: attribute .x. is"),
        ("outcome.reward", [0.0, np.inf, 0.0], "row 1: reward is"),
    ],
)
def test_numbers_that_cannot_be_are_refused(memory, name, column, told):
    with pytest.raises(ValueError, match=told):
        memory.remember_many(trades(**{name: column}))
    assert memory.stats()["records"] == 0


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"outcome.known_at": DAYS}, "outcome.known_at: row 0 has one, and no outcome.reward"),
        (
            {"outcome.known_at": DAYS, "outcome.reward": [1.0, np.nan, 1.0]},
            "outcome.known_at: row 1 has one, and no outcome.reward",
        ),
        ({"outcome.known_at": START, "outcome.reward": 1.0}, "row 1: the outcome's known_at"),
    ],
)
def test_an_outcome_is_known_after_its_record_and_has_a_reward(memory, columns, told):
    with pytest.raises(ValueError, match=told):
        memory.remember_many(trades(**columns))


# tags


@pytest.mark.parametrize(
    "tags",
    [
        ["a", "b"],
        [["a", "b"]] * 3,
        np.array([["a", "b"]] * 3),
        pa.array([["a", "b"]] * 3),
        pa.array([["a", "b"]] * 3, pa.list_(pa.string(), 2)),
        pa.chunked_array([pa.array([["x"], ["a", "b"]])[1:], pa.array([["a", "b"]] * 2)]),
    ],
)
def test_tags_are_one_list_for_all_rows_or_a_list_a_row(memory, tags):
    assert kept(memory, trades(tags=tags), "tags") == [("a", "b")] * 3


def test_a_null_is_no_tags(memory):
    assert kept(memory, trades(tags=pa.array([["a"], None, []])), "tags") == [("a",), (), ()]


@pytest.mark.parametrize(
    ("tags", "told"),
    [
        ("a", "tags is a column of str: give a list"),
        (np.array(["a", "b", "c"]), "tags is a column of <U1: give a list of strings a row"),
        ([["a"], "b", ["c"]], "tags of row 1='b': give a list"),
        ([["a"], ["b", 1], []], "tags of row 1=.*: give strings only"),
        (pa.array([["a"], [None], []]), "tags: row 1 has a null among its strings"),
        (pa.array([[1], [2], []]), "tags is a column of list<.*: give lists of strings"),
    ],
)
def test_tags_that_are_none_are_refused(memory, tags, told):
    with pytest.raises((ValueError, TypeError), match=told):
        memory.remember_many(trades(tags=tags))


# embeddings


def vectors(dtype=np.float32):
    return np.arange(1, 3 * DIM + 1, dtype=dtype).reshape(3, DIM)


def fixed(values, kind=None):
    return pa.array(list(values), pa.list_(kind or pa.float32(), DIM))


@pytest.mark.parametrize(
    "column",
    [
        vectors(),
        vectors(np.float64),
        vectors(np.float16),
        vectors(np.int64),
        vectors()[::-1][::-1],
        np.asfortranarray(vectors()),
        vectors().repeat(2, axis=1)[:, ::2],
        fixed(vectors()),
        fixed(vectors(np.float16), pa.float16()),
        fixed(vectors(np.float64), pa.float64()),
        fixed([axis(0), *vectors(), axis(0)]).slice(1, 3),
        pa.chunked_array([fixed(vectors()[:1]), fixed([axis(0), *vectors()[1:]]).slice(1, 2)]),
    ],
)
def test_embeddings_of_every_kind_are_read_back(memory, column):
    found = kept(memory, trades(embedding=column), "embedding")
    assert np.array(found).tolist() == vectors().tolist()


def test_a_null_is_no_embedding(memory):
    column = fixed([axis(0), None, axis(1)])
    found = kept(memory, trades_in_arrow(**{"embeddings.state": column}), "embedding")
    assert [vector is None for vector in found] == [False, True, False]


def test_an_array_that_is_changed_later_changes_nothing(memory):
    column = vectors()
    ids = memory.remember_many(trades(embedding=column))
    column[:] = 0
    assert memory.get_record(ids[0]).embedding.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("name", "column", "error", "told"),
    [
        (
            "embedding",
            np.full((3, DIM), np.nan),
            InvalidEmbeddingError,
            "row 0: .*space .state. holds (NaN|nan)",
        ),
        ("embedding", np.eye(3, DIM) * [[1], [0], [1]], InvalidEmbeddingError, "row 1: .*all zero"),
        ("embedding", np.eye(3, DIM) * 1e300, InvalidEmbeddingError, "row 0: .*inf"),
        ("embedding", np.ones((3, 5)), DimensionMismatchError, "space .state. has 5 dim.*has 4"),
        ("embeddings.other", np.ones((3, 4)), VectorError, "no space .other"),
        ("embedding", np.ones(3), InvalidEmbeddingError, r"embeddings.state has shape \(3,\)"),
        (
            "embedding",
            np.ones((3, 0)),
            InvalidEmbeddingError,
            r"embeddings.state has shape \(3, 0\)",
        ),
        ("embedding", [["a"]] * 3, InvalidEmbeddingError, "embeddings.state has dtype object"),
        ("embedding", 1.0, ValueError, "embeddings.state is a column of float: give an array"),
        ("embedding", pa.array([[1.0]] * 3), InvalidEmbeddingError, r"list<.*cast\(pa.list_"),
        (
            "embedding",
            fixed([axis(0), [1, None, 1, 1], None]),
            InvalidEmbeddingError,
            "row 1 has a",
        ),
    ],
)
def test_embeddings_that_do_not_fit_are_refused(memory, name, column, error, told):
    with pytest.raises(error, match=told):
        memory.remember_many(trades(**{name: column}))
    assert memory.stats()["records"] == 0


def test_texts_are_embedded_where_they_have_no_embedding(memory):
    given = np.zeros((3, 256), np.float32)
    given[:, 0] = 1
    column = pa.array([given[0], None, None], pa.list_(pa.float32(), 256))
    words = ["one", "two", None]
    found = kept(memory, trades(text=words, **{"embeddings.text": column}), "embeddings")
    made = HashingEmbedding(256).embed(["two"])[0]
    assert found[0]["text"].tolist() == given[0].tolist()
    assert found[1]["text"].tolist() == np.asarray(made, np.float32).tolist()
    assert "text" not in found[2]


def test_a_text_of_all_rows_is_embedded_once(open_on, clock):
    class Counted(HashingEmbedding):
        asked = 0

        def embed(self, texts):
            self.asked += len(texts)
            return super().embed(texts)

    encoder = Counted(256)
    with open_on(clock, embedder=encoder) as memory:
        assert len(kept(memory, trades(text="the same"), "embeddings")) == 3
    assert encoder.asked == 1
