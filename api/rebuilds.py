"""`/v1/rebuilds`: another model or chunker for the whole index, made beside what is served."""

import asyncio
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody, PathParameter

from api.auth import requires
from api.keys import Key
from api.paging import Page
from api.platform import Platform
from api.requests import RebuildRequest
from index.policy import index_policy
from index.progress import RebuildProgress
from index.recipe import Recipe, recipe_from, recipe_of
from index.wishes import Wish, wishes
from tasks import wish as wished
from tasks.chunk import chunker_for
from tasks.rebuild_plan import Target, plan

Number = Annotated[int, PathParameter(ge=1, le=2**53)]
Req = Request[None, Key, State]


class RebuildReply(msgspec.Struct):
    """A rebuild. While it runs, `done` `of` its documents are in the new generation; `outcome` says what it came to.

    `release` is what it made, held or live, and `gate` what the gate found.
    """

    id: int
    state: Literal["running", "done", "held", "cancelled", "failed"]
    recipe: dict[str, Any]
    by: str
    reason: str | None
    asked_at: datetime
    ended_at: datetime | None
    phase: str | None
    done: int | None
    of: int | None
    embedded: int | None
    outcome: str | None
    release: int | None
    gate: dict[str, Any] | None


class RebuildPlanReply(msgspec.Struct):
    """What a rebuild would make of `chunks_now` passages, and take; reckoned from `measured` documents."""

    documents: int
    chunks_now: int
    chunks: int
    embed: int
    seconds: float
    disk_bytes: int
    memory_bytes: int
    measured: int
    tokens: int
    cost: float | None


@post(
    "/v1/rebuilds",
    guards=[requires("admin")],
    summary="Rebuild the index",
    operation_id="start_rebuild",
    description="Makes a new generation from stored text, with another embedder, fewer dimensions, other passages or other precision; "
    "what is left out stays as it is. It goes live when the gate lets it pass. `dry_run` says what it would take.",
    tags=["Rebuilds"],
    status_code=202,
    responses={
        200: ResponseSpec(RebuildPlanReply, generate_examples=False, description="What it would take (`dry_run`)."),
        202: ResponseSpec(RebuildReply, generate_examples=False, description="It is begun."),
    },
)
async def start_rebuild(
    request: Req, platform: NamedDependency[Platform], data: JSONBody[RebuildRequest]
) -> Response[RebuildReply | RebuildPlanReply]:
    """Makes a new generation from stored text, beside what is served."""
    found = await asyncio.to_thread(_start, platform, request.auth, data)
    return Response(found, status_code=200 if data.dry_run else 202)


@get(
    "/v1/rebuilds",
    guards=[requires("reader")],
    summary="List rebuilds",
    operation_id="list_rebuilds",
    tags=["Rebuilds"],
    sync_to_thread=True,
)
def list_rebuilds(platform: NamedDependency[Platform]) -> Page[RebuildReply]:
    """The rebuilds, newest first."""
    platform.store.log.refresh()
    return Page([_reply(platform, wish) for wish in wishes(platform.store.log.events)])


@get(
    "/v1/rebuilds/{number:int}",
    guards=[requires("reader")],
    summary="One rebuild",
    operation_id="get_rebuild",
    tags=["Rebuilds"],
    sync_to_thread=True,
)
def get_rebuild(platform: NamedDependency[Platform], number: Number) -> RebuildReply:
    """One rebuild, and how far it is."""
    platform.store.log.refresh()
    return _reply(platform, wished.get(platform.store.log, number))


@delete(
    "/v1/rebuilds/{number:int}",
    guards=[requires("admin")],
    summary="Cancel a rebuild",
    operation_id="cancel_rebuild",
    tags=["Rebuilds"],
    status_code=200,
    sync_to_thread=True,
)
def cancel_rebuild(request: Req, platform: NamedDependency[Platform], number: Number) -> RebuildReply:
    """Ends a rebuild that is under way; the ingester removes what was made for it."""
    log = platform.store.log
    log.refresh()
    wished.end(log, wished.get(log, number), "cancelled", request.auth.id, "cancelled over HTTP")
    return _reply(platform, wished.get(log, number))


def _start(platform: Platform, key: Key, data: RebuildRequest) -> RebuildReply | RebuildPlanReply:
    settings = platform.settings
    policy = index_policy(settings.index_policy)
    configured = recipe_of(settings, policy.vector_bits)
    recipe = _recipe(data, _now(platform) or configured)
    embedder = platform.models.tried(recipe)
    if data.dry_run:
        target = Target(embedder, chunker_for(embedder, recipe.chunk_tokens), recipe)
        found = plan(platform.store, platform.reader.view(), target, policy.bits, settings.embedder_price)
        platform.models.keep_only(platform.store.log.kept())
        return RebuildPlanReply(**asdict(found))
    return _reply(platform, wished.ask(platform.store.log, recipe, configured, key.id, data.reason))


def _now(platform: Platform) -> Recipe | None:
    platform.store.log.refresh()
    return recipe_from(platform.store.log.get(platform.store.log.state.newest).recipe) if platform.store.log.state.newest else None


def _recipe(data: RebuildRequest, now: Recipe) -> Recipe:
    """What is asked for; what is not said stays."""
    other_model = data.embedder is not None and data.embedder != now.embedder
    return Recipe(
        embedder=data.embedder if data.embedder is not None else now.embedder,
        url=None if other_model else now.url,
        dimensions=data.dimensions if data.dimensions is not None else 0 if other_model else now.dimensions,
        chunk_tokens=data.chunking.tokens if data.chunking else now.chunk_tokens,
        vector_bits=data.vector_bits or now.vector_bits,
    )


def _reply(platform: Platform, wish: Wish) -> RebuildReply:
    told = RebuildProgress(platform.store.folder).read() if wish.state == "running" else None
    progress = told if told and told.rebuild == wish.id else None
    return RebuildReply(
        id=wish.id,
        state=wish.state,
        recipe=wish.recipe.as_json(),
        by=wish.by,
        reason=wish.reason,
        asked_at=wish.at,
        ended_at=wish.ended_at,
        phase=progress.phase if progress else None,
        done=progress.done if progress else None,
        of=progress.of if progress else None,
        embedded=progress.embedded if progress else wish.detail.get("embedded"),
        outcome=wish.detail.get("why"),
        release=wish.detail.get("release") or wish.detail.get("candidate"),
        gate=wish.detail.get("report"),
    )
