"""Small working stand-ins for what is slow: a model that needs no loading."""

import hashlib
import json
from collections.abc import Generator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, Self

import numpy as np
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from index.chunk_rows import Chunk
from index.embedder import Places, Vectors
from tasks.validate import Contract, Failure


class HashingEmbedder:
    """A bag of words: each lower-case word adds 1 to the dimension its hash picks."""

    name = "hashing"
    fingerprint = "hashing64"
    dimensions = 64
    max_tokens = 256
    kernel = "words"

    def __init__(self) -> None:
        self.embedded: list[str] = []
        self._tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
        self._tokenizer.pre_tokenizer = Whitespace()

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.embedded += texts
        return np.stack([self.embed_query(text) for text in texts]) if texts else np.zeros((0, self.dimensions), np.float32)

    def embed_stream(self, texts: Sequence[str]) -> Generator[tuple[Places, Vectors]]:
        for start in range(0, len(texts), 4):
            places = np.arange(start, min(start + 4, len(texts)))
            yield places, self.embed(texts[start : start + 4])

    def embed_query(self, text: str) -> Vectors:
        vector = np.full(self.dimensions, 1e-3, dtype=np.float32)
        for word in text.lower().replace("?", " ").replace(".", " ").split():
            vector[int(hashlib.md5(word.encode()).hexdigest(), 16) % self.dimensions] += 1
        return vector / np.linalg.norm(vector)

    def tokenizer(self) -> Tokenizer:
        return self._tokenizer


class TrustingContract(Contract):
    """Finds no fault with anything. The real one takes 0.1 s a batch, and seconds to compile."""

    def documents(self, texts: Mapping[str, str]) -> list[Failure]:
        return []

    def chunks(self, chunks: Sequence[Chunk]) -> list[Failure]:
        return []

    def vectors(self, owners: Sequence[str], vectors: Sequence[Vectors]) -> list[Failure]:
        return []


class ScriptedModel:
    """An OpenAI-compatible endpoint on loopback that answers every question in the same way.

    `reply` is the text of a completion; or a pair of status and body, sent as they are; or None: it never answers.
    """

    def __init__(self, reply: str | tuple[int, str] | None) -> None:
        self.questions: list[dict[str, Any]] = []
        self._hang_up = Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(reply))
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> Self:
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._hang_up.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(model, reply: str | tuple[int, str] | None) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler's
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                model.questions.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                if reply is None:
                    model._hang_up.wait(timeout=30)
                    return
                status, body = (200, completion(reply)) if isinstance(reply, str) else reply
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                """Stays quiet."""

        return Handler


def completion(text: str) -> str:
    """The body of a chat completion."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json.dumps({"id": "1", "object": "chat.completion", "created": 1, "model": "scripted", "choices": [choice]})


class WordReranker:
    """Gives 1 to passages with a word, and 0 to the others."""

    name = "words"

    def __init__(self, word: str) -> None:
        self.word = word

    def scores(self, question: str, passages: Sequence[str]) -> list[float]:
        return [float(self.word in passage.replace(".", " ").split()) for passage in passages]
