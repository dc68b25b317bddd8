"""The sentence model: its words, its vectors, what is missing or damaged."""

import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nt_memory.text._sentence as sentence
from builders import day, record
from modules import modules_after
from nt_memory import CorruptionError, MemoryConfig, MemorySystem, VectorSpace
from nt_memory.text import SentenceEmbedding
from nt_memory.text._network import gelu
from nt_memory.text._wordpiece import WordPieces, words

# No test of it is skipped: development installs the model.
ENCODER = SentenceEmbedding()
SOME = settings(max_examples=40, deadline=None)


def embedded(text):
    return ENCODER.embed([text])[0]
