"""The hashing embedding is stable and of unit length; a function is an encoder that is checked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import record
from nt_memory import (
    DimensionMismatchError,
    HashingEmbedding,
    InvalidEmbeddingError,
    MemoryConfig,
    MemorySystem,
    VectorError,
    VectorSpace,
)
from nt_memory.embedding import CallableEmbedding

EMBEDDING = HashingEmbedding()


def embedded(text):
    return EMBEDDING.embed([text])[0]


def test_one_row_a_text():
    assert EMBEDDING.embed(["a", "b", "c"]).shape == (3, 256)


def test_no_text_is_no_row():
    assert EMBEDDING.embed([]).shape == (0, 256)


def test_vectors_are_float32():
    assert EMBEDDING.embed(["a"]).dtype == np.float32


@given(st.text())
def test_every_text_has_a_finite_unit_vector(text):
    assert np.linalg.norm(embedded(text)) == pytest.approx(1.0, abs=1e-5)


@given(st.lists(st.text(), max_size=5))
def test_a_text_embeds_the_same_in_a_batch_and_alone(texts):
    batch = EMBEDDING.embed(texts)
    assert all(np.array_equal(row, embedded(text)) for row, text in zip(batch, texts, strict=True))


def test_the_vector_of_a_text_never_changes():
    vector = HashingEmbedding(8).embed(["gold falls"])[0]
    assert vector.tobytes().hex() == GOLD_FALLS


def test_case_does_not_matter():
    assert np.array_equal(embedded("FED Hikes"), embedded("fed hikes"))


def test_the_unicode_form_does_not_matter():
    assert np.array_equal(embedded("caf\u00e9"), embedded("cafe\u0301"))


def test_punctuation_does_not_matter():
    assert np.array_equal(embedded("fed, hikes!"), embedded("fed hikes"))


def test_shared_words_make_texts_alike():
    close = embedded("fed hikes rates") @ embedded("fed raises rates")
    assert close > embedded("fed hikes rates") @ embedded("oil glut widens")


def test_parts_of_words_make_texts_alike():
    close = embedded("hiking") @ embedded("hiked")
    assert close > embedded("hiking") @ embedded("gold")


def test_an_empty_text_differs_from_a_word():
    assert not np.array_equal(embedded(""), embedded("gold"))


def test_the_id_names_version_and_length():
    assert HashingEmbedding(64).id == "hashing-v1-64"


@pytest.mark.parametrize("dim", [1, 0, -1])
def test_a_length_below_two_is_refused(dim):
    with pytest.raises(ValueError, match=f"dim={dim}"):
        HashingEmbedding(dim)


GOLD_FALLS = "a53284bea532043fa53204bfa53204bf0000000000000000a532843ea532843e"


def counting(texts):
    return [[len(text), 1.0] for text in texts]


def encoder(function=counting, **options):
    return CallableEmbedding(function, **{"id": "counting-v1", "dim": 2, **options})


FORMS = {
    "lists": counting,
    "tuples": lambda texts: tuple(map(tuple, counting(texts))),
    "arrays": lambda texts: list(map(np.array, counting(texts))),
    "float64": lambda texts: np.array(counting(texts), dtype=np.float64),
    "float16": lambda texts: np.array(counting(texts), dtype=np.float16),
    "integers": lambda texts: np.array(counting(texts), dtype=int),
    "by column": lambda texts: np.asfortranarray(counting(texts)),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_function_may_return_rows_of_any_form(form):
    made = encoder(FORMS[form]).embed(["gold", ""])
    assert made.dtype == np.float32
    assert made.tolist() == [[4.0, 1.0], [0.0, 1.0]]


@given(st.lists(st.text(max_size=5), max_size=20), st.integers(1, 25))
def test_batches_change_nothing_but_the_calls(texts, size):
    calls = []

    def called(batch):
        calls.append(batch)
        return counting(batch)

    made = encoder(called, batch_size=size).embed(texts)
    assert (made == encoder().embed(texts)).all()
    assert [text for batch in calls for text in batch] == texts
    assert all(1 <= len(batch) <= size for batch in calls)


def test_a_function_is_not_called_without_texts():
    assert encoder(lambda texts: 1 / 0).embed([]).shape == (0, 2)


def test_what_a_function_does_to_its_texts_is_its_own():
    def clears(texts):
        made = counting(texts)
        texts.clear()
        return made

    texts = ["gold"]
    assert encoder(clears).embed(texts).tolist() == [[4.0, 1.0]]
    assert texts == ["gold"]


WRONG = {
    "one too few": (lambda texts: counting(texts)[1:], VectorError, "made 1 vector of 2 texts"),
    "one too many": (lambda texts: counting([*texts, ""]), VectorError, "3 vectors of 2 texts"),
    "nothing": (lambda texts: None, InvalidEmbeddingError, "made None"),
    "a number": (lambda texts: 1.0, InvalidEmbeddingError, "made 1.0: give a vector for each"),
    "one vector": (lambda texts: [1.0, 2.0], InvalidEmbeddingError, "two dimensions"),
    "words": (lambda texts: [["a", "b"]] * 2, InvalidEmbeddingError, "give floats"),
    "ragged": (lambda texts: [[1.0, 2.0], [1.0]], InvalidEmbeddingError, "give floats"),
    "no floats": (lambda texts: [[], []], InvalidEmbeddingError, "two dimensions"),
    "long": (lambda t: [[1.0] * 3] * 2, DimensionMismatchError, "3 floats, and says dim=2"),
    "nan": (lambda t: [[1, 1], [1, np.nan]], InvalidEmbeddingError, "NaN .* of the text 'oil'"),
    "infinite": (lambda t: [[1, 1], [1, np.inf]], InvalidEmbeddingError, "infinity, of .* 'oil'"),
    "too large": (lambda t: [[1, 1], [1, 1e300]], InvalidEmbeddingError, "infinity, of .* 'oil'"),
    "zeros": (lambda texts: [[1, 1], [0, 0]], InvalidEmbeddingError, "zeros.* of the text 'oil'"),
    "an error": (lambda texts: 1 / 0, VectorError, "failed on 2 texts.*'gold': ZeroDivisionError"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_a_function_makes_wrong_is_told_with_its_encoder(wrong):
    function, error, told = WRONG[wrong]
    with pytest.raises(error, match=rf"encoder 'counting-v1'.*{told}|{told}.*"):
        encoder(function).embed(["gold", "oil"])


def test_what_a_function_raises_is_chained():
    with pytest.raises(VectorError) as caught:
        encoder(lambda texts: 1 / 0).embed(["gold"])
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_refused_text_stores_nothing():
    def no_empty_text(texts):
        if "" in texts:
            msg = "input must not be empty"
            raise ValueError(msg)
        return counting(texts)

    config = MemoryConfig(cold_engine="memory", spaces={"text": VectorSpace(dim=2)})
    with MemorySystem(config, embedder=encoder(no_empty_text)) as memory:
        with pytest.raises(VectorError, match="ValueError: input must not be empty"):
            memory.remember_many([record(text="gold"), record(text="")])
        assert memory.store.select() == []
        memory.remember(record(text="gold"))
        assert memory.recall(text="oil", space="text").hits[0].record.text == "gold"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"function": 5}, "function=5"),
        ({"id": ""}, "id=''"),
        ({"id": " "}, "id=' '"),
        ({"id": None}, "id=None"),
        ({"dim": 0}, "dim=0"),
        ({"dim": 2.0}, "dim=2.0"),
        ({"dim": True}, "dim=True"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"batch_size": "8"}, "batch_size='8'"),
    ],
)
def test_a_bad_option_is_named(options, told):
    with pytest.raises((TypeError, ValueError), match=told):
        encoder(**options)


@pytest.mark.parametrize("texts", ["gold", [5], None])
def test_what_is_no_list_of_texts_is_refused(texts):
    with pytest.raises((TypeError, ValueError), match="texts"):
        encoder().embed(texts)
