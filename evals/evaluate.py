"""An evaluation: golden questions asked on one release, as the API would answer them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, ParamSpec, Protocol, TypeVar

from evals import dataset, intervals, judge, ranking
from evals.answers import ABSTENTION, Ask, Attempt, ask_all
from evals.judge import Judge, Verdict, Verdicts
from index.embedder import Embedder
from index.errors import Conflict
from index.evaluations import Evaluation, Score
from index.golden import GoldenQuestion, Part
from index.golden_sets import GoldenSets
from index.releases import Release
from index.search import Reader, View
from tasks.golden import Relevance, resolve
from tasks.retrieve import Hit, Query, retrieve

P = ParamSpec("P")
T = TypeVar("T")
# What is being done, how many questions are done, of how many.
Progress = Callable[[str, int, int], None]
Found = Mapping[str, tuple[Hit, ...]]


class Run(Protocol):
    """Runs one coarse step of an evaluation; a flow makes a task run of each."""

    def __call__(self, step: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """What `step(*args, **kwargs)` returns."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be evaluated. `release` None is the live one; `sample` None asks all questions, `part` None both parts.

    `golden`: the sets of the index; without it only packaged ones are known.
    """

    id: str
    release: int | None = None
    dataset: str = dataset.DEFAULT
    sample: int | None = None
    part: Part | None = None
    golden: GoldenSets | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A golden question on one release, with the chunks that answer it there."""

    question: GoldenQuestion
    relevance: Relevance

    @property
    def ranked(self) -> bool:
        """Whether rankings can be measured on it: it has an answer, which still stands where it was quoted."""
        return self.question.answerable and not self.relevance.stale


def plainly(step: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs a step as the function that it is."""
    return step(*args, **kwargs)


def evaluate(
    reader: Reader,
    embedder: Embedder,
    request: Request,
    progress: Progress = lambda _step, _done, _of: None,
    ask: Ask | None = None,
    judged_by: Judge | None = None,
    run: Run = plainly,
) -> Evaluation:
    """The scores of one release on a golden set.

    Args:
        reader: where the release is read.
        embedder: the one that made the release.
        request: what to evaluate.
        progress: is told how far each step is.
        ask: answers a question on the same release; None measures retrieval only.
        judged_by: scores the answers with RAGAS' LLM metrics.
        run: runs each coarse step.

    Raises:
        NotFound, Conflict, Unavailable: no such golden set or release, it was reclaimed, or another embedder made it.
        BadRequest: a sample below 1.
    """
    started_at = datetime.now(UTC)
    view = reader.view(request.release)
    check_embedder(view.release, embedder)
    cases = run(resolve_questions, view, request)
    found = run(retrieve_passages, reader, embedder, view.release.number, cases, progress)
    attempts = run(ask_questions, ask, cases, progress) if ask else ()
    verdicts = run(judge_answers, judged_by, embedder, attempts, progress) if judged_by else {}
    rows = rows_of(cases, found, attempts, verdicts)
    return Evaluation(
        id=request.id,
        release=view.release.number,
        dataset=request.dataset,
        state="completed",
        reason=None,
        started_at=started_at,
        ended_at=datetime.now(UTC),
        scores=scores_of(rows, with_answers=bool(ask), with_judge=bool(judged_by)),
        questions=tuple(rows),
    )


def check_embedder(release: Release, embedder: Embedder) -> None:
    """Raises `Conflict` unless the embedder made the release: its vectors would mean nothing there."""
    if release.embedder != embedder.fingerprint:
        raise Conflict(
            f"release {release.number} was made by the embedder {release.embedder}, "
            f"but {embedder.name} ({embedder.fingerprint}) is loaded: "
            "set GROUNDWORK_EMBEDDER to the model that made it, or evaluate another release"
        )


def resolve_questions(view: View, request: Request) -> tuple[Case, ...]:
    """The questions asked for, with the chunks of the release that answer them."""
    questions = dataset.sample(dataset.load(request.dataset, request.golden, request.part), request.sample)
    chunks_of = cache(view.chunks_of)
    return tuple(Case(question, resolve(question, chunks_of)) for question in questions)


def retrieve_passages(reader: Reader, embedder: Embedder, release: int, cases: Sequence[Case], progress: Progress) -> Found:
    """The passages found for each question, by its id, by the same search that is served."""
    found = {}
    for done, case in enumerate(cases, 1):
        query = Query(case.question.question, k=ranking.K, release=release)
        found[case.question.id] = retrieve(reader, embedder, query).hits
        progress("searching", done, len(cases))
    return found


def ask_questions(ask: Ask, cases: Sequence[Case], progress: Progress) -> tuple[Attempt, ...]:
    """The answers; stale questions are not asked, since nobody knows whether they still have one."""
    asked = [case.question for case in cases if not case.relevance.stale]
    return ask_all(ask, asked, lambda done, of: progress("answering", done, of))


def judge_answers(judged_by: Judge, embedder: Embedder, attempts: Sequence[Attempt], progress: Progress) -> Verdicts:
    """The judge's verdicts on the answers."""
    return judge.judge_answers(judged_by, embedder, attempts, lambda done, of: progress("judging", done, of))


def rows_of(cases: Sequence[Case], found: Found, attempts: Sequence[Attempt], verdicts: Verdicts) -> list[dict[str, Any]]:
    """What happened to each question, as JSON: the `questions` of an `Evaluation`."""
    ranked = [case for case in cases if case.ranked]
    values = ranking.measure(
        {case.question.id: [hit.chunk.chunk_id for hit in found[case.question.id]] for case in ranked},
        {case.question.id: case.relevance.chunk_ids for case in ranked},
    )
    by_id = {attempt.question.id: attempt for attempt in attempts}
    return [
        _row(case, found[case.question.id], values.get(case.question.id, {}))
        | _answer_row(by_id.get(case.question.id), values.get(case.question.id, {}), verdicts.get(case.question.id, {}))
        for case in cases
    ]


def scores_of(rows: Sequence[Mapping[str, Any]], with_answers: bool, with_judge: bool) -> tuple[Score, ...]:
    """The mean of each metric over the rows; stale and failed questions are unmeasured."""
    answerable = [row for row in rows if row["answerable"]]
    wanted = dict.fromkeys(ranking.METRICS, answerable)
    wanted |= {ABSTENTION: list(rows)} if with_answers else {}
    wanted |= dict.fromkeys(judge.METRICS, answerable) if with_judge else {}
    return tuple(intervals.score(metric, [row["metrics"].get(metric) for row in of]) for metric, of in wanted.items())


def _row(case: Case, hits: Sequence[Hit], values: Mapping[str, float | None]) -> dict[str, Any]:
    return {
        "id": case.question.id,
        "question": case.question.question,
        "answerable": case.question.answerable,
        "passages": [{"doc_id": passage.doc_id, "quote": passage.quote} for passage in case.question.passages],
        "stale": list(case.relevance.stale),
        "relevant": sorted(case.relevance.chunk_ids),
        "found": [
            {
                "chunk_id": hit.chunk.chunk_id,
                "doc_id": hit.chunk.doc_id,
                "heading": " > ".join(hit.chunk.heading),
                "relevant": hit.chunk.chunk_id in case.relevance.chunk_ids,
            }
            for hit in hits
        ],
        "metrics": dict(values),
    }


def _answer_row(attempt: Attempt | None, values: Mapping[str, float | None], verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    """What an answer adds to the row of its question; nothing when it was not asked."""
    if attempt is None:
        return {}
    metrics = {ABSTENTION: attempt.abstention} | {metric: verdict.value for metric, verdict in verdicts.items()}
    reasons = {ABSTENTION: attempt.reason} | {metric: verdict.reason for metric, verdict in verdicts.items()}
    return {
        "answer": attempt.answer.text if attempt.answer else None,
        "grounded": attempt.answer.grounded if attempt.answer else None,
        "metrics": {**values, **metrics},
        "unmeasured": {metric: reason for metric, reason in reasons.items() if reason},
    }
