"""The vector index: made when the policy asks for it, searched with settings that are kept in the release."""

from dataclasses import replace

import numpy as np
import pytest
from lancedb.table import LanceTable

from evals import dataset
from evals.recall import golden_questions, known_items, measure, probe, questions
from evals.tune import check
from index import vector_index
from index.documents import Draft
from index.policy import IndexPolicy, SearchSettings
from index.search import View
from index.vectors import Vectors
from tasks.fold import fold, indexes_of
from tasks.reindex import reindex, train
from tests.bench import Bench

POLICY = IndexPolicy(flat_below=300, partitions=8)
NAMES = ["apple", "pear", "plum", "fig", "quince", "medlar", "cherry", "lemon", "orange", "grape"]


@pytest.fixture
def orchard(bench: Bench) -> Bench:
    """400 passages of a few words each."""
    rng = np.random.default_rng(1)
    fruit = [" and ".join(rng.choice(NAMES, 4)) for _ in range(400)]
    texts = [f"Tree {number} bears {names} in row {number % 17}." for number, names in enumerate(fruit)]
    bench.ingest(*(Draft(f"d{number}", content=text.encode()) for number, text in enumerate(texts)))
    return bench


def published(bench: Bench) -> None:
    assert bench.publisher.publish_maintenance()
    bench.reader.follow()


def test_few_rows_get_no_index(bench: Bench):
    bench.put("a", "Some text.")
    assert reindex(bench.store, bench.publisher.table, POLICY) is None
    assert bench.reader.view().vector_index is None


@pytest.mark.thorough
def test_many_rows_get_one_and_the_release_says_how_it_is_searched(orchard: Bench):
    shape = reindex(orchard.store, orchard.publisher.table, POLICY)
    assert shape is not None
    assert (shape.partitions, shape.rows) == (8, 400)
    published(orchard)
    view = orchard.reader.view()
    assert view.vector_index is not None
    assert (view.vector_index.partitions, view.vector_index.indexed, view.vector_index.unindexed) == (8, 400, 0)
    assert view.settings == SearchSettings(view.release.search["nprobes"], view.release.search["refine_factor"])
    assert reindex(orchard.store, orchard.publisher.table, POLICY) is None


@pytest.mark.thorough
def test_searches_stay_on_the_old_release_until_the_index_of_the_new_one_is_in_memory(orchard: Bench, monkeypatch: pytest.MonkeyPatch):
    before = orchard.live.number
    reindex(orchard.store, orchard.publisher.table, POLICY)
    assert orchard.publisher.publish_maintenance()
    searched: list[int] = []
    monkeypatch.setattr(View, "prewarm", lambda _: searched.append(orchard.reader.view().release.number))
    orchard.reader.follow()
    assert searched == [before]
    assert orchard.live.number == before + 1
    orchard.put("new", "A walnut stands alone by the gate.")
    assert searched == [before]  # the index is as it was: nothing to load


@pytest.mark.thorough
def test_a_document_that_comes_after_the_index_is_found_before_and_after_folding(orchard: Bench):
    reindex(orchard.store, orchard.publisher.table, POLICY)
    orchard.put("new", "A walnut stands alone by the gate.")
    assert orchard.found("walnut by the gate", mode="vector")[0] == "new"
    orchard.publisher.table.fold()
    published(orchard)
    view = orchard.reader.view()
    assert view.vector_index is not None
    assert (view.vector_index.indexed, view.vector_index.unindexed) == (401, 0)
    assert orchard.found("walnut by the gate", mode="vector")[0] == "new"


@pytest.mark.thorough
def test_an_index_is_made_while_batches_come_and_holds_what_was_there_before_it(orchard: Bench, monkeypatch: pytest.MonkeyPatch):
    build = vector_index.build

    def with_batches_before_the_commit(table: LanceTable, centres: Vectors, bits: int) -> None:
        held = table.to_lance()
        orchard.put("late", "A walnut stands alone by the gate.")
        orchard.delete("d7")
        monkeypatch.setattr(type(table), "to_lance", lambda _: held)
        build(table, centres, bits)
        monkeypatch.undo()

    monkeypatch.setattr(vector_index, "build", with_batches_before_the_commit)
    assert reindex(orchard.store, orchard.publisher.table, POLICY) is not None
    published(orchard)
    index = orchard.reader.view().vector_index
    assert index is not None
    assert (index.partitions, index.unindexed) == (8, 1)
    assert orchard.found("walnut by the gate", mode="vector")[0] == "late"


@pytest.mark.thorough
def test_what_the_index_finds_has_the_scores_of_an_exact_search(orchard: Bench):
    reindex(orchard.store, orchard.publisher.table, POLICY)
    orchard.put("new", "A walnut stands alone by the gate.")  # in no index
    view, question = orchard.reader.view(), orchard.embedder.embed_query("a walnut and a fig and a plum")
    assert view.vector_index is not None
    assert view.tail.vectors == 1
    exact = {candidate.row: candidate.score for candidate in view.by_vector(question, 401, None, exact=True)}
    for limit in (10, 100):
        found = view.by_vector(question, limit, None, settings=SearchSettings(8, 20))
        assert [candidate.score for candidate in found] == pytest.approx([exact[candidate.row] for candidate in found], abs=1e-6)
        least = sorted(exact.values(), reverse=True)[limit - 1] - 1e-6
        # Of the hundred best one or two may not be among the candidates: the bits of the index are drawn at random each time.
        assert sum(candidate.score >= least for candidate in found) >= 0.95 * limit


@pytest.mark.thorough
def test_nobody_folds_while_an_index_is_made(orchard: Bench):
    with indexes_of(orchard.store, orchard.publisher.table) as lease:
        assert lease.try_acquire()
        assert fold(orchard.store, orchard.publisher.table) is False
    assert fold(orchard.store, orchard.publisher.table) is True


@pytest.mark.thorough
def test_a_table_that_has_outgrown_its_index_gets_another(orchard: Bench):
    reindex(orchard.store, orchard.publisher.table, POLICY)
    assert reindex(orchard.store, orchard.publisher.table, replace(POLICY, retrain_growth=1.0)) is not None


def test_recall_is_measured_against_every_row(orchard: Bench):
    reindex(orchard.store, orchard.publisher.table, POLICY)
    published(orchard)
    view = orchard.reader.view()
    exam = probe(view, known_items(view, orchard.embedder, 20))
    assert len(exam.vectors) == 20
    everything = measure(view, exam, SearchSettings(8, 40))
    little = measure(view, exam, SearchSettings(1, 1))
    assert everything.recall.mean > little.recall.mean
    assert everything.recall.mean > 0.9


@pytest.mark.thorough
def test_recall_is_measured_on_golden_questions_about_what_is_there_and_on_known_items(orchard: Bench):
    assert list(golden_questions(orchard.reader.view())) == []
    golden = next(question for question in dataset.load() if len(question.passages) == 1)
    orchard.put(golden.passages[0].doc_id, "Whatever it says now.")
    orchard.reader.follow()
    view = orchard.reader.view()
    assert golden.question in golden_questions(view)
    orchard.store.golden.put("mine", [replace(golden, id="mine", question="What does it say?")])
    assert "What does it say?" in golden_questions(view, orchard.store.golden)
    vectors = questions(view, orchard.embedder, 20)
    assert vectors.shape == (20, orchard.embedder.dimensions)
    assert (orchard.embedder.embed_query(golden.question) == vectors).all(axis=1).sum() == 1
    assert questions(view, orchard.embedder, 1).shape == (1, orchard.embedder.dimensions)


@pytest.mark.thorough
def test_the_nearest_are_those_of_an_exact_search(orchard: Bench):
    view = orchard.reader.view()
    vectors = known_items(view, orchard.embedder, 5)
    for vector, scores in zip(vectors, view.nearest(vectors, 10), strict=True):
        assert scores.tolist() == pytest.approx([hit.score for hit in view.by_vector(vector, 10, None, exact=True)], abs=1e-5)


def test_passages_that_say_the_same_are_as_good_as_each_other(bench: Bench):
    bench.ingest(*(Draft(f"d{number}", content=f"The gate is closed. Number {number}.".encode()) for number in range(20)))
    view = bench.reader.view()
    exam = probe(view, known_items(view, bench.embedder, 3))
    assert measure(view, exam).recall.mean == 1.0


@pytest.mark.slow
def test_the_tuner_puts_what_it_finds_into_the_next_release(orchard: Bench):
    reindex(orchard.store, orchard.publisher.table, POLICY)
    published(orchard)
    checked = check(orchard.store, POLICY, orchard.embedder)
    assert checked is not None
    assert checked.tuning is not None
    chosen = checked.tuning.chosen.settings
    published(orchard)
    assert orchard.publisher.publish_maintenance() is None
    assert orchard.reader.view().settings == chosen
    assert orchard.live.search["recall@10"]["mean"] == checked.tuning.chosen.recall.mean
    again = check(orchard.store, POLICY, orchard.embedder)
    assert again is not None
    assert again.tuning is None


@pytest.mark.thorough
def test_without_an_index_there_is_nothing_to_check(orchard: Bench):
    assert check(orchard.store, POLICY, orchard.embedder) is None


@pytest.mark.thorough
def test_a_request_may_be_searched_more_or_less_thoroughly_than_its_release(orchard: Bench):
    reindex(orchard.store, orchard.publisher.table, POLICY)
    published(orchard)
    all_of_it = orchard.search("fig and plum", mode="vector", nprobes=8, refine_factor=100, k=40)
    exact = orchard.search("fig and plum", mode="vector", exact=True, k=40)
    assert [hit.score for hit in all_of_it.hits] == pytest.approx([hit.score for hit in exact.hits], abs=1e-5)
    one_partition = orchard.search("fig and plum", mode="vector", nprobes=1, k=400)
    assert 0 < len(one_partition.hits) < 400


def test_the_centres_of_partitions_have_one_length():
    rng = np.random.default_rng(1)
    vectors = np.concatenate([rng.normal((1, 0), 0.3, (200, 2)), rng.normal((0, 1), 0.01, (200, 2))]).astype(np.float32)
    centres = train(vectors, 4)
    assert np.linalg.norm(centres, axis=1) == pytest.approx(np.ones(4), abs=1e-5)
