"""A bulk batch gives way to single documents, and what it has embedded is not embedded again."""

from dataclasses import replace

import numpy as np
import pytest

from flows.ingest import Drain
from flows.interrupt import Interrupted, Interruptible
from index.documents import Draft
from tests.bench import Bench
from tests.fakes import HashingEmbedder

TEXTS = [f"text number {n}" for n in range(10)]


def test_vectors_are_those_of_the_embedder_within():
    inner = HashingEmbedder()
    assert np.array_equal(Interruptible(inner, lambda: False).embed(TEXTS), inner.embed(TEXTS))
    assert Interruptible(inner, lambda: True).embed([]).shape == (0, 64)


def test_it_stops_between_slices_and_goes_on_where_it_was():
    inner = HashingEmbedder()
    asked = iter([False, True, False, False])
    embedder = Interruptible(inner, lambda: next(asked))
    with pytest.raises(Interrupted, match="8 of 10"):
        embedder.embed(TEXTS)
    assert inner.embedded == TEXTS[:8]
    assert len(embedder.embed(TEXTS)) == 10
    assert inner.embedded == TEXTS
    embedder.forget()
    assert len(embedder.embed(TEXTS[:1])) == 1
    assert len(inner.embedded) == 11


class SingleDocumentComes(HashingEmbedder):
    """While the second slice is embedded, somebody puts a document."""

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self._bench = bench

    def embed(self, texts):
        if len(self.embedded) == 4:
            self._bench.store.inbox.accept([Draft("single", content=b"a single document")], "express")
        return super().embed(texts)


def test_a_single_document_goes_in_while_a_large_one_is_embedded(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("flows.ingest.GIVES_WAY_AFTER_S", 0.0)
    bench.accept(*(Draft(f"bulk{n}", content=text.encode()) for n, text in enumerate(TEXTS)))
    embedder = SingleDocumentComes(bench)
    bench.publisher.tools = replace(bench.tools, embedder=embedder)
    drain = Drain(bench.store, bench.publisher, lambda: True, lambda _: None)
    [first] = drain.next_batch()
    assert (first.documents, bench.found("single document")) == (1, ["single"])
    [second] = drain.next_batch()
    assert (second.documents, second.quarantined) == (10, ())
    assert sorted(embedder.embedded) == sorted([*TEXTS, "a single document"])
    assert bench.store.inbox.is_empty()
