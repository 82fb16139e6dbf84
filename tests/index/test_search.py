"""Reading: one release at a time, followed as releases come; what is deleted is deleted everywhere."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from index.chunk_rows import Chunk
from index.documents import Draft
from index.errors import Conflict, NotFound, Unavailable
from index.reader import OPEN_VIEWS
from index.search import Candidate, View
from index.store import Store
from tests.bench import Bench, trusting_tools
from tests.fakes import HashingEmbedder

APPLES = "Apples grow on trees in the orchard."
PEARS = "Pears ripen late in the cellar."


@pytest.fixture(scope="module")
def fruit(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Two documents that no test changes, in release 2."""
    embedder = HashingEmbedder()
    bench = Bench.open(tmp_path_factory.mktemp("fruit"), trusting_tools(embedder), embedder)
    bench.ingest(Draft("apples", content=APPLES.encode()), Draft("pears", content=PEARS.encode()))
    return bench


def texts(bench: Bench, query: str, **facts: object) -> list[str]:
    return [hit.chunk.text for hit in bench.search(query, **facts).hits]


def shown(view: View, found: list[Candidate]) -> list[Chunk]:
    return view.chunks([candidate.row for candidate in found])


def test_before_the_first_release_there_is_nothing_to_serve(store: Store):
    with pytest.raises(Unavailable, match="no release yet"):
        store.reader().view()


def test_an_empty_index_serves_release_1_with_no_rows(bench: Bench):
    assert (bench.live.number, bench.live.rows) == (1, 0)
    for mode in ("vector", "text", "hybrid"):
        assert bench.search("apples", mode=mode).hits == ()


@pytest.mark.parametrize("mode", ["vector", "text", "hybrid"])
def test_each_mode_finds_the_passage_that_answers(fruit: Bench, mode: str):
    assert fruit.found("where do apples grow", mode=mode)[0] == "apples"
    assert fruit.found("late pears", mode=mode)[0] == "pears"


def test_similarity_is_the_cosine(bench: Bench):
    bench.put("apples", "apples grow")
    [candidate] = bench.reader.view().by_vector(bench.embedder.embed_query("apples grow"), 5, None)
    assert candidate.score == pytest.approx(1.0, abs=1e-3)  # stored at 16 bits a number
    [candidate] = bench.reader.view().by_vector(bench.embedder.embed_query("apples fall"), 5, None)
    assert candidate.score == pytest.approx(0.5, abs=0.02)


def test_full_text_finds_other_forms_of_a_word_and_nothing_without_one(fruit: Bench):
    view = fruit.reader.view()
    assert [chunk.doc_id for chunk in shown(view, view.by_text("growing", 5, None))] == ["apples"]
    assert view.by_text("bananas", 5, None) == []
    assert view.by_text("the", 5, None) == []


@pytest.mark.parametrize(
    "text", ['"', "+apples -orchard", "apples AND", "text:apples", "apples~2 *", "(", "\\", "é😀", "'; --", "apples^2"]
)
def test_nothing_in_a_question_is_query_syntax(fruit: Bench, text: str):
    view = fruit.reader.view()
    assert {chunk.doc_id for chunk in shown(view, view.by_text(text, 5, None))} == ({"apples"} if "apples" in text else set())


def test_exact_search_gives_the_same_hits_while_there_is_no_vector_index(bench: Bench):
    bench.ingest(*(Draft(f"d{i}", content=f"apples number {i} of the orchard".encode()) for i in range(20)))
    assert bench.search("apples number 7", mode="vector", exact=True).hits == bench.search("apples number 7", mode="vector").hits


def test_a_hit_carries_all_that_is_shown(bench: Bench):
    facts = {"media_type": "text/markdown", "source": "notes", "uri": "file:///a.md", "metadata": {"year": 2024}}
    bench.put("notes:a.md", "# Fruit\n\nApples grow here.", **facts)
    chunk = bench.search("apples").hits[0].chunk
    assert (chunk.doc_id, chunk.title, chunk.uri, chunk.source) == ("notes:a.md", "Fruit", "file:///a.md", "notes")
    assert (chunk.heading, chunk.metadata, chunk.media_type) == (("Fruit",), {"year": 2024}, "text/markdown")


def test_a_reader_sees_a_new_release_when_it_follows(bench: Bench):
    reader = bench.reader
    bench.store.inbox.accept([Draft("apples", content=APPLES.encode())])
    bench.publisher.take_over()
    assert not reader.follow()
    bench.drain()
    assert reader.view().release.number == 2
    assert not reader.follow()


def test_a_named_release_shows_the_text_of_then(bench: Bench):
    bench.put("fruit", APPLES)
    bench.put("fruit", PEARS)
    assert texts(bench, "fruit", release=2) == [APPLES]
    assert texts(bench, "fruit", release=3) == texts(bench, "fruit") == [PEARS]
    assert texts(bench, "fruit", release=1) == []


@pytest.mark.thorough
def test_a_pinned_index_shows_the_pinned_release_until_it_resumes(bench: Bench):
    bench.put("fruit", APPLES)
    bench.put("fruit", PEARS)
    bench.store.log.append("rolled_back", 2, "admin")
    assert texts(bench, "fruit") == [APPLES]
    bench.put("more", "Bananas are yellow.")
    assert bench.live.number == 2
    assert texts(bench, "fruit") == [APPLES]
    bench.store.log.append("resumed", 0, "admin")
    assert bench.found("bananas pears")[:2] == ["more", "fruit"]


def test_an_unknown_release_is_not_found(fruit: Bench):
    with pytest.raises(NotFound, match="no release 7"):
        fruit.reader.view(7)


def test_a_reclaimed_release_is_a_conflict_even_while_it_is_still_open(bench: Bench):
    bench.put("fruit", APPLES)
    bench.reader.view(1)
    bench.store.log.append("reclaimed", 0, "maintain", detail={"releases": [1]})
    bench.reader.follow()
    with pytest.raises(Conflict, match="release 1 was reclaimed"):
        bench.reader.view(1)


@pytest.mark.thorough
def test_a_deleted_document_is_gone_from_every_release_at_once(bench: Bench):
    bench.put("apples", APPLES)
    bench.put("pears", PEARS)
    bench.reader.view(2)
    bench.delete("apples")
    for release in (None, 1, 2, 3, 4):
        for mode in ("vector", "text", "hybrid"):
            assert "apples" not in bench.found("apples", release=release, mode=mode)
        assert bench.reader.view(release).chunks_of("apples") == []
    assert bench.found("pears", release=3) == ["pears"]


def test_a_deleted_document_is_gone_from_the_pinned_release_too(bench: Bench):
    bench.put("apples", APPLES)
    bench.store.log.append("rolled_back", 2, "admin")
    assert bench.found("apples") == ["apples"]
    bench.delete("apples")
    assert bench.live.number == 2
    assert bench.found("apples") == []


def test_a_document_that_comes_back_does_not_revive_its_old_text(bench: Bench):
    bench.put("fruit", APPLES)
    bench.delete("fruit")
    bench.put("fruit", PEARS)
    assert texts(bench, "fruit") == [PEARS]
    for release in (1, 2, 3):
        assert texts(bench, "fruit", release=release) == []


def test_deleted_and_brought_back_in_one_batch_does_not_revive_the_old_text(bench: Bench):
    bench.put("fruit", APPLES)
    bench.ingest(Draft("fruit", "delete"), Draft("fruit", content=PEARS.encode()))
    assert texts(bench, "fruit") == [PEARS]
    assert texts(bench, "fruit", release=2) == []


def test_a_hostile_id_is_hidden_like_any_other(bench: Bench):
    hostile = ["\\' OR 1=1 --", "''", "it's"]
    bench.ingest(*(Draft(doc_id, content=f"{APPLES} {number}".encode()) for number, doc_id in enumerate([*hostile, "apples"])))
    assert sorted(bench.found("apples")) == sorted([*hostile, "apples"])
    bench.ingest(*(Draft(doc_id, "delete") for doc_id in hostile))
    assert bench.found("apples", release=2) == bench.found("apples") == ["apples"]


def test_a_search_that_has_begun_ends_on_its_release(bench: Bench):
    bench.put("fruit", APPLES)
    view = bench.reader.view()
    bench.put("fruit", PEARS)
    assert [chunk.text for chunk in shown(view, view.by_text("apples", 5, None))] == [APPLES]
    assert view.release.number == 2


def test_passages_of_a_document_come_in_order(bench: Bench):
    paragraphs = [f"Paragraph {i} " + "word " * 150 for i in range(4)]
    bench.put("long", "\n\n".join(paragraphs))
    chunks = bench.reader.view().chunks_of("long")
    assert [chunk.ordinal for chunk in chunks] == [0, 1, 2, 3]
    assert [chunk.text[:11] for chunk in chunks] == ["Paragraph 0", "Paragraph 1", "Paragraph 2", "Paragraph 3"]
    assert bench.reader.view().chunks_of("missing") == []


@pytest.mark.thorough
def test_more_releases_than_are_kept_open_can_be_searched(bench: Bench):
    bench.put("fruit", APPLES)
    bench.put("fruit", PEARS)
    facts = {name: getattr(bench.live, name) for name in ("generation", "version", "ledger_version", "rows", "embedder", "dimensions")}
    for release in range(4, OPEN_VIEWS + 4):
        bench.store.log.append("released", release, "test", detail=facts)
    for release in [*range(2, OPEN_VIEWS + 4), 2]:
        assert texts(bench, "fruit", release=release) == [APPLES if release == 2 else PEARS]


@pytest.mark.thorough
def test_threads_share_a_reader_while_releases_come(bench: Bench):
    bench.put("apples", APPLES)

    def search(turn: int) -> list[str]:
        return bench.found("apples orchard", release=2 if turn % 2 else None, mode="text")

    with ThreadPoolExecutor(3) as pool:
        searches = [pool.submit(search, turn) for turn in range(30)]
        for i in range(3):
            bench.put(f"pears {i}", PEARS)
        assert {tuple(searched.result()) for searched in searches} == {("apples",)}
