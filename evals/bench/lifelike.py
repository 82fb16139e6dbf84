"""Any number of vectors with the statistics of real embeddings, and how hard they are to search."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from evals.bench.corpus import unit
from evals.recall import K
from index.embedder import Vectors

# The variance of a made-up vector: a share from a real one, a share from another real one, the rest from noise. Few share both.
FIRST, SECOND = 0.3, 0.3
SLICE = 50_000
PAIRS = 10_000


class Lifelike:
    """Makes vectors from real ones: two of them and noise, mixed so that mean and covariance are those of the real vectors.

    The rows that share a real vector lie together as the passages on one subject do; those that share two, closer still. The
    noise is Gaussian with the covariance of the real vectors, so that it has their few strong directions, not all 384 alike.
    """

    def __init__(self, real: Vectors) -> None:
        """Takes unit vectors, shape (vectors, dimensions), more than there are dimensions."""
        self._mean = real.mean(axis=0)
        self._around = real - self._mean
        spread, axes = np.linalg.eigh(np.cov(self._around, rowvar=False))
        self._axes = np.asarray((axes * np.sqrt(np.maximum(spread, 0))).T, dtype=np.float32)

    @property
    def dimensions(self) -> int:
        """Those of each vector."""
        return int(self._mean.shape[0])

    def draw(self, count: int, rng: np.random.Generator) -> Vectors:
        """Unit vectors, shape (count, dimensions)."""
        rows = len(self._around)
        mixed = np.sqrt(FIRST, dtype=np.float32) * self._around[rng.integers(rows, size=count)]
        mixed += np.sqrt(SECOND, dtype=np.float32) * self._around[rng.integers(rows, size=count)]
        noise = rng.standard_normal((count, len(self._axes)), dtype=np.float32)
        mixed += np.sqrt(1 - FIRST - SECOND, dtype=np.float32) * (noise @ self._axes)
        return unit(self._mean + mixed)

    def slices(self, count: int, rng: np.random.Generator) -> Iterator[Vectors]:
        """So many vectors in all, some at a time."""
        for start in range(0, count, SLICE):
            yield self.draw(min(SLICE, count - start), rng)


@dataclass(frozen=True, slots=True)
class Hardness:
    """How hard it is to tell near from far.

    Attributes:
        contrast: the mean distance of two vectors, divided by that to the 10th nearest (He, Kumar and Chang, ICML 2012); 1: all are alike.
        tenth: the mean cosine to the 10th nearest.
        rounded: the share of the 10 nearest that are still found when all vectors are rounded to 16 bits a number.
    """

    contrast: float
    tenth: float
    rounded: float


def hardness(scores: Vectors, vectors: Vectors, questions: Vectors, rng: np.random.Generator) -> Hardness:
    """That of a collection.

    Args:
        scores: the cosines of some questions to their 10 nearest vectors, best first: shape (questions, 10).
        vectors: some of the collection, in no order.
        questions: vectors to look for among those.
        rng: draws the pairs.
    """
    one, other = (vectors[rng.integers(len(vectors), size=PAIRS)] for _ in range(2))
    apart = np.linalg.norm(one - other, axis=1).mean()
    near = np.sqrt(np.maximum(0.0, 2 - 2 * scores[:, -1])).mean()
    return Hardness(float(apart / near), float(scores[:, -1].mean()), still_found(vectors, questions))


def still_found(vectors: Vectors, questions: Vectors) -> float:
    """The share of the 10 nearest vectors of each question that are its 10 nearest when all are rounded to 16 bits a number."""
    rounded = (each.astype(np.float16).astype(np.float32) for each in (questions, vectors))
    truly, found = (np.argpartition(-(asked @ kept.T), K)[:, :K] for asked, kept in ((questions, vectors), tuple(rounded)))
    return float(np.mean([np.isin(some, others).mean() for some, others in zip(found, truly, strict=True)]))
