"""`POST /v1/answers`."""

import uuid
from typing import Annotated

from litestar import Request, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import Body

from api.auth import requires
from api.keys import Key
from api.platform import Platform
from api.replies import AnswerReply, CitationReply
from api.requests import AnswerRequest
from api.search import MAX_BODY
from index.errors import BadRequest
from tasks.answer import Question, answer


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
    release = platform.reader.view(data.release).release
    embedder = platform.models.of(release)
    question = Question(data.question, data.k, dict(data.filter), release.number, dict(request.auth.filter))
    made = answer(platform.reader, embedder, platform.generators(embedder), question)
    return AnswerReply(
        id=uuid.uuid4().hex,
        answer=made.text,
        citations=[CitationReply(c.n, c.doc_id, c.chunk_id, c.quote, c.span) for c in made.citations],
        grounded=made.grounded,
        release=made.retrieved.release,
        generator=made.generator,
        degraded=list(made.degraded),
    )
