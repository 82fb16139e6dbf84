"""The report of an evaluation: Markdown for people, with the chart in it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from evals import answers, chart, exam_report, judge, ranking, wording
from evals.answers import ABSTENTION
from evals.ranking import NDCG
from evals.rows import STALE, WHOLE_DOCUMENTS
from index.evaluations import COVERAGE_FLOOR, Evaluation, Score
from index.exams import Standing

WORST = 5
SHOWN_HITS = 3
MAX_LISTED = 20
BAR_CELLS = 10
MEANINGS = {
    ranking.NDCG: "Do the passages that answer come first?",
    ranking.RECALL: "How many of them are among the first 10?",
    ranking.MRR: "How high is the first of them? (1/rank)",
    ranking.CONTEXT_PRECISION: "RAGAS: which share of the 10 found answers the question? (few passages do, so it is low by nature)",
    ranking.CONTEXT_RECALL: "RAGAS: which share of what answers was found?",
    ranking.TEXT_PRECISION: "RAGAS, by the words: do the passages that say it come first?",
    ranking.TEXT_RECALL: "RAGAS, by the words: which share of what was quoted stands in what was found?",
    ABSTENTION: "Is there an answer when the documents hold one, and only then?",
    answers.ABSTENTION_PRECISION: "Of the questions that were declined: how many have no answer?",
    answers.ABSTENTION_RECALL: "Of the questions without an answer: how many were declined?",
    answers.ABSTENTION_F1: "Both in one.",
    wording.QUOTED_SPANS: "RAGAS: which share of what an answer quotes stands in its passages, word for word?",
    wording.SIMILARITY: "How near is the answer to the reference answer? (cosine of their vectors)",
    wording.ROUGE_L: "How much of it has the same words in the same order?",
    judge.FAITHFULNESS: "RAGAS, by the judge: does the answer say only what the passages say?",
    judge.ANSWER_RELEVANCY: "RAGAS, by the judge: does the answer answer the question?",
    judge.LLM_CONTEXT_PRECISION: "RAGAS, by the judge: do the passages that help come first?",
    judge.LLM_CONTEXT_RECALL: "RAGAS, by the judge: which share of the reference answer do the passages bear out?",
    judge.FACTUAL_CORRECTNESS: "RAGAS, by the judge: do the answer and the reference answer say the same? (F1 of their claims)",
}


def markdown(evaluation: Evaluation, earlier: Sequence[Evaluation] = (), verdict: str = "", standing: Standing | None = None) -> str:
    """The whole report.

    Args:
        evaluation: the one to report, with its questions.
        earlier: others, for the chart of scores over releases.
        verdict: whether the release is proven by it, and why.
        standing: what the scores of its judge are worth.
    """
    sections = [
        _head(evaluation, verdict),
        _scores(evaluation.scores),
        exam_report.section(standing) if standing else "",
        _answered(evaluation.questions),
        _picture(evaluation, earlier),
        _worst(evaluation.questions),
        _stale(evaluation.questions),
        _unmeasured(evaluation.questions),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _head(evaluation: Evaluation, verdict: str) -> str:
    seconds = (evaluation.ended_at - evaluation.started_at).total_seconds()
    when = f"{evaluation.ended_at:%Y-%m-%d %H:%M} UTC"
    facts = f"{len(evaluation.questions)} questions of the golden set **{evaluation.dataset}**, asked in {seconds:.0f} s, finished {when}."
    return "\n\n".join(part for part in (f"# Release {evaluation.release}, evaluated", facts, f"> {verdict}" if verdict else "") if part)


def _scores(scores: Sequence[Score]) -> str:
    lines = ["| metric | score | | 95 % interval | measured | asks |", "|:--|--:|:--|:--|--:|:--|"]
    few = [score.metric for score in scores if score.value is not None and not score.covered]
    told = f"\n\n**Too few were measured for a verdict** (below {COVERAGE_FLOOR:.0%}): {', '.join(few)}." if few else ""
    return "\n".join([*lines, *(_score_line(score) for score in scores)]) + told


def _score_line(score: Score) -> str:
    meaning = MEANINGS.get(score.metric, "") + (" **Gates nothing.**" if score.note else "")
    if score.value is None:
        return f"| **{score.metric}** | – | | unmeasured | 0 of {score.of} | {meaning} |"
    interval = f"{score.low:.3f} – {score.high:.3f}"
    return f"| **{score.metric}** | {score.value:.3f} | `{_bar(score.value)}` | {interval} | {score.measured} of {score.of} | {meaning} |"


def _bar(value: float) -> str:
    full = round(min(max(value, 0.0), 1.0) * BAR_CELLS)
    return "█" * full + "░" * (BAR_CELLS - full)


def _answered(rows: Sequence[Mapping[str, Any]]) -> str:
    """How often there was an answer: the accuracy alone hides which of the two went wrong."""
    asked = [row for row in rows if row.get("grounded") is not None]
    if not asked:
        return ""
    answerable = [row["grounded"] for row in asked if row["answerable"]]
    others = [row["grounded"] for row in asked if not row["answerable"]]
    return (
        f"Answered {sum(answerable)} of {len(answerable)} questions that have an answer in the documents; "
        f"declined {len(others) - sum(others)} of {len(others)} that have none."
    )


def _picture(evaluation: Evaluation, earlier: Sequence[Evaluation]) -> str:
    if all(score.value is None for score in evaluation.scores):
        return ""
    svg = chart.as_svg(chart.draw(chart.comparable(evaluation, earlier)))
    return f"![Scores over releases]({chart.as_data_uri(svg)})"


def _worst(rows: Sequence[Mapping[str, Any]]) -> str:
    """The questions that ranked worst; none when all are perfect."""
    imperfect = [row for row in rows if (row["metrics"].get(NDCG) or 0.0) < 1.0 and row["metrics"].get(NDCG) is not None]
    worst = sorted(imperfect, key=lambda row: (row["metrics"][NDCG], row["id"]))[:WORST]
    return "\n\n".join(["## Where it went worst", *map(_question, worst)]) if worst else ""


def _question(row: Mapping[str, Any]) -> str:
    found = [hit for hit in row["found"] if hit["relevant"]]
    rank = f"first at rank {row['found'].index(found[0]) + 1}" if found else f"not among the first {ranking.K}"
    lines = [f"### {_inline(row['question'])}", f"{NDCG} {row['metrics'][NDCG]:.2f}, the answer was {rank}. It stands in:", ""]
    lines += [_passage(passage) for passage in row["passages"]]
    lines += ["", "Found instead:" if not found else "Found:", ""]
    return "\n".join([*lines, *(_hit(n, hit) for n, hit in enumerate(row["found"][:SHOWN_HITS], 1))])


def _passage(passage: Mapping[str, Any]) -> str:
    return f"- `{_code(passage['doc_id'])}`" + (f": “{_inline(passage['quote'])}”" if passage["quote"] else "")


def _hit(n: int, hit: Mapping[str, Any]) -> str:
    place = f", under {_inline(hit['heading'])}" if hit["heading"] else ""
    return f"{n}. `{_code(hit['doc_id'])}`{place}{' ✓' if hit['relevant'] else ''}"


def _stale(rows: Sequence[Mapping[str, Any]]) -> str:
    stale = [(row, reason) for row in rows for reason in row["stale"]]
    if not stale:
        return ""
    count = len({row["id"] for row, _ in stale})
    intro = f"{count} golden questions were left out: what answers them is not in this release as it was quoted. Not counted as misses."
    lines = [f"- {row['id']} “{_inline(row['question'])}”: {_inline(reason)}" for row, reason in stale[:MAX_LISTED]]
    return "\n\n".join(["## Stale questions", intro, "\n".join(lines + _more(len(stale)))])


def _unmeasured(rows: Sequence[Mapping[str, Any]]) -> str:
    told = ((metric, reason) for row in rows for metric, reason in row.get("unmeasured", {}).items())
    # Stale questions have a section of their own, and of whole documents nothing is missing.
    reasons = Counter(each for each in told if each[1] not in (STALE, WHOLE_DOCUMENTS))
    if not reasons:
        return ""
    lines = [f"- {metric}, {count} times: {_inline(reason)}" for (metric, reason), count in reasons.most_common(MAX_LISTED)]
    return "\n\n".join(["## Not measured", "\n".join(lines + _more(len(reasons)))])


def _more(count: int) -> list[str]:
    return [f"- … and {count - MAX_LISTED} more"] if count > MAX_LISTED else []


def _inline(text: str) -> str:
    """Text of a document or a person on one line, with nothing in it that Markdown or HTML would act on."""
    escaped = "".join(f"\\{character}" if character in "\\`*_[]#|~" else character for character in " ".join(text.split()))
    return escaped.replace("&", "&amp;").replace("<", "&lt;")


def _code(text: str) -> str:
    return text.replace("`", "'")
