"""A rebuild: another generation from stored text, served when it shows all that the live one does."""

from dataclasses import replace

import pytest

from index.documents import Draft
from index.errors import BatchFailed
from index.policy import IndexPolicy
from index.releases import Release
from index.vector_index import stored_bytes
from index.vectors import FULL_PRECISION
from tasks.chunk import Chunker
from tasks.prepare import Tools
from tasks.publish import Publisher
from tasks.rebuild import Rebuild
from tasks.validate import Failure
from tests.bench import Bench
from tests.fakes import TrustingContract

LONG = "\n\n".join(
    f"Paragraph {number} tells of the {name} in the old orchard by the river." * 3
    for number, name in enumerate(("apples", "pears", "plums"))
)
SHORT = "The ferry leaves at nine."


def shorter(bench: Bench) -> Tools:
    """The same tools, but passages of at most 64 tokens."""
    return replace(bench.tools, chunker=Chunker(bench.embedder.tokenizer(), 64))


def reopened(bench: Bench, tools: Tools) -> Rebuild:
    """The rebuild as an ingester with these tools begins it, or goes on with it."""
    publisher = Publisher(bench.store, bench.tools)
    publisher.take_over()
    return Rebuild(bench.store, publisher, tools)


def finished(rebuild: Rebuild) -> Release:
    for _ in range(50):
        if rebuild.step(1.0):
            return rebuild.serve({})
    raise AssertionError("the rebuild does not come to an end")


def passages(bench: Bench, doc_id: str, release: int | None = None) -> list[str]:
    bench.reader.follow()
    return [chunk.text for chunk in bench.reader.view(release).chunks_of(doc_id)]


@pytest.mark.thorough
def test_a_changed_chunker_cuts_stored_text_anew_and_embeds_only_what_is_new(bench: Bench):
    bench.put("long", LONG)
    bench.put("short", SHORT)
    before = bench.live
    for digest in bench.store.originals.hashes():
        bench.store.originals.drop(digest)
    bench.embedder.embedded.clear()
    release = finished(reopened(bench, shorter(bench)))
    assert len(passages(bench, "long", before.number)) == 1
    assert len(passages(bench, "long")) == 3
    assert passages(bench, "short") == [SHORT]
    assert sorted(bench.embedder.embedded) == sorted(passages(bench, "long"))
    assert (bench.live.number, bench.live.rows, bench.live.generation != before.generation) == (release.number, 4, True)
    assert bench.found("plums")[0] == "long"


@pytest.mark.thorough
def test_another_precision_is_another_generation_for_which_nothing_is_embedded(bench: Bench):
    bench.put("short", SHORT)
    bench.embedder.embedded.clear()
    full = replace(bench.tools, vector_bits=FULL_PRECISION)
    release = finished(reopened(bench, full))
    assert (release.generation, bench.embedder.embedded) == (full.generation, [])
    assert stored_bytes(bench.reader.view(release.number - 1).vector_column) == 2 * bench.embedder.dimensions
    assert bench.found("ferry") == ["short"]
    assert stored_bytes(bench.reader.view().vector_column) == 4 * bench.embedder.dimensions


@pytest.mark.thorough
def test_the_ledger_counts_the_passages_of_the_new_generation(bench: Bench):
    bench.put("long", LONG)
    finished(reopened(bench, shorter(bench)))
    entry = bench.store.ledger.get(["long"], with_text=True)["long"]
    assert (entry.chunks, entry.text, entry.state) == (3, LONG, "indexed")


@pytest.mark.thorough
def test_what_changes_meanwhile_is_in_the_new_generation(bench: Bench):
    tools = shorter(bench)
    for name in ("kept", "changed", "removed"):
        bench.put(name, f"{name} {LONG}")
    rebuild = reopened(bench, tools)
    rebuild.step(1.0)
    meanwhile = replace(bench, publisher=rebuild.publisher, tools=tools)
    meanwhile.put("changed", SHORT)
    meanwhile.delete("removed")
    meanwhile.put("new", "New words about the harbour.")
    finished(rebuild)
    assert passages(bench, "changed") == [SHORT]
    assert passages(bench, "removed") == []
    assert passages(bench, "new") == ["New words about the harbour."]
    assert len(passages(bench, "kept")) == 3
    assert bench.live.rows == 5


@pytest.mark.thorough
def test_it_goes_on_where_it_was_after_a_kill(bench: Bench):
    tools = shorter(bench)
    bench.ingest(*(Draft(f"{number}", content=f"Story {number}. {LONG}".encode()) for number in range(10)))
    rebuild = reopened(bench, tools)
    rebuild.step(1.0)
    done = len(bench.embedder.embedded)
    finished(reopened(bench, tools))
    assert len(set(bench.embedder.embedded)) == len(bench.embedder.embedded)
    assert done > 10
    assert [len(passages(bench, f"{number}")) for number in range(10)] == [3] * 10
    assert bench.live.rows == 30


@pytest.mark.thorough
def test_a_generation_that_served_before_is_brought_up_to_date(bench: Bench):
    bench.put("gone", LONG)
    bench.put("stays", SHORT)
    first = bench.live
    rebuild = reopened(bench, shorter(bench))
    finished(rebuild)
    replace(bench, publisher=rebuild.publisher, tools=rebuild.tools).delete("gone")
    finished(reopened(bench, bench.tools))
    assert passages(bench, "stays") == [SHORT]
    assert (bench.live.generation, bench.live.rows) == (first.generation, 1)


@pytest.mark.thorough
def test_pages_titles_and_metadata_stay_even_when_a_newer_revision_is_in_quarantine(bench: Bench):
    bench.ingest(Draft("a", media_type="text/markdown", content=f"# Fruit\n\n{LONG}".encode(), title="Fruit", metadata={"year": 2024}))
    bench.ingest(Draft("a", media_type="application/pdf", content=b"%PDF broken", title="Broken", metadata={"year": 2025}))
    assert bench.store.ledger.get(["a"])["a"].state == "quarantined"
    before = bench.reader.view().chunks_of("a")[0]
    finished(reopened(bench, shorter(bench)))
    bench.reader.follow()
    chunks = bench.reader.view().chunks_of("a")
    assert len(chunks) > 1
    assert {(chunk.title, chunk.metadata["year"], chunk.heading, chunk.media_type) for chunk in chunks} == {
        ("Fruit", 2024, before.heading, "text/markdown")
    }


@pytest.mark.thorough
def test_an_alias_stays_one(bench: Bench):
    bench.put("first", LONG)
    bench.put("second", LONG + " Indeed.")
    finished(reopened(bench, shorter(bench)))
    assert {chunk.duplicate_of for chunk in bench.reader.view().chunks_of("second")} == {"first"}
    assert set(bench.found("plums orchard")) == {"first"}


@pytest.mark.thorough
def test_a_large_generation_has_its_vector_index_before_it_is_served(bench: Bench):
    bench.put("long", LONG)
    bench.put("short", SHORT)
    rebuild = reopened(bench, shorter(bench))
    rebuild.policy = IndexPolicy(flat_below=4, partitions=2)
    release = finished(rebuild)
    bench.reader.follow()
    index = bench.reader.view().vector_index
    assert index is not None
    assert (bench.live.number, index.indexed, index.unindexed) == (release.number, 4, 0)
    assert bench.live.search["nprobes"] > 0


class FindsFaultWithVectors(TrustingContract):
    def vectors(self, owners, vectors):
        return [Failure(owner, "norm") for owner in owners]


def test_a_passage_that_breaks_the_contract_stops_it_and_the_live_generation_stays(bench: Bench):
    bench.put("long", LONG)
    before = bench.live
    rebuild = reopened(bench, replace(shorter(bench), contract=FindsFaultWithVectors(64, 256)))
    with pytest.raises(BatchFailed, match="'long' breaks the data contract: norm"):
        rebuild.step(1.0)
    bench.reader.follow()
    assert bench.live == before


@pytest.mark.thorough
def test_it_comes_to_an_end_though_a_document_comes_after_each_step_that_has_no_time_left(bench: Bench):
    for number in range(40):
        bench.accept(Draft(f"d/{number}", content=f"Report {number} of the ferry.".encode()))
    bench.drain()
    rebuild = Rebuild(bench.store, bench.publisher, shorter(bench))
    for number in range(10):
        if rebuild.step(0.0):
            break
        bench.put(f"new/{number}", f"News {number} from the harbour.")
    assert number < 9
    assert rebuild.serve({}).rows == 40 + number
