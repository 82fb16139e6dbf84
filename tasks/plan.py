"""What a batch has to do, decided from facts (pure)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from index.chunk_rows import Chunk
from index.documents import Entry, Write


@dataclass(frozen=True, slots=True)
class ChunkChanges:
    """The difference between the chunks that are stored and those that should be.

    `written` holds new and changed rows, `added` counts the new ones among them.
    """

    written: tuple[Chunk, ...]
    deleted: tuple[str, ...]
    added: int


def newest_writes(writes: Iterable[Write], known: Mapping[str, Entry]) -> list[Write]:
    """The newest write of each document that is newer than what the ledger has seen, in order of acceptance.

    An older revision never overwrites a newer one, whichever way it came.
    """
    newest: dict[str, Write] = {}
    for write in writes:
        other = newest.get(write.doc_id)
        if other is None or write.revision > other.revision:
            newest[write.doc_id] = write
    fresh = (write for write in newest.values() if write.doc_id not in known or write.revision > known[write.doc_id].revision)
    return sorted(fresh, key=lambda write: write.revision)


def deletions(writes: Iterable[Write], known: Mapping[str, Entry]) -> dict[str, int]:
    """The revision of the newest deletion of each document that the ledger has not seen.

    A newer write of the same batch does not undo it: older releases must not show the deleted text again.
    """
    revisions: dict[str, int] = {}
    for write in writes:
        unseen = write.doc_id not in known or write.revision > known[write.doc_id].revision
        if write.draft.action == "delete" and unseen:
            revisions[write.doc_id] = max(write.revision, revisions.get(write.doc_id, 0))
    return revisions


def chunk_changes(stored: Mapping[str, Sequence[Chunk]], wanted: Mapping[str, Sequence[Chunk]]) -> ChunkChanges:
    """What to write and delete so that each document in `wanted` has exactly its wanted chunks.

    A row whose shown facts are all as before is not written again and keeps its revision.
    """
    before = {chunk.chunk_id: chunk for doc_id in wanted for chunk in stored.get(doc_id, ())}
    after = {chunk.chunk_id: chunk for chunks in wanted.values() for chunk in chunks}
    written = tuple(chunk for chunk in after.values() if not _same_row(before.get(chunk.chunk_id), chunk))
    deleted = tuple(chunk_id for chunk_id in before if chunk_id not in after)
    return ChunkChanges(written, deleted, sum(chunk_id not in before for chunk_id in after))


def texts_to_embed(chunks: Iterable[Chunk], embedded: Iterable[str]) -> dict[str, str]:
    """The strings that have no vector yet, each once, by text_hash."""
    known = set(embedded)
    return {chunk.text_hash: chunk.embedded_text for chunk in chunks if chunk.text_hash not in known}


def halves(writes: Sequence[Write]) -> tuple[list[Write], list[Write]]:
    """A batch cut in two, to find the documents that make it fail."""
    middle = len(writes) // 2
    return list(writes[:middle]), list(writes[middle:])


def _same_row(before: Chunk | None, after: Chunk) -> bool:
    return before is not None and replace(before, revision=after.revision) == after
