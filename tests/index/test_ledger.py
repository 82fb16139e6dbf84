"""The ledger: one entry a document, the newest that was processed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from index import tables
from index.documents import Entry, State
from index.ledger import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tables.connect(str(tmp_path)))


def entry(doc_id: str, state: State = "indexed", release: int = 2, source: str = "http", text: str | None = "the text") -> Entry:
    return Entry(
        doc_id=doc_id, revision=1, state=state, reason=None, source=source, uri=None, title=None, media_type="text/plain",
        metadata='{"year": 2024}', content_hash=f"content of {doc_id}", accepted_at=datetime(2026, 1, 1, tzinfo=UTC), release=release,
        duplicate_of=None, chunks=1, indexed_revision=1, indexed_hash=f"indexed of {doc_id}", text=text,
    )  # fmt: skip


def test_entries_are_read_back_and_unknown_documents_are_missing(ledger: Ledger):
    ledger.write([entry("a"), entry("b")])
    assert ledger.get(["a", "c"], with_text=True) == {"a": entry("a")}
    assert ledger.get(["a"]) == {"a": entry("a", text=None)}
    assert ledger.get([]) == {}


def test_an_entry_replaces_the_one_before(ledger: Ledger):
    ledger.write([entry("a"), entry("b")])
    newer = replace(entry("a"), revision=2, state="quarantined", reason="empty: the document holds no text")
    ledger.write([newer])
    assert ledger.get(["a", "b"], with_text=True) == {"a": newer, "b": entry("b")}


@pytest.mark.parametrize("doc_id", ["it's", "\\' OR 1=1 --", "''", '"', "a\\", "% _", "é😀"])
def test_hostile_ids_are_plain_ids(ledger: Ledger, doc_id: str):
    ledger.write([entry("a"), entry(doc_id)])
    ledger.bury({doc_id: 1}, release=3)
    assert list(ledger.get([doc_id])) == [doc_id]
    assert ledger.buried_since(2) == [doc_id]
    assert sorted(found.doc_id for found in ledger.page(None, "", 10)) == sorted(["a", doc_id])


def test_pages_follow_the_order_of_ids(ledger: Ledger):
    ledger.write([entry(doc_id) for doc_id in "dbace"])
    assert [found.doc_id for found in ledger.page(None, "", 2)] == ["a", "b"]
    assert [found.doc_id for found in ledger.page(None, "b", 2)] == ["c", "d"]
    assert [found.doc_id for found in ledger.page(None, "d", 2)] == ["e"]
    assert ledger.page(None, "e", 2) == []


def test_a_page_of_one_state_holds_only_that(ledger: Ledger):
    ledger.write([entry("a"), entry("b", "quarantined"), entry("c", "deleted"), entry("d", "quarantined")])
    assert [found.doc_id for found in ledger.page("quarantined", "", 1)] == ["b"]
    assert [found.doc_id for found in ledger.page("quarantined", "b", 9)] == ["d"]
    assert ledger.counts() == {"indexed": 1, "quarantined": 2, "deleted": 1}


def test_a_source_knows_its_own_documents_but_no_deleted_ones(ledger: Ledger):
    ledger.write([entry("n:a", source="n"), entry("n:b", "deleted", source="n"), entry("n:c", "quarantined", source="n"), entry("a")])
    assert sorted(ledger.hashes_of("n")) == ["n:a", "n:c"]


def test_documents_newer_than_a_release_are_counted_without_quarantined_and_deleted_ones(ledger: Ledger):
    """A deletion holds in each release, so no release lacks it."""
    ledger.write([entry("a", release=2), entry("b", release=3), entry("c", "deleted", release=4), entry("d", "quarantined", release=4)])
    assert ledger.newer_than(1) == 2
    assert ledger.newer_than(2) == 1
    assert ledger.newer_than(3) == 0


def test_originals_that_are_still_needed_are_named(ledger: Ledger):
    ledger.write([entry("a"), replace(entry("b", "quarantined"), indexed_hash=None), replace(entry("c", "deleted"), content_hash="")])
    assert ledger.content_hashes() == {"content of a", "indexed of a", "content of b", "indexed of c"}


def test_a_deletion_hides_in_older_releases_only(ledger: Ledger):
    ledger.bury({"a": 10, "b": 10}, release=3)
    assert sorted(ledger.buried_since(2)) == ["a", "b"]
    assert ledger.buried_since(3) == []


def test_a_later_deletion_hides_in_more_releases(ledger: Ledger):
    ledger.bury({"a": 10}, release=3)
    ledger.bury({"a": 20}, release=6)
    assert [ledger.buried_since(release) for release in (2, 5, 6)] == [["a"], ["a"], []]


def test_what_was_written_after_a_release_can_be_taken_back(ledger: Ledger):
    ledger.write([entry("a")])
    version = ledger.version
    ledger.write([replace(entry("a"), revision=2), entry("b")])
    assert ledger.restore(version) > version
    assert ledger.get(["a", "b"], with_text=True) == {"a": entry("a")}


def test_the_version_of_the_newest_release_survives_cleaning(ledger: Ledger):
    ledger.write([entry("a")])
    version = ledger.version
    ledger.tag(7, version)
    ledger.write([entry("b")])
    ledger.fold()
    ledger.clean(timedelta(0))
    ledger.restore(version)
    assert list(ledger.get(["a", "b"])) == ["a"]


def test_another_process_sees_what_was_written(ledger: Ledger, tmp_path: Path):
    other = Ledger(tables.connect(str(tmp_path)))
    ledger.write([entry("a")])
    assert list(other.get(["a"])) == ["a"]
    assert other.counts() == {"indexed": 1}
