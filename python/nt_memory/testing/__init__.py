"""The oracle: a store in plain Python, slow and obvious.

`ModelStore` says what every engine must answer; the conformance suite and the
property tests compare the engines with it.
"""

from nt_memory.testing.model import ModelStore

__all__ = ["ModelStore"]
