"""Pages, one hit per document, neighbours, reasons and reranking, over a real index."""

from dataclasses import replace

import pytest

from index import filters
from index.documents import Draft
from index.errors import BadRequest, Conflict, Unavailable
from tasks.retrieve import Query, retrieve
from tests.bench import Bench, trusting_tools
from tests.fakes import HashingEmbedder, WordReranker

LONG = " ".join(f"word{n}" for n in range(180))
BOOK = "\n\n".join(f"# Chapter {n}\n\nApples of chapter {n} grow on trees. {LONG}." for n in range(160))


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A book of 160 passages, all of them about apples, and seven leaflets that say less of them."""
    embedder = HashingEmbedder()
    bench = Bench.open(tmp_path_factory.mktemp("shelf"), trusting_tools(embedder), embedder)
    bench.ingest(Draft("book", content=BOOK.encode(), media_type="text/markdown", metadata={"team": "red"}))
    bench.ingest(
        *(Draft(f"leaf{n}", content=f"Leaflet {n} tells of apples and of pears.".encode(), metadata={"team": "blue"}) for n in range(7))
    )
    return bench


def pages(bench: Bench, text: str, **query: object) -> list[list[str]]:
    found, place = [], None
    while True:
        reply = bench.search(text, place=place, **query)
        found.append([hit.chunk.chunk_id for hit in reply.hits])
        if (place := reply.next) is None:
            return found


@pytest.mark.parametrize("mode", ["hybrid", "vector", "text"])
@pytest.mark.parametrize("k", [9, 100])
@pytest.mark.thorough
def test_pages_neither_overlap_nor_leave_anything_out(shelf: Bench, mode: str, k: int):
    found = pages(shelf, "apples grow", mode=mode, k=k)
    ids = [chunk_id for page in found for chunk_id in page]
    assert len(ids) == len(set(ids)) == shelf.live.rows
    assert all(len(page) == k for page in found[:-1])


def test_scores_never_rise_from_page_to_page(shelf: Bench):
    scores, place = [], None
    for _ in range(8):
        reply = shelf.search("apples grow", k=20, place=place)
        scores += [hit.score for hit in reply.hits]
        place = reply.next
    assert scores == sorted(scores, reverse=True)


def test_the_shelf_has_more_passages_than_one_look_finds(shelf: Bench):
    assert shelf.live.rows >= 160


def test_pages_stay_on_their_release_while_others_come(bench: Bench):
    bench.ingest(*(Draft(f"d{n}", content=f"apples number {n}".encode()) for n in range(6)))
    first = bench.search("apples", k=3)
    bench.put("late", "apples apples apples")
    rest = bench.search("apples", k=3, place=first.next, release=first.release)
    assert {hit.chunk.doc_id for hit in (*first.hits, *rest.hits)} == {f"d{n}" for n in range(6)}


def test_a_deletion_of_what_was_shown_ends_the_pages_with_a_reason(bench: Bench):
    bench.ingest(*(Draft(f"d{n}", content=f"apples number {n}".encode()) for n in range(6)))
    first = bench.search("apples", k=3)
    bench.delete(first.hits[0].chunk.doc_id)
    with pytest.raises(Conflict, match="start again without a cursor"):
        bench.search("apples", k=3, place=first.next, release=first.release)


def test_nothing_comes_after_a_thousand_hits(shelf: Bench):
    first = shelf.search("apples", k=10).next
    assert first
    beyond = replace(first, skipped=1_000)
    with pytest.raises(Conflict):
        shelf.search("apples", place=beyond)


@pytest.mark.parametrize("mode", ["hybrid", "vector", "text"])
def test_one_hit_per_document_fills_the_page_though_one_document_has_all_the_best(shelf: Bench, mode: str):
    found = [hit.chunk.doc_id for hit in shelf.search("apples grow on trees", mode=mode, k=8, one_per_document=True).hits]
    assert sorted(found) == ["book", *(f"leaf{n}" for n in range(7))]
    assert [len(page) for page in pages(shelf, "apples grow", mode=mode, k=3, one_per_document=True)] == [3, 3, 2]


def test_neighbours_stand_before_and_after_in_the_order_of_the_document(shelf: Bench):
    reply = shelf.search("Apples of chapter 80", mode="text", k=3, neighbours=2)
    hit = next(hit for hit in reply.hits if "chapter 80" in hit.chunk.text)
    assert hit.around
    assert [chunk.ordinal - hit.chunk.ordinal for chunk in (*hit.around.before, *hit.around.after)] == [-2, -1, 1, 2]
    assert {chunk.doc_id for chunk in hit.around.before} == {"book"}
    with pytest.raises(BadRequest, match="neighbours must be from 0 to 5"):
        shelf.search("apples", neighbours=6)


def test_neighbours_obey_the_filter_of_the_key_too(shelf: Bench):
    view = shelf.reader.view()
    chunks = [hit.chunk for hit in shelf.search("apples", k=1, filter={"doc_id": "book"}).hits]
    [kept] = view.neighbours(chunks, 1, filters.parse({"metadata.team": "red"}))
    [none] = view.neighbours(chunks, 1, filters.parse({"metadata.team": "blue"}))
    assert kept.before or kept.after
    assert (none.before, none.after) == ((), ())


def test_a_score_is_explained_by_its_parts(shelf: Bench):
    reply = shelf.search("leaflet pears", k=4, explain=True, filter={"metadata.team": "blue"}, always={"source": "http"})
    for hit in reply.hits:
        assert hit.parts
        assert hit.parts.similarity == hit.similarity
        assert hit.score == hit.parts.fused == pytest.approx(0.5 * (hit.parts.vector_part or 0) + 0.5 * (hit.parts.text_part or 0))
    assert reply.hits[0].parts
    assert reply.hits[0].parts.vector_rank in range(1, 8)
    how = reply.explanation
    assert how
    assert (how.mode, how.rows, how.candidates, how.looks, how.uses_index) == ("hybrid", shelf.live.rows, 100, 1, False)
    assert how.filter == "metadata.team is 'blue' and the filter of your key holds"
    assert shelf.search("leaflet").explanation is None


def test_a_reranker_puts_the_candidates_in_its_order(shelf: Bench):
    query = Query("apples of chapter 77", k=3, rerank=50, mode="vector", explain=True)
    reply = retrieve(shelf.reader, shelf.embedder, query, WordReranker("77"))
    assert "chapter 77" in reply.hits[0].chunk.text
    assert reply.hits[0].parts
    assert reply.hits[0].parts.rerank == reply.hits[0].score == 1.0
    assert "rerank" in reply.timings_ms


def test_pages_of_a_reranked_search_neither_overlap_nor_leave_anything_out(shelf: Bench):
    ids: list[str] = []
    place = None
    while True:
        reply = retrieve(shelf.reader, shelf.embedder, Query("apples", k=30, rerank=50, place=place), WordReranker("12"))
        ids += [hit.chunk.chunk_id for hit in reply.hits]
        if (place := reply.next) is None:
            break
    assert len(ids) == len(set(ids)) == shelf.live.rows


def test_a_reranker_that_still_loads_is_told_and_stays_out_of_the_later_pages(shelf: Bench):
    first = shelf.search("apples", k=30, rerank=50)
    assert first.degraded == ("the reranker is still loading: the hits are not reranked",)
    second = retrieve(shelf.reader, shelf.embedder, Query("apples", k=30, rerank=50, place=first.next), WordReranker("12"))
    assert "rerank" not in second.timings_ms
    assert not {hit.chunk.chunk_id for hit in first.hits} & {hit.chunk.chunk_id for hit in second.hits}
    ready = retrieve(shelf.reader, shelf.embedder, Query("apples", k=30, rerank=50), WordReranker("12"))
    with pytest.raises(Unavailable):
        shelf.search("apples", k=30, rerank=50, place=ready.next)


def test_without_a_model_words_are_searched_and_the_reply_says_so(shelf: Bench):
    reply = retrieve(shelf.reader, None, Query("leaflet"))
    assert {hit.chunk.doc_id for hit in reply.hits} == {f"leaf{n}" for n in range(7)}
    assert reply.degraded == ("the embedding model is still loading: only words were searched",)
    with pytest.raises(Unavailable):
        retrieve(shelf.reader, None, Query("leaflet", mode="vector"))
    assert retrieve(shelf.reader, None, Query("leaflet", mode="text")).degraded == ()
