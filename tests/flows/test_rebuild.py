"""A rebuild beside the ingester's batches."""

from dataclasses import replace

import pytest

from flows import rebuild
from flows.ingest import Drain
from flows.rebuild import Rebuilding
from index.documents import Draft
from index.embedder import Vectors
from index.releases import Release
from tasks.chunk import Chunker
from tasks.publish import Publisher
from tasks.rebuild import needed
from tests.bench import Bench
from tests.fakes import HashingEmbedder

LONG = " ".join(f"Sentence {number} tells of the old orchard by the river." for number in range(20))


@pytest.fixture
def rebuilding(bench: Bench) -> Rebuilding:
    """An ingester whose chunker is another one than that of the index, which holds a long document."""
    bench.put("long", LONG)
    tools = replace(bench.tools, chunker=Chunker(bench.embedder.tokenizer(), 64))
    publisher = Publisher(bench.store, tools)
    publisher.take_over()
    drain = Drain(bench.store, publisher, tools, lambda: False, lambda _: None)
    return Rebuilding(drain, needed(bench.store, publisher, tools))


def test_batches_go_on_beside_a_rebuild_and_are_in_what_it_serves(bench: Bench, rebuilding: Rebuilding):
    number = 0
    while rebuilding.is_under_way:
        bench.store.inbox.accept([Draft(f"new{number}", content=f"New words, number {number}.".encode())])
        assert rebuilding.drain.next_batch()
        rebuilding.go_on()
        number += number < 3
        if number == 3:
            for _ in range(5):
                rebuilding.go_on()
    bench.reader.follow()
    assert [len(bench.reader.view().chunks_of(doc_id)) for doc_id in ("new0", "new1", "new2")] == [1, 1, 1]
    assert len(bench.reader.view().chunks_of("long")) > 1


class FailingOnce(HashingEmbedder):
    def __init__(self) -> None:
        super().__init__()
        self.fails = True

    def embed(self, texts: list[str]) -> Vectors:
        if self.fails:
            self.fails = False
            raise OSError("the disk is full")
        return super().embed(texts)


def test_after_a_failure_it_waits_and_goes_on_where_it_was(bench: Bench, rebuilding: Rebuilding, monkeypatch: pytest.MonkeyPatch):
    assert rebuilding.rebuild is not None
    before = bench.live
    rebuilding.rebuild.tools = replace(rebuilding.rebuild.tools, embedder=FailingOnce())
    rebuilding.go_on()
    assert not rebuilding.is_under_way
    bench.reader.follow()
    assert bench.live == before
    monkeypatch.setattr(rebuild, "AGAIN_AFTER_S", 0.0)
    rebuilding._not_before = 0.0
    for _ in range(10):
        rebuilding.go_on()
    bench.reader.follow()
    assert len(bench.reader.view().chunks_of("long")) > 1


class FailingRelease(Publisher):
    """Its disk is full when the new generation is to be released."""

    def _release(self, *_: object, **__: object) -> Release:
        raise OSError("the disk is full")


def test_folding_publishes_nothing_of_a_generation_whose_release_failed(bench: Bench, rebuilding: Rebuilding):
    assert rebuilding.rebuild is not None
    before = bench.live
    rebuilding.rebuild.publisher.__class__ = FailingRelease
    while rebuilding.is_under_way:
        rebuilding.go_on()
    rebuilding.rebuild.publisher.__class__ = Publisher
    rebuilding.drain.upkeep.note_batch(1)
    rebuilding.drain.rest()
    rebuilding.drain.upkeep.finish()
    bench.reader.follow()
    assert bench.live.generation == before.generation
    assert bench.store.ledger.get(["long"])["long"].chunks == 1
