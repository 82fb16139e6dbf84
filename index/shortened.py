"""An embedder whose vectors are the beginning of another one's."""

import hashlib
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

from tokenizers import Tokenizer

from index.errors import Misconfigured
from index.vectors import Places, Vectors, unit

if TYPE_CHECKING:
    from index.embedder import Embedder


class Shortened:
    """The first dimensions of another embedder's vectors, made of length 1 again (Kusupati and others, NeurIPS 2022).

    Models that are trained for it lose little; others more: the gate of a rebuild says how much. `whole` is the other one's fingerprint.
    """

    def __init__(self, whole: "Embedder", dimensions: int) -> None:
        self._whole = whole
        self.whole = whole.fingerprint
        self.name = f"{whole.name}, {dimensions} dimensions"
        self.fingerprint = hashlib.sha256(f"{whole.fingerprint} {dimensions}".encode()).hexdigest()[:12]
        self.dimensions = dimensions
        self.max_tokens = whole.max_tokens
        self.kernel = whole.kernel

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors of passages, shape (len(texts), dimensions), norm 1."""
        return self.cut(self._whole.embed(texts))

    def embed_stream(self, texts: Sequence[str]) -> Generator[tuple[Places, Vectors]]:
        """The same, slice by slice."""
        for places, vectors in self._whole.embed_stream(texts):
            yield places, self.cut(vectors)

    def embed_query(self, text: str) -> Vectors:
        """The vector of one question, shape (dimensions,), norm 1."""
        vector: Vectors = self.cut(self._whole.embed_query(text)[None])[0]
        return vector

    def tokenizer(self) -> Tokenizer:
        """The model's own."""
        return self._whole.tokenizer()

    def cut(self, vectors: Vectors) -> Vectors:
        """What it makes of vectors of the other embedder, shape (rows, its dimensions)."""
        return unit(vectors[:, : self.dimensions]) if len(vectors) else vectors[:, : self.dimensions]


def shortened(whole: "Embedder", dimensions: int) -> "Embedder":
    """An embedder with so many of its dimensions; 0 keeps them all. Raises `Misconfigured` where it has fewer."""
    if dimensions > whole.dimensions:
        raise Misconfigured(f"{whole.name} has {whole.dimensions} dimensions: {dimensions} of them can't be kept")
    return Shortened(whole, dimensions) if 0 < dimensions < whole.dimensions else whole


def whole_of(embedder: "Embedder") -> str:
    """The fingerprint of the model that makes its vectors, whether or not they are cut then; also of one that passes on to another."""
    whole: str = getattr(embedder, "whole", embedder.fingerprint)
    return whole
