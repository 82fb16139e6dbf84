"""Passages that were found stay in memory, within bounds, from release to release; of a deleted document none does."""

from dataclasses import replace

import pytest

from index.chunk_rows import Chunk
from index.documents import Draft
from index.errors import Unavailable
from index.kept import Kept
from index.passages import BESIDE, kept_passages
from index.search import View
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
    bench = replace(bench, reader=bench.store.reader(kept=Kept.room(100_000, 0)))
    bench.ingest(Draft("apples", content=b"Apples grow."), Draft("pears", content=b"Pears grow."))
    assert sorted(bench.found("what grows", mode="vector")) == ["apples", "pears"]
    return bench


def not_now(_: object) -> None:
    raise Unavailable("not now", 1)


def texts(bench: Bench) -> list[str]:
    return [hit.chunk.text for hit in bench.search("what grows", mode="vector").hits]


def in_memory(bench: Bench) -> list[str]:
    """The documents whose passages are."""
    kept: list[str] = []
    bench.reader.kept.passages.without(lambda chunk: bool(kept.append(chunk.doc_id)))
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


def test_nor_does_it_while_the_release_after_it_can_not_be_served(known: Bench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(View, "prewarm", not_now)
    monkeypatch.setattr(View, "tail", property(not_now))
    with pytest.raises(Unavailable):
        known.delete("pears")
    assert in_memory(known) == ["apples"]


def test_a_deleted_document_that_comes_back_is_in_memory_again(known: Bench):
    known.delete("pears")
    known.put("pears", "Pears came back.")
    assert sorted(texts(known)) == ["Apples grow.", "Pears came back."]
    known.delete("apples")
    assert in_memory(known) == ["pears"]


def test_a_changed_document_is_read_anew(known: Bench):
    known.put("pears", "Pears ripen.")
    assert sorted(texts(known)) == ["Apples grow.", "Pears ripen."]
