"""The embedder as the API asks it: questions that come together are embedded together, and repeated ones are remembered."""

from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, nullcontext

from tokenizers import Tokenizer

from api.batching import Together
from api.cache import RememberedVectors
from index.embedder import Embedder
from index.recipe import Recipe
from index.serving import Serving
from index.shortened import whole_of
from index.vectors import Places, Vectors


class Asking:
    """An embedder on this machine, for many who ask at once. Its vectors are those of the other one."""

    def __init__(self, embedder: Embedder, serving: Serving, *, here: bool) -> None:
        """A service, which is not `here`, is better asked by many at once."""
        self._embedder = embedder
        self.name = embedder.name
        self.fingerprint = embedder.fingerprint
        self.whole = whole_of(embedder)
        self.dimensions = embedder.dimensions
        self.max_tokens = embedder.max_tokens
        self.kernel = embedder.kernel
        self._together = Together(embedder.embed_query, embedder.embed) if here and serving.batch_questions else None
        ask = self._together.vector if self._together else embedder.embed_query
        self._remembered = RememberedVectors(ask) if serving.cache_mib else None
        self._ask = self._remembered.vector if self._remembered else ask

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors of passages, shape (len(texts), dimensions), norm 1."""
        return self._embedder.embed(texts)

    def embed_stream(self, texts: Sequence[str]) -> Generator[tuple[Places, Vectors]]:
        """The same, slice by slice."""
        return self._embedder.embed_stream(texts)

    def embed_query(self, text: str) -> Vectors:
        """The vector of one question, shape (dimensions,), norm 1."""
        return self._ask(text)

    def ahead(self, text: str) -> AbstractContextManager[None]:
        """Says that somebody is going to ask this question: while it lasts the vector may be made beforehand, with those of others."""
        is_known = self._remembered is not None and self._remembered.knows(text)
        return self._together.ahead(text) if self._together and not is_known else nullcontext()

    def tokenizer(self) -> Tokenizer:
        """The model's own."""
        return self._embedder.tokenizer()


def asking(embedder: Embedder, recipe: Recipe, serving: Serving) -> Asking:
    """The embedder of a recipe, as the API asks it."""
    return Asking(embedder, serving, here=not recipe.url)
