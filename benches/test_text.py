"""Texts to vectors: the sentence model, one text at a time as it computes them, and hashing."""

from __future__ import annotations

import pytest

from nt_memory import HashingEmbedding, SentenceEmbedding

TEXTS = 200
HEADLINE = "the federal reserve raises rates by a quarter point in week {}, and equities fall"


@pytest.mark.parametrize("encoder", [SentenceEmbedding, HashingEmbedding])
def test_embed(timed, encoder):
    made = encoder()
    timed(
        f"text/embed_headline/{made.id}",
        lambda i: made.embed([HEADLINE.format(i)]),
        TEXTS,
    )
