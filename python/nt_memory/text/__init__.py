"""Text with a model of sentences, and the way of a store to another encoder."""

from nt_memory.text._reembed import reembed
from nt_memory.text._sentence import SentenceEmbedding

__all__ = ["SentenceEmbedding", "reembed"]
