"""`/v1/answers`: ask, see what an answer was made from, ask it again."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, cast

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import Body, FromPath, JSONBody

from api import openapi
from api.answer_stream import answer_events
from api.asked import AnswerReply, Asked, answer_reply, asked
from api.auth import requires
from api.keys import Key
from api.platform import Platform
from api.presence import while_there
from api.requests import AnswerReplayRequest, AnswerRequest
from api.search import MAX_BODY
from index.answers import AnswerRecord
from index.errors import NotFound
from index.feedback import Feedback
from tasks.answer import Question
from tasks.replay import as_json, as_question, difference

Req = Request[None, Key, State]


class PassageReply(msgspec.Struct):
    """A passage that the generator saw; `digest` is the SHA-256 of its text."""

    chunk_id: str
    doc_id: str
    digest: str
    score: float


class FeedbackReply(msgspec.Struct):
    """What somebody thinks of an answer. `key` is the id of the key that said it, `release` that of the answer."""

    answer_id: str
    at: datetime
    useful: bool
    comment: str | None
    key: str
    release: int


class AnswerRecordReply(msgspec.Struct):
    """What an answer was made from. `prompt` is what a language model was sent; `always` the filter of the key that asked."""

    id: str
    at: datetime
    key: str
    question: str
    k: int
    filter: dict[str, Any]
    always: dict[str, Any]
    release: int
    generation: str
    embedder: str
    search: dict[str, Any]
    generator: str
    prompt: str | None
    answer: str
    grounded: bool
    citations: list[dict[str, Any]]
    degraded: list[str]
    passages: list[PassageReply]
    feedback: list[FeedbackReply]
    usage: dict[str, int] | None = None


class AnswerReplayReply(msgspec.Struct):
    """The same question again. Passages of `deleted` documents are left out of the comparison; others are named by their id."""

    id: str
    release: int
    was_release: int
    same_passages: bool
    same_answer: bool
    answer: str
    was_answer: str
    generator: str
    was_generator: str
    deleted: list[str]
    gone: list[str]
    new: list[str]
    moved: list[str]


@post(
    "/v1/answers",
    status_code=200,
    guards=[requires("reader")],
    summary="Answer a question",
    operation_id="ask",
    description="Answers from the sources, with quotes that stand there word for word; says so when they hold no answer. With `stream`, "
    "server-sent events: `sources` (what the answer is made from), `token` (a sentence, sent when its citation was checked) ..., and "
    "`done` (the same as the reply without `stream`) or `error` (a problem: what was sent until then is no answer).",
    tags=["Answers"],
    request_max_body_size=MAX_BODY,
    operation_class=openapi.Streamed,
)
async def ask(
    data: Annotated[AnswerRequest, Body(title="Question")], request: Request[None, Key, State], platform: NamedDependency[Platform]
) -> Response[AnswerReply]:
    """Answers from the sources, whole or as a stream of events."""
    found = await asked(platform, request.auth, _question(data, request.auth))
    if data.stream:
        return cast(Response[AnswerReply], answer_events(found))
    return Response(await while_there(request.receive, _whole(found)))


async def answered(platform: Platform, key: Key, data: AnswerRequest) -> AnswerReply:
    """The answer for a key, whole. Who gives it up gives up the language model's work too."""
    return await _whole(await asked(platform, key, _question(data, key)))


async def _whole(found: Asked) -> AnswerReply:
    made = await found.answer()
    return answer_reply(made, (await found.kept(made)).id)


def _question(data: AnswerRequest, key: Key) -> Question:
    return Question(data.question, data.k, dict(data.filter), data.release, dict(key.filter))


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
)
async def replay_answer(
    request: Req, platform: NamedDependency[Platform], identifier: FromPath[str], data: JSONBody[AnswerReplayRequest | None] = None
) -> AnswerReplayReply:
    """Asks the question again on the same release, or on the one you name, and says what is otherwise."""
    record = await asyncio.to_thread(readable, platform, request.auth, identifier)
    found = await asked(platform, request.auth, as_question(record, data.release if data else None))
    again = await found.answer()
    buried = await asyncio.to_thread(platform.store.ledger.buried)
    changed = difference(record, again, dict(buried))
    return AnswerReplayReply(
        id=record.id,
        release=again.retrieved.release,
        was_release=record.release,
        answer=again.text,
        was_answer=record.answer,
        generator=again.generator,
        was_generator=record.generator,
        **as_json(changed),
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
    shown = {"at": datetime.fromisoformat(record.at), "passages": [PassageReply(**each) for each in facts["passages"]]}
    return AnswerRecordReply(**facts | shown, feedback=feedback)
