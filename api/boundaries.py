"""What a key with a filter may write: documents that match it, and over none that don't."""

from collections.abc import Iterable, Sequence

from litestar.exceptions import PermissionDeniedException

from api.keys import Key
from api.platform import Platform
from api.status import DocumentReply, readable
from index import filters
from index.documents import Draft

NAMED = 5


def check_writable(platform: Platform, drafts: Sequence[Draft], key: Key) -> None:
    """Raises a 403 when a document would leave what the key's filter covers, or take the place of one outside it."""
    if not key.filter:
        return
    outside = [draft.doc_id for draft in drafts if draft.action == "put" and not _covers(key, draft)]
    if outside:
        raise PermissionDeniedException(
            f"these do not match the filter of your key, {dict(key.filter)}: {_named(outside)}; nothing was taken. "
            "Give them the metadata that it asks for"
        )
    taken = _of_others(platform, {draft.doc_id for draft in drafts}, key)
    if taken:
        raise PermissionDeniedException(f"these ids belong to documents outside the filter of your key: {_named(taken)}; nothing was taken")


def shown_to(platform: Platform, key: Key, replies: Sequence[DocumentReply]) -> list[DocumentReply]:
    """The replies without the names of documents that the key may not see: of those that one is a duplicate of."""
    canonical = {reply.duplicate_of for reply in replies if reply.duplicate_of} if key.filter else set()
    entries = platform.store.ledger.get(sorted(canonical)) if canonical else {}
    hidden = {doc_id for doc_id in canonical if doc_id not in entries or not readable(entries[doc_id], key)}
    for reply in replies:
        reply.duplicate_of = None if reply.duplicate_of in hidden else reply.duplicate_of
    return list(replies)


def _of_others(platform: Platform, doc_ids: Iterable[str], key: Key) -> list[str]:
    ids = sorted(doc_ids)
    waiting = platform.store.inbox.newest_waiting(ids)
    entries = platform.store.ledger.get(ids)
    held = [doc_id for doc_id, entry in entries.items() if entry.state != "deleted" and not readable(entry, key)]
    return sorted({*held, *(doc_id for doc_id, draft in waiting.items() if draft.action == "put" and not _covers(key, draft))})


def _covers(key: Key, draft: Draft) -> bool:
    record = {name: getattr(draft, name) for name in (*filters.COLUMNS, "metadata")}
    return filters.matches(filters.parse(key.filter), record)


def _named(doc_ids: Sequence[str]) -> str:
    more = f" and {len(doc_ids) - NAMED} more" if len(doc_ids) > NAMED else ""
    return ", ".join(map(repr, doc_ids[:NAMED])) + more
