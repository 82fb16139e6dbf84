"""`/v1/answers`: ask, see what an answer was made from, ask it again."""

from collections.abc import Sequence
from dataclasses import asdict
from time import perf_counter
from typing import Annotated

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import Body, FromPath, JSONBody

from api.auth import requires
from api.keys import Key
from api.platform import Platform
from api.replies import AnswerRecordReply, AnswerReplayReply, AnswerReply, CitationReply, FeedbackReply, PassageReply
from api.requests import AnswerReplayRequest, AnswerRequest
from api.search import MAX_BODY
from api.stage_metrics import saw_answer, saw_search
from index.answers import AnswerRecord
from index.errors import BadRequest, NotFound
from index.feedback import Feedback
from index.search import Opened
from tasks.answer import Question, answer
from tasks.replay import as_json, as_question, difference, record_of

Req = Request[None, Key, State]


@post(
    "/v1/answers",
    status_code=200,
    guards=[requires("reader")],
    summary="Answer a question",
    operation_id="ask",
    tags=["Answers"],
    sync_to_thread=True,
    request_max_body_size=MAX_BODY,
)
def ask(
    data: Annotated[AnswerRequest, Body(title="Question")], request: Request[None, Key, State], platform: NamedDependency[Platform]
) -> AnswerReply:
    """Answers from the sources, with quotes that stand there word for word; says so when they hold no answer."""
    if data.stream:
        raise BadRequest("stream: true is not supported yet; leave it out to get the whole answer at once")
    return answered(platform, request.auth, data)


def answered(platform: Platform, key: Key, data: AnswerRequest) -> AnswerReply:
    """The answer for a key, whichever way it was asked."""
    view = platform.reader.view(data.release)
    embedder = platform.models.of(view.release)
    question = Question(data.question, data.k, dict(data.filter), always=dict(key.filter))
    generators, began = platform.generators(embedder), perf_counter()
    made = answer(Opened(view), embedder, generators, question)
    saw_search(made.retrieved)
    saw_answer(made, perf_counter() - began, generators[0].name)
    record = record_of(made, question, view.release, key.id)
    platform.store.answers.write(record)
    platform.traffic.saw_answer(question.query, made, record.id, embedder, key.id)
    return AnswerReply(
        id=record.id,
        answer=made.text,
        citations=[CitationReply(c.n, c.doc_id, c.chunk_id, c.quote, c.span) for c in made.citations],
        grounded=made.grounded,
        release=made.retrieved.release,
        generator=made.generator,
        degraded=list(made.degraded),
    )


@get(
    "/v1/answers/{identifier:str}",
    guards=[requires("reader")],
    summary="What an answer was made from",
    operation_id="get_answer",
    description="The record of an answer, for the key that asked, or an admin.",
    tags=["Answers"],
    sync_to_thread=True,
)
def get_answer(request: Req, platform: NamedDependency[Platform], identifier: FromPath[str]) -> AnswerRecordReply:
    """The record of an answer, for the key that asked, or an admin."""
    record = readable(platform, request.auth, identifier)
    return _shown(record, platform.store.feedback.of(record.id))


@post(
    "/v1/answers/{identifier:str}/replay",
    status_code=200,
    guards=[requires("reader")],
    summary="Ask it again",
    operation_id="replay_answer",
    description="Asks the question again on the same release, or on the one you name, and says what is otherwise.",
    tags=["Answers"],
    sync_to_thread=True,
)
def replay_answer(
    request: Req, platform: NamedDependency[Platform], identifier: FromPath[str], data: JSONBody[AnswerReplayRequest | None] = None
) -> AnswerReplayReply:
    """Asks the question again on the same release, or on the one you name, and says what is otherwise."""
    record = readable(platform, request.auth, identifier)
    question = as_question(record, data.release if data else None)
    view = platform.reader.view(question.release)
    embedder = platform.models.of(view.release)
    again = answer(Opened(view), embedder, platform.generators(embedder), question)
    found = difference(record, again, dict(platform.store.ledger.buried()))
    return AnswerReplayReply(
        id=record.id,
        release=again.retrieved.release,
        was_release=record.release,
        answer=again.text,
        was_answer=record.answer,
        generator=again.generator,
        was_generator=record.generator,
        **as_json(found),
    )


def readable(platform: Platform, key: Key, identifier: str) -> AnswerRecord:
    """The record, where the key may read it; others learn nothing, not even that it is there."""
    record = platform.store.answers.get(identifier)
    if record.key != key.id and not key.may("admin"):
        raise NotFound(f"there is no answer {identifier!r}, or its record is not kept any more")
    return record


def _shown(record: AnswerRecord, said: Sequence[Feedback]) -> AnswerRecordReply:
    facts = asdict(record)
    feedback = [FeedbackReply(**asdict(each)) for each in said]
    return AnswerRecordReply(**facts | {"passages": [PassageReply(**each) for each in facts["passages"]]}, feedback=feedback)
