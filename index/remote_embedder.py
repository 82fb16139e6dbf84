"""The embedder of a service: any OpenAI-compatible `/v1/embeddings`, with care for its rate limits and its price."""

import hashlib
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from index import model_folder
from index.ahead import computed_ahead
from index.embedding_service import EmbeddingService, Patience
from index.engine import in_order
from index.errors import Misconfigured
from index.vectors import Places, Vectors

# text-embeddings-inference takes 32 texts by default, the tightest limit of the services we know; all take 8,192 tokens.
REQUEST_TEXTS = 32
REQUEST_TOKENS = 8192
REQUESTS_AT_ONCE = 4
# Chunks are sized with the bundled tokenizer: its 256 tokens are fewer than 512 of any service's.
MAX_TOKENS = 256
# After this the caller decides: the ingester tries its batch again, a question is answered with 503.
FOR_PASSAGES = Patience(seconds=30, tries=6, pause_s=8, reply_s=60)
FOR_A_QUESTION = Patience(seconds=3, tries=2, pause_s=0.2, reply_s=5)


@dataclass(frozen=True, slots=True)
class Request:
    """Texts that are sent together: the place of the first, and about how many tokens they have."""

    first: int
    texts: tuple[str, ...]
    tokens: int


class RemoteEmbedder:
    """A model of a service. Sends one text at the start, to learn the number of dimensions.

    Attributes:
        price: of a million tokens.
    """

    max_tokens = MAX_TOKENS

    def __init__(self, url: str, model: str, key: str | None = None, price: float = 0.0) -> None:
        """Raises `Misconfigured` when the service refuses, `Unavailable` when it can't be reached for half a minute."""
        self._service = EmbeddingService(url, model, key)
        self._tokenizer = model_folder.tokenizer(model_folder.bundled_path())
        self._requests = ThreadPoolExecutor(REQUESTS_AT_ONCE, "embedding-request")
        self.name = model
        self.price = price
        self.dimensions = self._service.vectors(["dimensions"], 1, FOR_PASSAGES).shape[1]
        self.kernel = f"service {self._service.url}"
        self.fingerprint = hashlib.sha256(f"{self._service.url} {model} {self.dimensions}".encode()).hexdigest()[:12]

    @property
    def tokens(self) -> int:
        """How many tokens were embedded so far, as the service counts them."""
        return self._service.tokens

    @property
    def spent(self) -> float:
        """What they cost, in the currency of the price."""
        return self.tokens * self.price / 1_000_000

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors of passages, shape (len(texts), dimensions), norm 1. Raises `Unavailable` when the service is away too long."""
        return in_order(self.embed_stream(texts), len(texts), self.dimensions)

    def embed_stream(self, texts: Sequence[str]) -> Generator[tuple[Places, Vectors]]:
        """The same, request by request: the places of some texts, and their vectors. Who stops asking stops the work."""
        for request, vectors in computed_ahead(self._requests, self._vectors, self._batched(texts), REQUESTS_AT_ONCE - 1):
            yield np.arange(request.first, request.first + len(request.texts)), vectors

    def embed_query(self, text: str) -> Vectors:
        """The vector of one question, shape (dimensions,), norm 1."""
        vector: Vectors = self._same_dimensions(self._service.vectors([text], self._lengths([text])[0], FOR_A_QUESTION))[0]
        return vector

    def tokenizer(self) -> Tokenizer:
        """The bundled model's tokenizer, for sizing chunks only: a service does not say how it tokenises."""
        return self._tokenizer

    def _vectors(self, request: Request) -> Vectors:
        return self._same_dimensions(self._service.vectors(request.texts, request.tokens, FOR_PASSAGES))

    def _same_dimensions(self, vectors: Vectors) -> Vectors:
        if vectors.shape[1] != self.dimensions:
            found = f"sent {vectors.shape[1]} dimensions in place of {self.dimensions}"
            raise Misconfigured(f"the embedding service {self._service.url} {found}: another model answers as {self.name}")
        return vectors

    def _batched(self, texts: Sequence[str]) -> Iterator[Request]:
        """Requests within the limits of texts and tokens, in order; a text that alone has more is sent alone."""
        for window in range(0, len(texts), REQUEST_TEXTS):
            first, tokens = window, 0
            lengths = self._lengths(texts[window : window + REQUEST_TEXTS])
            for place, length in enumerate(lengths, window):
                if place > first and tokens + length > REQUEST_TOKENS:
                    yield Request(first, tuple(texts[first:place]), tokens)
                    first, tokens = place, 0
                tokens += length
            yield Request(first, tuple(texts[first : window + len(lengths)]), tokens)

    def _lengths(self, texts: Sequence[str]) -> list[int]:
        return [len(encoding.ids) for encoding in self._tokenizer.encode_batch_fast(list(texts))]
