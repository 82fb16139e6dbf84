"""Engines: what turns texts into vectors, slice by slice."""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from index.vectors import Places, Vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

LIBRARY_BATCH = 32


class Engine(Protocol):
    """The port: a kernel in its loop, or the library."""

    def stream(self, texts: Sequence[str]) -> Generator[tuple[Places, Vectors]]:
        """Unit vectors with the places of their texts, each text once, in any order."""
        ...

    def question(self, text: str) -> Vectors:
        """The unit vector of one text, shape (dimensions,)."""
        ...


@dataclass(frozen=True, slots=True)
class Library:
    """sentence-transformers as it is: the measure of all kernels, and what runs where none gives its vectors."""

    model: "SentenceTransformer"

    def stream(self, texts: Sequence[str]) -> Generator[tuple[Places, Vectors]]:
        """In batches of 32, in order."""
        for start in range(0, len(texts), LIBRARY_BATCH):
            vectors = self._encode(texts[start : start + LIBRARY_BATCH])
            yield np.arange(start, start + len(vectors)), vectors

    def question(self, text: str) -> Vectors:
        """The unit vector of one text."""
        vector: Vectors = self._encode([text])[0]
        return vector

    def _encode(self, texts: Sequence[str]) -> Vectors:
        vectors = self.model.encode(list(texts), batch_size=LIBRARY_BATCH, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, dtype=np.float32)


def in_order(slices: Iterable[tuple[Places, Vectors]], texts: int, dimensions: int) -> Vectors:
    """The vectors of a stream, each at its text's place."""
    vectors = np.zeros((texts, dimensions), dtype=np.float32)
    for places, found in slices:
        vectors[places] = found
    return vectors
