"""A rebuild beside the ingester's batches."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from evals.gate import Verdict
from flows import rebuilding as room
from flows.ingest import Drain
from flows.rebuilding import Rebuilding, piece_s
from index.documents import Draft
from index.embedder import Embedder, Vectors
from index.progress import RebuildProgress
from index.recipe import Recipe
from index.releases import Release
from tasks import wish
from tasks.publish import Publisher
from tasks.retrieve import Query, retrieve
from tests.bench import Bench, Gate, Workshop
from tests.fakes import HashingEmbedder

LONG = " ".join(f"Sentence {number} tells of the old orchard by the river." for number in range(20))
SETTINGS = Recipe()
SERVED: list[int] = []
SHORT_PASSAGES = Recipe(chunk_tokens=64)
FEW_DIMENSIONS = Recipe(dimensions=32)


@pytest.fixture
def gate() -> Gate:
    """One that lets everything pass."""
    return Gate()


@pytest.fixture
def rebuilding(bench: Bench, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> Rebuilding:
    """An ingester whose index holds a long document, and that looks for wishes each time."""
    for name in ("LOOK_EVERY_S", "AGAIN_AFTER_S"):
        monkeypatch.setattr(room, name, 0.0)
    monkeypatch.setattr(room, "SHARE", 1.0)
    bench.put("long", LONG)
    return ingester(bench, gate)


def ingester(bench: Bench, gate: Gate, embedders: Mapping[Recipe, Embedder] | None = None) -> Rebuilding:
    publisher = Publisher(bench.store, bench.tools)
    publisher.take_over()
    drain = Drain(bench.store, publisher, lambda: False, lambda _: None)
    return Rebuilding(drain, Workshop(bench.tools, embedders), gate, served=SERVED.append)


def ask(bench: Bench, recipe: Recipe, **more: bool) -> int:
    return wish.ask(bench.store.log, recipe, SETTINGS, "admin", "a test", **more).id


def ended(rebuilding: Rebuilding, number: int) -> str:
    """What became of a rebuild."""
    log = rebuilding.drain.store.log
    for _ in range(2000):
        rebuilding.go_on()
        if rebuilding.wish is None and wish.get(log, number).state != "running":
            return wish.get(log, number).state
    raise AssertionError("the rebuild does not come to an end")


def passages(bench: Bench, doc_id: str) -> int:
    bench.reader.follow()
    return len(bench.reader.view().chunks_of(doc_id))


@pytest.mark.thorough
def test_batches_go_on_beside_a_rebuild_and_are_in_what_it_serves(bench: Bench, rebuilding: Rebuilding):
    number = ask(bench, SHORT_PASSAGES)
    for place in range(3):
        bench.store.inbox.accept([Draft(f"new{place}", content=f"New words, number {place}.".encode())])
        assert rebuilding.drain.next_batch()
        rebuilding.go_on()
    assert ended(rebuilding, number) == "done"
    assert SERVED[-1] == bench.store.log.live().number
    assert [passages(bench, doc_id) for doc_id in ("new0", "new1", "new2")] == [1, 1, 1]
    assert passages(bench, "long") > 1


def test_another_model_takes_over_and_the_old_release_is_asked_with_its_own(bench: Bench, rebuilding: Rebuilding):
    before = bench.live
    number = ask(bench, FEW_DIMENSIONS)
    assert ended(rebuilding, number) == "done"
    few = rebuilding.drain.tools.embedder
    bench.reader.follow()
    assert (bench.live.dimensions, bench.live.embedder, before.dimensions) == (32, few.fingerprint, 64)
    assert bench.live.recipe == FEW_DIMENSIONS.as_json()
    assert [hit.chunk.doc_id for hit in retrieve(bench.reader, few, Query("the orchard")).hits] == ["long"]
    assert bench.found("the orchard", release=before.number) == ["long"]
    with pytest.raises(Exception, match=f"release {before.number} was made by the embedder hashing64, not by"):
        retrieve(bench.reader, few, Query("the orchard", release=before.number))


@pytest.mark.thorough
def test_after_it_batches_are_made_by_the_new_model(bench: Bench, rebuilding: Rebuilding):
    ended(rebuilding, ask(bench, FEW_DIMENSIONS))
    bench.store.inbox.accept([Draft("new", content=b"New words about the harbour.")])
    assert rebuilding.drain.next_batch()
    bench.reader.follow()
    assert retrieve(bench.reader, rebuilding.drain.tools.embedder, Query("harbour")).hits[0].chunk.doc_id == "new"


@pytest.mark.thorough
def test_what_the_gate_holds_is_there_to_be_looked_at_and_not_live(bench: Bench, rebuilding: Rebuilding, gate: Gate):
    before = bench.live
    gate.fault = "3 of 500 have a length that is not 1"
    number = ask(bench, SHORT_PASSAGES)
    assert ended(rebuilding, number) == "held"
    found = wish.get(bench.store.log, number)
    assert gate.candidate is not None
    assert "a length that is not 1" in str(found.detail["why"])
    assert found.detail["candidate"] == gate.candidate.number
    bench.reader.follow()
    assert (bench.live, bench.store.log.get(gate.candidate.number).status) == (before, "held")
    assert len(bench.reader.view(gate.candidate.number).chunks_of("long")) > 1


@pytest.mark.thorough
def test_a_verdict_that_is_not_clear_holds_too(bench: Bench, rebuilding: Rebuilding, gate: Gate):
    gate.verdict = Verdict.INCONCLUSIVE
    assert ended(rebuilding, ask(bench, SHORT_PASSAGES)) == "held"


@pytest.mark.thorough
def test_an_admin_may_override_and_nothing_is_embedded_twice(bench: Bench, rebuilding: Rebuilding, gate: Gate):
    gate.verdict = Verdict.HOLD
    ended(rebuilding, ask(bench, SHORT_PASSAGES))
    bench.embedder.embedded.clear()
    assert ended(rebuilding, ask(bench, SHORT_PASSAGES, override=True)) == "done"
    assert (bench.embedder.embedded, passages(bench, "long") > 1) == ([], True)
    assert bench.live.checks["gate"] == {"override": "a test"}


@pytest.mark.thorough
def test_a_cancelled_rebuild_leaves_nothing(bench: Bench, rebuilding: Rebuilding):
    before = bench.live
    number = ask(bench, SHORT_PASSAGES)
    while rebuilding.rebuild is None:
        rebuilding.go_on()
    rebuilding.go_on()
    wish.end(bench.store.log, wish.get(bench.store.log, number), "cancelled", "admin", "changed my mind")
    rebuilding.go_on()
    assert (rebuilding.wish, rebuilding.rebuild) == (None, None)
    assert [path.name for path in sorted(bench.store.folder.glob("*_hashing64_*"))] == [f"chunks_{before.generation}.lance"]
    bench.reader.follow()
    assert bench.live == before
    assert RebuildProgress(bench.store.folder).read() is None


def test_one_at_a_time(bench: Bench):
    number = ask(bench, SHORT_PASSAGES)
    with pytest.raises(Exception, match=f"rebuild {number} is under way"):
        ask(bench, FEW_DIMENSIONS)


def test_a_model_that_can_not_be_loaded_fails_and_says_so(bench: Bench, rebuilding: Rebuilding):
    number = ask(bench, Recipe(embedder="lost"))
    assert ended(rebuilding, number) == "failed"
    assert wish.get(bench.store.log, number).detail["why"] == "lost can't be loaded"


def test_what_is_there_already_is_done_at_once(bench: Bench, rebuilding: Rebuilding):
    before = bench.live
    assert ended(rebuilding, ask(bench, replace(SETTINGS, chunk_tokens=256))) == "done"
    bench.reader.follow()
    assert bench.live == before


@pytest.mark.thorough
def test_settings_that_change_ask_for_a_rebuild_once_and_what_was_asked_over_http_stays(bench: Bench, rebuilding: Rebuilding):
    log = bench.store.log
    wish.follow_settings(log, SETTINGS)
    assert wish.under_way(log) is None
    ended(rebuilding, ask(bench, FEW_DIMENSIONS))
    wish.follow_settings(log, SETTINGS)
    assert wish.under_way(log) is None
    wish.follow_settings(log, SHORT_PASSAGES)
    found = wish.under_way(log)
    assert found is not None
    assert (found.by, found.recipe) == ("settings", SHORT_PASSAGES)


class FailingOnce(HashingEmbedder):
    """Another model, whose first call fails."""

    fingerprint = "failing64"

    def __init__(self) -> None:
        super().__init__()
        self.fails = True

    def embed(self, texts: list[str]) -> Vectors:
        if self.fails:
            self.fails = False
            raise OSError("the disk is full")
        return super().embed(texts)


@pytest.mark.thorough
def test_after_a_failure_it_waits_and_goes_on_where_it_was(bench: Bench, rebuilding: Rebuilding, monkeypatch: pytest.MonkeyPatch):
    before, other = bench.live, Recipe(embedder="failing")
    rebuilding.workshop = Workshop(bench.tools, {other: FailingOnce()})
    monkeypatch.setattr(room, "AGAIN_AFTER_S", 60.0)
    number = ask(bench, other)
    while rebuilding.rebuild is None or rebuilding.is_under_way:
        rebuilding.go_on()
    progress = RebuildProgress(bench.store.folder).read()
    assert progress is not None
    assert progress.phase == "failed, and is tried again: the disk is full"
    bench.reader.follow()
    assert bench.live == before
    rebuilding._not_before = 0.0
    assert ended(rebuilding, number) == "done"


class FailingRelease(Publisher):
    """Its disk is full when the new generation is to be released."""

    tries = 0

    def _release(self, *_: object, **__: object) -> Release:
        FailingRelease.tries += 1
        raise OSError("the disk is full")


@pytest.mark.thorough
def test_folding_publishes_nothing_of_a_generation_whose_release_failed(bench: Bench, rebuilding: Rebuilding):
    before = bench.live
    rebuilding.drain.publisher.__class__ = FailingRelease
    ask(bench, SHORT_PASSAGES)
    for _ in range(100):
        rebuilding.go_on()
        if FailingRelease.tries == 3:
            break
    assert FailingRelease.tries == 3
    rebuilding.drain.publisher.__class__ = Publisher
    rebuilding.drain.upkeep.note_batch(1)
    rebuilding.drain.rest()
    rebuilding.drain.upkeep.finish()
    bench.reader.follow()
    assert bench.live.generation == before.generation
    assert bench.store.ledger.get(["long"])["long"].chunks == 1


@pytest.mark.thorough
def test_it_comes_to_an_end_while_documents_come_all_the_time(bench: Bench, rebuilding: Rebuilding):
    number = ask(bench, SHORT_PASSAGES)
    for place in range(200):
        bench.store.inbox.accept([Draft(f"new{place}", content=f"New words, number {place}.".encode())])
        assert rebuilding.drain.next_batch()
        rebuilding.go_on()
        if wish.get(bench.store.log, number).state != "running":
            break
    assert wish.get(bench.store.log, number).state == "done"


@pytest.mark.parametrize(("batch_s", "seconds"), [(0.0, 0.5), (0.2, 0.5), (2.5, 2.5), (60.0, 4.0)])
def test_a_piece_takes_as_long_as_the_batch_before_it_within_bounds(batch_s, seconds):
    assert piece_s(batch_s) == seconds
