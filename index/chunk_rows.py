"""Passages as records, and as rows of a chunk table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import pyarrow as pa

from index import vector_index
from index.embedder import Vectors
from index.facets import facets
from index.metadata import shown, stored

FULL_TEXT_COLUMN = "embedded_text"
FACETS = "facets"
# All that is shown of a passage beside its text, as JSON: to read ten rows of sixteen columns takes 5 ms of a core, of two 1 ms.
TEXT, BESIDE_TEXT = "text", "beside_text"
SHOWN = (
    "chunk_id",
    "doc_id",
    "revision",
    "ordinal",
    "text",
    "title",
    "uri",
    "source",
    "media_type",
    "heading",
    "page",
    "start",
    "end",
    "tokens",
    "metadata",
    "duplicate_of",
)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of a document: `text` is characters `start` to `end` of the document's text.

    `embedded_text` (title, headings and text) is what the embedder and the full-text index see. `duplicate_of` is the
    document that says the same, and is shown in searches instead.
    """

    chunk_id: str
    doc_id: str
    revision: int
    ordinal: int
    text: str
    title: str | None
    uri: str | None
    source: str
    media_type: str
    heading: tuple[str, ...]
    start: int
    end: int
    tokens: int
    text_hash: str = ""
    embedded_text: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    page: int | None = None
    duplicate_of: str | None = None


def chunk_from_row(row: Mapping[str, Any]) -> Chunk:
    """The record of a table row; columns that were not selected are empty."""
    return Chunk(
        chunk_id=row["chunk_id"],
        doc_id=row["doc_id"],
        revision=row["revision"],
        ordinal=row["ordinal"],
        text=row["text"],
        title=row["title"],
        uri=row["uri"],
        source=row["source"],
        media_type=row["media_type"],
        heading=tuple(row["heading"]),
        start=row["start"],
        end=row["end"],
        tokens=row["tokens"],
        text_hash=row.get("text_hash", ""),
        embedded_text=row.get("embedded_text", ""),
        metadata=shown(row["metadata"]),
        page=row["page"],
        duplicate_of=row["duplicate_of"],
    )


def columns_of_chunks(names: Sequence[str]) -> list[str]:
    """What `chunks_from` needs of a table with columns of these names."""
    return [TEXT, BESIDE_TEXT] if BESIDE_TEXT in names else list(SHOWN)


def chunks_from(rows: pa.Table) -> list[Chunk]:
    """The records of rows, of which `columns_of_chunks` were read: without hash and embedded text."""
    if BESIDE_TEXT not in rows.column_names:
        return [chunk_from_row(row) for row in rows.to_pylist()]
    texts, beside = rows[TEXT].to_pylist(), rows[BESIDE_TEXT].to_pylist()
    return [msgspec.convert({TEXT: text, **msgspec.json.decode(shown)}, Chunk) for text, shown in zip(texts, beside, strict=True)]


def beside_text(chunk: Chunk) -> str:
    """All that is shown of a passage but its text, as `chunks_from` reads it."""
    return msgspec.json.encode({name: getattr(chunk, name) for name in SHOWN if name != TEXT}).decode()


def to_arrow(chunks: Sequence[Chunk], vectors: Mapping[str, Vectors], target: pa.Schema) -> pa.Table:
    """Rows of a chunk table, embedded now."""
    now = datetime.now(UTC)
    columns: dict[str, Any] = {
        name: [getattr(chunk, name) for chunk in chunks]
        for name in target.names
        if name not in ("heading", "metadata", FACETS, BESIDE_TEXT, "embedded_at", "vector")
    }
    columns["heading"] = [list(chunk.heading) for chunk in chunks]
    columns[FACETS] = [facets(chunk.metadata) for chunk in chunks]
    beside = [()] * len(chunks) if FACETS in target.names else columns[FACETS]
    columns["metadata"] = [stored(chunk.metadata, found) for chunk, found in zip(chunks, beside, strict=True)]
    columns[BESIDE_TEXT] = [beside_text(chunk) for chunk in chunks]
    columns["embedded_at"] = [now] * len(chunks)
    numbers = target.field(vector_index.COLUMN).type.value_type.to_pandas_dtype()
    columns["vector"] = [vectors[chunk.text_hash].astype(numbers) for chunk in chunks]
    return pa.table({name: pa.array(columns[name], type=target.field(name).type) for name in target.names}, schema=target)
