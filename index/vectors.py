"""Vectors: float32, of norm 1. They are stored in half of the bits, or in all."""

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
# Bits of each number of a stored vector.
HALF_PRECISION = 16
FULL_PRECISION = 32
# Where in a list of texts some of them stand.
Places = npt.NDArray[np.int64]


def unit(vectors: npt.NDArray[np.floating]) -> Vectors:
    """The vectors at length 1, row by row; one of length 0 or with a NaN in it stays unusable (NaN)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), dtype=np.float32)


def lowest_cosine(some: Vectors, others: Vectors) -> float:
    """The cosine of the pair that is furthest apart; NaN when a vector is unusable."""
    return float((some * others).sum(axis=1).min())
