"""A question of a key, from opening what is asked to the record of its answer."""

import asyncio
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from time import perf_counter

import msgspec

from api import deadlines
from api.keys import Key
from api.platform import Platform
from api.stage_metrics import saw_answer, saw_search, saw_usage
from index.answers import AnswerRecord, new_id
from index.embedder import Embedder
from index.errors import BadRequest
from index.reader import Opened
from index.search import View
from tasks.answer import Answer, Citation, Question, Say, tell
from tasks.context import Source, fitting, sources
from tasks.replay import record_of
from tasks.retrieve import Retrieved, retrieve


class CitationReply(msgspec.Struct):
    """`quote` stands word for word at `span` of the document's text."""

    n: int
    doc_id: str
    chunk_id: str
    quote: str
    span: tuple[int, int]


class AnswerReply(msgspec.Struct):
    """An answer whose citations have been checked; `grounded` false says the sources do not hold it."""

    id: str
    answer: str
    citations: list[CitationReply]
    grounded: bool
    release: int
    generator: str
    degraded: list[str]
    usage: dict[str, int] | None = None


class SourceReply(msgspec.Struct):
    """Passages that follow each other in a document, as a generator gets them; `span` is their place in its text, in characters.

    A citation quotes the source that has its `chunk_id`: its `n`, the number in the text, counts citations.
    """

    doc_id: str
    chunk_ids: list[str]
    title: str
    uri: str | None
    span: tuple[int, int]
    text: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and what was found for it. `identifier` is that of its answer and the record of it."""

    identifier: str
    platform: Platform
    key: Key
    question: Question
    view: View
    embedder: Embedder
    found: Retrieved

    @property
    def sources(self) -> tuple[Source, ...]:
        """What the generator gets to read."""
        return sources(fitting(self.found.hits, self.platform.serving.context_tokens))

    async def answer(self, say: Say | None = None) -> Answer:
        """The answer, within the time that is left; see `tasks.answer.tell`. A language model keeps no thread busy."""
        saw_search(self.found)
        generators = self.platform.generators(self.embedder)
        serving, left, began = self.platform.serving, deadlines.remaining(), perf_counter()
        seconds = serving.answer_seconds if left is None else left
        made = await tell(self.found, generators, self.question.text, say, seconds, serving.context_tokens)
        saw_answer(made, perf_counter() - began + made.retrieved.timings_ms["total"] / 1000, generators[0].name)
        if used := made.usage:
            saw_usage(used.prompt_tokens, used.completion_tokens, serving.llm_price_input, serving.llm_price_output)
        return made

    async def kept(self, made: Answer) -> AnswerRecord:
        """The answer's record, written down."""
        record = record_of(self.identifier, made, self.question, self.view.release, self.key.id)
        await asyncio.to_thread(self.platform.store.answers.write, record)
        self.platform.traffic.saw_answer(self.question.query, made, record.id, self.embedder, self.key.id)
        return record


async def asked(platform: Platform, key: Key, question: Question) -> Asked:
    """Finds what a question is answered from; raises the errors of `retrieve`, in a question's words."""
    return await asyncio.to_thread(_found, platform, key, question)


def _found(platform: Platform, key: Key, question: Question) -> Asked:
    if not question.text.strip():
        raise BadRequest("question is empty: ask something")
    view = platform.reader.view(question.release)
    embedder = platform.models.of(view.release)
    found = retrieve(Opened(view), embedder, question.query)
    return Asked(new_id(datetime.now(UTC)), platform, key, question, view, embedder, found)


def answer_reply(made: Answer, identifier: str) -> AnswerReply:
    """An answer as the wire shows it."""
    return AnswerReply(
        id=identifier,
        answer=made.text,
        citations=[citation_reply(citation) for citation in made.citations],
        grounded=made.grounded,
        release=made.retrieved.release,
        generator=made.generator,
        degraded=list(made.degraded),
        usage=asdict(made.usage) if made.usage else None,
    )


def citation_reply(citation: Citation) -> CitationReply:
    """A citation as the wire shows it."""
    return CitationReply(citation.n, citation.doc_id, citation.chunk_id, citation.quote, citation.span)


def source_reply(source: Source) -> SourceReply:
    """A source as the wire shows it."""
    first = source.chunks[0]
    return SourceReply(first.doc_id, [chunk.chunk_id for chunk in source.chunks], source.title, first.uri, source.span, source.text)
