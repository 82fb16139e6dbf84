"""What became of a document: its newest revision, in the inbox or in the ledger."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from api.keys import Key
from api.platform import Platform
from index import filters
from index.documents import Entry, State
from index.errors import NotFound
from index.segments import Waiting
from tasks.purge import result_of


class DocumentReply(msgspec.Struct):
    """What became of the newest revision of a document; `purged` is what removing its bytes came to, once that is done."""

    doc_id: str
    revision: int
    state: str
    accepted_at: datetime
    searchable_at: datetime | None
    served: bool
    release: int | None
    chunks: int
    duplicate_of: str | None
    reason: str | None
    title: str | None = None
    uri: str | None = None
    purged: dict[str, Any] | None = None


def status(platform: Platform, doc_id: str, key: Key) -> DocumentReply:
    """The newest revision of one document; `NotFound` if it was never seen, or is not for this key."""
    # The inbox first: a write that leaves it between the two looks is in the ledger by then.
    waiting = platform.store.inbox.pending().get(doc_id)
    entry = platform.store.ledger.get([doc_id]).get(doc_id)
    if not readable(entry, key):
        entry = waiting = None
    if waiting and (entry is None or waiting.revision > entry.revision):
        return waiting_reply(waiting)
    if entry is None:
        raise NotFound(f"document {doc_id!r} was never seen here")
    return entry_replies(platform, [entry])[0]


def outcome(platform: Platform, doc_id: str) -> DocumentReply:
    """What became of a document, for the writer who has just changed it: whether they may read it does not matter."""
    return entry_replies(platform, [platform.store.ledger.get([doc_id])[doc_id]])[0]


def is_processed(platform: Platform, doc_id: str, revision: int) -> bool:
    """Whether a release contains this revision, or a newer one, or it was set aside."""
    entry = platform.store.ledger.get([doc_id]).get(doc_id)
    return entry is not None and entry.revision >= revision and entry.release <= platform.reader.newest


def page(platform: Platform, key: Key, state: State | None, after: str, limit: int) -> tuple[list[DocumentReply], str | None]:
    """At most `limit` documents after a doc_id, in order of doc_id; and the doc_id that the next page comes after, if there is one."""
    pending = platform.store.inbox.pending()
    entries = _entries(platform, key, state, after, limit)
    end = entries[-1].doc_id if len(entries) >= limit else None
    replies = {reply.doc_id: reply for reply in entry_replies(platform, entries)}
    for doc_id, waiting in pending.items():
        here = doc_id > after and (end is None or doc_id <= end)
        if here and not key.filter and waiting.revision > (replies[doc_id].revision if doc_id in replies else 0):
            replies[doc_id] = waiting_reply(waiting)
    wanted = sorted((reply for reply in replies.values() if state in (None, reply.state)), key=lambda reply: reply.doc_id)[:limit]
    return wanted, wanted[-1].doc_id if len(wanted) == limit else end


def readable(entry: Entry | None, key: Key) -> bool:
    """Whether the key's own filter lets it see the document; what is in no ledger yet can't be told, so it is hidden."""
    if entry is None:
        return not key.filter
    record = {name: getattr(entry, name) for name in (*filters.COLUMNS, "metadata")}
    return filters.matches(filters.parse(key.filter), record)


def entry_replies(platform: Platform, entries: Sequence[Entry]) -> list[DocumentReply]:
    """Ledger rows as the wire shows them."""
    served = platform.store.log.first_served(entry.release for entry in entries if _is_indexed(entry))
    return [_entry_reply(platform, entry, served.get(entry.release)) for entry in entries]


def _is_indexed(entry: Entry) -> bool:
    return entry.state in ("indexed", "duplicate")


def _entry_reply(platform: Platform, entry: Entry, served_at: datetime | None) -> DocumentReply:
    log = platform.store.log
    if entry.release > platform.reader.newest:  # written, but its release is still being made
        return waiting_reply(entry)
    indexed = _is_indexed(entry)
    return DocumentReply(
        doc_id=entry.doc_id,
        revision=entry.revision,
        state=entry.state,
        accepted_at=entry.accepted_at,
        searchable_at=served_at if indexed else None,
        served=indexed and log.state.live >= entry.release,
        release=entry.release if indexed or entry.state == "deleted" else None,
        chunks=entry.chunks,
        duplicate_of=entry.duplicate_of,
        reason=entry.reason,
        title=entry.title,
        uri=entry.uri,
        purged=result_of(log, entry.doc_id) if entry.state == "deleted" else None,
    )


def waiting_reply(waiting: Waiting | Entry) -> DocumentReply:
    """An accepted write that is not in a release yet."""
    return DocumentReply(
        doc_id=waiting.doc_id,
        revision=waiting.revision,
        state="accepted",
        accepted_at=waiting.accepted_at,
        searchable_at=None,
        served=False,
        release=None,
        chunks=0,
        duplicate_of=None,
        reason=None,
    )


def _entries(platform: Platform, key: Key, state: State | None, after: str, limit: int) -> Sequence[Entry]:
    """Enough ledger rows to fill a page of those that the key may see."""
    if state == "accepted":
        return []
    found: list[Entry] = []
    while len(found) < limit:
        rows = platform.store.ledger.page(state, after, limit)
        found += [entry for entry in rows if readable(entry, key)]
        if len(rows) < limit:
            break
        after = rows[-1].doc_id
    return found
