"""Reranking: a model that reads the question and a passage together puts the first candidates in its own order."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from index.chunk_rows import Chunk
from index.errors import Misconfigured

CANDIDATES = 50
MOST_CANDIDATES = 200
BATCH = 16


class Reranker(Protocol):
    """Scores passages against a question; higher is better. Safe to share between threads."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    def scores(self, question: str, passages: Sequence[str]) -> list[float]:
        """One for each passage, in their order."""
        ...


class CrossEncoderReranker:
    """Any sentence-transformers CrossEncoder with one label, by name or path."""

    def __init__(self, name: str) -> None:
        """Loads it, from the disk where it is there; raises `Misconfigured` when it can't be used."""
        from sentence_transformers import CrossEncoder

        self.name = name
        try:
            self._model: Any = CrossEncoder(str(Path(name).expanduser()) if Path(name).expanduser().exists() else name)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise Misconfigured(f"reranker = {name!r} can't be loaded as a CrossEncoder: {error}") from error
        if self._model.config.num_labels != 1:
            raise Misconfigured(f"reranker = {name!r} has {self._model.config.num_labels} labels: one that gives one score is needed")

    def scores(self, question: str, passages: Sequence[str]) -> list[float]:
        """One for each passage, in their order."""
        pairs = [(question, passage) for passage in passages]
        return [float(score) for score in self._model.predict(pairs, batch_size=BATCH, show_progress_bar=False)]


def as_read(chunk: Chunk) -> str:
    """What a reranker reads of a passage: where it stands, and its text."""
    return "\n".join([*([chunk.title] if chunk.title else []), *chunk.heading, chunk.text])


def reranked(reranker: Reranker, question: str, chunks: Sequence[Chunk]) -> list[tuple[int, float]]:
    """The places of the passages with their new scores, best first; equal ones stay as they were."""
    scores = reranker.scores(question, [as_read(chunk) for chunk in chunks])
    return sorted(enumerate(scores), key=lambda item: (-item[1], item[0]))
