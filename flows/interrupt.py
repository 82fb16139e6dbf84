"""Long work that gives way: a large document of the bulk lane must not keep single documents waiting."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field

import numpy as np
from tokenizers import Tokenizer

from index.embedder import Embedder, Places, Vectors
from index.errors import GroundworkError


class Interrupted(GroundworkError):
    """Somebody else goes first; what was embedded so far is kept."""


@dataclass(slots=True)
class Interruptible:
    """An embedder that stops between two slices when it is asked to, and goes on there the next time."""

    inner: Embedder
    must_yield: Callable[[], bool]
    name: str = field(init=False)
    fingerprint: str = field(init=False)
    dimensions: int = field(init=False)
    max_tokens: int = field(init=False)
    kernel: str = field(init=False)
    _made: dict[str, Vectors] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """It is the inner one, as far as anybody can tell."""
        for fact in ("name", "fingerprint", "dimensions", "max_tokens", "kernel"):
            setattr(self, fact, getattr(self.inner, fact))

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors of passages; raises `Interrupted`."""
        for _ in self.embed_stream([text for text in texts if text not in self._made]):
            if self.must_yield():
                raise Interrupted(f"{len(self._made)} of {len(texts)} passages are embedded")
        made = [self._made[text] for text in texts]
        return np.stack(made) if made else np.zeros((0, self.dimensions), np.float32)

    def embed_stream(self, texts: Sequence[str]) -> Generator[tuple[Places, Vectors]]:
        """As the inner one, and keeps what comes by."""
        for places, vectors in self.inner.embed_stream(texts):
            self._made |= {texts[place]: vector for place, vector in zip(places.tolist(), vectors, strict=True)}
            yield places, vectors

    def embed_query(self, text: str) -> Vectors:
        """As the inner one."""
        return self.inner.embed_query(text)

    def tokenizer(self) -> Tokenizer:
        """As the inner one."""
        return self.inner.tokenizer()

    def forget(self) -> None:
        """Drops what was kept: the work is done."""
        self._made.clear()
