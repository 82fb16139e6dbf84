from collections.abc import Callable
from datetime import timedelta
from typing import ParamSpec, TypeVar

import pytest

from evals import dataset, ranking, wording
from evals.answers import AnsweredQuestion
from evals.evaluate import Deadline, Request, evaluate, resolve_questions, retrieve_passages
from evals.rows import WHOLE_DOCUMENTS, rows_of, scores_of
from index.errors import BadRequest, Conflict, NotFound, Unavailable
from index.golden import GoldenQuestion, Passage
from tasks.retrieve import Query, retrieve
from tests.fakes import HashingEmbedder

P = ParamSpec("P")
T = TypeVar("T")


@pytest.mark.thorough
def test_the_full_set_is_scored_by_what_search_serves(golden_library):
    reader, embedder = golden_library.store.reader(), golden_library.embedder
    evaluation = evaluate(reader, embedder, Request("e1"))
    answerable = sum(question.answerable for question in dataset.load())
    assert (evaluation.id, evaluation.release, evaluation.state, len(evaluation.questions)) == ("e1", 1, "completed", len(dataset.load()))
    assert [score.metric for score in evaluation.scores] == list(ranking.METRICS)
    assert {(score.measured, score.of) for score in evaluation.scores} == {(answerable, answerable)}
    for score in evaluation.scores:
        bounds = [bound for bound in (score.low, score.value, score.high) if bound is not None]
        assert [0, *bounds, 1] == sorted([0, *bounds, 1])
        assert len(bounds) == 3
    row = evaluation.questions[0]
    served = retrieve(reader, embedder, Query(row["question"], k=10, release=1)).hits
    assert [found["chunk_id"] for found in row["found"]] == [hit.chunk.chunk_id for hit in served]
    assert [found["relevant"] for found in row["found"]] == [hit.chunk.chunk_id in row["relevant"] for hit in served]
    assert evaluation.ended_at - evaluation.started_at < timedelta(seconds=30)


def test_an_evaluation_survives_its_table(golden_library):
    evaluations = golden_library.store.evaluations
    evaluation = evaluate(golden_library.store.reader(), golden_library.embedder, Request("e2", sample=5))
    evaluations.write(evaluation)
    assert evaluations.get("e2") == evaluation


def test_a_sample_asks_that_many_questions(golden_library):
    evaluation = evaluate(golden_library.store.reader(), golden_library.embedder, Request("e3", sample=7))
    assert len(evaluation.questions) == 7
    assert evaluation.scores[0].of <= 7


def test_stale_questions_are_reported_and_left_out(library):
    question = next(question for question in dataset.sample(dataset.load(), 20) if len(question.passages) == 1)
    passage = question.passages[0]
    library.release({passage.doc_id: f"Before. {passage.quote} After."})
    evaluation = evaluate(library.store.reader(), library.embedder, Request("e4", sample=20))
    measured = [row for row in evaluation.questions if row["metrics"]]
    assert question.id in [row["id"] for row in measured]
    assert evaluation.scores[0].measured == len(measured) < evaluation.scores[0].of
    others = [row for row in evaluation.questions if row["answerable"] and row not in measured]
    assert all("is not in this release" in row["stale"][0] or "no longer says" in row["stale"][0] for row in others)


def test_a_set_of_the_index_is_asked_and_whole_documents_answer(library):
    library.release({"mine": "The great copper mine is in Falun.", "other": "The ferry leaves at nine."})
    quoted = GoldenQuestion("a", "Where is the copper mine?", (Passage("mine", "in Falun"),), None, "development")
    whole = GoldenQuestion("b", "When does the ferry leave?", (Passage("other", ""),), None, "held_out")
    gone = GoldenQuestion("c", "What is gone?", (Passage("gone", ""),), None, "held_out")
    library.store.golden.put("mine", [quoted, whole, gone])
    library.store.golden.propose("mine", [GoldenQuestion("p", "What else?", (), None)])
    evaluation = evaluate(library.store.reader(), library.embedder, Request("e", dataset="mine", golden=library.store.golden))
    assert [(row["id"], row["metrics"].get("recall@10")) for row in evaluation.questions] == [("a", 1.0), ("b", 1.0), ("c", None)]
    held_out = Request("e", dataset="mine", part="held_out", golden=library.store.golden)
    assert [row["id"] for row in evaluate(library.store.reader(), library.embedder, held_out).questions] == ["b", "c"]


def test_a_release_without_rows_measures_nothing(library):
    library.release({})
    evaluation = evaluate(library.store.reader(), library.embedder, Request("e5", sample=5))
    assert {score.value for score in evaluation.scores} == {None}


def test_answers_are_scored_on_the_questions_that_are_not_stale(golden_library):
    def ask(text):
        if "?" not in text:
            raise Unavailable("cannot read that")
        return AnsweredQuestion("It is so.", grounded=True, contexts=("It is so.",))

    evaluation = evaluate(golden_library.store.reader(), golden_library.embedder, Request("e6", sample=40), ask=ask)
    score = next(score for score in evaluation.scores if score.metric == "abstention_accuracy")
    asked = [row for row in evaluation.questions if "?" in row["question"]]
    assert (score.measured, score.of) == (len(asked), 40)
    assert score.value == pytest.approx(sum(row["answerable"] for row in asked) / len(asked))
    failed = next(row for row in evaluation.questions if "?" not in row["question"])
    assert failed["unmeasured"] == dict.fromkeys(["abstention_accuracy", *wording.METRICS], "cannot read that")


def test_each_step_is_run_by_the_runner_and_tells_its_progress(golden_library):
    steps: list[str] = []
    told: list[tuple[str, int, int]] = []

    def run(step: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        steps.append(step.__name__)
        return step(*args, **kwargs)

    def ask(text):
        return AnsweredQuestion("", grounded=False, contexts=())

    def note(step: str, done: int, of: int) -> None:
        told.append((step, done, of))

    evaluate(golden_library.store.reader(), golden_library.embedder, Request("e7", sample=2), note, ask=ask, run=run)
    assert steps == ["resolve_questions", "retrieve_passages", "ask_questions", "compare_wording"]
    assert told == [("searching", 1, 2), ("searching", 2, 2), ("answering", 1, 2), ("answering", 2, 2)]


def test_where_whole_documents_answer_the_ranking_is_one_of_documents(library):
    long = "\n\n".join(f"The copper mine of Falun, part {n}: " + "old shafts and galleries " * 60 for n in range(3))
    library.release({"mine": long, "lake": "The lake is cold.", "falun": "Falun has a copper mine."})
    reader = library.store.reader()
    question = GoldenQuestion("q", "copper mine of Falun", (Passage("mine", ""),), None)
    cases = resolve_questions(reader.view(1), [question])
    found = retrieve_passages(reader, library.embedder, 1, cases, lambda *_: None, Deadline())
    assert len(found["q"].hits) > len({hit.chunk.doc_id for hit in found["q"].hits})
    [row] = rows_of(cases, found, (), {})
    assert sorted(hit["doc_id"] for hit in row["found"]) == ["falun", "lake", "mine"]
    assert (row["judged"], row["relevant"], row["metrics"]["recall@10"]) == ("documents", ["mine"], 1.0)
    assert row["metrics"]["MRR@10"] == 1 / (1 + [hit["doc_id"] for hit in row["found"]].index("mine"))
    assert row["unmeasured"] == dict.fromkeys(ranking.BY_TEXT, WHOLE_DOCUMENTS)
    scores = scores_of([row], with_answers=False, with_judge=False)
    assert [score.metric for score in scores] == list(ranking.BY_ID)


def test_what_is_not_searched_in_time_is_unmeasured_and_says_so(golden_library):
    evaluation = evaluate(golden_library.store.reader(), golden_library.embedder, Request("e9", sample=5, minutes=1e-9))
    assert {(score.value, score.measured) for score in evaluation.scores} == {(None, 0)}
    reasons = {reason for row in evaluation.questions for reason in row["unmeasured"].values()}
    assert reasons == {"not searched: the 1e-09 minutes of the evaluation were used up"}


def test_a_question_whose_vector_can_not_be_had_is_unmeasured_and_the_others_go_on(golden_library):
    first = dataset.sample(dataset.load(), 5)[0].question

    class Flaky(HashingEmbedder):
        def embed_query(self, text):
            if text == first:
                raise Unavailable("the embedding service does not answer")
            return super().embed_query(text)

    evaluation = evaluate(golden_library.store.reader(), Flaky(), Request("e10", sample=5))
    row = evaluation.questions[0]
    assert (row["metrics"], set(row["unmeasured"].values())) == ({}, {"the embedding service does not answer"})
    assert all(row["metrics"] for row in evaluation.questions[1:] if row["answerable"])


def test_every_metric_that_was_not_measured_has_a_reason(library):
    library.release({"d": "Text."})
    evaluation = evaluate(library.store.reader(), library.embedder, Request("e11", sample=5), lambda *_: None)
    for row in evaluation.questions:
        assert not row["metrics"]
        assert set(row["unmeasured"]) == (set(ranking.METRICS) if row["answerable"] else set())
    assert not any(score.covered for score in evaluation.scores)


def test_another_embedder_than_the_release_was_made_by_is_refused(golden_library):
    other = HashingEmbedder()
    other.fingerprint = "another"
    with pytest.raises(Conflict, match="GROUNDWORK_EMBEDDER"):
        evaluate(golden_library.store.reader(), other, Request("e8"))


@pytest.mark.parametrize(
    ("request_", "error"),
    [(Request("e", release=9), NotFound), (Request("e", dataset="none"), NotFound), (Request("e", sample=0), BadRequest)],
)
def test_what_does_not_exist_is_an_error_that_says_so(golden_library, request_, error):
    with pytest.raises(error):
        evaluate(golden_library.store.reader(), golden_library.embedder, request_)
