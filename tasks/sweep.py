"""Compares a source with the ledger and puts the differences into the inbox. Writes no index."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from index.documents import Draft, content_hash
from index.store import Store
from tasks.discover import Source

MAX_REMOVED_SHARE = 0.1
MIN_REMOVED = 5
SEGMENT_DOCUMENTS = 20
SEGMENT_BYTES = 512 * 1024


@dataclass(frozen=True, slots=True)
class Changes:
    """What differs: documents to write (new or changed) and ids to delete."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: int

    @property
    def written(self) -> set[str]:
        """Ids of the documents to write."""
        return {*self.added, *self.changed}


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep did. `withheld` deletions wait for somebody to confirm them."""

    source: str
    changes: Changes
    withheld: bool


def differences(found: Mapping[str, str], known: Mapping[str, str]) -> Changes:
    """Compares content hashes by doc_id: as found in the source, and as known from the ledger (pure)."""
    return Changes(
        added=tuple(doc_id for doc_id in found if doc_id not in known),
        changed=tuple(doc_id for doc_id, digest in found.items() if doc_id in known and known[doc_id] != digest),
        removed=tuple(doc_id for doc_id in known if doc_id not in found),
        unchanged=sum(known.get(doc_id) == digest for doc_id, digest in found.items()),
    )


def needs_confirmation(changes: Changes, known: int) -> bool:
    """Whether so much would be removed that a person should look first: a tenth of the source, and more than a handful."""
    return len(changes.removed) > max(MIN_REMOVED, known * MAX_REMOVED_SHARE)


def sweep(store: Store, source: Source, confirm_removals: bool = False) -> Sweep:
    """Puts what changed in the source into the inbox; raises `OSError`, and deletes nothing, when the listing fails."""
    known = known_hashes(store, source.name)
    drafts = {draft.doc_id: draft for draft in source.drafts()}
    changes = differences({doc_id: content_hash(draft.content) for doc_id, draft in drafts.items()}, known)
    withheld = needs_confirmation(changes, len(known)) and not confirm_removals
    writes = [drafts[doc_id] for doc_id in drafts if doc_id in changes.written]
    if not withheld:
        writes += [Draft(doc_id, "delete", source=source.name) for doc_id in changes.removed]
    for segment in segments(writes):
        store.inbox.accept(segment)
    return Sweep(source.name, changes, withheld)


def known_hashes(store: Store, source: str) -> dict[str, str]:
    """Content hashes by doc_id of what the ledger has of a source, and of what still waits in the inbox."""
    known = {doc_id: entry.content_hash for doc_id, entry in store.ledger.of_source(source).items()}
    for waiting in store.inbox.pending().values():
        if waiting.source == source:
            known[waiting.doc_id] = waiting.content_hash
    return known


def segments(drafts: Iterable[Draft]) -> Iterator[Sequence[Draft]]:
    """Cuts a stream of drafts into pieces that are each durable as one inbox object."""
    piece: list[Draft] = []
    size = 0
    for draft in drafts:
        if piece and (len(piece) == SEGMENT_DOCUMENTS or size + len(draft.content) > SEGMENT_BYTES):
            yield piece
            piece, size = [], 0
        piece.append(draft)
        size += len(draft.content)
    if piece:
        yield piece
