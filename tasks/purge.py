"""Removes the bytes of deleted documents: from each version, index, original, record and report that has them."""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from index.errors import Conflict, GroundworkError, NotFound
from index.release_log import ReleaseLog
from index.releases import Event, Release
from index.store import Store
from tasks.publish import Publisher
from tasks.rebuild import forget_others
from tasks.traces import Search, search, strings_of

# Readers follow within half a second; what they have begun to read by then is finished.
READERS_FOLLOW_S = 3.0
BY = "ingester"
_log = logging.getLogger("groundwork.ingester")


@dataclass(frozen=True, slots=True)
class Purged:
    """What a purge had to drop.

    Attributes:
        doc_id: of the document.
        releases: that can't be served any more: they held its bytes, or shared files with those that did.
        originals: of its revisions; one that another document has too stays.
        shared: how many stayed for that.
        answers, evaluations, golden: records that were removed, and reports and golden questions that it was taken out of.
        queries, comments: that had words of it in them, and were forgotten; whose they were is not known, so they go.
        canaries: questions that were made from it, and were forgotten.
        searched: what was looked for afterwards in all files of the home, and where it was found.
    """

    doc_id: str
    releases: tuple[int, ...]
    originals: int
    shared: int
    answers: int
    evaluations: int
    golden: int
    queries: int
    comments: int
    canaries: int
    searched: Search

    def as_json(self) -> dict[str, Any]:
        """As it stands in the release log."""
        return asdict(self)


def ask(log: ReleaseLog, doc_id: str, by: str) -> Event:
    """Has the ingester remove the bytes of a document once it is deleted; `Conflict` while an older release is pinned."""

    def follows() -> None:
        if log.state.pinned:
            raise Conflict(f"release {log.state.live} is pinned, and may hold the bytes that are to go: resume first, then purge")

    return log.append("purge_asked", 0, by, detail={"doc_id": doc_id}, precondition=follows)


def pending(log: ReleaseLog) -> list[Event]:
    """What was asked for and is not done, oldest first, as of the last refresh of the log."""
    done = {event.detail["asked"] for event in log.events if event.kind == "purged"}
    return [event for event in log.events if event.kind == "purge_asked" and event.seq not in done]


def result_of(log: ReleaseLog, doc_id: str) -> dict[str, Any] | None:
    """What the newest purge of a document came to; None where none was asked for, or it is not done."""
    asked = next((event for event in reversed(log.events) if event.kind == "purge_asked" and event.detail["doc_id"] == doc_id), None)
    done = (event.detail for event in reversed(log.events) if asked and event.kind == "purged" and event.detail["asked"] == asked.seq)
    return next(done, None)


def is_due(store: Store, asked: Event) -> bool:
    """Whether the document is deleted by now, and nothing old is served."""
    doc_id = asked.detail["doc_id"]
    entry = store.ledger.get([doc_id]).get(doc_id)
    return entry is not None and entry.state == "deleted" and not store.log.state.pinned


def purge(store: Store, publisher: Publisher, home: Path, asked: Event, pause: Callable[[float], object]) -> Purged:
    """Follows a request. Needs the writer's lease, between batches; after a kill it is done again from the start.

    All releases but the newest go: they share files with those that show the document.
    """
    doc_id = asked.detail["doc_id"]
    contents, hashes = _originals(store, doc_id)
    strings = strings_of(_texts(store, doc_id), contents)
    publisher.table.erase_deleted()
    store.ledger.erase_deleted()
    newest = publisher.publish_maintenance() or store.log.get(store.log.state.newest)
    old = [release for release in store.log.kept() if release.number != newest.number]
    numbers = tuple(release.number for release in old)
    if old:
        store.log.append("reclaimed", 0, BY, f"{doc_id!r} was purged", {"releases": list(numbers)}, lambda: _still_follows(store))
    pause(READERS_FOLLOW_S)
    _clean(store, publisher, old)
    shared = hashes & store.ledger.content_hashes(but=doc_id)
    # Also those of earlier revisions, which no entry names: between batches nothing is on its way.
    for digest in (hashes - shared) | (store.originals.hashes() - store.ledger.content_hashes()):
        store.originals.drop(digest)
    answers, evaluations = store.answers.drop_of([doc_id]), store.evaluations.forget(doc_id)
    golden = store.golden.forget(doc_id, strings)
    said = store.queries.forget(strings), store.feedback.forget(strings), store.canaries.forget(doc_id)
    store.drift.forget(strings)
    store.pictures.forget(strings)
    found = search(home, strings)
    purged = Purged(doc_id, numbers, len(hashes - shared), len(shared), answers, evaluations, golden, *said, found)
    store.log.append("purged", 0, BY, detail=purged.as_json() | {"asked": asked.seq})
    told = f"still in {', '.join(found.found[:5])}" if found.found else "no file has any of them"
    _log.info("%r was purged: %d strings of it were looked for in %d files, %s", doc_id, found.strings, found.files, told)
    return purged


def _still_follows(store: Store) -> None:
    if store.log.state.pinned:
        raise Conflict(f"release {store.log.state.live} was pinned meanwhile; the purge waits until somebody resumes")


def _texts(store: Store, doc_id: str) -> list[str]:
    """What releases that are still kept have of the document."""
    found: dict[str, None] = {}
    for release in store.log.kept():
        with suppress(GroundworkError, OSError, ValueError, RuntimeError):
            found |= dict.fromkeys(store.existing_chunk_table(release.generation).texts_of(doc_id, release.version))
    return list(found)


def _originals(store: Store, doc_id: str) -> tuple[list[bytes], set[str]]:
    """The bytes as they were given, and their hashes."""
    entry = store.ledger.get([doc_id]).get(doc_id)
    hashes = {digest for digest in ((entry.content_hash, entry.indexed_hash) if entry else ()) if digest}
    contents = []
    for digest in hashes:
        with suppress(NotFound):
            contents.append(store.originals.get(digest))
    return contents, hashes


def _clean(store: Store, publisher: Publisher, old: list[Release]) -> None:
    """Removes the files that only versions before the newest release need."""
    for release in old:
        if release.generation == publisher.table.generation:
            publisher.table.untag(release.number)
        store.ledger.untag(release.number)
    forget_others(store, publisher.table.generation)
    publisher.table.clean(timedelta(0))
    store.ledger.clean(timedelta(0))
