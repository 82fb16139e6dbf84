"""A question to an answer with citations that stand in the sources, word for word."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from index.chunks import Chunk
from index.embedder import Embedder
from index.errors import GroundworkError
from index.search import Views
from tasks.retrieve import Hit, Query, Retrieved, retrieve

DEFAULT_K = 8
NO_ANSWER = "The sources do not hold an answer to this question."


class GeneratorFailed(GroundworkError):
    """The generator can't be reached, or what it wrote is not borne out by the sources."""


@dataclass(frozen=True, slots=True)
class Citation:
    """Evidence number `n`: `quote` stands at characters `span` of its document."""

    n: int
    doc_id: str
    chunk_id: str
    quote: str
    span: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Draft:
    """What a generator makes of the sources; `grounded` False means they hold no answer. `prompt` is what a model was sent."""

    text: str
    citations: tuple[Citation, ...]
    grounded: bool
    prompt: str | None = None


class Generator(Protocol):
    """The port: the sentences of the sources themselves, or a language model."""

    name: str

    def generate(self, question: str, sources: Sequence[Hit]) -> Draft:
        """An answer from the sources, or `GeneratorFailed`."""
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked; see `tasks.retrieve.Query` for the shared fields."""

    text: str
    k: int = DEFAULT_K
    filter: dict[str, Any] = field(default_factory=dict)
    release: int | None = None
    always: dict[str, Any] = field(default_factory=dict)

    @property
    def query(self) -> Query:
        """How its passages are looked for."""
        return Query(self.text, self.k, filter=self.filter, release=self.release, always=self.always)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, what made it and from what. `degraded` says what did not work as configured."""

    text: str
    citations: tuple[Citation, ...]
    grounded: bool
    generator: str
    degraded: tuple[str, ...]
    retrieved: Retrieved
    prompt: str | None = None


def answer(reader: Views, embedder: Embedder, generators: Sequence[Generator], question: Question) -> Answer:
    """The answer of the first generator that succeeds; the last one must not fail.

    Raises the errors of `retrieve`.
    """
    found = retrieve(reader, embedder, question.query)
    degraded = list(found.degraded)
    *preferred, last = generators
    for generator in preferred:
        try:
            return _answer(generator, generator.generate(question.text, found.hits), degraded, found)
        except GeneratorFailed as failure:
            degraded.append(f"{generator.name}: {failure}; answered with {last.name} instead")
    return _answer(last, last.generate(question.text, found.hits), degraded, found)


def cite(n: int, chunk: Chunk, start: int, end: int) -> Citation:
    """The citation of characters `start` to `end` of a chunk's text."""
    return Citation(n, chunk.doc_id, chunk.chunk_id, chunk.text[start:end], (chunk.start + start, chunk.start + end))


def _answer(generator: Generator, draft: Draft, degraded: Sequence[str], found: Retrieved) -> Answer:
    text = draft if draft.grounded else replace(draft, text=NO_ANSWER, citations=())
    return Answer(text.text, text.citations, text.grounded, generator.name, tuple(degraded), found, draft.prompt)
