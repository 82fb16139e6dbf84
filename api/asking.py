"""The embedder as the API asks it: questions that come together are embedded together, and repeated ones are remembered."""

from collections.abc import Generator, Sequence

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
        ask = Together(embedder.embed_query, embedder.embed).vector if here and serving.batch_questions else embedder.embed_query
        self._ask = RememberedVectors(ask).vector if serving.cache_mib else ask

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors of passages, shape (len(texts), dimensions), norm 1."""
        return self._embedder.embed(texts)

    def embed_stream(self, texts: Sequence[str]) -> Generator[tuple[Places, Vectors]]:
        """The same, slice by slice."""
        return self._embedder.embed_stream(texts)

    def embed_query(self, text: str) -> Vectors:
        """The vector of one question, shape (dimensions,), norm 1."""
        return self._ask(text)

    def tokenizer(self) -> Tokenizer:
        """The model's own."""
        return self._embedder.tokenizer()


def asking(embedder: Embedder, recipe: Recipe, serving: Serving) -> Asking:
    """The embedder of a recipe, as the API asks it."""
    return Asking(embedder, serving, here=not recipe.url)
