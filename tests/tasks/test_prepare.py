"""Preparing a batch: what is embedded again, what is set aside and why. Nothing is written to a table yet."""

from collections.abc import Sequence

import pytest

from index.documents import Draft, content_hash
from index.embedder import Vectors
from tasks.prepare import Prepared, Tools, prepare
from tests.bench import Bench
from tests.fakes import HashingEmbedder

PARAGRAPHS = [f"Paragraph {i}. " + f"word{i} " * 150 for i in range(4)]
TEXT = "\n\n".join(PARAGRAPHS)


def prepared(bench: Bench, *drafts: Draft) -> Prepared:
    batch = prepare(bench.store, bench.publisher.table, bench.publisher.canonicals, bench.tools, bench.accept(*drafts))
    assert batch is not None
    return batch


def test_preparing_changes_no_table(bench: Bench):
    versions = bench.publisher.table.version, bench.store.ledger.version
    batch = prepared(bench, Draft("a", content=TEXT.encode()))
    assert len(batch.changes.written) == batch.embedded == 4
    assert (bench.publisher.table.version, bench.store.ledger.version) == versions
    assert bench.store.originals.get(content_hash(TEXT.encode())) == TEXT.encode()


def test_an_unchanged_document_embeds_nothing_and_writes_no_row(bench: Bench):
    bench.put("a", TEXT)
    bench.embedder.embedded.clear()
    batch = prepared(bench, Draft("a", content=TEXT.encode()))
    assert bench.embedder.embedded == []
    assert (batch.changes.written, batch.changes.deleted, batch.embedded) == ((), (), 0)
    assert [entry.state for entry in batch.entries] == ["indexed"]


def test_only_the_changed_paragraph_is_embedded(bench: Bench):
    bench.put("a", TEXT)
    bench.embedder.embedded.clear()
    changed = "\n\n".join([*PARAGRAPHS[:2], "Another third. " + "other " * 150, PARAGRAPHS[3]])
    batch = prepared(bench, Draft("a", content=changed.encode()))
    assert [text[:14] for text in bench.embedder.embedded] == ["Another third."]
    assert (batch.embedded, len(batch.changes.deleted)) == (1, 1)


def test_new_facts_about_the_same_text_embed_nothing(bench: Bench):
    bench.put("a", TEXT, metadata={"year": 2024})
    bench.embedder.embedded.clear()
    batch = prepared(bench, Draft("a", content=TEXT.encode(), metadata={"year": 2025}, uri="file:///a"))
    assert bench.embedder.embedded == []
    assert {chunk.metadata["year"] for chunk in batch.changes.written} == {2025}
    assert len(batch.changes.written) == 4


def test_a_text_that_another_document_has_is_embedded_once(bench: Bench):
    prepared(bench, Draft("a", content=b"The same text."), Draft("b", content=b"The same text."))
    assert bench.embedder.embedded == ["The same text."]
    bench.put("c", "The same text.")
    bench.embedder.embedded.clear()
    batch = prepared(bench, Draft("d", content=b"The same text."))
    assert bench.embedder.embedded == []
    assert len(batch.vectors) == 1


def test_what_the_ledger_has_seen_makes_no_batch(bench: Bench):
    writes = bench.accept(Draft("a", content=b"text"))
    bench.drain()
    assert prepare(bench.store, bench.publisher.table, bench.publisher.canonicals, bench.tools, writes) is None


@pytest.mark.parametrize(
    ("draft", "reason"),
    [
        (Draft("bad", content=b""), "empty: the document holds no text"),
        (Draft("bad", content=b"%PDF", media_type="application/pdf"), "corrupt: "),
        (Draft("bad", content=b"a\x00b"), "corrupt: the text holds NUL characters"),
        (Draft("bad", content="t\ufffd\ufffdxt".encode()), "invalid: documents.garbage_ratio expect_column_values_to_be_between"),
    ],
)
def test_a_bad_document_is_set_aside_with_the_reason_and_the_others_go_on(strict_bench: Bench, draft: Draft, reason: str):
    batch = prepared(strict_bench, draft, Draft("good", content=b"Good text."))
    bad, good = batch.entries
    assert (bad.doc_id, bad.state, bad.chunks) == ("bad", "quarantined", 0)
    assert (bad.reason or "").startswith(reason)
    assert (good.doc_id, good.state) == ("good", "indexed")
    assert [chunk.doc_id for chunk in batch.changes.written] == ["good"]


def test_the_bytes_of_a_bad_document_are_kept_for_a_replay(bench: Bench):
    prepared(bench, Draft("bad", content=b"%PDF", media_type="application/pdf"))
    assert bench.store.originals.get(content_hash(b"%PDF")) == b"%PDF"


class BlindEmbedder(HashingEmbedder):
    """Gives no usable vector for a text that says so."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        vectors = super().embed(texts)
        for i, text in enumerate(texts):
            if "blinding" in text:
                vectors[i] = float("nan")
        return vectors


def test_a_document_whose_vectors_are_no_good_is_set_aside(strict_bench: Bench):
    tools = Tools(BlindEmbedder(), strict_bench.tools.chunker, strict_bench.tools.contract)
    writes = strict_bench.accept(Draft("bad", content=b"A blinding text."), Draft("good", content=b"Good text."))
    batch = prepare(strict_bench.store, strict_bench.publisher.table, strict_bench.publisher.canonicals, tools, writes)
    assert batch is not None
    assert {entry.doc_id: entry.state for entry in batch.entries} == {"bad": "quarantined", "good": "indexed"}
    assert batch.entries[0].reason == "invalid: vectors.finite expect_column_values_to_be_between"
    assert [chunk.doc_id for chunk in batch.changes.written] == ["good"]


def test_a_bad_revision_keeps_what_is_indexed(bench: Bench):
    bench.put("a", "Old text.")
    [entry] = prepared(bench, Draft("a", content=b"\x00")).entries
    before = bench.store.ledger.get(["a"], with_text=True)["a"]
    assert entry.state == "quarantined"
    assert entry.revision > before.revision
    assert (entry.chunks, entry.text, entry.indexed_revision) == (1, "Old text.", before.revision)
    assert entry.indexed_hash == content_hash(b"Old text.") != entry.content_hash


def test_a_bad_revision_after_a_deletion_keeps_nothing(bench: Bench):
    bench.put("a", "Old text.")
    batch = prepared(bench, Draft("a", "delete"), Draft("a", content=b"\x00"))
    [entry] = batch.entries
    assert (entry.state, entry.chunks, entry.text, entry.indexed_revision) == ("quarantined", 0, None, None)
    assert len(batch.changes.deleted) == 1
    assert list(batch.deleted) == ["a"]


def test_a_deletion_needs_no_document(bench: Bench):
    batch = prepared(bench, Draft("never seen", "delete"))
    assert [(entry.doc_id, entry.state, entry.content_hash) for entry in batch.entries] == [("never seen", "deleted", "")]
    assert (batch.changes.written, batch.changes.deleted) == ((), ())


def test_metadata_fields_are_named_with_their_types(bench: Bench):
    batch = prepared(
        bench, Draft("a", content=b"x y", metadata={"year": 2024, "open": True}), Draft("b", content=b"x", metadata={"kind": "n"})
    )
    assert batch.fields == {"year": "int", "open": "bool", "kind": "str"}


def test_each_step_is_timed(bench: Bench):
    batch = prepared(bench, Draft("a", content=b"text"))
    assert list(batch.timings.seconds) == ["plan", "parse", "chunk", "validate", "embed", "dedupe"]
    assert all(seconds >= 0 for seconds in batch.timings.seconds.values())


def test_condemned_documents_are_set_aside_whatever_is_in_them(bench: Bench):
    writes = bench.accept(Draft("a", content=b"text"), Draft("b", content=b"text"))
    batch = prepare(bench.store, bench.publisher.table, bench.publisher.canonicals, bench.tools, writes, {"a": "check_failed: reason"})
    assert batch is not None
    assert {entry.doc_id: entry.reason for entry in batch.entries} == {"a": "check_failed: reason", "b": None}
