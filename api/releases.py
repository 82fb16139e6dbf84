"""`/v1/releases`, rollback and resume. They work without Prefect."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter

from api import paging
from api.auth import requires
from api.keys import Key
from api.paging import Cursor, Limit, Page
from api.platform import Platform
from api.requests import ReasonRequest, RollbackRequest
from index.errors import BadRequest
from index.releases import Kind, Release
from tasks import requeue
from tasks.rollback import held_documents, move_live, target_of_rollback
from tasks.wish import override_gate

Number = Annotated[int, PathParameter(ge=1, le=2**53)]
Req = Request[None, Key, State]


class DebtReply(msgspec.Struct):
    """What a rollback with `requeue` took out of the index: `documents` of `of` are not in it again yet."""

    documents: int
    of: int


class ReleaseReply(msgspec.Struct):
    """One servable state of the index; `recipe` is what its rows were made with. `debt` is told of the live one."""

    release: int
    generation: str
    version: int
    rows: int
    created_at: datetime
    status: str
    live: bool
    pinned: bool
    checks: dict[str, Any]
    scores: list[dict[str, Any]]
    search: dict[str, Any]
    recipe: dict[str, Any]
    debt: DebtReply | None = None


class ShadowReply(msgspec.Struct):
    """Real searches that were asked of a candidate too: means of the share of documents in common, of the same first hit, of times."""

    release: int
    searches: int
    overlap: float | None
    same_first: float | None
    live_ms: float | None
    candidate_ms: float | None


class LiveReply(msgspec.Struct):
    """What is served now, and what was before. `held` documents have a newer revision that is not served."""

    live: int
    was: int
    held: int
    pinned: bool


@get(
    "/v1/releases",
    guards=[requires("reader")],
    summary="List releases",
    operation_id="list_releases",
    tags=["Releases"],
    sync_to_thread=True,
)
def list_releases(platform: NamedDependency[Platform], limit: Limit = 50, cursor: Cursor = None) -> Page[ReleaseReply]:
    """The releases, newest first."""
    before = paging.number(cursor)
    rows = platform.store.log.page(before, limit)
    return Page([release_reply(platform, release) for release in rows], paging.cursor(str(rows[-1].number)) if len(rows) == limit else None)


@get(
    "/v1/releases/live",
    guards=[requires("reader")],
    summary="The live release",
    operation_id="live_release",
    tags=["Releases"],
    sync_to_thread=True,
)
def live_release(platform: NamedDependency[Platform]) -> ReleaseReply:
    """The release that is being served."""
    return release_reply(platform, platform.store.log.live())


@get(
    "/v1/releases/{number:int}",
    guards=[requires("reader")],
    summary="One release",
    operation_id="get_release",
    tags=["Releases"],
    sync_to_thread=True,
)
def get_release(platform: NamedDependency[Platform], number: Number) -> ReleaseReply:
    """One release."""
    return release_reply(platform, platform.store.log.get(number))


@get(
    "/v1/releases/{number:int}/shadow",
    guards=[requires("reader")],
    summary="A candidate beside what is live",
    operation_id="shadow",
    description="Real searches that were asked of a held release too, a sample of them, since this process started.",
    tags=["Releases"],
    sync_to_thread=True,
)
def shadow(platform: NamedDependency[Platform], number: Number) -> ShadowReply:
    """Real searches that were asked of a held release too."""
    found = platform.shadow.of(platform.store.log.get(number).number)
    return ShadowReply(**asdict(found))


@post(
    "/v1/releases/{number:int}/promote",
    guards=[requires("admin")],
    summary="Promote a release",
    operation_id="promote",
    tags=["Releases"],
    status_code=200,
    sync_to_thread=True,
)
def promote(request: Req, platform: NamedDependency[Platform], number: Number, data: JSONBody[ReasonRequest | None] = None) -> LiveReply:
    """Serves release `number`: the newest means following again, any other is pinned. One that the gate held needs a reason."""
    reason = data.reason if data else ""
    platform.store.log.refresh()
    if platform.store.log.get(number).status == "held" and not reason:
        raise BadRequest(f"release {number} was held by the gate: give a 'reason' to serve it all the same, it is kept on record")
    moved = _move(platform, "promoted", number, request.auth, reason)
    override_gate(platform.store.log, number, request.auth.id, reason)
    return moved


@post(
    "/v1/rollback",
    guards=[requires("admin")],
    summary="Roll back",
    operation_id="rollback",
    tags=["Releases"],
    status_code=200,
    sync_to_thread=True,
)
def rollback(request: Req, platform: NamedDependency[Platform], data: JSONBody[RollbackRequest]) -> LiveReply:
    """Serves an earlier release, pinned, until somebody resumes; `requeue` takes what came since through the pipeline again."""
    if data.to is not None and data.before is not None:
        raise BadRequest("give 'to' or 'before', not both")
    before = data.before.replace(tzinfo=data.before.tzinfo or UTC) if data.before else None
    target = target_of_rollback(platform.store.log, data.to, before)
    if not data.requeue:
        return _move(platform, "rolled_back", target, request.auth, data.reason)
    requeue.check(platform.store, target)
    moved = _move(platform, "rolled_back", target, request.auth, data.reason)
    requeue.ask(platform.store, target, request.auth.id, data.reason)
    return moved


@post(
    "/v1/resume",
    guards=[requires("admin")],
    summary="Resume",
    operation_id="resume",
    tags=["Releases"],
    status_code=200,
    sync_to_thread=True,
)
def resume(request: Req, platform: NamedDependency[Platform], data: JSONBody[ReasonRequest | None] = None) -> LiveReply:
    """Follows the newest checked release again."""
    platform.store.log.refresh()
    return _move(platform, "resumed", platform.store.log.state.newest, request.auth, data.reason if data else "")


def _move(platform: Platform, kind: Kind, number: int, key: Key, reason: str) -> LiveReply:
    platform.store.log.live()
    platform.models.wait_for(platform.store.log.servable(number))
    moved = move_live(platform.store, kind, number, by=key.id, reason=reason)
    platform.reader.follow()
    return LiveReply(moved.live, moved.was, held_documents(platform.store), moved.pinned)


def _debt(platform: Platform) -> DebtReply | None:
    owed = requeue.debt(platform.store)
    return DebtReply(owed.documents, owed.of) if owed else None


def release_reply(platform: Platform, release: Release) -> ReleaseReply:
    """A release as the wire shows it."""
    state = platform.store.log.state
    live = release.number == state.live
    return ReleaseReply(
        release=release.number,
        generation=release.generation,
        version=release.version,
        rows=release.rows,
        created_at=release.created_at,
        status=release.status,
        live=live,
        pinned=live and state.pinned,
        checks=release.checks,
        scores=release.scores,
        search=release.search,
        recipe=release.recipe,
        debt=_debt(platform) if live else None,
    )
