"""Canaries asked on real indexes: what they notice, and what they must not take for a fall."""

from datetime import UTC, datetime
from math import isnan

import numpy as np
import pytest

from evals.canary_runs import Questions, ask, mean_rank, refresh, run
from index.canaries import Canary, CanaryRun
from index.chunk_rows import Chunk
from index.documents import Draft
from tests.bench import Bench
from tests.fakes import HashingEmbedder

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NAMES = ["heron", "badger", "weasel", "marten", "polecat", "stoat", "dormouse", "hedgehog"]


def text_of(name: str) -> str:
    return (
        f"A {name} is a shy animal of the {name} woods. It hides in the {name} thicket for most of a long and rainy day, "
        f"and when the moon is up the {name} goes out to look for food along the river."
    )


@pytest.fixture
def woods(bench: Bench) -> Bench:
    """Eight documents that differ in one word."""
    bench.ingest(*(Draft(name, content=text_of(name).encode()) for name in NAMES))
    return bench


def refreshed(bench: Bench) -> list[Canary]:
    refresh(bench.store.canaries, bench.reader.view(), bench.embedder, Questions(), NOW)
    return bench.store.canaries.all()


def asked(bench: Bench, canaries: list[Canary]) -> tuple[CanaryRun, list[str]]:
    return run(bench.reader.view(), bench.embedder, Questions(), canaries, NOW)


@pytest.mark.thorough
def test_each_document_gets_a_canary_that_finds_it(woods: Bench):
    canaries = refreshed(woods)
    assert {canary.doc_id for canary in canaries} == set(NAMES)
    taken, stale = asked(woods, canaries)
    assert (taken.release, taken.ranks, stale) == (woods.live.number, tuple(canary.birth_rank for canary in canaries), [])
    assert all(0 < best <= 1.001 for best in taken.best)
    assert mean_rank(taken) == np.mean(taken.ranks)


@pytest.mark.thorough
def test_what_does_not_find_its_passage_at_birth_is_kept_apart_with_the_rank(woods: Bench):
    view = woods.reader.view()

    class Blind(HashingEmbedder):
        def embed_query(self, text: str) -> np.ndarray:
            return -super().embed_query(text)

    few = [Draft(f"more{n}", content=f"What is an animal of no kind, and why is a heron or badger? {n}".encode()) for n in range(20)]
    woods.ingest(*few)
    woods.reader.follow()
    view = woods.reader.view()
    refresh(woods.store.canaries, view, Blind(), Questions(), NOW)
    born = woods.store.canaries.all() + woods.store.canaries.refused()
    assert born
    assert all(canary.birth_rank == ask(view, Blind(), Questions(), canary).rank for canary in born)
    before = len(born)
    refresh(woods.store.canaries, view, Blind(), Questions(), NOW)
    assert len(woods.store.canaries.all() + woods.store.canaries.refused()) == before


@pytest.mark.thorough
def test_a_changed_document_is_unmeasured_not_missed_and_its_canary_is_replaced(woods: Bench):
    canaries = refreshed(woods)
    woods.put("heron", text_of("pelican"))
    woods.delete("badger")
    taken, stale = asked(woods, canaries)
    ranks = {canary.doc_id: rank for canary, rank in zip(canaries, taken.ranks, strict=True)}
    assert {doc_id for doc_id, rank in ranks.items() if isnan(rank)} == {"heron", "badger"}
    assert len(stale) == 2
    assert "What is a pelican?" in {canary.question for canary in refreshed(woods)}
    assert not {"What is a heron?", "What is a badger?"} & {canary.question for canary in refreshed(woods)}


def test_a_passage_that_is_there_and_not_found_is_a_miss(woods: Bench):
    lost = Canary("lost", "xylophone zeppelin", "stoat", "A stoat is a shy animal of the stoat woods.", "terms", "h", NOW)
    woods.ingest(*(Draft(f"x{n}", content=f"xylophone zeppelin number {n}".encode()) for n in range(12)))
    found = ask(woods.reader.view(), woods.embedder, Questions(), lost)
    assert (found.rank, found.stale) == (0.0, False)


def test_an_embedder_that_fails_leaves_it_unmeasured(woods: Bench):
    canaries = refreshed(woods)

    class Broken(HashingEmbedder):
        def embed_query(self, text: str) -> np.ndarray:
            raise OSError("no model")

    taken, stale = run(woods.reader.view(), Broken(), Questions(), canaries, NOW)
    assert all(isnan(rank) for rank in taken.ranks)
    assert (mean_rank(taken), stale) == (None, [])


def test_a_question_is_embedded_once(woods: Bench):
    canaries, questions = refreshed(woods), Questions()
    texts: list[str] = []

    class Counting(HashingEmbedder):
        def embed_query(self, text: str) -> np.ndarray:
            texts.append(text)
            return super().embed_query(text)

    for _ in range(2):
        run(woods.reader.view(), Counting(), questions, canaries, NOW)
    assert sorted(texts) == sorted(canary.question for canary in canaries)


def test_a_run_ends_when_its_time_is_used_up(woods: Bench):
    taken, _ = run(woods.reader.view(), woods.embedder, Questions(), refreshed(woods), NOW, budget_s=0.0)
    assert len(taken.canaries) == len(taken.ranks) == 1


def test_an_empty_index_has_none(bench: Bench):
    assert refreshed(bench) == []
    assert mean_rank(asked(bench, [])[0]) is None


def test_the_passages_have_what_canaries_are_made_from(woods: Bench):
    found = woods.reader.view().passages_of(["heron", "unknown"], 500)
    [passage] = found["heron"]
    assert isinstance(passage, Chunk)
    assert (set(found), len(passage.text_hash)) == ({"heron"}, 32)
    assert woods.reader.view().passages_of([], 500) == {}
