"""`/v1/chat/completions` and `/v1/models`: answers for clients that speak OpenAI's API."""

from datetime import UTC, datetime
from typing import Annotated, Literal, cast

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import Body, FromPath
from litestar.response import Stream

from api import openapi
from api.asked import Asked, answer_reply, asked
from api.auth import requires
from api.dialects import NO_MODEL, openai_error
from api.events import Send, streamed
from api.keys import Key
from api.openai_contracts import (
    MODEL,
    ChatRequest,
    ChoiceReply,
    ChunkChoiceReply,
    ChunkReply,
    CompletionReply,
    DeltaReply,
    GroundworkReply,
    MessageReply,
    ModelReply,
    ModelsReply,
    Searching,
    UsageReply,
)
from api.openai_messages import question_of, refuse_what_is_not_done
from api.platform import Platform
from api.presence import while_there
from api.problems import problem_of
from api.search import MAX_BODY
from index.errors import NotFound
from tasks.answer import Answer, Part, Question
from tasks.generate import LENGTH_REMARK

DONE = b"data: [DONE]\n\n"
# Of the model's name, which is all that there is: it was there from the first.
SINCE = 0


@post(
    "/v1/chat/completions",
    status_code=200,
    guards=[requires("reader")],
    summary="Answer a question, as OpenAI's API does",
    operation_id="chat_completions",
    description="For clients of OpenAI's chat completions: the last message of the user is answered from the sources. `groundwork` in the "
    "reply has the citations; in a request (`extra_body`), `k`, `filter` and `release`. With `stream`, pieces are whole sentences, each "
    "sent when its citation was checked. Errors are problems that have OpenAI's `error` too.",
    tags=["Answers"],
    request_max_body_size=MAX_BODY,
    operation_class=openapi.Streamed,
)
async def chat_completions(
    data: Annotated[ChatRequest, Body(title="Chat")], request: Request[None, Key, State], platform: NamedDependency[Platform]
) -> Response[CompletionReply]:
    """Answers the last question of a conversation."""
    _known(data.model)
    refuse_what_is_not_done(data)
    more = data.groundwork or Searching()
    question = Question(question_of(data.messages), more.k, dict(more.filter), more.release, dict(request.auth.filter))
    found = await asked(platform, request.auth, question)
    if data.stream:
        counts = bool(data.stream_options and data.stream_options.include_usage)
        return cast(Response[CompletionReply], _streamed(found, with_usage=counts))
    return Response(await while_there(request.receive, _whole(found)))


@get(
    "/v1/models",
    guards=[requires("reader")],
    summary="Models, as OpenAI's API lists them",
    operation_id="list_models",
    tags=["Answers"],
)
async def list_models() -> ModelsReply:
    """The one name that `/v1/chat/completions` takes as `model`. Which generator answered stands in the reply."""
    return ModelsReply([ModelReply(MODEL, SINCE)])


@get(
    "/v1/models/{identifier:str}",
    guards=[requires("reader")],
    summary="A model, as OpenAI's API shows it",
    operation_id="get_model",
    tags=["Answers"],
)
async def get_model(identifier: FromPath[str]) -> ModelReply:
    """The model of that name."""
    _known(identifier)
    return ModelReply(MODEL, SINCE)


def _known(model: str) -> None:
    if model != MODEL:
        raise NotFound(f"{NO_MODEL} {model[:80]!r}; the one there is is called {MODEL!r}")


async def _whole(found: Asked) -> CompletionReply:
    made = await found.answer()
    return _completion(found, made, (await found.kept(made)).id)


def _completion(found: Asked, made: Answer, identifier: str) -> CompletionReply:
    choice = ChoiceReply(MessageReply(made.text), _finish(made))
    return CompletionReply(f"chatcmpl-{identifier}", _now(), MODEL, [choice], _usage(found, made), _rests_on(made, identifier))


def _streamed(found: Asked, *, with_usage: bool) -> Stream:
    """The same in pieces. There is a record of it once the answer is whole."""
    identifier, created = f"chatcmpl-{found.identifier}", _now()

    async def work(send: Send) -> None:
        async def piece(*choices: ChunkChoiceReply, usage: UsageReply | None = None, rests_on: GroundworkReply | None = None) -> None:
            chunk = ChunkReply(identifier, created, MODEL, list(choices), usage=usage, groundwork=rests_on)
            await send(b"data: %s\n\n" % msgspec.json.encode(chunk))

        async def say(part: Part) -> None:
            await piece(ChunkChoiceReply(DeltaReply(content=part.text)))

        await piece(ChunkChoiceReply(DeltaReply(role="assistant", content="")))
        made = await found.answer(say)
        record = await found.kept(made)
        await piece(ChunkChoiceReply(DeltaReply(), _finish(made)), rests_on=_rests_on(made, record.id))
        if with_usage:
            await piece(usage=_usage(found, made))
        await send(DONE)

    return streamed(work, _last_event)


def _last_event(error: Exception) -> bytes:
    """Of a stream that failed: clients raise it."""
    found = problem_of(error)
    return b"data: %s\n\n" % msgspec.json.encode({"error": openai_error(found.status, found.detail)})


def _rests_on(made: Answer, identifier: str) -> GroundworkReply:
    shown = answer_reply(made, identifier)
    return GroundworkReply(shown.id, shown.citations, shown.grounded, shown.release, shown.generator, shown.degraded)


def _usage(found: Asked, made: Answer) -> UsageReply:
    if made.usage:
        asked_for, written = made.usage.prompt_tokens, made.usage.completion_tokens
    else:
        tokenizer = found.embedder.tokenizer()
        asked_for, written = (len(tokenizer.encode(text, add_special_tokens=False).ids) for text in (found.question.text, made.text))
    return UsageReply(asked_for, written, asked_for + written)


def _finish(made: Answer) -> Literal["stop", "length"]:
    return "length" if LENGTH_REMARK in made.degraded else "stop"


def _now() -> int:
    return int(datetime.now(UTC).timestamp())
