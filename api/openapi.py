"""The OpenAPI document: what it says of bodies that handlers read themselves, and its page, served from a package."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from litestar import Response, Router
from litestar.exceptions import NotFoundException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, SwaggerRenderPlugin
from litestar.openapi.spec import (
    Components,
    Example,
    OpenAPIFormat,
    OpenAPIMediaType,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    RequestBody,
    Schema,
    SecurityScheme,
    Tag,
)
from litestar.static_files import create_static_files_router
from litestar.types import ASGIApp

ASSETS = "/schema-assets"
TAGS = ("Search", "Answers", "Documents", "Releases", "Rebuilds", "Evaluations", "Golden sets", "Plans", "Keys", "Health")
_DOCUMENT = {
    "title": Schema(type=OpenAPIType.STRING),
    "text": Schema(type=OpenAPIType.STRING),
    "content_base64": Schema(type=OpenAPIType.STRING),
    "media_type": Schema(type=OpenAPIType.STRING),
    "uri": Schema(type=OpenAPIType.STRING),
    "metadata": Schema(type=OpenAPIType.OBJECT),
}


def _body(**kinds: Schema) -> RequestBody:
    return RequestBody(required=True, content={kind: OpenAPIMediaType(schema=schema) for kind, schema in kinds.items()})


@dataclass
class PutDocument(Operation):
    """JSON or raw bytes."""

    def __post_init__(self) -> None:
        """Adds the body."""
        example = {
            "text": "The great copper mine is in Falun.",
            "media_type": "text/plain",
            "metadata": {"lang": "en", "tags": ["mine", "copper"]},
        }
        self.request_body = _body(
            **{
                "application/json": Schema(type=OpenAPIType.OBJECT, properties=dict(_DOCUMENT), examples=[example]),
                "text/plain": Schema(type=OpenAPIType.STRING),
                "text/markdown": Schema(type=OpenAPIType.STRING),
                "text/html": Schema(type=OpenAPIType.STRING),
            }
        )


@dataclass
class BulkDocuments(Operation):
    """NDJSON or files."""

    def __post_init__(self) -> None:
        """Adds the body."""
        files = Schema(type=OpenAPIType.OBJECT, properties={"file": Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY)})
        self.request_body = _body(
            **{
                "application/x-ndjson": Schema(type=OpenAPIType.STRING, examples=['{"doc_id": "a", "text": "..."}\n']),
                "multipart/form-data": files,
            }
        )


@dataclass
class GoldenLines(Operation):
    """NDJSON of golden questions."""

    def __post_init__(self) -> None:
        """Adds the body."""
        example = '{"id": "q1", "question": "Where is the mine?", "passages": [{"doc_id": "a", "quote": "The mine is in Falun."}]}\n'
        self.request_body = _body(**{"application/x-ndjson": Schema(type=OpenAPIType.STRING, examples=[example])})


# Each works as it is, where the sample was indexed.
SEARCHES = {
    "plain": {"query": "How do I open a table at an older version?", "k": 5},
    "filtered": {"query": "table", "filter": {"source": {"in": ["sample", "http"]}, "doc_id": {"gte": "a", "lt": "z"}}},
    "filtered_by_metadata": {"query": "table", "filter": {"metadata.kind": "package"}},
    "one_hit_per_document_with_neighbours": {"query": "table", "one_per_document": True, "neighbours": 1},
    "read_your_writes": {"query": "table", "min_release": 1},
    "explained": {"query": "table", "explain": True},
}


@dataclass
class Search(Operation):
    """With examples of what a search takes."""

    def __post_init__(self) -> None:
        """Adds the examples to the body."""
        if isinstance(self.request_body, RequestBody):
            for content in self.request_body.content.values():
                content.examples = {name: Example(summary=name.replace("_", " "), value=value) for name, value in SEARCHES.items()}


@dataclass
class Streamed(Operation):
    """An answer whole, or sent while it is made."""

    def __post_init__(self) -> None:
        """Adds the stream to the reply."""
        _also(self, **{"text/event-stream": Schema(type=OpenAPIType.STRING)})


@dataclass
class Picture(Operation):
    """In each form that there is."""

    def __post_init__(self) -> None:
        """Adds the other forms to the reply."""
        bytes_ = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY)
        _also(self, **{"image/png": bytes_, "application/json": Schema(type=OpenAPIType.OBJECT)})


@dataclass
class GoldenQuestions(Operation):
    """A page, or all as lines."""

    def __post_init__(self) -> None:
        """Adds the lines to the reply."""
        _also(self, **{"application/x-ndjson": Schema(type=OpenAPIType.STRING)})


def _also(operation: Operation, **kinds: Schema) -> None:
    """What a reply of 200 may be besides what its handler says."""
    reply = (operation.responses or {})["200"]
    if isinstance(reply, OpenAPIResponse) and reply.content is not None:
        reply.content |= {kind: OpenAPIMediaType(schema=schema) for kind, schema in kinds.items()}


@dataclass
class Replay(Operation):
    """The path as clients write it."""

    def __post_init__(self) -> None:
        """Says where the literal part of the path is."""
        self.summary = "Replay (the path ends in /replay)"


def config() -> OpenAPIConfig:
    """The OpenAPI settings: a page that asks nothing of other hosts."""
    page = SwaggerRenderPlugin(
        path="/",
        js_url=f"{ASSETS}/swagger-ui-bundle.js",
        css_url=f"{ASSETS}/swagger-ui.css",
        standalone_preset_js_url=f"{ASSETS}/swagger-ui-standalone-preset.js",
        favicon=f'<link rel="icon" href="{ASSETS}/favicon-32x32.png">',
    )
    return OpenAPIConfig(
        title="Groundwork",
        version="1",
        description="Search and answers on an index that stays fresh, fast and measurably right. Send `Authorization: Bearer KEY`.",
        path="/schema",
        use_handler_docstrings=True,
        render_plugins=[page, JsonRenderPlugin()],
        security=[{"key": []}],
        components=Components(security_schemes={"key": SecurityScheme(type="http", scheme="bearer")}),
        tags=[Tag(name) for name in TAGS],
        openapi_router=Router("/schema", route_handlers=[], include_in_schema=False, after_request=_as_a_problem),
    )


def _as_a_problem(reply: ASGIApp) -> ASGIApp:
    """What a page under /schema answers: where there is none, Litestar's would be HTML, and elsewhere that is a problem."""
    if isinstance(reply, Response) and reply.status_code == 404:
        raise NotFoundException
    return reply


def assets() -> Router:
    """The files of the OpenAPI page."""
    return create_static_files_router(path=ASSETS, directories=[Path(str(files("swagger_ui") / "static"))], include_in_schema=False)
