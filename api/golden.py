"""`/v1/golden`: golden sets, put and read as lines of JSON; which questions are stale; proposals and decisions about them."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from litestar import Request, Response, delete, get, post, put
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.exceptions import PermissionDeniedException
from litestar.handlers.base import BaseRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from api import openapi, paging
from api.auth import Connection, requires
from api.faults import unreadable
from api.golden_contracts import (
    DecisionReply,
    DecisionRequest,
    GoldenCheckReply,
    GoldenPutReply,
    GoldenSetReply,
    ProposalReply,
    ProposedReply,
    ProposeRequest,
    StaleReply,
    proposal_reply,
    set_reply,
)
from api.intake import LINES_KINDS, UNREADABLE, check_kind
from api.keys import Key, Role
from api.paging import Cursor, Limit, Page
from api.platform import Platform
from index.errors import BadRequest, Conflict
from index.golden import GoldenQuestion, Part, as_row, check_name, passage_of, question_of
from tasks import golden, propose

MAX_SET = 64 * 1024 * 1024
NDJSON = "application/x-ndjson"
Req = Request[None, Key, State]
Name = FromPath[str]
Format = Annotated[
    Literal["json", "ndjson"] | None, QueryParameter(name="format", description="ndjson: the whole set as lines, to be put again.")
]


def whole(role: Role) -> Callable[[Connection, BaseRouteHandler], None]:
    """A guard that lets keys with at least this role pass that read all documents: golden sets quote any of them."""
    guard = requires(role)

    def check(connection: Connection, handler: BaseRouteHandler) -> None:
        guard(connection, handler)
        if connection.scope["auth"].filter:
            raise PermissionDeniedException("golden sets quote all documents, and your key reads only some of them")

    return check


@get(
    "/v1/golden",
    guards=[whole("reader")],
    summary="List golden sets",
    operation_id="list_golden",
    description="The golden sets, by name.",
    tags=["Golden sets"],
    sync_to_thread=True,
)
def list_golden(platform: NamedDependency[Platform]) -> Page[GoldenSetReply]:
    """The golden sets, by name."""
    return Page([set_reply(each) for each in golden.sets(platform.store.golden)])


@get(
    "/v1/golden/{name:str}",
    guards=[whole("reader")],
    summary="The questions of a golden set",
    operation_id="get_golden",
    description="The accepted questions in order of their ids: a page of JSON, or all as NDJSON with `Accept: application/x-ndjson`.",
    tags=["Golden sets"],
    operation_class=openapi.GoldenQuestions,
)
async def get_golden(
    request: Req,
    platform: NamedDependency[Platform],
    name: Name,
    part: Annotated[Part | None, QueryParameter(description="Only this part.")] = None,
    format_: Format = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response[bytes]:
    """A page, or the whole set as lines."""
    found = await asyncio.to_thread(golden.questions, platform.store.golden, check_name(name))
    chosen = sorted((each for each in found if part in (None, each.part)), key=lambda each: each.id)
    if format_ == "ndjson" or (format_ is None and NDJSON in request.headers.get("accept", "")):
        return Response(msgspec.json.Encoder().encode_lines([as_row(each) for each in chosen]), media_type=NDJSON)
    after = paging.position(cursor)
    rest = [each for each in chosen if each.id > after]
    page = Page([as_row(each) for each in rest[:limit]], paging.cursor(rest[limit - 1].id) if len(rest) > limit else None)
    return Response(msgspec.json.encode(page), media_type="application/json")


@put(
    "/v1/golden/{name:str}",
    guards=[whole("writer")],
    summary="Put golden questions",
    operation_id="put_golden",
    tags=["Golden sets"],
    request_max_body_size=MAX_SET,
    operation_class=openapi.GoldenLines,
)
async def put_golden(
    request: Req,
    platform: NamedDependency[Platform],
    name: Name,
    replace_all: Annotated[bool, QueryParameter(name="replace", description="Remove the accepted questions that are not sent.")] = False,
) -> GoldenPutReply:
    """Takes NDJSON lines, a question each, by their ids: all of them, or none and the reason with its line."""
    check_name(name)
    check_kind(request.headers.get("content-type"), LINES_KINDS, NDJSON)
    body = await request.body()
    return await asyncio.to_thread(_put, platform, name, body, request.auth, replace_all)


@delete(
    "/v1/golden/{name:str}",
    guards=[whole("admin")],
    summary="Drop a golden set",
    operation_id="drop_golden",
    description="Removes a golden set with its proposals, bytes and all.",
    tags=["Golden sets"],
    sync_to_thread=True,
)
def drop_golden(platform: NamedDependency[Platform], name: Name) -> None:
    """Removes a golden set with its proposals, bytes and all."""
    platform.store.golden.drop(check_name(name))


@get(
    "/v1/golden/{name:str}/check",
    guards=[whole("reader")],
    summary="Check a golden set",
    operation_id="check_golden",
    description="Which questions are stale on the live release, or another, and why. Looks up each document that is quoted.",
    tags=["Golden sets"],
    sync_to_thread=True,
)
def check_golden(
    platform: NamedDependency[Platform], name: Name, release: Annotated[int | None, QueryParameter(ge=1, le=2**53)] = None
) -> GoldenCheckReply:
    """Which questions are stale on a release."""
    found = golden.questions(platform.store.golden, check_name(name))
    view = platform.reader.view(release)
    why = golden.stale(view.chunks_of, found)
    unanswerable = sum(not question.answerable for question in found)
    return GoldenCheckReply(
        name=name,
        release=view.release.number,
        questions=len(found),
        unanswerable=unanswerable,
        fresh=len(found) - unanswerable - len(why),
        stale=[StaleReply(each.id, each.question, str(each.part), list(why[each.id])) for each in found if each.id in why],
    )


@get(
    "/v1/golden/{name:str}/proposals",
    guards=[whole("writer")],
    summary="List proposals",
    operation_id="list_proposals",
    description="The questions that wait for a person, those to be looked at first in front.",
    tags=["Golden sets"],
    sync_to_thread=True,
)
def list_proposals(platform: NamedDependency[Platform], name: Name, limit: Limit = 100, cursor: Cursor = None) -> Page[ProposalReply]:
    """The questions that wait for a person."""
    waiting = platform.store.golden.review(check_name(name))
    after = paging.position(cursor)
    rest = [each for each in waiting if _place(each) > after]
    shown = rest[:limit]
    return Page([proposal_reply(each) for each in shown], paging.cursor(_place(shown[-1])) if len(rest) > limit else None)


@post(
    "/v1/golden/{name:str}/proposals",
    guards=[whole("writer")],
    summary="Make proposals",
    operation_id="make_proposals",
    description="Proposes questions from feedback and from the log of asked questions; nothing of them counts until somebody accepts it.",
    tags=["Golden sets"],
    sync_to_thread=True,
)
def make_proposals(
    request: Req, platform: NamedDependency[Platform], name: Name, data: JSONBody[ProposeRequest | None] = None
) -> ProposedReply:
    """Proposes questions from feedback and from the log of asked questions."""
    stored = platform.store.golden
    if check_name(name) == golden.DEFAULT and not stored.questions(name):
        raise Conflict(
            "'default' is the set that came with Groundwork: one accepted question would take the place of all of it. "
            "Put questions of your own as 'default' first, or propose for a set of another name"
        )
    search = propose.found_by(platform.reader, platform.embedder())
    asked = data or ProposeRequest()
    made = propose.propose(platform.store, name, search, asked.limit, request.auth.id, datetime.now(UTC))
    return ProposedReply(made, len(stored.review(name)))


@post(
    "/v1/golden/{name:str}/proposals/{identifier:str}",
    guards=[whole("writer")],
    summary="Decide about a proposal",
    operation_id="decide_proposal",
    description="Accepts a proposal with the passages that answer it, or as unanswerable, or rejects it.",
    tags=["Golden sets"],
    status_code=200,
    sync_to_thread=True,
)
def decide_proposal(
    request: Req, platform: NamedDependency[Platform], name: Name, identifier: FromPath[str], data: JSONBody[DecisionRequest]
) -> DecisionReply:
    """Accepts or rejects a proposal."""
    proposal = platform.store.golden.get(check_name(name), identifier)
    decided = _decided(platform, proposal, data, request.auth.id)
    platform.store.golden.decide(name, decided)
    return DecisionReply(decided.id, decided.state)


def _put(platform: Platform, name: str, body: bytes, key: Key, replace_all: bool) -> GoldenPutReply:
    done = platform.store.golden.put(name, list(_questions(body, key)), alone=replace_all)
    return GoldenPutReply(name, done.added, done.replaced, done.removed)


def _questions(body: bytes, key: Key) -> Sequence[GoldenQuestion]:
    """The questions of NDJSON lines; raises `BadRequest` that names the first bad line."""
    now = datetime.now(UTC)
    known: dict[str, int] = {}
    found: list[GoldenQuestion] = []
    for number, line in enumerate(body.splitlines(), 1):
        if not line.strip():
            continue
        try:
            question = question_of(msgspec.json.decode(line), "imported", key.id, now)
        except BadRequest as error:
            raise BadRequest(f"line {number}: {error}") from error
        except UNREADABLE as error:
            raise BadRequest(f"line {number}: {unreadable(line, error)}") from error
        if question.id in known:
            raise BadRequest(f"line {number}: the id {question.id!r} is that of line {known[question.id]} too")
        known[question.id] = number
        found.append(question)
    return found


def _decided(platform: Platform, proposal: GoldenQuestion, asked: DecisionRequest, by: str) -> GoldenQuestion:
    """The question as it is to be kept; raises `BadRequest` when its passages do not stand in the live release."""
    decided = replace(proposal, added_at=datetime.now(UTC), by=by, note=proposal.note if asked.note is None else asked.note)
    if asked.decision == "reject":
        return replace(decided, state="rejected")
    given = None if asked.passages is None else tuple(dict.fromkeys(passage_of(each) for each in asked.passages))
    passages = () if asked.decision == "accept_unanswerable" else proposal.passages if given is None else given
    if asked.decision == "accept_unanswerable" and given:
        raise BadRequest("an unanswerable question has no passages: leave them out, or accept it with them")
    if asked.decision == "accept" and not passages:
        raise BadRequest("give the passages that answer the question; accept_unanswerable says that the documents hold no answer")
    golden.check_standing(passages, platform.reader.view().chunks_of)
    kept = replace(decided, state="accepted", passages=passages, reference=asked.reference, question=asked.question or proposal.question)
    question_of(as_row(kept), kept.origin)  # what no line could say is refused here too
    return kept


def _place(proposal: GoldenQuestion) -> str:
    """Where a proposal stands in the order of review."""
    return f"{proposal.added_at} {proposal.id}"
