"""A small BERT in NumPy: from the numbers of word pieces to one vector of a sentence.

Devlin et al., "BERT", 2018; Reimers and Gurevych, "Sentence-BERT", 2019, for the
mean over the pieces.  A sentence is computed by itself, never padded, so that its
vector cannot depend on what else is embedded.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from mmap import mmap

    import numpy.typing as npt

    from nt_memory.store import Vector

HEADS = 12
_SMALL = np.float32(1e-12)
_HALF = np.float32(0.5)
# Abramowitz and Stegun, 7.1.26: the complement of the error function, within 1.5e-7.
_SLOPE = np.float32(0.3275911 / math.sqrt(2))
_POWERS = tuple(
    map(np.float32, (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592))
)


class Network:
    """The layers of a model.

    Parameters
    ----------
    weights
        By name, as the model's file has them.
    """

    def __init__(self, weights: Mapping[str, Vector]) -> None:
        self._weights = weights
        self._layers = sum(name.endswith("intermediate.dense.bias") for name in weights)

    def vector(self, numbers: Sequence[int]) -> Vector:
        """Return the unit vector of a sentence, given the numbers of its pieces."""
        states = self._embedded(numbers)
        for layer in range(self._layers):
            states = self._layer(f"encoder.layer.{layer}", states)
        mean = states.mean(axis=0)
        unit: Vector = mean / np.sqrt(mean @ mean)
        return unit

    def _embedded(self, numbers: Sequence[int]) -> Vector:
        table = {
            name: self._weights[f"embeddings.{name}_embeddings.weight"]
            for name in ("word", "position", "token_type")
        }
        states = table["word"][np.asarray(numbers)]
        states += table["position"][: len(numbers)] + table["token_type"][0]
        return self._normal("embeddings.LayerNorm", states)

    def _layer(self, name: str, states: Vector) -> Vector:
        seen = self._linear(f"{name}.attention.output.dense", self._attention(name, states))
        states = self._normal(f"{name}.attention.output.LayerNorm", seen + states)
        wide = gelu(self._linear(f"{name}.intermediate.dense", states))
        made = self._linear(f"{name}.output.dense", wide)
        return self._normal(f"{name}.output.LayerNorm", made + states)

    def _attention(self, name: str, states: Vector) -> Vector:
        query, key, value = (
            self._heads(self._linear(f"{name}.attention.self.{part}", states))
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1)
        scores *= np.float32(1 / math.sqrt(query.shape[2]))
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
        seen: Vector = (scores @ value).transpose(1, 0, 2).reshape(states.shape)
        return seen

    def _heads(self, states: Vector) -> Vector:
        heads: Vector = states.reshape(len(states), HEADS, -1).transpose(1, 0, 2)
        return heads

    def _linear(self, name: str, states: Vector) -> Vector:
        made: Vector = states @ self._weights[f"{name}.weight"].T
        made += self._weights[f"{name}.bias"]
        return made

    def _normal(self, name: str, states: Vector) -> Vector:
        centred: Vector = states - states.mean(axis=-1, keepdims=True)
        centred /= np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + _SMALL)
        centred *= self._weights[f"{name}.weight"]
        centred += self._weights[f"{name}.bias"]
        return centred


def gelu(values: Vector) -> Vector:
    """Return each value times the chance that a standard normal lies below it."""
    size = np.abs(values)
    part = 1 / (1 + _SLOPE * size)
    tail = _POWERS[0] * part
    for power in _POWERS[1:]:
        tail += power
        tail *= part
    size *= size
    size *= -_HALF
    tail *= np.exp(size, out=size)
    tail *= _HALF  # the chance of lying beyond the size, on one side
    made: Vector = values * np.where(values > 0, 1 - tail, tail)
    return made


def weights_of(file: mmap | bytes) -> dict[str, Vector]:
    """Return the float32 arrays of a safetensors file, where they lie.

    The format: eight bytes with the length of a header, the header in JSON with
    each array's place, then the arrays.
    """
    found = memoryview(file)
    begin = 8 + int.from_bytes(found[:8], "little")
    told = json.loads(bytes(found[8:begin]))
    weights = {}
    for name, its in told.items():
        if its.get("dtype") == "F32":
            first, last = (begin + place for place in its["data_offsets"])
            numbers: npt.NDArray[np.float32] = np.frombuffer(found[first:last], "<f4")
            weights[name] = numbers.reshape(its["shape"])
    return weights
