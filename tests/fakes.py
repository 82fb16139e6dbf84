"""Small working stand-ins for what is slow: a model that needs no loading."""

import hashlib
from collections.abc import Sequence

import numpy as np
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from index.embedder import Vectors


class HashingEmbedder:
    """A bag of words: each lower-case word adds 1 to the dimension its hash picks."""

    name = "hashing"
    fingerprint = "hashing64"
    dimensions = 64
    max_tokens = 256

    def __init__(self) -> None:
        self.embedded: list[str] = []
        self._tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
        self._tokenizer.pre_tokenizer = Whitespace()

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.embedded += texts
        return np.stack([self.embed_query(text) for text in texts]) if texts else np.zeros((0, self.dimensions), np.float32)

    def embed_query(self, text: str) -> Vectors:
        vector = np.full(self.dimensions, 1e-3, dtype=np.float32)
        for word in text.lower().replace("?", " ").replace(".", " ").split():
            vector[int(hashlib.md5(word.encode()).hexdigest(), 16) % self.dimensions] += 1
        return vector / np.linalg.norm(vector)

    def tokenizer(self) -> Tokenizer:
        return self._tokenizer
