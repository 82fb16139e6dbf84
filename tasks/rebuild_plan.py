"""What a rebuild would make, and what that takes, before it begins."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter

from index.chunk_rows import Chunk
from index.documents import Draft, Entry, Write
from index.embedder import Embedder
from index.recipe import Recipe
from index.search import View
from index.shortened import whole_of
from index.store import Store
from index.vector_index import stored_bytes
from tasks.chunk import Chunker
from tasks.parse import Parsed

MEASURED = 60
# Passages that are embedded to see how fast that goes.
TIMED = 32
# Of the time: the rest is for searches and batches.
SHARE = 0.6
BATCH_OVERHEAD = 1.15
# Of each passage, embedded or not: to look it up, cut it, write it and index it (measured with 50,000 on two busy cores).
WRITE_S = 0.0026


@dataclass(frozen=True, slots=True)
class RebuildPlan:
    """Reckoned from `measured` documents that were cut anew, and from passages that were embedded for it.

    Attributes:
        documents: that have passages.
        chunks: passages of the new generation; `chunks_now` of the live one.
        embed: strings that get a new vector.
        seconds: about how long, beside searches.
        disk_bytes: what it takes beside the live generation, until that is reclaimed.
        memory_bytes: of the vector index in each process that serves.
        tokens, cost: of the embedding service, in the currency of its price; None where nothing is paid.
    """

    documents: int
    chunks_now: int
    chunks: int
    embed: int
    seconds: float
    disk_bytes: int
    memory_bytes: int
    measured: int
    tokens: int
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """What would be made: with which embedder and chunker, and how vectors would be stored."""

    embedder: Embedder
    chunker: Chunker
    recipe: Recipe


def plan(store: Store, view: View, target: Target, index_bits: int, price: float = 0.0) -> RebuildPlan:
    """The plan for the live release; reads and cuts a few documents, and embeds a few passages.

    Args:
        store: the index.
        view: the live release.
        target: what is asked for.
        index_bits: of each dimension in the vector index.
        price: of a million tokens, where they are paid.
    """
    ids = store.ledger.indexed()["doc_id"].to_pylist()
    chosen = random.Random(0).sample(ids, min(MEASURED, len(ids)))  # noqa: S311 - a fair sample, the same each time
    entries = list(store.ledger.get(chosen, with_text=True).values())
    now = sum(entry.chunks for entry in entries)
    cut = [chunk for entry in entries for chunk in _cut(target.chunker, entry)]
    grows = len(cut) / now if now else 1.0
    chunks = round(view.release.rows * grows)
    embed = round(chunks * _share_to_embed(store, view, target, cut))
    tokens = round(embed * (sum(chunk.tokens for chunk in cut) / len(cut) if cut else 0))
    per_text = _seconds_per_text(target.embedder, cut) if embed else 0.0
    vector_bytes = target.embedder.dimensions * target.recipe.vector_bits // 8
    other_bytes = max(0.0, view.bytes_per_row() - stored_bytes(view.vector_column)) / (grows or 1.0)
    return RebuildPlan(
        documents=len(ids),
        chunks_now=view.release.rows,
        chunks=chunks,
        embed=embed,
        seconds=round((embed * per_text * BATCH_OVERHEAD + chunks * WRITE_S) / SHARE, 1),
        disk_bytes=round(chunks * (vector_bytes + other_bytes)),
        memory_bytes=chunks * target.embedder.dimensions * index_bits // 8,
        measured=len(entries),
        tokens=tokens,
        cost=round(tokens * price / 1_000_000, 4) if price and target.recipe.url else None,
    )


def _cut(chunker: Chunker, entry: Entry) -> list[Chunk]:
    """The passages of the stored text of a document."""
    draft = Draft(entry.doc_id, "put", entry.source, entry.media_type or "text/plain", b"", entry.title, entry.uri, {})
    parsed = Parsed(entry.title, entry.text or "", entry.form or "text", entry.pages)
    return chunker.chunks(Write(draft, entry.revision, datetime.now(UTC)), parsed)


def _share_to_embed(store: Store, view: View, target: Target, cut: Sequence[Chunk]) -> float:
    """Which share of the passages have no vector of this model yet."""
    hashes = {chunk.text_hash for chunk in cut}
    if not hashes:
        return 0.0
    if view.release.embedder not in (target.embedder.fingerprint, whole_of(target.embedder)):
        return len(hashes) / len(cut)
    known = store.existing_chunk_table(view.release.generation).vectors_of(sorted(hashes))
    return len(hashes - known.keys()) / len(cut)


def _seconds_per_text(embedder: Embedder, cut: Sequence[Chunk]) -> float:
    texts = [chunk.embedded_text for chunk in cut[:TIMED]]
    if not texts:
        return 0.0
    began = perf_counter()
    embedder.embed(texts)
    return (perf_counter() - began) / len(texts)
