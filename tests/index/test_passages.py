"""Passages that were found stay in memory, within bounds, from release to release; of a deleted document none does."""

from dataclasses import replace

import pytest

from index.chunks import Chunk
from index.documents import Draft
from index.passages import BESIDE, kept_passages
from tests.bench import Bench

# What `a_chunk` takes.
A_PASSAGE = BESIDE + 2 * 10 + 12 * len("{'n': 1}")


def a_chunk(doc_id: str) -> Chunk:
    return Chunk(doc_id, doc_id, 1, 0, "ten signs.", "", "", "api", "text/plain", (), 0, 10, 2, "", "", {"n": 1})


def test_what_was_read_longest_ago_makes_room():
    kept = kept_passages(2 * A_PASSAGE)
    kept.keep({("file", row): a_chunk(str(row)) for row in (1, 2, 3)})
    assert [chunk and chunk.doc_id for chunk in kept.at([("file", row) for row in (1, 2, 3)])] == [None, "2", "3"]


def test_one_that_is_larger_than_the_room_pushes_nothing_out():
    kept = kept_passages(A_PASSAGE)
    large = Chunk("b", "b", 1, 0, "eleven signs"[:11], "", "", "api", "text/plain", (), 0, 11, 2, "", "", {"n": 1})
    kept.keep({("file", 1): a_chunk("a")})
    kept.keep({("file", 2): large})
    assert kept.at([("file", 1), ("file", 2)]) == [a_chunk("a"), None]


@pytest.fixture
def known(bench: Bench) -> Bench:
    """Two documents whose passages were found, by a reader with room for them."""
    bench = replace(bench, reader=bench.store.reader(kept_bytes=100_000))
    bench.ingest(Draft("apples", content=b"Apples grow."), Draft("pears", content=b"Pears grow."))
    assert sorted(bench.found("what grows", mode="vector")) == ["apples", "pears"]
    return bench


def texts(bench: Bench) -> list[str]:
    return [hit.chunk.text for hit in bench.search("what grows", mode="vector").hits]


def in_memory(bench: Bench) -> list[str]:
    """The documents whose passages are, in the live release."""
    view = bench.reader.view()
    kept: list[str] = []
    view.kept_passages.without(lambda chunk: bool(kept.append(chunk.doc_id)))
    return sorted(kept)


def test_what_was_found_is_in_memory_in_the_releases_after(known: Bench):
    assert in_memory(known) == ["apples", "pears"]
    known.put("plums", "Plums fall.")
    assert in_memory(known) == ["apples", "pears"]
    assert sorted(hit.chunk.text for hit in known.search("what grows", mode="vector").hits) == [
        "Apples grow.",
        "Pears grow.",
        "Plums fall.",
    ]


def test_of_a_deleted_document_nothing_stays_in_memory(known: Bench):
    known.delete("pears")
    assert in_memory(known) == ["apples"]


def test_a_changed_document_is_read_anew(known: Bench):
    known.put("pears", "Pears ripen.")
    assert sorted(texts(known)) == ["Apples grow.", "Pears ripen."]
