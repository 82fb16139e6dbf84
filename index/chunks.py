"""Chunk tables: one per generation, written under its lease."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from lancedb.db import DBConnection
from lancedb.index import FTS, BTree
from lancedb.table import LanceTable

from index import schema, tables, vector_index
from index.chunk_rows import FACETS, FULL_TEXT_COLUMN, SHOWN, Chunk, chunk_from_row, to_arrow
from index.embedder import Embedder, Vectors
from index.vector_index import VectorIndex
from index.vectors import FULL_PRECISION, HALF_PRECISION

KEYS = ("chunk_id", "doc_id", "text_hash")
# Nearly every search asks for one of them: whether a passage is an alias's, or where it comes from.
FILTERED = ("source", "media_type", "duplicate_of")


def generation_name(embedder: Embedder, chunker_fingerprint: str, vector_bits: int) -> str:
    """The generation that this embedder and chunker make, with vectors stored in so many bits a number."""
    name = f"{embedder.fingerprint}_{chunker_fingerprint}"
    return name if vector_bits == FULL_PRECISION else f"{name}_{vector_bits}"


def table_name(generation: str) -> str:
    """The LanceDB table of a generation."""
    return f"chunks_{generation}"


class ChunkTable:
    """The rows of one generation. Only the holder of its lease may call the writing methods."""

    def __init__(self, db: DBConnection, generation: str, dimensions: int, vector_bits: int = HALF_PRECISION) -> None:
        """Opens the table; one that is made now has vectors of so many dimensions and bits a number."""
        self.generation = generation
        target = schema.chunks(dimensions, vector_bits)
        self._table: LanceTable = tables.open_or_create(db, table_name(generation), target, "chunk_id", KEYS, FILTERED, (FACETS,))
        # A table of earlier code lacks the facets: its filters read the metadata of each row. Or what is shown in one column.
        # Its vectors stay as they are, whatever those of a new one would be.
        stored = self._table.schema
        target = target.set(target.get_field_index(vector_index.COLUMN), stored.field(vector_index.COLUMN))
        self._schema = pa.schema([column for column in target if column.name in stored.names])

    @property
    def version(self) -> int:
        """The newest Lance version, of whichever process made it."""
        self._table.checkout_latest()
        return int(self._table.version)

    def count(self) -> int:
        """Rows at the head."""
        return int(self._table.count_rows())

    @property
    def vector_bytes(self) -> int:
        """What one vector takes."""
        return vector_index.stored_bytes(self._schema.field(vector_index.COLUMN))

    def of_documents(self, doc_ids: Sequence[str]) -> dict[str, tuple[Chunk, ...]]:
        """The chunks at the head by document; documents without any are missing."""
        rows = self._select(tables.one_of("doc_id", doc_ids), (*SHOWN, "text_hash", "embedded_text")) if doc_ids else []
        found: dict[str, list[Chunk]] = {}
        for row in rows:
            found.setdefault(row["doc_id"], []).append(chunk_from_row(row))
        return {doc_id: tuple(chunks) for doc_id, chunks in found.items()}

    def passages(self) -> pa.Table:
        """How many passages each document has at the head: doc_id, chunks."""
        rows = self._table.search().select(["doc_id"]).limit(tables.ALL).to_arrow().select(["doc_id"])
        counts = rows.group_by("doc_id").aggregate([([], "count_all")]).rename_columns(["doc_id", "chunks"])
        return counts.set_column(1, "chunks", counts["chunks"].cast(pa.int32()))

    def vectors_of(self, text_hashes: Sequence[str]) -> dict[str, Vectors]:
        """Vectors already made in this generation, by the hash of the embedded text."""
        if not text_hashes:
            return {}
        rows = self._select(tables.one_of("text_hash", text_hashes), ("text_hash", "vector"))
        return {row["text_hash"]: np.asarray(row["vector"], dtype=np.float32) for row in rows}

    def upsert(self, chunks: Sequence[Chunk], vectors: Mapping[str, Vectors]) -> None:
        """Writes the chunks by chunk_id; `vectors` is keyed by text_hash."""
        if chunks:
            rows = to_arrow(chunks, vectors, self._schema)
            self._table.merge_insert("chunk_id").when_matched_update_all().when_not_matched_insert_all().execute(rows)

    def delete(self, chunk_ids: Sequence[str]) -> None:
        """Removes the chunks with these ids."""
        if chunk_ids:
            self._table.delete(tables.one_of("chunk_id", chunk_ids))

    def missing(self, chunk_ids: Sequence[str]) -> set[str]:
        """Which of the ids are not at the head exactly once."""
        if not chunk_ids:
            return set()
        found = Counter(row["chunk_id"] for row in self._select(tables.one_of("chunk_id", chunk_ids), ("chunk_id",)))
        return {chunk_id for chunk_id in chunk_ids if found[chunk_id] != 1}

    def ensure_full_text(self) -> None:
        """Makes the full-text index once there are rows; made on an empty table it would cover nothing."""
        if self.count() and not any(FULL_TEXT_COLUMN in index.columns for index in self._table.list_indices()):
            self._make_full_text()

    def erase_deleted(self) -> None:
        """The head holds no byte of deleted rows any more: neither in its files nor among the words of the full-text index."""
        tables.erase_deleted(self._table)
        self._make_full_text()
        for column in KEYS:
            self._table.create_index(column, config=BTree())
        self._table.checkout_latest()

    def texts_of(self, doc_id: str, version: int) -> list[str]:
        """What was embedded of a document at a version, where that is still kept."""
        dataset = self._table.to_lance().checkout_version(version)
        found = dataset.to_table(columns=[FULL_TEXT_COLUMN], filter=pc.field("doc_id") == doc_id)[FULL_TEXT_COLUMN]
        return [str(text) for text in found.to_pylist()]

    def _make_full_text(self) -> None:
        if self.count():
            self._table.create_index(FULL_TEXT_COLUMN, config=FTS(with_position=False, stem=True, remove_stop_words=True))

    def restore(self, version: int) -> int:
        """Takes the head back to `version`; returns the new head. Makes any older writer's commit fail."""
        self._table.checkout_latest()
        self._table.restore(version)
        self._table.checkout_latest()
        return self.version

    def tag(self, release: int, version: int) -> None:
        """Protects the version of a release from cleanup."""
        tables.move_tag(self._table, f"r{release}", version)

    def untag(self, release: int) -> None:
        """Gives the version of a retired release up to cleanup."""
        with suppress(RuntimeError):  # there is none
            self._table.tags.delete(f"r{release}")

    def tagged(self) -> set[int]:
        """The releases whose versions are protected."""
        return {int(tag.removeprefix("r")) for tag in self._table.tags.list()}

    def clean(self, age: timedelta) -> int:
        """Removes versions that no release needs; returns the bytes freed."""
        return tables.clean(self._table, age)

    def fold(self) -> None:
        """Takes the unindexed tail into the indexes and merges small fragments."""
        tables.fold(self._table)

    def fold_text(self) -> None:
        """Takes the unindexed tail into the full-text index alone: it is what searches feel most, and quick."""
        tables.fold_index(self._table, FULL_TEXT_COLUMN)

    def make_indexes_one(self) -> bool:
        """Makes the parts of indexes one where searches feel them; False when none was due. Needs no lease but that of the indexes."""
        return tables.make_one(self._table)

    def vector_index(self) -> VectorIndex | None:
        """The vector index at the head; None when there is none."""
        self._table.checkout_latest()
        return vector_index.describe(self._table.to_lance())

    def sample_vectors(self, count: int) -> Vectors:
        """Some of the vectors, in no order: shape (count, dimensions)."""
        return vector_index.sample(self._table.to_lance(), count)

    def build_vector_index(self, centres: Vectors, bits: int) -> None:
        """Makes the vector index around these centres. Needs no lease: it gives way to a batch by raising `RuntimeError`."""
        vector_index.build(self._table, centres, bits)

    def _select(self, condition: Any, columns: Sequence[str]) -> list[dict[str, Any]]:
        query = self._table.search().where(condition).select(list(columns)).limit(tables.ALL)
        return cast(list[dict[str, Any]], query.to_arrow().to_pylist())
