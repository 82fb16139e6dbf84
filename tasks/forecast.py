"""What a sweep would do and cost, before it runs."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from index.documents import Draft, Write, content_hash
from index.embedder import Embedder
from index.errors import Rejected
from index.store import Store
from tasks.chunk import Chunker
from tasks.discover import Source
from tasks.parse import parse
from tasks.sweep import Changes, differences, known_hashes, needs_confirmation

# Text is stored twice (as shown, as embedded) next to its vector; indexes come on top.
INDEX_OVERHEAD = 1.3


@dataclass(frozen=True, slots=True)
class Forecast:
    """Chunks of the documents to write, how many of them need a new vector, and the disk they take."""

    changes: Changes
    chunks: int
    embed: int
    disk_bytes: int
    needs_confirmation: bool


def forecast(store: Store, source: Source, embedder: Embedder, limited_to: Iterable[str] | None = None) -> Forecast:
    """Runs everything of a sweep but the writing; raises `OSError` when the listing fails."""
    known = known_hashes(store, source.name)
    drafts = {draft.doc_id: draft for draft in source.drafts()}
    if limited_to is not None:
        wanted = set(limited_to)
        known = {doc_id: digest for doc_id, digest in known.items() if doc_id in wanted}
    changes = differences({doc_id: content_hash(draft.content) for doc_id, draft in drafts.items()}, known)
    chunker = Chunker(embedder.tokenizer(), embedder.max_tokens)
    texts = [chunk for doc_id in sorted(changes.written) for chunk in _chunks(chunker, drafts[doc_id])]
    log = store.log.state
    embedded = set()
    if log.newest:
        table = store.existing_chunk_table(store.log.get(log.newest).generation)
        embedded = set(table.vectors_of([text_hash for text_hash, _ in texts]))
    size = sum(2 * length for _, length in texts) + len(texts) * embedder.dimensions * 4
    return Forecast(
        changes=changes,
        chunks=len(texts),
        embed=len({text_hash for text_hash, _ in texts} - embedded),
        disk_bytes=int(size * INDEX_OVERHEAD),
        needs_confirmation=needs_confirmation(changes, len(known)),
    )


def _chunks(chunker: Chunker, draft: Draft) -> list[tuple[str, int]]:
    """Hash and length in bytes of each text that would be embedded; none for what would be quarantined."""
    try:
        chunks = chunker.chunks(Write(draft, 0, datetime.now(UTC)), parse(draft))
    except Rejected:
        return []
    return [(chunk.text_hash, len(chunk.embedded_text.encode())) for chunk in chunks]
