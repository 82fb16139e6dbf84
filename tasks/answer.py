"""A question to an answer with citations that stand in the sources, word for word."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from index.chunk_rows import Chunk
from index.embedder import Embedder
from index.errors import GroundworkError, Unavailable
from index.reader import Views
from tasks.context import CONTEXT_TOKENS, fitting
from tasks.retrieve import Hit, Query, Retrieved, retrieve

DEFAULT_K = 8
NO_ANSWER = "The sources do not hold an answer to this question."
ANSWER_S = 60.0
# Of the time that an answer may take: left for the sentences of the sources when a model is not done.
RESERVE = 0.1
LONGEST_RESERVE_S = 2.0


class GeneratorFailed(GroundworkError):
    """The generator can't be reached, or what it wrote is not borne out by the sources; `usage` is what that took, if it is known."""

    def __init__(self, reason: str, usage: "Usage | None" = None) -> None:
        super().__init__(reason)
        self.usage = usage


class CutOff(Unavailable):
    """The generator failed after a part of its answer was given out: that part is no answer."""


@dataclass(frozen=True, slots=True)
class Citation:
    """Evidence number `n`: `quote` stands at characters `span` of its document."""

    n: int
    doc_id: str
    chunk_id: str
    quote: str
    span: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Part:
    """The next sentence of an answer, as it is shown, with the citation that bears it out; None where it is marked as unsupported."""

    text: str
    citation: Citation | None = None


Say = Callable[[Part], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of a language model, as its endpoint counts them."""

    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Draft:
    """What a generator makes of the sources; `grounded` False means they hold no answer. `prompt` is what a model was sent.

    `remarks`: what should be known of it, such as that it was cut off at its longest.
    """

    text: str
    citations: tuple[Citation, ...]
    grounded: bool
    prompt: str | None = None
    usage: Usage | None = None
    remarks: tuple[str, ...] = ()


class Generator(Protocol):
    """The port: the sentences of the sources themselves, or a language model."""

    name: str

    async def write(self, question: str, sources: Sequence[Hit], say: Say) -> Draft:
        """An answer from the sources, of which each part was said as soon as it was checked; or `GeneratorFailed`."""
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
    """An answer, what made it and from what. `degraded` says what did not work as configured; `usage` is that of a language model."""

    text: str
    citations: tuple[Citation, ...]
    grounded: bool
    generator: str
    degraded: tuple[str, ...]
    retrieved: Retrieved
    prompt: str | None = None
    usage: Usage | None = None


def answer(reader: Views, embedder: Embedder, generators: Sequence[Generator], question: Question, seconds: float = ANSWER_S) -> Answer:
    """The answer of the first generator that succeeds within `seconds`; the last one must not fail. Not for threads with an event loop.

    Raises the errors of `retrieve`.
    """
    found = retrieve(reader, embedder, question.query)
    return asyncio.run(tell(found, generators, question.text, seconds=seconds))


async def tell(
    found: Retrieved,
    generators: Sequence[Generator],
    question: str,
    say: Say | None = None,
    seconds: float = ANSWER_S,
    context_tokens: int = CONTEXT_TOKENS,
) -> Answer:
    """The answer of the first generator that succeeds within `seconds`, from what was found; `say` gets each part once it is checked.

    What was said is never taken back: where a generator fails after its first part, this raises `CutOff`.
    """
    sources = fitting(found.hits, context_tokens)
    *preferred, last = generators
    telling = _Telling(say)
    degraded = list(found.degraded)
    spent: Usage | None = None
    for generator in preferred:
        try:
            async with asyncio.timeout(max(0.0, seconds - min(LONGEST_RESERVE_S, RESERVE * seconds))):
                draft = await generator.write(question, sources, telling.say)
            return await telling.done(generator, draft, degraded, found)
        except (GeneratorFailed, TimeoutError) as failure:
            reason = str(failure) or "not done in time"
            if telling.began:
                raise CutOff(f"{generator.name}: {reason}, in the middle of an answer: what came of it is not whole") from failure
            degraded.append(f"{generator.name}: {reason}; answered with {last.name} instead")
            spent = spent or getattr(failure, "usage", None)
    draft = await last.write(question, sources, telling.say)
    return await telling.done(last, replace(draft, usage=draft.usage or spent), degraded, found)


def cite(n: int, chunk: Chunk, start: int, end: int) -> Citation:
    """The citation of characters `start` to `end` of a chunk's text."""
    return Citation(n, chunk.doc_id, chunk.chunk_id, chunk.text[start:end], (chunk.start + start, chunk.start + end))


class _Telling:
    """What somebody who listens has heard."""

    def __init__(self, say: Say | None) -> None:
        self._say = say
        self.began = False

    async def say(self, part: Part) -> None:
        if self._say:
            self.began = True
            await self._say(part)

    async def done(self, generator: Generator, draft: Draft, degraded: Sequence[str], found: Retrieved) -> Answer:
        """The answer of a draft; that there is none is said too."""
        if not draft.grounded:
            draft = replace(draft, text=NO_ANSWER, citations=())
            await self.say(Part(NO_ANSWER))
        remarks = (*degraded, *draft.remarks)
        return Answer(draft.text, draft.citations, draft.grounded, generator.name, remarks, found, draft.prompt, draft.usage)
