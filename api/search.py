"""`POST /v1/search`."""

from typing import Annotated

from litestar import Request, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import Body

from api.auth import requires
from api.keys import Key
from api.platform import Platform
from api.replies import HitReply, SearchReply
from api.requests import SearchRequest
from api.stage_metrics import saw_search
from index.search import Opened
from tasks.retrieve import Hit, Query, retrieve

MAX_BODY = 1024 * 1024


@post(
    "/v1/search",
    status_code=200,
    guards=[requires("reader")],
    summary="Search",
    operation_id="search",
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
    """What a search finds for a key, whichever way it was asked."""
    view = platform.reader.view(data.release)
    query = Query(
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
    )
    embedder = platform.models.of(view.release)
    found = platform.replies.found(view, query, lambda: retrieve(Opened(view), embedder, query))
    saw_search(found)
    platform.shadow.saw(query, found)
    platform.traffic.saw_search(query, found, embedder, key.id)
    return SearchReply(found.release, found.as_of, list(found.degraded), [hit_reply(hit) for hit in found.hits], found.timings_ms)


def hit_reply(hit: Hit) -> HitReply:
    """A hit as the wire shows it."""
    chunk = hit.chunk
    span = (chunk.start, chunk.end)
    return HitReply(
        chunk.chunk_id, chunk.doc_id, hit.score, chunk.text, chunk.title, chunk.uri, list(chunk.heading), span, chunk.metadata, chunk.page
    )
