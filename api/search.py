"""`POST /v1/search`."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import Body

from api import openapi
from api.auth import requires
from api.cursors import opened, sealed
from api.keys import Key
from api.platform import Platform
from api.requests import SearchRequest
from api.stage_metrics import saw_search
from index.chunk_rows import Chunk
from index.embedder import Embedder
from index.errors import Conflict, Unavailable
from index.reader import Opened
from index.search import View
from tasks.explain import as_json as explained
from tasks.place import Place
from tasks.rerank import CANDIDATES
from tasks.retrieve import Hit, Query, Retrieved, retrieve

MAX_BODY = 1024 * 1024


class NeighbourReply(msgspec.Struct):
    """A passage beside a hit, in the same document."""

    chunk_id: str
    text: str
    heading: list[str]
    span: tuple[int, int]
    page: int | None = None


class PartsReply(msgspec.Struct):
    """What a score is made of; null where a search did not find the passage among its candidates.

    `vector_part` and `text_part`: the scores from 0 (the last candidate) to 1 (the first). `fused`: their sum with the weights, or the
    score of the only search. `rerank` takes its place. `look`: the first look for candidates found it, or one that went deeper.
    """

    similarity: float | None
    vector_rank: int | None
    vector_part: float | None
    bm25: float | None
    text_rank: int | None
    text_part: float | None
    look: int
    fused: float
    rerank: float | None


class ExplainReply(msgspec.Struct):
    """How a search was done: `candidates` of each kind were looked for. `uses_index` false: each vector was compared."""

    mode: str
    rows: int
    candidates: int
    looks: int
    uses_index: bool
    nprobes: int | None
    refine_factor: int | None
    weights: dict[str, float]
    filter: str
    reranked: int


class HitReply(msgspec.Struct):
    """A passage. `span` is its place in the document's text, in characters. `before`, `after` and `explain` are null unless asked for."""

    chunk_id: str
    doc_id: str
    score: float
    text: str
    title: str | None
    uri: str | None
    heading: list[str]
    span: tuple[int, int]
    metadata: dict[str, Any]
    page: int | None = None
    before: list[NeighbourReply] | None = None
    after: list[NeighbourReply] | None = None
    explain: PartsReply | None = None


class SearchReply(msgspec.Struct):
    """The passages, best first, and the release that they come from. `next` is the cursor of the following page, null after the last."""

    release: int
    as_of: datetime
    degraded: list[str]
    hits: list[HitReply]
    timings_ms: dict[str, float]
    next: str | None = None
    explain: ExplainReply | None = None


@post(
    "/v1/search",
    status_code=200,
    guards=[requires("reader")],
    summary="Search",
    operation_id="search",
    operation_class=openapi.Search,
    tags=["Search"],
    sync_to_thread=True,
    request_max_body_size=MAX_BODY,
)
def search(
    data: Annotated[SearchRequest, Body(title="Search")], request: Request[None, Key, State], platform: NamedDependency[Platform]
) -> SearchReply:
    """Finds the passages that are nearest to a question, on the live release or on the one you name."""
    return found_for(platform, request.auth, data)


def found_for(platform: Platform, key: Key, data: SearchRequest) -> SearchReply:
    """What a key finds, whichever way it asks."""
    place = opened(data.cursor, data, key) if data.cursor else None
    view = platform.reader.view(place.release if place else data.release)
    query = _query(data, key, place)
    _check_pin(platform, view, query)
    reranker = platform.reranker.get() if query.rerank else None
    embedder = _embedder(platform, view, query)
    if data.release is None and not place:
        platform.ahead.uses(embedder)
    found = platform.replies.found(view, query, lambda: retrieve(Opened(view), embedder, query, reranker))
    saw_search(found)
    if embedder and not place:  # a page more is no other question
        platform.shadow.saw(query, found)
        platform.traffic.saw_search(query, found, embedder, key.id)
    return _reply(found, sealed(found.next, data, key) if found.next else None)


def _check_pin(platform: Platform, view: View, query: Query) -> None:
    """Raises `Conflict` where waiting for `min_release`, which helps as long as live follows the newest, is in vain."""
    number, state = view.release.number, platform.store.log.state
    if state.pinned and number == state.live and query.min_release is not None and number < query.min_release:
        raise Conflict(
            f"release {number} is pinned, older than min_release {query.min_release}: nothing newer is served until somebody resumes "
            "(POST /v1/resume); leave min_release out, or name a release"
        )


def _query(data: SearchRequest, key: Key, place: Place | None) -> Query:
    return Query(
        text=data.query,
        release=data.release,
        k=data.k,
        mode=data.mode,
        filter=data.filter,
        min_release=data.min_release,
        exact=data.exact,
        nprobes=data.nprobes,
        refine_factor=data.refine_factor,
        always=key.filter,
        one_per_document=data.one_per_document,
        neighbours=data.neighbours,
        rerank=CANDIDATES if data.rerank is True else int(data.rerank),
        explain=data.explain,
        place=place,
    )


def _embedder(platform: Platform, view: View, query: Query) -> Embedder | None:
    """The model; None where words do without it."""
    try:
        return platform.models.of(view.release)
    except Unavailable:
        if query.mode == "vector":
            raise
        return None


def _reply(found: Retrieved, cursor: str | None) -> SearchReply:
    how = ExplainReply(**explained(found.explanation)) if found.explanation else None
    hits = [hit_reply(hit) for hit in found.hits]
    return SearchReply(found.release, found.as_of, list(found.degraded), hits, found.timings_ms, cursor, how)


def hit_reply(hit: Hit) -> HitReply:
    """A hit as the wire shows it."""
    chunk = hit.chunk
    span = (chunk.start, chunk.end)
    reply = HitReply(
        chunk.chunk_id, chunk.doc_id, hit.score, chunk.text, chunk.title, chunk.uri, list(chunk.heading), span, chunk.metadata, chunk.page
    )
    if hit.around:
        reply.before, reply.after = ([_neighbour(beside) for beside in side] for side in (hit.around.before, hit.around.after))
    if hit.parts:
        reply.explain = PartsReply(**explained(hit.parts))
    return reply


def _neighbour(chunk: Chunk) -> NeighbourReply:
    return NeighbourReply(chunk.chunk_id, chunk.text, list(chunk.heading), (chunk.start, chunk.end), chunk.page)
