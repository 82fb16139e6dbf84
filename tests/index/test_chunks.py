"""Chunk tables: rows by chunk_id, versions that releases protect, and the fence against an older writer."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lancedb.db import DBConnection

from index import tables
from index.chunk_rows import Chunk
from index.chunks import ChunkTable, generation_name, table_name
from index.embedder import Vectors
from index.vectors import FULL_PRECISION, HALF_PRECISION
from tests.fakes import HashingEmbedder

EAST, NORTH = np.array([1, 0], dtype=np.float32), np.array([0, 1], dtype=np.float32)
VECTORS: dict[str, Vectors] = {"east": EAST, "north": NORTH}


@pytest.fixture
def db(tmp_path: Path) -> DBConnection:
    return tables.connect(str(tmp_path))


@pytest.fixture
def table(db: DBConnection) -> ChunkTable:
    return ChunkTable(db, "g", 2)


def chunk(chunk_id: str, doc_id: str = "a", text_hash: str = "east", **facts: Any) -> Chunk:
    known: dict[str, Any] = {"title": None, "uri": None, "heading": (), "metadata": {}} | facts
    return Chunk(
        chunk_id=chunk_id, doc_id=doc_id, revision=1, ordinal=0, text=f"text of {chunk_id}", source="http", media_type="text/plain",
        start=0, end=10, tokens=5, text_hash=text_hash, embedded_text=f"text of {chunk_id}", **known,
    )  # fmt: skip


def ids(table: ChunkTable, *doc_ids: str) -> list[str]:
    return sorted(chunk.chunk_id for group in table.of_documents(doc_ids).values() for chunk in group)


def test_a_chunk_is_read_back_as_it_was_written(table: ChunkTable):
    metadata = {"year": 2024, "score": 0.5, "open": True, "who": 'Zoë\'s \\ "x"'}
    written = chunk("c1", title="Title", uri="file:///a", heading=("One", "Two"), metadata=metadata)
    table.upsert([written, chunk("c2", "b")], VECTORS)
    assert table.of_documents(["a", "missing"]) == {"a": (written,)}


@pytest.mark.parametrize("doc_id", ["it's", "\\' OR 1=1 --", "''", "a\\", "é😀"])
def test_chunks_are_found_by_a_hostile_id(table: ChunkTable, doc_id: str):
    table.upsert([chunk("c1", doc_id), chunk("c2", "b")], VECTORS)
    assert ids(table, doc_id) == ["c1"]


def test_upsert_replaces_by_chunk_id(table: ChunkTable):
    table.upsert([chunk("c1"), chunk("c2")], VECTORS)
    table.upsert([replace(chunk("c1"), revision=2), chunk("c3")], VECTORS)
    assert table.count() == 3
    assert {found.chunk_id: found.revision for found in table.of_documents(["a"])["a"]} == {"c1": 2, "c2": 1, "c3": 1}


def test_delete_removes_these_and_no_others(table: ChunkTable):
    table.upsert([chunk("c1"), chunk("c2")], VECTORS)
    table.delete(["c1", "never there"])
    table.delete([])
    assert ids(table, "a") == ["c2"]


def test_vectors_already_made_are_found_by_the_text(table: ChunkTable):
    table.upsert([chunk("c1"), chunk("c2", text_hash="north")], VECTORS)
    found = table.vectors_of(["north", "west"])
    assert list(found) == ["north"]
    assert found["north"].dtype == np.float32
    assert found["north"].tolist() == [0, 1]
    assert table.vectors_of([]) == {}


def test_missing_names_what_is_not_there_exactly_once(db: DBConnection, table: ChunkTable):
    table.upsert([chunk("c1"), chunk("c2")], VECTORS)
    handle = tables.open_existing(db, table_name("g"))
    handle.add(handle.search().where("chunk_id = 'c2'").to_arrow())
    assert ChunkTable(db, "g", 2).missing(["c1", "c2", "c3"]) == {"c2", "c3"}
    assert table.missing([]) == set()


def full_text_indexes(db: DBConnection) -> int:
    return sum("embedded_text" in index.columns for index in tables.open_existing(db, table_name("g")).list_indices())


def test_the_full_text_index_is_made_once_and_not_on_an_empty_table(db: DBConnection, table: ChunkTable):
    table.ensure_full_text()
    assert full_text_indexes(db) == 0
    table.upsert([chunk("c1")], VECTORS)
    table.ensure_full_text()
    version = table.version
    table.ensure_full_text()
    assert (full_text_indexes(db), table.version) == (1, version)


def test_a_tagged_version_survives_folding_and_cleaning_and_an_untagged_one_does_not(db: DBConnection, table: ChunkTable):
    table.upsert([chunk("c1")], VECTORS)
    first = table.version
    table.tag(1, first)
    table.upsert([chunk("c2")], VECTORS)
    second = table.version
    table.delete(["c1"])
    table.fold()
    assert table.clean(timedelta(0)) > 0
    handle = tables.open_existing(db, table_name("g"))
    handle.checkout(first)
    assert handle.search().to_arrow()["chunk_id"].to_pylist() == ["c1"]
    with pytest.raises((ValueError, RuntimeError), match="no longer exists"):
        handle.checkout(second)


def test_an_untagged_release_is_given_up_to_cleaning(db: DBConnection, table: ChunkTable):
    table.upsert([chunk("c1")], VECTORS)
    first = table.version
    table.tag(1, first)
    table.untag(1)
    table.untag(1)
    table.upsert([chunk("c2")], VECTORS)
    table.clean(timedelta(0))
    handle = tables.open_existing(db, table_name("g"))
    with pytest.raises((ValueError, RuntimeError), match="no longer exists"):
        handle.checkout(first)


def test_restore_takes_the_rows_back(table: ChunkTable):
    table.upsert([chunk("c1")], VECTORS)
    version = table.version
    table.upsert([chunk("c2")], VECTORS)
    table.delete(["c1"])
    assert table.restore(version) > version + 2
    assert ids(table, "a") == ["c1"]


def test_an_older_writer_is_shut_out_by_a_restore(db: DBConnection, table: ChunkTable):
    table.upsert([chunk("c1")], VECTORS)
    version = table.version
    newer = ChunkTable(db, "g", 2)
    newer.restore(version)
    with pytest.raises(RuntimeError, match="Incompatible transaction"):
        table.upsert([chunk("c2")], VECTORS)
    assert ids(newer, "a") == ["c1"]


def test_an_older_writer_can_not_delete_after_a_restore(db: DBConnection, table: ChunkTable):
    table.upsert([chunk("c1")], VECTORS)
    ChunkTable(db, "g", 2).restore(table.version)
    with pytest.raises(RuntimeError, match="Incompatible transaction"):
        table.delete(["c1"])


def test_writing_goes_on_after_another_process_has_folded(db: DBConnection, table: ChunkTable):
    for i in range(4):
        table.upsert([chunk(f"c{i}")], VECTORS)
    ChunkTable(db, "g", 2).fold()
    table.upsert([chunk("c4"), replace(chunk("c0"), revision=2)], VECTORS)
    table.delete(["c1"])
    assert ids(table, "a") == ["c0", "c2", "c3", "c4"]


def test_a_generation_is_named_by_its_embedder_and_its_chunker():
    assert generation_name(HashingEmbedder(), "abc123", FULL_PRECISION) == "hashing64_abc123"
    assert table_name("hashing64_abc123") == "chunks_hashing64_abc123"


def test_vectors_of_another_precision_are_another_generation():
    assert generation_name(HashingEmbedder(), "abc123", HALF_PRECISION) == "hashing64_abc123_16"


def test_a_vector_takes_two_bytes_a_number_unless_it_is_told_otherwise(db: DBConnection):
    assert [ChunkTable(db, "half", 384).vector_bytes, ChunkTable(db, "full", 384, FULL_PRECISION).vector_bytes] == [768, 1536]


def test_a_table_keeps_the_precision_it_was_made_with(db: DBConnection):
    third = np.array([1 / 3, 2 / 3], dtype=np.float32)
    ChunkTable(db, "full", 2, FULL_PRECISION)
    again = ChunkTable(db, "full", 2, HALF_PRECISION)
    again.upsert([chunk("c1")], {chunk("c1").text_hash: third})
    assert again.vectors_of([chunk("c1").text_hash])[chunk("c1").text_hash].tolist() == third.tolist()
