"""The hashing embedding: stable, unit length, alike for texts that share words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_memory import HashingEmbedding

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
