"""Aliases: documents that say the same fill the results once, and nothing is lost when one of them goes."""

from dataclasses import replace

import pytest

from index.documents import Draft
from tasks.batch import run_batch
from tasks.publish import Publisher

ONE = (
    "The great copper mine of Falun was worked for about a thousand years and gave most of the copper that Europe used in its time. "
    "One summer the middle of the mountain fell in, on a day when nobody was at work, and left the great pit that visitors see today."
)
SAME = ONE.upper().replace(".", "!")
NEAR = ONE.replace("visitors see", "tourists see")
OTHER = "Silver was found at Sala, where a queen once came to look at the deep shafts and the people who worked in them all day."


def standing(bench) -> dict[str, tuple[str, str | None]]:
    return {entry.doc_id: (entry.state, entry.duplicate_of) for entry in bench.store.ledger.page(None, "", 100)}


@pytest.fixture
def folded(bench):
    """`a` is canonical; `b` and `c` stand for it."""
    bench.ingest(Draft("a", content=ONE.encode(), uri="file:///a"), Draft("z", content=OTHER.encode()))
    bench.ingest(
        Draft("b", content=SAME.encode(), uri="file:///b", metadata={"team": "red"}), Draft("c", content=NEAR.encode(), uri="file:///c")
    )
    return bench


def test_a_document_that_says_the_same_becomes_an_alias_and_fills_the_results_once(folded):
    assert standing(folded) == {"a": ("indexed", None), "b": ("duplicate", "a"), "c": ("duplicate", "a"), "z": ("indexed", None)}
    assert folded.found("copper mine of Falun") == ["a", "z"]
    assert folded.live.aliases == 2


def test_within_one_batch_the_first_is_canonical(bench):
    outcome = bench.ingest(*(Draft(doc_id, content=ONE.encode()) for doc_id in ("x", "b", "a")))
    assert standing(bench) == {"a": ("duplicate", "x"), "b": ("duplicate", "x"), "x": ("indexed", None)}
    assert outcome.duplicates == 2


def test_an_alias_is_found_under_its_own_id_and_cited_with_its_own_uri(folded):
    [hit] = folded.search("copper mine", filter={"doc_id": "b"}).hits
    assert (hit.chunk.doc_id, hit.chunk.uri, hit.chunk.text) == ("b", "file:///b", SAME)


def test_a_filter_that_only_the_alias_passes_finds_it_and_one_that_several_pass_finds_one(folded):
    assert folded.found("copper mine", filter={"metadata.team": "red"}) == ["b"]
    assert len(folded.found("copper mine", filter={"doc_id": {"in": ["a", "b", "c"]}})) == 1
    assert folded.found("copper mine", always={"doc_id": "c"}) == ["c"]


@pytest.mark.parametrize("change", ["deleted", "changed"])
@pytest.mark.thorough
def test_when_the_canonical_document_goes_or_changes_an_alias_takes_its_place(folded, change):
    folded.delete("a") if change == "deleted" else folded.put("a", OTHER + " Long ago.")
    states = standing(folded)
    assert {states["b"], states["c"]} == {("indexed", None), ("duplicate", "b")} or {states["b"], states["c"]} == {
        ("duplicate", "c"),
        ("indexed", None),
    }
    assert len([doc_id for doc_id in folded.found("great copper mine of Falun") if doc_id in ("b", "c")]) == 1
    assert folded.live.aliases == (1 if change == "deleted" else 1 + (states["a"][0] == "duplicate"))


@pytest.mark.thorough
def test_an_alias_keeps_its_revision_and_release_when_it_takes_the_place(folded):
    before = folded.store.ledger.get(["b", "c"])
    folded.delete("a")
    after = folded.store.ledger.get(["b", "c"])
    assert {doc_id: (entry.revision, entry.release) for doc_id, entry in before.items()} == {
        doc_id: (entry.revision, entry.release) for doc_id, entry in after.items()
    }


@pytest.mark.thorough
def test_a_small_change_of_the_canonical_document_keeps_its_aliases(folded):
    folded.put("a", ONE + " Indeed.")
    assert standing(folded)["b"] == ("duplicate", "a")
    assert folded.found("great copper mine of Falun") == ["a", "z"]


@pytest.mark.thorough
def test_an_alias_that_changes_stands_for_itself_and_can_come_back(folded):
    folded.put("b", "Something else is written here now, about nothing that has to do with metals at all.")
    assert standing(folded)["b"] == ("indexed", None)
    folded.put("b", SAME)
    assert standing(folded)["b"] == ("duplicate", "a")
    assert folded.live.aliases == 2


@pytest.mark.thorough
def test_a_canonical_document_that_becomes_an_alias_takes_its_aliases_along(folded):
    folded.put("a", OTHER)
    states = standing(folded)
    assert states["a"] == ("duplicate", "z")
    assert sorted([states["b"][0], states["c"][0]]) == ["duplicate", "indexed"]


@pytest.mark.thorough
def test_a_deleted_canonical_document_is_replaced_in_older_releases_too(folded):
    before = folded.live.number
    folded.delete("a")
    assert len(folded.found("great copper mine of Falun", release=before)) == 2
    assert "a" not in folded.found("great copper mine of Falun", release=before)


@pytest.mark.thorough
def test_deleting_all_of_them_leaves_nothing(folded):
    folded.ingest(*(Draft(doc_id, "delete") for doc_id in ("a", "b", "c")))
    assert folded.found("great copper mine of Falun") == ["z"]
    assert folded.live.aliases == 0


@pytest.mark.thorough
def test_a_failed_revision_of_an_alias_leaves_it_an_alias(folded):
    folded.ingest(Draft("b", content=b"\x00", media_type="text/plain"))
    assert standing(folded)["b"] == ("quarantined", "a")
    assert folded.found("great copper mine of Falun") == ["a", "z"]
    folded.delete("a")
    assert len({"b", "c"} & set(folded.found("great copper mine of Falun"))) == 1


def test_an_ingester_that_starts_again_knows_the_documents_from_before(folded, tmp_path):
    publisher = Publisher(folded.store, folded.tools)
    publisher.take_over()
    run_batch(folded.store, publisher, folded.tools, folded.accept(Draft("d", content=NEAR.encode())))
    assert standing(folded)["d"] == ("duplicate", "a")


def test_nothing_is_folded_when_the_threshold_is_zero(bench):
    writes = bench.accept(Draft("a", content=ONE.encode()), Draft("b", content=ONE.encode()))
    run_batch(bench.store, bench.publisher, replace(bench.tools, near_duplicate=0), writes)
    assert sorted(bench.found("great copper mine of Falun")) == ["a", "b"]


def test_an_equal_text_is_embedded_once(bench):
    bench.put("a", ONE)
    assert bench.put("b", ONE).embedded == 0


@pytest.mark.thorough
def test_an_alias_whose_new_revision_fails_while_its_canonical_document_goes_takes_the_place(bench):
    bench.put("a", ONE)
    bench.put("b", SAME)
    bench.ingest(Draft("a", "delete"), Draft("b", content=b"\x00"))
    assert standing(bench) == {"a": ("deleted", None), "b": ("quarantined", None)}
    entry = bench.store.ledger.get(["b"], with_text=True)["b"]
    assert (entry.chunks, entry.text, entry.is_canonical) == (1, SAME, True)
    assert bench.found("great copper mine of Falun") == ["b"]
