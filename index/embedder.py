"""Embedders: text to unit vectors, and the tokenizer that sizes chunks for them."""

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from tokenizers import Tokenizer

from index.errors import Misconfigured
from index.local_embedder import BUNDLED, open_local
from index.model_folder import bundled_path
from index.recipe import Recipe, recipe_from
from index.settings import Settings
from index.shortened import shortened
from index.vectors import Places, Vectors

__all__ = ["BUNDLED", "Embedder", "Places", "SentenceTransformerEmbedder", "Vectors", "bundled_path", "configured", "open_embedder"]

# The name from before there were kernels; `open_embedder` also knows remote embedders and remembers the choice of a kernel.
SentenceTransformerEmbedder = open_local


class Embedder(Protocol):
    """The port. Vectors are float32, of shape (texts, dimensions), each of norm 1; `kernel` says how they are computed."""

    name: str
    fingerprint: str
    dimensions: int
    max_tokens: int
    kernel: str

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors of passages."""
        ...

    def embed_stream(self, texts: Sequence[str]) -> Generator[tuple[Places, Vectors]]:
        """The places of some texts and their vectors, slice by slice, in any order; who stops asking stops the work."""
        ...

    def embed_query(self, text: str) -> Vectors:
        """The vector of one question, shape (dimensions,)."""
        ...

    def tokenizer(self) -> Tokenizer:
        """The model's own tokenizer, without truncation or padding."""
        ...


def configured(settings: Settings) -> Embedder:
    """The embedder that the settings ask for; takes seconds."""
    return embedder_of(Recipe(settings.embedder, settings.embedder_url), settings)


def embedder_for(recipe: Mapping[str, Any], settings: Settings) -> Embedder:
    """The embedder of a release with this recipe; that of the settings, where the release says nothing of it."""
    return embedder_of(recipe_from(recipe) or Recipe(settings.embedder, settings.embedder_url), settings)


def embedder_of(recipe: Recipe, settings: Settings) -> Embedder:
    """The embedder of a recipe; takes seconds. The key of a service is that of the settings.

    Raises `Misconfigured` when it can't be loaded, `Unavailable` when the service does not answer.
    """
    key = settings.embedder_key.get_secret_value() if settings.embedder_key else None
    whole = open_embedder(recipe.embedder, settings.home, recipe.url, key, settings.embedder_price)
    return shortened(whole, recipe.dimensions)


def open_embedder(
    model: str | None,
    home: Path | None = None,
    url: str | None = None,
    key: str | None = None,
    price: float = 0.0,
    threads: int | None = None,
) -> Embedder:
    """An embedder on this machine or at a service; takes seconds.

    Args:
        model: the model's name or path; None is the bundled one. With a `url`, the name by which the service knows it.
        home: where the choice of a kernel is remembered.
        url: the base URL of an OpenAI-compatible service, up to and with `/v1`; None computes here.
        key: the service's key.
        price: what a million tokens cost there.
        threads: cores to use; None is all.
    """
    if not url:
        return open_local(model, threads, home)
    if not model:
        raise Misconfigured("GROUNDWORK_EMBEDDER_URL is set: name the service's model in GROUNDWORK_EMBEDDER")
    from index.remote_embedder import RemoteEmbedder

    return RemoteEmbedder(url, model, key, price)
