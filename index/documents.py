"""Documents: what a user gave us, by `doc_id`."""

import hashlib
import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from index.errors import BadRequest

State = Literal["accepted", "indexed", "duplicate", "quarantined", "deleted"]
STATES: tuple[State, ...] = ("accepted", "indexed", "duplicate", "quarantined", "deleted")

# Who waits on whom: what a person or an event sends alone goes before what comes in bulk.
Lane = Literal["express", "bulk"]
LANES: tuple[Lane, ...] = ("express", "bulk")
# So little of it, in documents and bytes, is no bulk: somebody waits for it.
FEW, SMALL = 10, 1024 * 1024

MAX_ID_CHARACTERS = 512


@dataclass(frozen=True, slots=True)
class Draft:
    """A document or deletion as somebody hands it in, before it has a revision."""

    doc_id: str
    action: Literal["put", "delete"] = "put"
    source: str = "http"
    media_type: str = "text/plain"
    content: bytes = b""
    title: str | None = None
    uri: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Write:
    """An accepted draft: durable, with its place in the order of all writes.

    `revision` grows with each acceptance on this index (microseconds, never repeated). `trace` is the W3C `traceparent` of the
    request that brought it, where requests are traced.
    """

    draft: Draft
    revision: int
    accepted_at: datetime
    lane: Lane = "bulk"
    trace: str | None = None

    @property
    def doc_id(self) -> str:
        """The document this write is about."""
        return self.draft.doc_id

    @property
    def content_hash(self) -> str:
        """The hash of its bytes."""
        return content_hash(self.draft.content)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the ledger: the newest processed revision of one document.

    `text`, its `form` and its `pages` are as `tasks.parse` gave them, for the revision that is in the index.
    """

    doc_id: str
    revision: int
    state: State
    reason: str | None
    source: str
    uri: str | None
    title: str | None
    media_type: str
    metadata: str | None
    content_hash: str
    accepted_at: datetime
    release: int
    duplicate_of: str | None
    chunks: int
    indexed_revision: int | None
    indexed_hash: str | None
    text: str | None
    form: Literal["markdown", "text"] | None = None
    pages: tuple[tuple[int, int], ...] = ()
    bands: tuple[int, ...] | None = None

    @property
    def is_canonical(self) -> bool:
        """Whether it has passages that stand for themselves, not for another document's."""
        return self.indexed_revision is not None and self.duplicate_of is None

    def as_draft(self, content: bytes) -> Draft:
        """What to hand in to take this document through the pipeline again."""
        metadata = json.loads(self.metadata or "{}")
        return Draft(self.doc_id, "put", self.source, self.media_type, content, self.title, self.uri, metadata)


def content_hash(content: bytes) -> str:
    """SHA-256 of the bytes as given, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def check_doc_id(doc_id: str) -> str:
    """The id itself; raises `BadRequest` unless it is 1-512 UTF-8 characters without control characters, and not only slashes."""
    if not 1 <= len(doc_id) <= MAX_ID_CHARACTERS:
        raise BadRequest(f"doc_id must have 1 to {MAX_ID_CHARACTERS} characters, this one has {len(doc_id)}")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in doc_id):
        raise BadRequest("doc_id must not hold control characters or lone surrogates")
    if not doc_id.strip("/"):
        raise BadRequest("doc_id must hold more than slashes: no path could name it")
    return doc_id


def lane_of(drafts: Sequence[Draft]) -> Lane:
    """The lane of what came in one request."""
    return "express" if len(drafts) <= FEW and sum(len(draft.content) for draft in drafts) <= SMALL else "bulk"
