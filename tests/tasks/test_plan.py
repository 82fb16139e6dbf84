"""Decisions of a batch, from facts alone."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal

import pytest

from index.chunk_rows import Chunk
from index.documents import Draft, Entry, Write
from tasks.plan import chunk_changes, deletions, halves, newest_writes, texts_to_embed

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def write(doc_id: str, revision: int, action: Literal["put", "delete"] = "put") -> Write:
    return Write(Draft(doc_id, action), revision, MOMENT)


def known(doc_id: str, revision: int) -> Entry:
    return Entry(
        doc_id=doc_id, revision=revision, state="indexed", reason=None, source="http", uri=None, title=None, media_type="text/plain",
        metadata="{}", content_hash="h", accepted_at=MOMENT, release=1, duplicate_of=None, chunks=1, indexed_revision=revision,
        indexed_hash="h", text=None,
    )  # fmt: skip


def chunk(chunk_id: str, **facts: Any) -> Chunk:
    row = Chunk(
        chunk_id=chunk_id, doc_id="a", revision=1, ordinal=0, text="text", title="Title", uri=None, source="http", media_type="text/plain",
        heading=(), start=0, end=4, tokens=3, text_hash=f"hash of {chunk_id}", embedded_text=f"embedded {chunk_id}",
        metadata={"year": 2024},
    )  # fmt: skip
    return replace(row, **facts)


def test_the_newest_write_of_each_document_counts():
    assert newest_writes([write("a", 1), write("b", 2), write("a", 3, "delete")], {}) == [write("b", 2), write("a", 3, "delete")]


def test_the_order_in_which_writes_arrive_does_not_matter():
    assert newest_writes([write("a", 3), write("b", 2), write("a", 1)], {}) == [write("b", 2), write("a", 3)]


@pytest.mark.parametrize(("revision", "taken"), [(4, False), (5, False), (6, True)])
def test_a_write_that_the_ledger_has_seen_or_overtaken_is_dropped(revision: int, taken: bool):
    assert newest_writes([write("a", revision)], {"a": known("a", 5)}) == ([write("a", revision)] if taken else [])


def test_an_older_deletion_does_not_remove_a_newer_document():
    assert newest_writes([write("a", 4, "delete")], {"a": known("a", 5)}) == []
    assert deletions([write("a", 4, "delete")], {"a": known("a", 5)}) == {}


def test_a_deletion_counts_even_when_a_newer_write_follows_it():
    writes = [write("a", 6, "delete"), write("a", 7), write("b", 8, "delete"), write("b", 9, "delete"), write("c", 10)]
    assert deletions(writes, {"a": known("a", 5)}) == {"a": 6, "b": 9}


def test_new_chunks_are_written_and_those_no_longer_wanted_are_deleted():
    changes = chunk_changes({"a": [chunk("c1"), chunk("c2")]}, {"a": [chunk("c2"), chunk("c3")]})
    assert changes.written == (chunk("c3"),)
    assert changes.deleted == ("c1",)
    assert changes.added == 1


def test_a_row_that_shows_the_same_is_not_written_again_for_a_newer_revision():
    assert chunk_changes({"a": [chunk("c1")]}, {"a": [chunk("c1", revision=2)]}).written == ()


@pytest.mark.parametrize("facts", [{"title": "New"}, {"metadata": {"year": 2025}}, {"start": 5, "end": 9}, {"ordinal": 1}, {"uri": "u"}])
def test_a_row_that_shows_something_else_is_written_but_not_added(facts: dict[str, Any]):
    changes = chunk_changes({"a": [chunk("c1")]}, {"a": [chunk("c1", **facts)]})
    assert changes.written == (chunk("c1", **facts),)
    assert (changes.deleted, changes.added) == ((), 0)


def test_documents_that_are_not_part_of_the_batch_are_left_alone():
    changes = chunk_changes({"a": [chunk("c1")], "b": [chunk("c2", doc_id="b")]}, {"a": ()})
    assert changes.deleted == ("c1",)


def test_each_new_text_is_embedded_once():
    chunks = [chunk("c1", text_hash="x"), chunk("c2", text_hash="x"), chunk("c3", text_hash="y"), chunk("c4", text_hash="z")]
    assert list(texts_to_embed(chunks, embedded=["y"])) == ["x", "z"]
    assert texts_to_embed(chunks, embedded=["x", "y"]) == {"z": "embedded c4"}


@pytest.mark.parametrize(("size", "first", "second"), [(2, 1, 1), (3, 1, 2), (5, 2, 3)])
def test_halves_are_never_empty_and_keep_the_order(size: int, first: int, second: int):
    writes = [write(str(i), i) for i in range(size)]
    one, other = halves(writes)
    assert (len(one), len(other)) == (first, second)
    assert one + other == writes
