"""Publishing: a batch appears at once, as one release; nothing unfinished is ever seen."""

from datetime import timedelta

import pytest

from index.documents import Draft
from index.errors import Misconfigured, Unavailable
from index.store import open_store
from tasks import publish
from tasks.chunk import Chunker
from tasks.prepare import Prepared, Tools, prepare
from tasks.publish import Publisher
from tests.bench import Bench
from tests.fakes import HashingEmbedder


def prepared(bench: Bench, *drafts: Draft) -> Prepared:
    batch = prepare(bench.store, bench.publisher.table, bench.publisher.canonicals, bench.tools, bench.accept(*drafts))
    assert batch is not None
    return batch


def another_process(bench: Bench) -> Publisher:
    """A publisher on handles of its own, as a second ingester has."""
    return Publisher(open_store(bench.store.db.uri, bench.store.folder), bench.tools)


def test_taking_over_an_empty_index_makes_release_1(bench: Bench):
    release = bench.store.log.live()
    assert (release.number, release.rows, release.dimensions) == (1, 0, 64)
    assert release.embedder == "hashing64"
    assert release.generation == bench.tools.generation


def test_taking_over_again_makes_no_release(bench: Bench):
    bench.put("a", "text")
    assert another_process(bench).take_over().number == 2
    bench.store.log.refresh()
    assert bench.store.log.state.newest == 2
    assert bench.found("text") == ["a"]


def test_a_batch_is_one_release_with_its_facts(bench: Bench):
    bench.ingest(Draft("a", content=b"text", metadata={"year": 2024}), Draft("b", content=b"more text"))
    release = bench.live
    assert (release.number, release.rows, release.fields) == (2, 2, {"year": "int"})
    assert release.checks == {"written": "ok", "rows": "ok", "canaries": "ok"}
    bench.put("c", "third", metadata={"kind": "note"})
    assert bench.live.fields == {"year": "int", "kind": "str"}


def test_a_changed_document_replaces_its_passages_in_the_same_release(bench: Bench):
    bench.put("a", "Apples grow on trees.")
    bench.put("a", "Pears ripen late.")
    assert bench.live.number == 3
    assert [hit.chunk.text for hit in bench.search("apples pears").hits] == ["Pears ripen late."]
    assert bench.live.rows == 1


def test_a_deleted_document_disappears(bench: Bench):
    bench.ingest(Draft("a", content=b"text"), Draft("b", content=b"text"))
    bench.delete("a")
    assert bench.found("text") == ["b"]
    assert bench.live.rows == 1
    assert bench.store.ledger.get(["a"])["a"].state == "deleted"


def test_the_ledger_names_the_release_that_first_contains_a_revision(bench: Bench):
    bench.put("a", "text")
    bench.put("b", "words")
    entries = bench.store.ledger.get(["a", "b"])
    assert {doc_id: (entry.state, entry.release) for doc_id, entry in entries.items()} == {"a": ("indexed", 2), "b": ("indexed", 3)}


def test_metadata_becomes_filterable_with_the_release(bench: Bench):
    bench.put("old", "text", metadata={"year": 2019})
    bench.put("new", "text", metadata={"year": 2024})
    assert bench.found("text", filter={"metadata.year": {"gte": 2020}}) == ["new"]
    assert bench.found("text", filter={"metadata.year": 2019}, release=2) == ["old"]


@pytest.mark.thorough
def test_each_release_is_protected_from_cleaning(bench: Bench):
    bench.put("a", "Apples.")
    bench.put("a", "Pears.")
    bench.publisher.table.fold()
    bench.publisher.table.clean(timedelta(0))
    texts = [[hit.chunk.text for hit in bench.search("fruit", release=number).hits] for number in (1, 2, 3)]
    assert texts == [[], ["Apples."], ["Pears."]]


@pytest.mark.thorough
def test_an_unfinished_batch_is_taken_back_and_done_again(bench: Bench):
    bench.put("a", "Old text.")
    batch = prepared(bench, Draft("a", content=b"New text."), Draft("b", content=b"Second."))
    bench.publisher.table.upsert(batch.changes.written, batch.vectors)
    bench.store.ledger.write(batch.entries)
    assert [hit.chunk.text for hit in bench.search("text").hits] == ["Old text."]

    restarted = Bench.open(bench.store.folder, bench.tools, bench.embedder)
    assert restarted.publisher.table.count() == 1
    assert sorted(restarted.store.ledger.get(["a", "b"])) == ["a"]
    assert restarted.live.number == 2

    [outcome] = restarted.drain()  # nothing was acknowledged, so the batch is still in the inbox
    assert (outcome.release, outcome.documents) == (3, 2)
    assert sorted(hit.chunk.text for hit in bench.search("text").hits) == ["New text.", "Second."]
    assert restarted.store.inbox.is_empty()


def test_a_paused_old_writer_can_not_commit_after_another_took_over(bench: Bench):
    bench.put("a", "Old text.")
    batch = prepared(bench, Draft("a", content=b"From the old writer."))
    newer = another_process(bench)
    newer.take_over()
    with pytest.raises(RuntimeError, match="Incompatible transaction"):
        bench.publisher.publish(batch)
    assert newer.table.count() == 1
    assert [hit.chunk.text for hit in bench.search("text").hits] == ["Old text."]
    assert bench.live.number == 2


def test_another_embedder_is_refused_with_what_to_do(bench: Bench):
    class Other(HashingEmbedder):
        name = "other"
        fingerprint = "other64"

    embedder = Other()
    tools = Tools(embedder, Chunker(embedder.tokenizer(), embedder.max_tokens), bench.tools.contract)
    with pytest.raises(Misconfigured, match=r"made by another embedder \(hashing64\) than other \(other64\): set GROUNDWORK_EMBEDDER back"):
        Publisher(bench.store, tools)


@pytest.mark.thorough
def test_maintenance_is_published_only_when_it_moved_the_table(bench: Bench):
    for i in range(3):
        bench.put(f"d{i}", f"text {i}")
    assert bench.publisher.publish_maintenance() is None
    another_process(bench).table.fold()
    release = bench.publisher.publish_maintenance()
    assert release is not None
    assert (release.number, release.rows, release.checks) == (5, 3, {"maintenance": "ok"})
    assert bench.publisher.publish_maintenance() is None
    assert sorted(bench.found("text")) == ["d0", "d1", "d2"]


@pytest.mark.thorough
def test_batches_go_on_after_another_process_has_folded(bench: Bench):
    bench.put("a", "text")
    another_process(bench).table.fold()
    bench.put("b", "text")
    bench.put("a", "newer text")
    assert bench.live.rows == 2
    assert sorted(bench.found("text")) == ["a", "b"]


def test_publishing_while_pinned_leaves_the_pin_alone(bench: Bench):
    bench.put("a", "text")
    bench.store.log.append("rolled_back", 2, "admin")
    outcome = bench.put("b", "text")
    assert outcome.release == 3
    assert bench.found("text") == ["a"]


def test_a_batch_whose_passages_are_not_found_never_becomes_a_release(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    bench.put("before", "The old orchard by the river has apples.")
    before = bench.live.number
    monkeypatch.setattr(publish, "lost", lambda _, canaries: [each.chunk_id for each in canaries if "harbour" in each.text])
    outcome = bench.put("bad", "The harbour has ships.")
    assert outcome.quarantined == ("bad",)
    assert "1 of 1 passages of the batch are not found" in bench.store.ledger.get(["bad"])["bad"].reason
    assert bench.found("harbour ships") == ["before"]
    assert bench.live.number == before + 1


@pytest.mark.thorough
def test_when_earlier_passages_are_lost_it_is_not_the_fault_of_the_batch(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    bench.put("before", "The old orchard by the river has apples.")
    before = bench.live
    monkeypatch.setattr(publish, "lost", lambda _, canaries: [each.chunk_id for each in canaries if "orchard" in each.text])
    bench.accept(Draft("good", content=b"The harbour has ships."))
    with pytest.raises(Unavailable, match="1 of 1 passages of earlier batches are found no more; nothing is released"):
        bench.drain()
    monkeypatch.undo()
    bench.publisher.take_over()
    bench.reader.follow()
    assert bench.live == before
    bench.drain()
    assert bench.found("harbour ships")[0] == "good"
