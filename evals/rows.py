"""What happened to each question of an evaluation, as JSON, and the scores that come of it (pure)."""

from collections.abc import Mapping, Sequence
from typing import Any

from evals import answers, intervals, judge, ranking, wording
from evals.answers import ABSTENTION, Attempt
from evals.case import Case, Found, Search
from evals.judge import Verdict, Verdicts
from index.evaluations import Score

STALE = "stale: what answers it does not stand in this release as it was quoted"
WHOLE_DOCUMENTS = "whole documents are judged, no passages of them"
UNDEFINED = "not defined where nothing is found"


def rows_of(cases: Sequence[Case], found: Found, attempts: Sequence[Attempt], verdicts: Verdicts) -> list[dict[str, Any]]:
    """What happened to each question, as JSON: the `questions` of an `Evaluation`."""
    values = values_of(cases, found)
    by_id = {attempt.question.id: attempt for attempt in attempts}
    return [
        _joined(
            _row(case, found[case.question.id], values.get(case.question.id, {})),
            _answer_row(by_id.get(case.question.id), verdicts.get(case.question.id, {})),
        )
        for case in cases
    ]


def values_of(cases: Sequence[Case], found: Found) -> ranking.Values:
    """The metrics of the rankings, of each question that they can be measured on."""
    ranked = {case.question.id: case for case in cases if case.ranked and not found[case.question.id].reason}
    best = {question: case.best(found[question].hits) for question, case in ranked.items()}
    values = ranking.measure(
        {question: [case.unit(hit) for hit in best[question]] for question, case in ranked.items()},
        {question: case.relevant for question, case in ranked.items()},
    )
    quoted = {question: [passage.quote for passage in case.question.passages] for question, case in ranked.items() if not case.by_document}
    texts = ranking.measure_texts({question: [hit.chunk.text for hit in best[question]] for question in quoted}, quoted)
    return {question: values[question] | texts.get(question, {}) for question in ranked}


def scores_of(rows: Sequence[Mapping[str, Any]], with_answers: bool, with_judge: bool) -> tuple[Score, ...]:
    """The mean of each metric over the rows, and how right it is to decline; stale and failed questions are unmeasured."""
    answerable = [row for row in rows if row["answerable"]]
    quoted = [row for row in answerable if row["judged"] == "passages"]
    wanted = dict.fromkeys(ranking.BY_ID, answerable) | (dict.fromkeys(ranking.BY_TEXT, quoted) if quoted else {})
    if with_answers:
        referenced = [row for row in answerable if row["has_reference"]]
        wanted |= {ABSTENTION: list(rows), wording.QUOTED_SPANS: answerable}
        wanted |= dict.fromkeys(wording.BY_REFERENCE, referenced) if referenced else {}
    wanted |= dict.fromkeys(judge.METRICS, answerable) if with_judge else {}
    means = [intervals.score(metric, [row["metrics"].get(metric) for row in of]) for metric, of in wanted.items()]
    return (*means, *(answers.abstention_scores(rows) if with_answers else ()))


def _row(case: Case, search: Search, values: Mapping[str, float | None]) -> dict[str, Any]:
    return {
        "id": case.question.id,
        "question": case.question.question,
        "answerable": case.question.answerable,
        "judged": "documents" if case.by_document else "passages",
        "has_reference": bool(case.question.reference),
        "passages": [{"doc_id": passage.doc_id, "quote": passage.quote} for passage in case.question.passages],
        "stale": list(case.relevance.stale),
        "relevant": sorted(case.relevant),
        "found": [
            {
                "chunk_id": hit.chunk.chunk_id,
                "doc_id": hit.chunk.doc_id,
                "heading": " > ".join(hit.chunk.heading),
                "relevant": case.unit(hit) in case.relevant,
            }
            for hit in case.best(search.hits)
        ],
        "metrics": dict(values),
        "unmeasured": _reasons(case, search, values),
    }


def _reasons(case: Case, search: Search, values: Mapping[str, float | None]) -> dict[str, str]:
    """Why metrics of its ranking could not be measured, where they should have been."""
    if not case.question.answerable:
        return {}
    missing = [metric for metric in ranking.METRICS if values.get(metric) is None]
    whole = STALE if case.relevance.stale else search.reason
    return {metric: whole or (WHOLE_DOCUMENTS if case.by_document and metric in ranking.BY_TEXT else UNDEFINED) for metric in missing}


def _answer_row(attempt: Attempt | None, verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    """What an answer adds to the row of its question; nothing when it was not asked."""
    if attempt is None:
        return {}
    metrics = {ABSTENTION: attempt.abstention} | {metric: verdict.value for metric, verdict in verdicts.items()}
    reasons = {ABSTENTION: attempt.reason} | {metric: verdict.reason for metric, verdict in verdicts.items()}
    return {
        "answer": attempt.answer.text if attempt.answer else None,
        "grounded": attempt.answer.grounded if attempt.answer else None,
        "metrics": metrics,
        "unmeasured": {metric: reason for metric, reason in reasons.items() if reason},
    }


def _joined(row: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """The row of a question with what its answer adds."""
    both = {part: {**row[part], **answer.get(part, {})} for part in ("metrics", "unmeasured")}
    return row | answer | both
