"""`/v1/documents`: put, read, delete, replay."""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Request, Response, delete, get, post, put
from litestar.datastructures import FormMultiDict, State, UploadFile
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody, PathParameter, QueryParameter

from api import intake, openapi, paging
from api.auth import requires
from api.boundaries import check_writable, shown_to
from api.intake import Rejection
from api.keys import Key
from api.paging import Cursor, Limit, Page
from api.platform import Platform
from api.requests import QuarantineReplayRequest
from api.status import DocumentReply, is_processed, outcome, page, readable, status
from index.documents import Draft, Entry, Write, lane_of
from index.documents import State as DocumentState
from index.errors import BadRequest, Conflict, NotFound
from tasks import purge as purges
from tasks.parse import media_type
from tasks.sweep import segments

MAX_DOCUMENT = 48 * 1024 * 1024
MAX_BULK = 256 * 1024 * 1024
MAX_REPLAYED = 10_000
Wait = Annotated[float, QueryParameter(ge=0, le=300, description="Seconds to wait until the document is searchable, or gone.")]
DocId = Annotated[str, PathParameter(description="1 to 512 characters; slashes may be percent-encoded.")]
Purge = Annotated[bool, QueryParameter(description="Also remove its bytes.")]
ReplayReason = Annotated[
    str | None, QueryParameter(max_length=200, description="The code that the reason begins with, such as unsupported.")
]
Req = Request[None, Key, State]


class AcceptedReply(msgspec.Struct):
    """The write is durable."""

    doc_id: str
    accepted_at: datetime


# By status: with `wait` the reply may be what became of the document.
DONE_OR_DURABLE = {
    200: ResponseSpec(DocumentReply, generate_examples=False, description="Searchable, gone or in quarantine, within `wait` seconds."),
    202: ResponseSpec(AcceptedReply, generate_examples=False, description="Durable; it is taken into the index soon."),
}


class BulkReply(msgspec.Struct):
    """How many documents of a bulk request are durable now."""

    accepted: int
    rejected: list[Rejection]


class ReplayReply(msgspec.Struct):
    """How many quarantined documents go through the pipeline again."""

    replayed: int


@put(
    "/v1/documents/{doc_id:path}",
    guards=[requires("writer")],
    summary="Put a document",
    operation_id="put_document",
    tags=["Documents"],
    status_code=202,
    request_max_body_size=MAX_DOCUMENT,
    operation_class=openapi.PutDocument,
    responses=DONE_OR_DURABLE,
)
async def put_document(
    request: Req, platform: NamedDependency[Platform], doc_id: DocId, wait: Wait = 0
) -> Response[AcceptedReply | DocumentReply]:
    """Accepts a document: JSON, or the raw bytes with their `Content-Type`. It is durable when this answers."""
    del doc_id  # taken from the raw path, where encoded slashes can be told from others
    name = intake.doc_id_of(request.scope["raw_path"])
    draft = intake.draft_of(name, request.headers.get("content-type", ""), await request.body())
    await asyncio.to_thread(check_writable, platform, [draft], request.auth)
    [write] = await asyncio.to_thread(platform.store.inbox.accept, [draft], "express")
    return await _when_done(platform, write, wait, request.auth)


@delete(
    "/v1/documents/{doc_id:path}",
    guards=[requires("writer")],
    summary="Delete a document",
    operation_id="delete_document",
    tags=["Documents"],
    status_code=202,
    responses=DONE_OR_DURABLE,
)
async def delete_document(
    request: Req, platform: NamedDependency[Platform], doc_id: DocId, wait: Wait = 0, purge: Purge = False
) -> Response[AcceptedReply | DocumentReply]:
    """Deletes a document. From the moment this is applied no release shows it, however old; `purge` removes its bytes soon after."""
    del doc_id
    name = intake.doc_id_of(request.scope["raw_path"])
    await asyncio.to_thread(status, platform, name, request.auth)
    await asyncio.to_thread(check_writable, platform, [Draft(name, "delete")], request.auth)
    if purge:
        await asyncio.to_thread(purges.ask, platform.store.log, name, request.auth.id)
    [write] = await asyncio.to_thread(platform.store.inbox.accept, [Draft(name, "delete")], "express")
    return await _when_done(platform, write, wait, request.auth)


@get(
    "/v1/documents/{doc_id:path}",
    guards=[requires("reader")],
    summary="Status of a document",
    operation_id="get_document",
    description="What became of the newest revision of a document.",
    tags=["Documents"],
    sync_to_thread=True,
)
def get_document(request: Req, platform: NamedDependency[Platform], doc_id: DocId) -> DocumentReply:
    """What became of the newest revision of a document."""
    del doc_id
    found = status(platform, intake.doc_id_of(request.scope["raw_path"]), request.auth)
    return shown_to(platform, request.auth, [found])[0]


@get(
    "/v1/documents",
    guards=[requires("reader")],
    summary="List documents",
    operation_id="list_documents",
    description="The documents in order of their ids.",
    tags=["Documents"],
    sync_to_thread=True,
)
def list_documents(
    request: Req,
    platform: NamedDependency[Platform],
    state_filter: Annotated[DocumentState | None, QueryParameter(name="state")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[DocumentReply]:
    """The documents in order of their ids."""
    found, end = page(platform, request.auth, state_filter, paging.position(cursor), limit)
    return Page(shown_to(platform, request.auth, found), paging.cursor(end) if end is not None else None)


@post(
    "/v1/documents",
    guards=[requires("writer")],
    summary="Put many documents",
    operation_id="post_documents",
    tags=["Documents"],
    status_code=202,
    request_max_body_size=MAX_BULK,
    operation_class=openapi.BulkDocuments,
)
async def post_documents(request: Req, platform: NamedDependency[Platform]) -> BulkReply:
    """Accepts many documents: NDJSON lines with a `doc_id` each, or `multipart/form-data` files."""
    kind, _ = media_type(request.headers.get("content-type", "application/x-ndjson"))
    if kind == "multipart/form-data":
        return await asyncio.to_thread(_accept_all, platform, await _files(await request.form()), request.auth)
    intake.check_kind(request.headers.get("content-type"), intake.LINES_KINDS, "application/x-ndjson lines or multipart/form-data files")
    return await asyncio.to_thread(_accept_all, platform, intake.lines_of(await request.body()), request.auth)


@post(
    "/v1/documents/{doc_id:path}",
    guards=[requires("writer")],
    summary="Replay a quarantined document (the path ends in /replay)",
    operation_id="replay_document",
    tags=["Documents"],
    status_code=202,
    operation_class=openapi.Replay,
)
async def replay_document(request: Req, platform: NamedDependency[Platform], doc_id: DocId) -> ReplayReply:
    """`/v1/documents/{doc_id}/replay` takes a quarantined document through the pipeline again."""
    del doc_id
    raw = request.scope["raw_path"]
    if not raw.endswith(intake.REPLAY):
        raise NotFound("nothing is here; did you mean .../replay, or PUT?")
    name = intake.doc_id_of(raw, intake.REPLAY)
    return ReplayReply(await asyncio.to_thread(_replay_one, platform, name, request.auth))


@post(
    "/v1/quarantine/replay",
    guards=[requires("writer")],
    summary="Replay the quarantine",
    operation_id="replay_quarantine",
    tags=["Documents"],
    status_code=202,
    sync_to_thread=True,
)
def replay_quarantine(
    request: Req, platform: NamedDependency[Platform], reason: ReplayReason = None, data: JSONBody[QuarantineReplayRequest | None] = None
) -> ReplayReply:
    """Takes all quarantined documents, or those of one reason (in the body or the query), through the pipeline again."""
    asked = {each for each in (reason, data.reason if data else None) if each is not None}
    if len(asked) > 1:
        raise BadRequest("'reason' is given twice, in the query and in the body, and not the same: leave one out")
    code = asked.pop() if asked else ""
    entries = platform.store.ledger.page("quarantined", "", MAX_REPLAYED)
    chosen = [entry for entry in entries if readable(entry, request.auth) and (entry.reason or "").startswith(code)]
    return ReplayReply(_replay(platform, chosen, request.auth))


async def _when_done(platform: Platform, write: Write, wait: float, key: Key) -> Response[AcceptedReply | DocumentReply]:
    if wait and await platform.until(lambda: is_processed(platform, write.doc_id, write.revision), wait):
        found = await asyncio.to_thread(outcome, platform, write.doc_id)
        return Response(await asyncio.to_thread(lambda: shown_to(platform, key, [found])[0]), status_code=200)
    return Response(AcceptedReply(write.doc_id, write.accepted_at), status_code=202)


async def _files(form: FormMultiDict) -> list[Draft | Rejection]:
    files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
    return [intake.file_of(number, file, await file.read()) for number, file in enumerate(files, 1)]


def _accept_all(platform: Platform, items: Iterable[Draft | Rejection], key: Key) -> BulkReply:
    rejected: list[Rejection] = []

    def good() -> Iterable[Draft]:
        for item in items:
            if isinstance(item, Rejection):
                rejected.append(item)
            else:
                yield item

    groups = list(segments(good()))
    drafts = [draft for group in groups for draft in group]
    check_writable(platform, drafts, key)
    accepted = platform.store.inbox.accept_all(groups, lane_of(drafts))
    if not accepted and not rejected:
        raise BadRequest("the body holds no document: send NDJSON lines with a doc_id each, or multipart/form-data files")
    return BulkReply(accepted, rejected)


def _replay_one(platform: Platform, doc_id: str, key: Key) -> int:
    status(platform, doc_id, key)
    entry = platform.store.ledger.get([doc_id]).get(doc_id)
    if entry is None or entry.state != "quarantined":
        raise Conflict(f"document {doc_id!r} is not in quarantine")
    return _replay(platform, [entry], key)


def _replay(platform: Platform, entries: Iterable[Entry], key: Key) -> int:
    drafts = (entry.as_draft(platform.store.originals.get(entry.content_hash)) for entry in entries)
    groups = list(segments(drafts))
    check_writable(platform, [draft for group in groups for draft in group], key)
    return platform.store.inbox.accept_all(groups)
