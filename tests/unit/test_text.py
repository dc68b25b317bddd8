"""The sentence model: its words, its vectors, what is missing or damaged."""

import math
import os
import random
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import record
from nt_memory import CorruptionError, MemoryConfig, MemorySystem, VectorSpace
from nt_memory.text import SentenceEmbedding, _sentence
from nt_memory.text._network import gelu, weights_of
from nt_memory.text._wordpiece import WordPieces, words

# Nothing here is skipped without the model: what development needs has it.
ENCODER = SentenceEmbedding()
SOME = settings(max_examples=30, deadline=None)
# What sentence-transformers 6.2.0 on torch 2.15.0 made of the same files: the numbers of the
# pieces, and the floats at PLACES.
PLACES = [0, 1, 2, 100, 200, 383]
REFERENCE = {
    "": ([101, 102], [-0.118838, 0.048299, -0.002548, 0.035949, 0.037718, -0.015717]),
    "gold": ([101, 2751, 102], [-0.056633, 0.075484, -0.025937, 0.078144, 0.102778, 0.040488]),
    "The Federal Reserve raised interest rates by a quarter point, and equities fell.": (
        [101, 1996, 2976, 3914, 2992, 3037, 6165, 2011, 1037, 4284, 2391, 1010, 1998, 1041, 15549,
         7368, 3062, 1012, 102],
        [0.043097, 0.030997, 0.014254, 0.114974, -0.017307, 0.010254],
    ),
    "NVDA +4.2% after-hours; guidance $28bn (vs. $26.8bn est.)": (
        [101, 1050, 16872, 2050, 1009, 1018, 1012, 1016, 1003, 2044, 1011, 2847, 1025, 8606, 1002,
         2654, 24700, 1006, 5443, 1012, 1002, 2656, 1012, 1022, 24700, 9765, 1012, 1007, 102],
        [0.029555, 0.015939, 0.013827, 0.06292, 0.054757, 0.019478],
    ),
    "Caf\u00e9 S\u00e3o Paulo: na\u00efve \u0130stanbul \u03a3\u0391\u03a3": (
        [101, 7668, 7509, 9094, 1024, 15743, 9960, 1173, 14608, 29733, 102],
        [0.06289, -0.043425, 0.021703, -0.085857, -0.009333, -0.062018],
    ),
    "\u4e2d\u56fd\u4eba\u6c11\u94f6\u884c cuts": (
        [101, 1746, 1799, 1756, 1892, 100, 1945, 7659, 102],
        [-0.06953, 0.122795, -0.004921, 0.033487, 0.051808, 0.014078],
    ),
    "rates " * 400: (
        [101, *[6165] * 254, 102],
        [-0.01076, -0.005073, -0.038187, -0.033159, 0.019024, -0.063543],
    ),
}  # fmt: skip
SENTENCES = ["the fed raises rates", "gold", "", "oil glut widens as demand weakens", "a " * 300]


def embedded(text):
    return ENCODER.embed([text])[0]


@pytest.mark.parametrize("text", REFERENCE, ids=lambda text: ascii(text[:20]))
def test_pieces_are_those_of_the_reference(text):
    assert ENCODER._pieces.numbers(text) == REFERENCE[text][0]


@pytest.mark.parametrize("text", REFERENCE, ids=lambda text: ascii(text[:20]))
def test_vectors_are_those_of_the_reference(text):
    assert embedded(text)[PLACES] == pytest.approx(REFERENCE[text][1], abs=2e-6)


@SOME
@given(st.text(max_size=200))
def test_every_text_has_a_finite_unit_vector(text):
    vector = embedded(text)
    assert vector.shape == (384,)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)


@SOME
@given(st.lists(st.sampled_from(SENTENCES), max_size=6))
def test_a_text_embeds_the_same_to_the_bit_alone_and_in_any_batch(texts):
    batch = ENCODER.embed(texts)
    assert batch.shape == (len(texts), 384)
    for row, text in zip(batch, texts, strict=True):
        assert row.tobytes() == embedded(text).tobytes()


def test_threads_share_an_encoder():
    alone = ENCODER.embed(SENTENCES)
    with ThreadPoolExecutor(4) as pool:
        for made in pool.map(ENCODER.embed, [SENTENCES] * 8):
            assert made == pytest.approx(alone, abs=1e-6)


FLOATS = """
import sys
from nt_memory import SentenceEmbedding
texts = ["rates " * words for words in (1, 30, 90, 250)]
sys.stdout.buffer.write(SentenceEmbedding().embed(texts).tobytes())
"""


def test_the_number_of_threads_changes_the_last_bits_at_most():
    program = f"import sys\nsys.path[:] = {sys.path}\n{FLOATS}"
    one, two = (
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "OPENBLAS_NUM_THREADS": number},
            capture_output=True,
            check=True,
        ).stdout
        for number in "12"
    )
    assert np.frombuffer(one, "f4") == pytest.approx(np.frombuffer(two, "f4"), abs=1e-6)


def test_two_encoders_are_one():
    assert SentenceEmbedding().embed(SENTENCES).tobytes() == ENCODER.embed(SENTENCES).tobytes()


def test_sentences_that_mean_alike_are_nearer_than_those_that_share_words():
    asked = embedded("the central bank tightens policy")
    assert asked @ embedded("the fed raises rates") > asked @ embedded("the bank of the river")


def test_what_lies_behind_the_last_piece_is_not_read():
    begun = "rates " * 254
    assert (embedded(begun) == embedded(begun + "gold " * 50)).all()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't  pay $1,000.", ["don", "'", "t", "pay", "$", "1", ",", "000", "."]),
        ("na\u00efve cafe\u0301", ["naive", "cafe"]),
        ("a\u200bb\x00c\td\ne\ufffd", ["abc", "d", "e"]),
        ("\u4e2d\u56fd bank", ["\u4e2d", "\u56fd", "bank"]),
        ("\u201cquoted\u201d", ["\u201c", "quoted", "\u201d"]),
        (" \u3000\u00a0 ", []),
        ("[SEP]", ["[", "sep", "]"]),
    ],
    ids=ascii,
)
def test_words_lose_case_and_accents_and_part_from_punctuation(text, expected):
    assert list(words(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rate", [1, 3, 2]),
        ("rates", [1, 3, 4, 2]),
        ("rated", [1, 0, 2]),  # a word is known whole or not at all
        ("s", [1, 5, 2]),
        ("rate rate rate rate", [1, 3, 3, 3, 2]),
        ("rate" + "s" * 97, [1, 0, 2]),
    ],
)
def test_a_word_is_cut_into_the_longest_pieces(text, expected):
    vocabulary = ["[UNK]", "[CLS]", "[SEP]", "rate", "##s", "s"]
    pieces = WordPieces({piece: number for number, piece in enumerate(vocabulary)}, 5)
    assert pieces.numbers(text) == expected


@given(st.lists(st.floats(-12, 12, width=32), min_size=1))
def test_gelu_is_the_value_times_the_normal_distribution(values):
    exact = [x * (1 + math.erf(x / math.sqrt(2))) / 2 for x in values]
    assert gelu(np.array(values, dtype=np.float32)) == pytest.approx(exact, abs=1e-6)


def test_weights_are_read_where_they_lie():
    header = b'{"__metadata__": {}, "a": {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]}}'
    numbers = np.array([[1.0, 2.0]], dtype=np.float32)
    made = weights_of(len(header).to_bytes(8, "little") + header + numbers.tobytes())
    assert list(made) == ["a"]
    assert made["a"].tolist() == [[1.0, 2.0]]


def test_neither_the_network_nor_the_code_of_the_package_is_used(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    SentenceEmbedding().embed(["gold"])
    assert _sentence._PACKAGE not in sys.modules


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setattr(_sentence, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "nt-memory\[text\]"'):
        SentenceEmbedding()


@pytest.mark.parametrize("name", ["model.safetensors", "vocab.txt"])
@pytest.mark.parametrize("damage", ["changed", "cut off", "empty", "missing"])
def test_a_damaged_file_is_refused_by_name(monkeypatch, tmp_path, name, damage):
    good = _sentence._folder()
    for file in _sentence._DIGESTS:
        (tmp_path / file).symlink_to(good / file)
    (tmp_path / name).unlink()
    content = bytearray((good / name).read_bytes())
    place = random.Random(damage).randrange(len(content))
    content[place] ^= 1
    made = {"changed": content, "cut off": content[:place], "empty": b""}
    if damage in made:
        (tmp_path / name).write_bytes(made[damage])
    monkeypatch.setattr(_sentence, "_folder", lambda: tmp_path)
    with pytest.raises(CorruptionError, match=f"{name} (is damaged|cannot be read)"):
        SentenceEmbedding()


@pytest.mark.parametrize("given", ["gold", [1], None])
def test_what_is_no_list_of_texts_is_refused(given):
    with pytest.raises((TypeError, ValueError), match="texts"):
        ENCODER.embed(given)


def test_a_memory_finds_by_meaning():
    spaces = {"text": VectorSpace(dim=ENCODER.dim)}
    config = MemoryConfig(cold_engine="memory", spaces=spaces)
    with MemorySystem(config, embedder=ENCODER) as memory:
        memory.remember_many(
            record(text=text) for text in ("a crude oil surplus", "the fed raises rates")
        )
        (hit,) = memory.recall(text="monetary policy is tightened", top_k=1, space="text").hits
        assert hit.record.text == "the fed raises rates"
