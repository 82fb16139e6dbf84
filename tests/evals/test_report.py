import base64
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from evals import report
from index.evaluations import Evaluation, Score
from index.exams import identity_of, standing_of

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SCORES = (Score("nDCG@10", 0.7, 0.6, 0.8, 3, 4), Score("faithfulness", None, None, None, 0, 4))


def row(identifier: str, ndcg: float | None, question: str = "Who?", stale: Sequence[str] = (), **more: Any) -> dict[str, Any]:
    metrics = {} if ndcg is None else {"nDCG@10": ndcg}
    passages = [{"doc_id": "manual", "quote": "Ada wrote it"}]
    return {
        "id": identifier,
        "question": question,
        "answerable": True,
        "passages": passages,
        "stale": list(stale),
        "found": [],
        "metrics": metrics,
        **more,
    }


def hit(doc_id: str, heading: str = "", *, relevant: bool = False) -> dict[str, Any]:
    return {"chunk_id": doc_id, "doc_id": doc_id, "heading": heading, "relevant": relevant}


def evaluation(*rows: dict[str, Any], scores: tuple[Score, ...] = SCORES) -> Evaluation:
    return Evaluation("e", 4, "default", "completed", None, AT, AT + timedelta(seconds=21), scores, rows)


def test_the_scores_stand_in_a_table_with_interval_and_what_was_measured():
    markdown = report.markdown(evaluation(row("q1", 1.0)), verdict="Release 4 is proven.")
    assert markdown.startswith("# Release 4, evaluated")
    assert "> Release 4 is proven." in markdown
    assert "| **nDCG@10** | 0.700 | `███████░░░` | 0.600 – 0.800 | 3 of 4 |" in markdown
    assert "| **faithfulness** | – | | unmeasured | 0 of 4 |" in markdown
    assert "in 21 s, finished 2026-03-01 12:00 UTC" in markdown


def test_the_chart_is_in_it_as_a_picture_that_needs_no_other_file():
    markdown = report.markdown(evaluation(row("q1", 1.0)))
    (encoded,) = re.findall(r"!\[Scores over releases\]\(data:image/svg\+xml;base64,([^)]+)\)", markdown)
    svg = base64.b64decode(encoded).decode()
    assert svg.startswith("<svg")
    assert "nDCG@10 · 0.70" in svg
    assert "href" not in svg.replace("xmlns:xlink", "")


def test_the_five_worst_questions_are_shown_with_what_was_found_instead():
    found = [hit("other"), hit("manual", relevant=True, heading="Authors > Ada")]
    rows = [row(f"q{n}", n / 10, f"Question {n}?", found=found) for n in range(8)]
    markdown = report.markdown(evaluation(*rows))
    assert [f"### Question {n}?" in markdown for n in range(8)] == [True] * 5 + [False] * 3
    assert "nDCG@10 0.00, the answer was first at rank 2. It stands in:\n\n- `manual`: “Ada wrote it”" in markdown
    assert "2. `manual`, under Authors > Ada ✓" in markdown


def test_a_question_whose_answer_was_not_found_says_so():
    markdown = report.markdown(evaluation(row("q1", 0.0, found=[hit("other")])))
    assert "not among the first 10" in markdown
    assert "Found instead:\n\n1. `other`" in markdown


def test_perfect_questions_are_not_called_the_worst():
    assert "worst" not in report.markdown(evaluation(row("q1", 1.0)))


def test_stale_and_unmeasured_questions_are_listed_with_their_reasons():
    stale = row("q1", None, "Old?", stale=["manual is not in this release"])
    failed = [row(f"q{n}", 1.0, unmeasured={"faithfulness": "no verdict within 60 s"}) for n in (2, 3)]
    markdown = report.markdown(evaluation(stale, *failed))
    assert "1 golden questions were left out" in markdown
    assert "- q1 “Old?”: manual is not in this release" in markdown
    assert "- faithfulness, 2 times: no verdict within 60 s" in markdown


def test_metrics_below_the_floor_are_named():
    markdown = report.markdown(
        evaluation(row("q1", 1.0), scores=(Score("nDCG@10", 0.7, 0.6, 0.8, 79, 100), Score("MRR@10", 1, 1, 1, 80, 100)))
    )
    assert "**Too few were measured for a verdict** (below 80%): nDCG@10.\n" in markdown


def test_a_whole_document_that_answers_is_named_without_a_quote():
    asked = row("q1", 0.0) | {"passages": [{"doc_id": "manual", "quote": ""}]}
    assert "It stands in:\n\n- `manual`\n" in report.markdown(evaluation(asked))


def test_answers_given_and_declined_are_counted_apart():
    rows = [row("q1", 1.0, grounded=True), row("q2", 1.0, grounded=False), row("q3", None, grounded=False) | {"answerable": False}]
    assert "Answered 1 of 2 questions that have an answer in the documents; declined 1 of 1 that have none." in report.markdown(
        evaluation(*rows)
    )


def test_text_of_documents_can_not_change_the_page():
    asked = row("q1", 0.0, "<img src=x onerror=alert(1)> [link](http://x) | *bold*\n# head")
    markdown = report.markdown(evaluation(asked))
    assert "<img" not in markdown
    assert "### &lt;img src=x onerror=alert(1)> \\[link\\](http://x) \\| \\*bold\\* \\# head" in markdown


def test_nothing_measured_is_a_report_without_a_chart():
    nothing = (Score("nDCG@10", None, None, None, 0, 4),)
    markdown = report.markdown(evaluation(row("q1", None, stale=["manual is not in this release"]), scores=nothing))
    assert "data:image" not in markdown
    assert "0 of 4" in markdown


def test_scores_of_a_judge_that_is_not_qualified_are_shown_as_such():
    who = identity_of("http://localhost/v1", "large")
    scores = (SCORES[0], Score("faithfulness", 0.5, 0.4, 0.6, 4, 4, "unexamined judge: it has not been examined yet"))
    markdown = report.markdown(evaluation(row("q1", 1.0), scores=scores), standing=standing_of([], who, AT))
    assert "does the answer say only what the passages say? **Gates nothing.** |" in markdown
    assert "## The judge" in markdown
    assert "The judge `large` at `http://localhost/v1` is **unexamined**. Its scores are shown, and gate nothing." in markdown
    assert "## The judge" not in report.markdown(evaluation(row("q1", 1.0)))
