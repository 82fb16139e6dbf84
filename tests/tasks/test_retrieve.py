"""Retrieval: what may be asked, what comes back, and what a key may see."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from index import filters
from index.documents import Draft
from index.embedder import Vectors
from index.errors import BadRequest, Conflict
from tasks.publish import Publisher
from tasks.retrieve import MAX_K, MAX_QUERY_CHARACTERS, Query, retrieve
from tests.bench import Bench, trusting_tools
from tests.fakes import HashingEmbedder


@pytest.fixture(scope="module")
def orchard(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Three documents that no test changes."""
    embedder = HashingEmbedder()
    bench = Bench.open(tmp_path_factory.mktemp("orchard"), trusting_tools(embedder), embedder)
    bench.ingest(
        Draft("apples", content=b"Apples grow on trees in the orchard.", metadata={"kind": "fruit", "year": 2024}),
        Draft("pears", content=b"Pears grow on trees by the wall.", metadata={"kind": "fruit", "year": 2020}),
        Draft("carrots", content=b"Carrots grow in the ground.", metadata={"kind": "root"}, source="garden"),
    )
    return bench


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"text": ""}, "query is empty: ask something"),
        ({"text": " \n "}, "query is empty"),
        ({"text": "x" * (MAX_QUERY_CHARACTERS + 1)}, "query has 8001 characters; at most 8000 are taken"),
        ({"text": "apples", "k": 0}, "k must be from 1 to 1000"),
        ({"text": "apples", "k": MAX_K + 1}, "k must be from 1 to 1000"),
        ({"text": "apples", "filter": {"colour": "red"}}, "unknown field 'colour'"),
        (
            {"text": "apples", "filter": {"metadata.colour": "red"}},
            "it knows kind, year",
        ),
    ],
)
@pytest.mark.thorough
def test_what_can_not_be_searched_is_refused_with_the_reason(orchard: Bench, query: dict[str, Any], reason: str):
    with pytest.raises(BadRequest) as refusal:
        orchard.search(**query)
    assert reason in str(refusal.value)


@pytest.mark.parametrize("mode", ["vector", "text", "hybrid"])
def test_hits_come_best_first_and_not_more_than_asked_for(orchard: Bench, mode: str):
    hits = orchard.search("apples grow on trees", mode=mode).hits
    assert hits[0].chunk.doc_id == "apples"
    assert all(better.score >= worse.score for better, worse in pairwise(hits))
    assert orchard.search("apples grow on trees", mode=mode, k=2).hits == hits[:2]


def test_equal_hits_always_come_in_the_same_order(bench: Bench):
    bench.ingest(*(Draft(f"d{i}", content=b"the same words") for i in range(8)))
    ids = [hit.chunk.chunk_id for hit in bench.search("same words", mode="vector").hits]
    assert ids == sorted(ids)


def test_the_reply_names_its_release_and_its_time(orchard: Bench):
    found = orchard.search("apples")
    assert (found.release, found.as_of, found.degraded) == (2, orchard.live.created_at, ())
    assert set(found.timings_ms) == {"embed", "search", "read", "total"}
    assert found.timings_ms["total"] >= found.timings_ms["search"]
    assert all(round(ms, 2) == ms for ms in found.timings_ms.values())


def test_a_caller_can_insist_on_a_release_that_is_new_enough(orchard: Bench):
    assert orchard.search("apples", min_release=2).release == 2
    with pytest.raises(Conflict, match="release 2 is served, older than min_release 3; try again shortly"):
        orchard.search("apples", min_release=3)


def test_a_filter_narrows_every_mode(orchard: Bench):
    for mode in ("vector", "text", "hybrid"):
        assert orchard.found("what grows", mode=mode, filter={"metadata.year": {"gte": 2021}}) == ["apples"]
        assert orchard.found("what grows", mode=mode, filter={"source": "garden"}) == ["carrots"]
    assert orchard.found("what grows", filter={"doc_id": {"in": ["pears", "carrots"]}, "metadata.kind": "fruit"}) == ["pears"]


@pytest.mark.thorough
def test_a_filter_comes_before_the_ranking_so_that_k_hits_remain(bench: Bench):
    bench.ingest(*(Draft(f"d{i:03d}", content=f"apples apples {i}".encode(), metadata={"rare": i % 50 == 0}) for i in range(150)))
    assert sorted(bench.found("apples", k=3, filter={"metadata.rare": True})) == ["d000", "d050", "d100"]


def test_what_a_key_always_filters_can_not_be_widened(orchard: Bench):
    always = {"metadata.kind": "fruit"}
    assert sorted(orchard.found("what grows", always=always)) == ["apples", "pears"]
    assert orchard.found("what grows", always=always, filter={"source": "garden"}) == []
    assert orchard.found("what grows", always=always, filter={"doc_id": "x' OR doc_id IS NOT NULL --"}) == []
    assert orchard.found("what grows", always=always, filter={"doc_id": "\\' OR doc_id IS NOT NULL) OR (1=1 OR doc_id = '"}) == []


def test_a_key_may_filter_on_a_field_that_no_document_has_yet(orchard: Bench):
    assert orchard.found("what grows", always={"metadata.team": "a"}) == []


class MuteEmbedder(HashingEmbedder):
    """Can't embed."""

    def embed_query(self, text: str) -> Vectors:
        raise AssertionError(f"nobody needs the vector of {text!r}")


def test_text_mode_needs_no_vector(orchard: Bench):
    found = retrieve(orchard.reader, MuteEmbedder(), Query("apples", mode="text"))
    assert [hit.chunk.doc_id for hit in found.hits] == ["apples"]


def test_a_filter_on_metadata_is_answered_by_an_index_before_and_after_folding(bench: Bench):
    for colour in ("red", "green"):
        bench.put(colour, f"apples are {colour}", metadata={"colour": colour})
    for fold in (bench.publisher.table.fold, lambda: None):
        fold()
        bench.publisher.publish_maintenance()
        bench.reader.follow()
        assert bench.found("apples", filter={"metadata.colour": "red"}) == ["red"]
        bench.put("late", "apples are late", metadata={"colour": "late"})
        assert bench.found("apples", filter={"metadata.colour": "late"}) == ["late"]
    dataset = bench.store.db.open_table(f"chunks_{bench.live.generation}").to_lance()
    condition = filters.condition(filters.parse({"metadata.colour": "red"}), [], with_facets=True)
    assert "ScalarIndexQuery" in dataset.scanner(filter=condition).explain_plan()


@pytest.mark.thorough
def test_a_table_of_earlier_code_without_facets_is_written_and_filtered_all_the_same(bench: Bench):
    bench.store.db.open_table(f"chunks_{bench.live.generation}").drop_columns(["facets"])
    bench.publisher.publish_maintenance()
    publisher = Publisher(bench.store, bench.tools)
    publisher.take_over()
    reader = bench.store.reader()
    older = replace(bench, publisher=publisher, reader=reader)
    older.put("red", "apples are red", metadata={"colour": "red"})
    older.put("green", "apples are green", metadata={"colour": "green"})
    assert not reader.view().has_facets
    older.put("both", "apples are both", metadata={"colour": ["red", "green"], "of": {"tree": "old"}})
    assert older.found("apples", filter={"metadata.colour": "red"}) == ["red", "both"]
    assert older.found("apples", filter={"metadata.of.tree": {"gte": "old"}}) == ["both"]
