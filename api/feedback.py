"""`/v1/feedback`: whether people found an answer useful."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import Body

from api import paging
from api.answers import FeedbackReply, readable
from api.auth import requires
from api.keys import Key
from api.paging import Cursor, Limit, Page
from api.platform import Platform
from api.requests import FeedbackRequest
from index.errors import BadRequest
from index.feedback import Feedback


class ThanksReply(msgspec.Struct):
    """Feedback was kept."""

    answer_id: str
    at: datetime


@post(
    "/v1/feedback",
    guards=[requires("reader")],
    summary="Say whether an answer was useful",
    operation_id="give_feedback",
    tags=["Answers"],
    sync_to_thread=True,
)
def give_feedback(
    data: Annotated[FeedbackRequest, Body(title="Feedback")], request: Request[None, Key, State], platform: NamedDependency[Platform]
) -> ThanksReply:
    """Keeps what you think of an answer that your key asked for, in place of what it said of the same answer before."""
    record = readable(platform, request.auth, data.answer_id)
    said = Feedback(record.id, datetime.now(UTC), data.useful, data.comment or None, request.auth.id, record.release)
    platform.store.feedback.write(said)
    return ThanksReply(said.answer_id, said.at)


@get(
    "/v1/feedback",
    guards=[requires("writer")],
    summary="List feedback",
    operation_id="list_feedback",
    description="What people said of answers, newest first.",
    tags=["Answers"],
    sync_to_thread=True,
)
def list_feedback(platform: NamedDependency[Platform], limit: Limit = 50, cursor: Cursor = None) -> Page[FeedbackReply]:
    """What people said of answers, newest first."""
    found = platform.store.feedback.newest(limit + 1, _place(paging.position(cursor)))
    items, more = found[:limit], found[limit:]
    return Page([FeedbackReply(**asdict(each)) for each in items], paging.cursor(_written(items[-1])) if more else None)


def _written(said: Feedback) -> str:
    return f"{said.at.isoformat()} {said.answer_id} {said.key}"


def _place(text: str) -> tuple[datetime, str] | None:
    """The time and the id that a page ended with."""
    if not text:
        return None
    at, _, identifier = text.partition(" ")
    try:
        moment = datetime.fromisoformat(at)
    except ValueError as error:
        raise BadRequest(paging.REFUSED) from error
    if moment.utcoffset() != timedelta(0):
        raise BadRequest(paging.REFUSED)
    return moment, identifier
