"""The `evaluate` flow: scores a release on golden questions, reports it, and proves it when it holds."""

from collections.abc import Callable, Sequence
from dataclasses import astuple, replace
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, ParamSpec, TypeVar, cast
from uuid import UUID

import prefect
from prefect import Flow, Task
from prefect.artifacts import create_markdown_artifact, create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import FlowRun, State
from prefect.runtime import flow_run as current_run
from prefect.states import Completed
from pydantic import SecretStr

from evals import exam, report
from evals.answers import ABSTENTION, AnsweredQuestion, Ask
from evals.budget import Budget
from evals.canaries import as_golden
from evals.dataset import DEFAULT
from evals.dataset import sample as sample_of
from evals.evaluate import Request, questions_of
from evals.evaluate import evaluate as evaluate_release
from evals.judge import Judge
from evals.prove import prove
from evals.ranking import NDCG
from flows import abandoned
from flows.drift_check import check_drift
from flows.quality_pictures import draw_quality
from index.embedder import Embedder, embedder_for
from index.evaluations import Evaluation, Evaluations
from index.exams import Standing
from index.golden import CANARIES, GoldenQuestion, Part
from index.overrides import overridden
from index.progress import EvaluationProgress, EvaluationStep
from index.reader import Reader
from index.releases import Release
from index.settings import Settings
from index.store import Store, open_store
from tasks.answer import Generator, Question, answer
from tasks.chat import Endpoint
from tasks.extract import ExtractiveGenerator
from tasks.generate import ChatGenerator

P = ParamSpec("P")
T = TypeVar("T")
# Who asks over HTTP learns from it that there will be no scores.
SKIPPED = "Skipped"
ARTIFACT = "evaluation-report"
# A slow judge takes hours; until then retention leaves the release.
LONGEST = timedelta(hours=12)
WRITE_EVERY_S = 0.5
EXCEPTION_PREFIX = "Flow run encountered an exception: "
DESCRIPTION = (
    "Asks the golden questions on a release and scores what it finds: RAGAS context precision and recall, nDCG@10, recall@10, MRR@10, "
    "whether it answers only what the documents hold, what the answers quote and how near they are to the reference answers, and, with "
    "a judge configured, RAGAS' LLM metrics. Without 'answers' only what is found is measured. 'part' takes the development or the "
    "held-out questions of a golden set, 'sample' so many of them; what is not done after 'minutes' is left unmeasured. 'again' off: "
    "skips a release that has been measured on the same questions. A full evaluation that is not significantly worse than the last one "
    "proves the release. The report is the run's artifact."
)


class Progress:
    """Tells how far the evaluation is: a line and the bar in the Prefect UI four times a step, and a file, if any, more often."""

    def __init__(self, told: EvaluationProgress | None = None, begun: EvaluationStep | None = None) -> None:
        self._artifact = cast(UUID, create_progress_artifact(0.0, description="evaluation"))
        self._file = told
        self._begun = begun
        self._told = ("", -1)
        self._written_at = float("-inf")

    def __call__(self, step: str, done: int, of: int) -> None:
        """`done` of `of` questions are through this step."""
        told = (step, 4 * done // of)
        if told != self._told or monotonic() - self._written_at > WRITE_EVERY_S:
            self._written_at = monotonic()
            if self._file and self._begun:
                self._file.write(replace(self._begun, step=step, done=done, of=of))
        if told != self._told:
            self._told = told
            print(f"{step}: {done} of {of} questions")
            # The judge's step reports from inside an event loop, where Prefect would hand back a coroutine.
            update = cast(Any, update_progress_artifact)
            update(self._artifact, 100 * done / of, description=f"{step}: {done} of {of}", _sync=True)


def as_task_run(step: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs one step as a Prefect task run; its arguments are live objects, so nothing is cached or stored."""
    name = getattr(step, "__name__", type(step).__name__).replace("_", " ")
    return Task(step, name=name, task_run_name=name, log_prints=True, cache_policy=NO_CACHE, persist_result=False)(*args, **kwargs)


def run_name() -> str:
    """What the run is called in the Prefect UI."""
    asked: dict[str, Any] = current_run.parameters
    size = f", {asked['sample']} questions" if asked.get("sample") else ""
    part = f", {asked['part'].replace('_', '-')} part" if asked.get("part") else ""
    what = "" if asked.get("answers", True) else ", what is found only"
    release = f"release {asked['release']}" if asked.get("release") else "the live release"
    return f"evaluate {release} on {asked.get('dataset', DEFAULT)}{part}{size}{what}"


def record_failure(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:  # noqa: ARG001 - Prefect passes these names
    """Stores the evaluation as failed, so that whoever asked for it over HTTP learns why."""
    settings = Settings()
    store = open_store(settings.index, settings.home)
    if store.evaluations.get(str(flow_run.id)) is None:
        evaluation = failed(str(flow_run.id), flow_run.parameters, flow_run.start_time, state.message, store.log.state.live)
        store.evaluations.write(evaluation)
    EvaluationProgress(store.folder).clear(str(flow_run.id))


def record_crash(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Has an evaluation go on whose process was killed; one that had not begun is stored as failed."""
    settings = Settings()
    store = open_store(settings.index, settings.home)
    step = EvaluationProgress(store.folder).read(str(flow_run.id))
    if step is None:
        record_failure(flow, flow_run, state)
    else:
        abandoned.resume(store, step, settings.prefect_url)


def failed(identifier: str, asked: dict[str, Any], started_at: datetime | None, message: str | None, live: int) -> Evaluation:
    """The record of an evaluation that did not get to its end; `message` is of the run's last state."""
    now = datetime.now(UTC)
    return Evaluation(
        id=identifier,
        release=asked.get("release") or live,
        dataset=asked.get("dataset") or DEFAULT,
        state="failed",
        reason=(message or "the run ended without a reason").removeprefix(EXCEPTION_PREFIX),
        started_at=started_at or now,
        ended_at=now,
    )


@prefect.flow(
    name="evaluate",
    description=DESCRIPTION,
    flow_run_name=run_name,
    log_prints=True,
    persist_result=False,
    on_failure=[record_failure],
    on_crashed=[record_crash],
    on_cancellation=[record_failure],
)
def evaluate(
    release: int | None = None,
    dataset: str = DEFAULT,
    sample: int | None = None,
    answers: bool = True,
    part: Part | None = None,
    minutes: float | None = None,
    again: bool = True,
) -> State[Any]:
    """Scores a release (the live one unless told otherwise)."""
    settings = Settings()
    store = open_store(settings.index, settings.home)
    reader = store.reader()
    started = EvaluationStep(str(current_run.id), reader.view(release).release.number, dataset, datetime.now(UTC).isoformat())
    begun = abandoned.begun(store, started, asked=release is not None)
    number = begun.release
    store.log.keep(number, datetime.now(UTC) + LONGEST, "evaluate")
    request = Request(begun.evaluation, number, dataset, sample, part, minutes, store.golden)
    # A wrong name or size fails here, before the model is loaded.
    questions = sample_of(as_golden(store.canaries.all()), sample) if dataset == CANARIES else questions_of(request)
    if not again and (before := measured_before(store.evaluations, number, dataset, questions)):
        return Completed(name=SKIPPED, message=f"Release {number} was measured on these questions already, by evaluation {before.id}.")
    print(f"evaluating release {number} on the golden set {dataset!r}")
    told = EvaluationProgress(store.folder)
    with told.begin(begun):
        embedder = as_task_run(load_embedder, store.log.get(number))
        ask = asker(reader, embedder, generators(settings, embedder), number) if answers else None
        progress = Progress(told, begun)
        judged_by, standing = examined_judge(settings, store, embedder, progress) if answers else (None, None)
        evaluation = evaluate_release(reader, embedder, request, progress, ask, judged_by, as_task_run, questions)
        verdict = as_task_run(conclude, store, exam.marked(evaluation, standing), standing)
        told.clear(request.id)
    print(verdict)
    as_task_run(draw_quality, store)
    if evaluation.dataset == DEFAULT and number == store.log.state.live:
        check_drift(f"after-evaluation-{request.id}")
    ndcg = evaluation.score(NDCG)
    value = f"{ndcg.value:.3f}" if ndcg and ndcg.value is not None else "unmeasured"
    return Completed(message=f"Release {number}: {NDCG} {value}. {verdict}")


def measured_before(evaluations: Evaluations, release: int, dataset: str, questions: Sequence[GoldenQuestion]) -> Evaluation | None:
    """An evaluation of the release that asked these questions, with these passages; None when there is none."""
    asked = {question.id: (question.question, [astuple(passage) for passage in question.passages]) for question in questions}
    for found in evaluations.all():
        if (found.release, found.dataset, found.state) == (release, dataset, "completed"):
            rows = whole.questions if (whole := evaluations.get(found.id)) else ()
            told = {row["id"]: (row["question"], [(each["doc_id"], each["quote"]) for each in row["passages"]]) for row in rows}
            if told == asked:
                return found
    return None


def load_embedder(release: Release) -> Embedder:
    """The embedder that made a release."""
    return embedder_for(release.recipe, Settings())


def conclude(store: Store, evaluation: Evaluation, standing: Standing | None = None) -> str:
    """Stores the evaluation, proves the release if it holds, and shows the report; returns the verdict."""
    earlier = store.evaluations.all()
    store.evaluations.write(evaluation)
    verdict = _verdict(store, evaluation)
    markdown = report.markdown(evaluation, earlier, verdict, standing)
    create_markdown_artifact(markdown, key=ARTIFACT, description=f"Release {evaluation.release} on {evaluation.dataset}")
    return verdict


def _verdict(store: Store, evaluation: Evaluation) -> str:
    if evaluation.score(ABSTENTION) is None:
        return "Only what is found was measured: that proves no release."
    proof = prove(store, evaluation)
    return f"Release {evaluation.release} is {'proven' if proof.proven else 'not proven'}: {proof.reason}."


def asker(reader: Reader, embedder: Embedder, answered_by: list[Generator], release: int) -> Ask:
    """Asks a question on one release, as the API would."""

    def ask(text: str) -> AnsweredQuestion:
        answered = answer(reader, embedder, answered_by, Question(text, release=release))
        quotes = tuple(citation.quote for citation in answered.citations)
        return AnsweredQuestion(answered.text, answered.grounded, tuple(hit.chunk.text for hit in answered.retrieved.hits), quotes)

    return ask


def generators(settings: Settings, embedder: Embedder) -> list[Generator]:
    """What answers: the configured model first, the sentences of the sources when it fails or there is none."""
    extractive = ExtractiveGenerator(embedder)
    if not (settings.llm_url and settings.llm_model):
        return [extractive]
    return [ChatGenerator(Endpoint(settings.llm_url, settings.llm_model, _secret(settings.llm_key) or "none")), extractive]


def judge(settings: Settings, store: Store | None = None) -> Judge | None:
    """The configured judge, if there is one; its verdicts are kept in the store."""
    if not (settings.judge_url and settings.judge_model):
        return None
    budget = overridden(Budget, settings.judge_budget, "GROUNDWORK_JUDGE_BUDGET")
    return Judge(settings.judge_url, settings.judge_model, _secret(settings.judge_key), budget, store.verdicts if store else None)


def examined_judge(settings: Settings, store: Store, embedder: Embedder, progress: Progress) -> tuple[Judge | None, Standing | None]:
    """The judge as it behaves now, and what its scores are worth; it is examined first when that is due."""
    judged_by = judge(settings, store)
    if judged_by is None:
        return None, None
    standing = as_task_run(exam.examine_when_due, store, judged_by, embedder, lambda done, of: progress("examining the judge", done, of))
    print(f"the judge {judged_by.model} is {standing.state}" + (f": {'; '.join(standing.reasons)}" if standing.reasons else ""))
    return exam.as_it_behaves(store, judged_by), standing


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value else ""
