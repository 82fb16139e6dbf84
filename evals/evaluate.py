"""An evaluation: golden questions asked on one release, as the API would answer them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from math import inf
from time import monotonic
from typing import ParamSpec, Protocol, TypeVar

from evals import answers, dataset, judge, wording
from evals.answers import Ask, Attempt, ask_all
from evals.case import Case, Found, Search
from evals.judge import Judge, Verdicts
from evals.rows import rows_of, scores_of
from index.chunk_rows import Chunk
from index.embedder import Embedder
from index.errors import BadRequest, Conflict, Unavailable
from index.evaluations import Evaluation
from index.golden import GoldenQuestion, Part
from index.golden_sets import GoldenSets
from index.reader import Reader
from index.releases import Release
from index.search import View
from tasks.golden import resolve
from tasks.retrieve import Query, retrieve

P = ParamSpec("P")
T = TypeVar("T")
# What is being done, how many questions are done, of how many.
Progress = Callable[[str, int, int], None]
# Questions whose documents are in memory at once.
RESOLVED_AT_ONCE = 200


class Run(Protocol):
    """Runs one coarse step of an evaluation; a flow makes a task run of each."""

    def __call__(self, step: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """What `step(*args, **kwargs)` returns."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be evaluated.

    `release` None is the live one; `part` None takes both parts of the golden set; `sample` None asks all questions of it. What is
    not done after `minutes` is left unmeasured. `golden`: the sets of the index; without it only packaged ones are known.
    """

    id: str
    release: int | None = None
    dataset: str = dataset.DEFAULT
    sample: int | None = None
    part: Part | None = None
    minutes: float | None = None
    golden: GoldenSets | None = None


@dataclass(frozen=True, slots=True)
class Deadline:
    """The time of an evaluation, from when it is made."""

    minutes: float | None = None
    began: float = field(default_factory=monotonic)

    @property
    def left_s(self) -> float:
        """Seconds that are left, at least 0."""
        return inf if self.minutes is None else max(0.0, self.began + 60 * self.minutes - monotonic())

    @property
    def used_up(self) -> str:
        """The reason of what came too late."""
        return f"not searched: the {self.minutes:g} minutes of the evaluation were used up"


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
    questions: Sequence[GoldenQuestion] | None = None,
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
        questions: asked instead of those that the request names.

    Raises:
        NotFound, Conflict, Unavailable: no such golden set or release, it was reclaimed, or another embedder made it.
        BadRequest: a sample below 1.
    """
    started_at = datetime.now(UTC)
    budget = Deadline(request.minutes)
    view = reader.view(request.release)
    check_embedder(view.release, embedder)
    cases = run(resolve_questions, view, questions_of(request) if questions is None else questions)
    found = run(retrieve_passages, reader, embedder, view.release.number, cases, progress, budget)
    attempts = run(ask_questions, ask, cases, progress, budget) if ask else ()
    worded = run(compare_wording, embedder, attempts) if ask else {}
    judged = run(judge_answers, judged_by, embedder, attempts, progress, budget) if judged_by else {}
    verdicts = {question: {**worded.get(question, {}), **judged.get(question, {})} for question in worded.keys() | judged.keys()}
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


def resolve_questions(view: View, questions: Sequence[GoldenQuestion]) -> tuple[Case, ...]:
    """The questions with the chunks of the release that answer them."""
    return tuple(_resolved(view, questions))


def questions_of(request: Request) -> tuple[GoldenQuestion, ...]:
    """The questions asked for."""
    return dataset.sample(dataset.load(request.dataset, request.golden, request.part), request.sample)


def _resolved(view: View, questions: Sequence[GoldenQuestion]) -> Iterator[Case]:
    for start in range(0, len(questions), RESOLVED_AT_ONCE):
        some = questions[start : start + RESOLVED_AT_ONCE]
        asked = {passage.doc_id for question in some for passage in question.passages}
        chunks: dict[str, list[Chunk]] = {doc_id: [] for doc_id in asked} | view.chunks_by_document(asked)

        def chunks_of(doc_id: str, known: dict[str, list[Chunk]] = chunks) -> list[Chunk]:
            """Also of documents that say the same as one that was asked for."""
            return known[doc_id] if doc_id in known else known.setdefault(doc_id, view.chunks_of(doc_id))

        for question in some:
            shown = frozenset(same.duplicate_of or same.doc_id for passage in question.passages for same in chunks_of(passage.doc_id)[:1])
            yield Case(question, resolve(question, chunks_of), shown)


def retrieve_passages(
    reader: Reader, embedder: Embedder, release: int, cases: Sequence[Case], progress: Progress, budget: Deadline
) -> Found:
    """What is found for each question, by its id, by the same search that is served."""
    found = {}
    for done, case in enumerate(cases, 1):
        found[case.question.id] = _search(reader, embedder, release, case) if budget.left_s else Search((), budget.used_up)
        progress("searching", done, len(cases))
    return found


def _search(reader: Reader, embedder: Embedder, release: int, case: Case) -> Search:
    """One search; where the question can't be asked, or its vector can't be had now, it is unmeasured."""
    try:
        return Search(retrieve(reader, embedder, Query(case.question.question, k=case.depth, release=release)).hits)
    except (BadRequest, Unavailable) as error:
        return Search((), str(error))


def ask_questions(ask: Ask, cases: Sequence[Case], progress: Progress, budget: Deadline) -> tuple[Attempt, ...]:
    """The answers; stale questions are not asked, since nobody knows whether they still have one."""
    asked = [case.question for case in cases if not case.relevance.stale]
    return ask_all(ask, asked, lambda done, of: progress("answering", done, of), min(answers.BUDGET_S, budget.left_s))


def compare_wording(embedder: Embedder, attempts: Sequence[Attempt]) -> Verdicts:
    """The answers beside their references and passages."""
    return wording.measure(embedder, attempts)


def judge_answers(judged_by: Judge, embedder: Embedder, attempts: Sequence[Attempt], progress: Progress, budget: Deadline) -> Verdicts:
    """The judge's verdicts on the answers."""
    in_time = replace(judged_by, budget=replace(judged_by.budget, seconds=min(judged_by.budget.seconds, budget.left_s)))
    return judge.judge_answers(in_time, embedder, attempts, lambda done, of: progress("judging", done, of))
