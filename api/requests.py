"""What clients send, as `/schema` shows it."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Filter = Annotated[
    dict[str, Any],
    Meta(
        description='`{"field": value}`, `{"field": {"in": [...]}}` or `{"field": {"gte": x, "lt": y}}` over doc_id, source, '
        "media_type, uri and metadata.*. A list matches by any of its values; `metadata.a.b` is the key `b` of the object `a`.",
        examples=[{"metadata.kind": "package"}],
    ),
]
Text = Annotated[str, Meta(max_length=8_000)]
Reason = Annotated[str, Meta(max_length=1_000)]
ReasonCode = Annotated[str, Meta(max_length=200, description="The code that the reason begins with, such as unsupported.")]
ReleaseNumber = Annotated[int, Meta(ge=1, le=2**53)]


class Request(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A field that the contract does not know is an error, so that a typing mistake is not ignored."""


class SearchRequest(Request, kw_only=True):
    """A question and how to look for its passages."""

    query: Annotated[Text, Meta(examples=["How do I open a table at an older version?"])]
    k: Annotated[int, Meta(ge=1, le=1_000)] = 10
    mode: Literal["hybrid", "vector", "text"] = "hybrid"
    filter: Filter = {}
    release: ReleaseNumber | None = None
    min_release: ReleaseNumber | None = None
    exact: bool = False
    nprobes: (
        Annotated[int, Meta(ge=1, le=10_000, description="Partitions to look into, instead of as many as the release says.")] | None
    ) = None
    refine_factor: (
        Annotated[int, Meta(ge=1, le=100, description="Vectors to compare for each of ten hits, instead of as many as the release says.")]
        | None
    ) = None
    cursor: Annotated[str, Meta(max_length=1_000, description="`next` of the page before, with the same question.")] | None = None
    neighbours: Annotated[int, Meta(ge=0, le=5, description="Passages before and after each hit, in its document.")] = 0
    one_per_document: Annotated[bool, Meta(description="Only the best passage of each document.")] = False
    rerank: Annotated[
        bool | Annotated[int, Meta(ge=1, le=200)],
        Meta(description="Have the reranker put the first hits in its order: true for 50 candidates, or how many."),
    ] = False
    explain: Annotated[bool, Meta(description="Say of each hit what its score is made of, and how it was looked for.")] = False


class AnswerRequest(Request, kw_only=True):
    """A question to answer from the sources."""

    question: Annotated[Text, Meta(examples=["Which package orchestrates and schedules workflows?"])]
    k: Annotated[int, Meta(ge=1, le=50)] = 8
    filter: Filter = {}
    release: ReleaseNumber | None = None
    stream: bool = False


class FeedbackRequest(Request, kw_only=True):
    """What you think of an answer."""

    answer_id: Annotated[str, Meta(max_length=100, description="The `id` of the answer.")]
    useful: bool
    comment: Annotated[str, Meta(max_length=2_000)] | None = None


class AnswerReplayRequest(Request, kw_only=True):
    """The release to ask again on, instead of the one that the answer came from."""

    release: ReleaseNumber | None = None


class DocumentRequest(Request, kw_only=True):
    """A document: `text`, or any bytes as `content_base64` with their `media_type`."""

    text: str | None = None
    content_base64: str | None = None
    media_type: Annotated[str, Meta(max_length=200)] | None = None
    title: Annotated[str, Meta(max_length=1_000)] | None = None
    uri: Annotated[str, Meta(max_length=2_000)] | None = None
    metadata: dict[str, Any] = {}


class BulkDocumentRequest(DocumentRequest, kw_only=True):
    """A line of a bulk request."""

    doc_id: str


class QuarantineReplayRequest(Request, kw_only=True):
    """Which quarantined documents go through the pipeline again: those of one reason, or without it all."""

    reason: ReasonCode | None = None


class RollbackRequest(Request, kw_only=True):
    """Where to: a release, the state before a time, or (neither) the last proven release before live."""

    to: ReleaseNumber | None = None
    before: datetime | None = None
    reason: Reason = ""
    requeue: bool = False


class ReasonRequest(Request, kw_only=True):
    """Why; it is kept in the release log."""

    reason: Reason = ""


class ChunkingRequest(Request, kw_only=True):
    """How documents are cut."""

    tokens: Annotated[int, Meta(ge=64, le=8_192, description="The longest passage, title and headings included.")]


class RebuildRequest(Request, kw_only=True):
    """What the new generation is made with; what is left out stays as it is."""

    embedder: (
        Annotated[str, Meta(min_length=1, max_length=500, description="A sentence-transformers name, or a path on the server.")] | None
    ) = None
    dimensions: Annotated[int, Meta(ge=0, le=65_536, description="How many of the vectors' are kept, from the first; 0: all.")] | None = (
        None
    )
    chunking: ChunkingRequest | None = None
    vector_bits: Literal[16, 32] | None = None
    dry_run: bool = False
    reason: Reason = ""


class EvaluationRequest(Request, kw_only=True):
    """What to evaluate: a release (default: live) on a golden set, all of it, one of its parts, or a random sample."""

    release: ReleaseNumber | None = None
    dataset: Annotated[str, Meta(max_length=64, pattern="^[a-z0-9_-]+$")] = "default"
    sample: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    answers: Annotated[bool, Meta(description="false: only what is found is measured.")] = True
    part: Literal["development", "held_out"] | None = None
    minutes: Annotated[float, Meta(gt=0, le=720, description="What is not done by then is left unmeasured.")] | None = None


class PlanRequest(Request, kw_only=True):
    """What a sweep would do: for a configured source, or for folders and files on the server's machine."""

    source: Annotated[str, Meta(max_length=512)] | None = None
    paths: Annotated[list[str], Meta(max_length=100)] = []


class KeyRequest(Request, kw_only=True):
    """A new key. `filter` is always applied to what it can read and write; an admin key has none."""

    role: Literal["reader", "writer", "admin"] = "reader"
    name: Annotated[str, Meta(max_length=100)] = ""
    expires_at: datetime | None = None
    filter: Filter = {}
    per_minute: Annotated[int, Meta(ge=1, le=1_000_000, description="The most requests a minute; more get a 429.")] | None = None


class RotationRequest(Request, kw_only=True):
    """How long the old secret stays good, and when the key expires from now on (default: as before)."""

    grace_seconds: Annotated[float, Meta(ge=0, le=30 * 86_400, description="0: the old secret is refused at once.")] = 0.0
    expires_at: datetime | None = None
