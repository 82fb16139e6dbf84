"""Batches: replayable, in the order of revisions, and one bad document costs only itself."""

import pytest

from index.chunks import ChunkTable
from index.documents import Draft, Write
from index.errors import BatchFailed
from tasks.batch import isolate, run_batch
from tests.bench import Bench


class ForgetfulTable(ChunkTable):
    """Loses the rows of some documents, as far as the check before a release can tell."""

    def __init__(self, table: ChunkTable, bench: Bench, lost: set[str]) -> None:
        super().__init__(bench.store.db, table.generation, bench.embedder.dimensions)
        self._lost = lost

    def missing(self, chunk_ids):
        lost = {chunk.chunk_id for group in self.of_documents(sorted(self._lost)).values() for chunk in group}
        return super().missing(chunk_ids) | (lost & set(chunk_ids))


def run(bench: Bench, *writes: Write) -> list[int]:
    return [outcome.release for outcome in run_batch(bench.store, bench.publisher, bench.tools, writes)]


def states(bench: Bench, *doc_ids: str) -> dict[str, str]:
    return {doc_id: entry.state for doc_id, entry in bench.store.ledger.get(doc_ids).items()}


def test_an_outcome_says_what_was_done(strict_bench: Bench):
    outcome = strict_bench.ingest(Draft("a", content=b"text"), Draft("b", content=b"\x00"), Draft("c", "delete"))
    assert (outcome.release, outcome.documents, outcome.quarantined) == (2, 3, ("b",))
    assert (outcome.written, outcome.deleted, outcome.embedded) == (1, 0, 1)
    assert {"plan", "parse", "chunk", "validate", "embed", "dedupe", "publish", "check", "release"} == set(outcome.seconds)


def test_replaying_a_batch_changes_nothing(bench: Bench):
    writes = bench.accept(Draft("a", content=b"text"), Draft("b", "delete"))
    assert run(bench, *writes) == [2]
    versions = bench.publisher.table.version, bench.store.ledger.version
    assert run(bench, *writes) == []
    assert (bench.publisher.table.version, bench.store.ledger.version) == versions
    assert bench.store.log.state.newest == 2


def test_an_older_revision_never_overwrites_a_newer_one(bench: Bench):
    [older] = bench.accept(Draft("a", content=b"older text"))
    [newer] = bench.accept(Draft("a", content=b"newer text"))
    assert run(bench, newer) == [2]
    assert run(bench, older) == []
    [deletion] = bench.accept(Draft("b", "delete"))
    assert bench.search("text").hits[0].chunk.text == "newer text"
    assert run(bench, older, deletion) == [3]
    assert bench.search("text").hits[0].chunk.text == "newer text"


def test_an_older_deletion_never_removes_a_newer_document(bench: Bench):
    [deletion] = bench.accept(Draft("a", "delete"))
    [newer] = bench.accept(Draft("a", content=b"newer text"))
    run(bench, newer)
    assert run(bench, deletion) == []
    assert bench.found("text") == ["a"]


def test_of_two_writes_in_one_batch_the_newer_one_counts(bench: Bench):
    bench.ingest(Draft("a", content=b"first"), Draft("b", content=b"b"), Draft("a", content=b"second"))
    assert [chunk.text for chunk in bench.reader.view().chunks_of("a")] == ["second"]
    assert bench.live.rows == 2


@pytest.mark.thorough
def test_a_failed_revision_leaves_the_old_one_served(bench: Bench):
    bench.put("a", "Good text.")
    outcome = bench.ingest(Draft("a", content=b"\x89PNG\x00", media_type="image/png"))
    assert outcome.quarantined == ("a",)
    assert [hit.chunk.text for hit in bench.search("text").hits] == ["Good text."]
    assert states(bench, "a") == {"a": "quarantined"}
    bench.put("a", "Better text.")
    assert [hit.chunk.text for hit in bench.search("text").hits] == ["Better text."]
    assert states(bench, "a") == {"a": "indexed"}


@pytest.mark.thorough
def test_a_failed_revision_after_a_deletion_in_one_batch_serves_nothing(bench: Bench):
    bench.put("a", "Good text.")
    bench.ingest(Draft("a", "delete"), Draft("a", content=b"\x00"))
    assert bench.found("text") == []
    assert bench.found("text", release=2) == []
    assert bench.live.rows == 0


def test_a_batch_that_fails_its_checks_is_split_until_only_the_bad_document_is_set_aside(bench: Bench):
    bench.put("b", "Old text of b.")
    bench.publisher.table = ForgetfulTable(bench.publisher.table, bench, lost={"b"})
    bench.accept(*(Draft(doc_id, content=f"New text of {doc_id}.".encode()) for doc_id in "abcd"))
    outcomes = bench.drain()
    assert [outcome.quarantined for outcome in outcomes if outcome.quarantined] == [("b",)]
    assert states(bench, *"abcd") == {"a": "indexed", "b": "quarantined", "c": "indexed", "d": "indexed"}
    reason = bench.store.ledger.get(["b"])["b"].reason
    assert reason == "check_failed: 1 of 1 written chunks are not in the table exactly once"
    texts = sorted(hit.chunk.text for hit in bench.search("text").hits)
    assert texts == ["New text of a.", "New text of c.", "New text of d.", "Old text of b."]
    assert bench.live.rows == 4


@pytest.mark.thorough
def test_no_release_ever_shows_a_batch_that_failed(bench: Bench):
    bench.publisher.table = ForgetfulTable(bench.publisher.table, bench, lost={"a", "b"})
    bench.accept(Draft("a", content=b"bad"), Draft("b", content=b"bad"))
    assert [outcome.quarantined for outcome in bench.drain()] == [("a",), ("b",)]
    for number in range(1, bench.live.number + 1):
        assert bench.found("bad", release=number) == []


def test_documents_that_keep_failing_are_set_aside_with_the_reason(bench: Bench):
    bench.put("a", "Good text.")
    writes = bench.accept(Draft("a", content=b"New text."), Draft("b", content=b"Text."))
    [outcome] = isolate(bench.store, bench.publisher, bench.tools, writes, "OSError: disk")
    assert outcome.quarantined == ("a", "b")
    assert {entry.reason for entry in bench.store.ledger.get(["a", "b"]).values()} == {"internal_error: OSError: disk"}
    assert bench.found("text") == ["a"]


def test_when_even_setting_aside_fails_the_error_is_not_hidden(bench: Bench):
    class CountingTwice(ChunkTable):
        def count(self) -> int:
            self.calls = getattr(self, "calls", 0) + 1
            return super().count() + self.calls

    bench.publisher.table = CountingTwice(bench.store.db, bench.publisher.table.generation, bench.embedder.dimensions)
    bench.accept(Draft("a", content=b"text"))
    with pytest.raises(BatchFailed, match="rows where the plan expects"):
        bench.drain()
    assert not bench.store.inbox.is_empty()


GARBAGE = "\ufffd\ufffd broken".encode()


@pytest.mark.thorough
def test_a_batch_of_which_most_breaks_the_contract_is_stopped_and_nothing_of_it_is_indexed(strict_bench: Bench):
    strict_bench.put("good0", "The text from before.")
    drafts = [Draft(f"bad{n}", content=GARBAGE) for n in range(7)] + [Draft(f"good{n}", content=b"A new text.") for n in range(5)]
    outcome = strict_bench.ingest(*drafts)
    assert outcome.stopped is not None
    assert outcome.stopped.startswith("7 of 12 documents of the batch broke the data contract")
    assert len(outcome.quarantined) == 12
    assert outcome.reasons["bad0"].startswith("invalid: documents.garbage_ratio")
    assert outcome.reasons["good1"].startswith("batch_stopped: 7 of 12")
    assert [hit.chunk.text for hit in strict_bench.search("text").hits] == ["The text from before."]


@pytest.mark.thorough
def test_a_batch_that_is_broken_altogether_is_stopped_too(strict_bench: Bench):
    outcome = strict_bench.ingest(*(Draft(f"bad{n}", content=GARBAGE) for n in range(12)))
    assert outcome.stopped is not None
    assert all(reason.startswith("invalid: ") for reason in outcome.reasons.values())


@pytest.mark.thorough
def test_what_was_stopped_goes_in_when_it_is_replayed_after_a_fix(strict_bench: Bench):
    strict_bench.ingest(*(Draft(f"d{n}", content=GARBAGE if n < 7 else f"Good text {n}.".encode()) for n in range(12)))
    outcome = strict_bench.ingest(*(Draft(f"d{n}", content=f"Good text {n}.".encode()) for n in range(12)))
    assert (outcome.stopped, outcome.quarantined) == (None, ())
    assert outcome.checked == {"documents": 12, "chunks": 12, "vectors": 12}


def test_documents_that_can_not_be_read_stop_no_batch(strict_bench: Bench):
    drafts = [Draft(f"scan{n}", content=b"\x00") for n in range(11)] + [Draft("good", content=b"Good text.")]
    outcome = strict_bench.ingest(*drafts)
    assert (outcome.stopped, len(outcome.quarantined)) == (None, 11)
    assert strict_bench.found("good text") == ["good"]


@pytest.mark.thorough
def test_deletions_in_a_stopped_batch_are_applied(strict_bench: Bench):
    strict_bench.put("old", "Old text.")
    strict_bench.ingest(Draft("old", "delete"), *(Draft(f"bad{n}", content=GARBAGE) for n in range(12)))
    assert strict_bench.found("old text") == []
