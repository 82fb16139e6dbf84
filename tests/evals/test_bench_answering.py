"""The benchmark of answers: a threshold is chosen on one half and reported on the other."""

import json
from pathlib import Path

import pytest

from evals.answers import AnsweredQuestion
from evals.bench.answering import Answered, answering, balanced, best_threshold, halves
from evals.bench.collection import beir
from index.golden import GoldenQuestion, Passage
from tasks.extract import MIN_SIMILARITY
from tests.bench import Bench

pytestmark = pytest.mark.thorough

MINE = "The copper mine in Falun was closed in 1992."


def answered(identifier: str, similarity: float, *, answerable: bool) -> Answered:
    passages = (Passage("mine", ""),) if answerable else ()
    given = AnsweredQuestion(f"{MINE} [1]", grounded=True, contexts=(MINE,), quotes=(MINE,))
    return Answered(GoldenQuestion(identifier, "When?", passages, None), given, similarity)


def test_halves_have_every_second_question_of_each_sort():
    every = [answered(f"{answerable}{n}", 0.5, answerable=answerable) for answerable in (True, False) for n in range(4)]
    one, other = ([each.question.id for each in half] for half in halves(every))
    assert (one, other) == (["True0", "True2", "False0", "False2"], ["True1", "True3", "False1", "False3"])


def test_the_best_threshold_parts_what_has_an_answer_from_what_has_none():
    apart = [answered("a", 0.8, answerable=True), answered("b", 0.61, answerable=True), answered("c", 0.6, answerable=False)]
    assert best_threshold(apart) == 0.61
    assert balanced(apart, 0.61) == 1.0
    assert balanced(apart, 0.0) == 0.5


def test_below_the_threshold_a_question_is_declined():
    attempt = answered("a", 0.5, answerable=True)
    assert attempt.at(0.5).given is not None
    assert attempt.at(0.51).given is None


def test_questions_that_nothing_answers_are_asked_too_and_abstention_is_reported(tmp_path: Path, bench: Bench):
    folder = tmp_path / "mines"
    folder.mkdir()
    (folder / "corpus.jsonl").write_text(json.dumps({"_id": "mine", "title": "", "text": MINE}))
    questions = [
        {"_id": "q1", "text": "When was the copper mine in Falun closed in 1992?", "answer": "In 1992."},
        {"_id": "q2", "text": "Which quarks are charmed?", "metadata": {"answerable": False}},
        {"_id": "q3", "text": "Nobody has judged this?"},
    ]
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, questions)))
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\tmine\t1\n")
    collection = beir(folder)
    assert [question.id for question in collection.unanswerable] == ["q2"]
    assert collection.questions[0].asked() == GoldenQuestion("q1", questions[0]["text"], (Passage("mine", ""),), "In 1992.")
    bench.put("mine", MINE)
    twice = type(collection)("mines", collection.documents, collection.questions * 2, "documents", collection.unanswerable * 2)
    figures = answering(tmp_path, twice, bench.embedder)
    shipped = {figure.metric: figure.value for figure in figures if figure.case == f"mines, answers, shipped threshold {MIN_SIMILARITY:g}"}
    assert (shipped["questions"], shipped["abstention_f1"], shipped["quoted_spans_alignment"]) == (2, 1.0, 1.0)
