"""Documents: which ids and metadata are taken."""

from datetime import UTC, datetime

import pytest

from index.documents import Draft, Entry, check_doc_id, content_hash
from index.errors import BadRequest


@pytest.mark.parametrize("doc_id", ["a", "notes:2024/a b.md", "é😀", "x" * 512, "'; DROP TABLE documents; --", " "])
def test_ids_of_1_to_512_characters_are_taken(doc_id: str):
    assert check_doc_id(doc_id) == doc_id


@pytest.mark.parametrize(
    ("doc_id", "reason"),
    [
        ("", "must have 1 to 512 characters, this one has 0"),
        ("x" * 513, "this one has 513"),
        ("a\nb", "control characters"),
        ("a\x00", "control characters"),
        ("a\x7f", "control characters"),
        ("\ud800", "lone surrogates"),
    ],
)
def test_other_ids_are_refused_with_the_reason(doc_id: str, reason: str):
    with pytest.raises(BadRequest, match=reason):
        check_doc_id(doc_id)


def test_the_hash_of_the_content_is_sha256():
    assert content_hash(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_an_entry_can_be_handed_in_again():
    entry = Entry(
        doc_id="a", revision=7, state="quarantined", reason="empty", source="notes", uri="file:///a", title="A", media_type="text/html",
        metadata='{"year": 2024}', content_hash="h", accepted_at=datetime(2026, 1, 1, tzinfo=UTC), release=3, duplicate_of=None,
        chunks=0, indexed_revision=None, indexed_hash=None, text=None,
    )  # fmt: skip
    assert entry.as_draft(b"<p>") == Draft("a", "put", "notes", "text/html", b"<p>", "A", "file:///a", {"year": 2024})
