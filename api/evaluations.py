"""`/v1/evaluations`: started as Prefect runs, read from the index."""

from typing import Any, Literal, cast
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from api import paging
from api.auth import requires
from api.paging import Cursor, Limit, Page
from api.platform import Platform
from api.requests import EvaluationRequest
from api.runs import Runs, StartedReply
from index.evaluations import Evaluation, as_json
from index.progress import EvaluationProgress

DEPLOYMENT = "evaluate/evaluate"
EvaluationState = Literal["queued", "running", "completed", "failed", "skipped"]
SKIPPED = "Skipped"


class EvaluationReply(msgspec.Struct):
    """An evaluation: its state and, when completed, its scores with 95 % intervals.

    While it is running, `done` of `of` questions are through its `step`. One is skipped that would have measured what was measured before.
    """

    id: str
    state: EvaluationState
    release: int | None
    dataset: str | None
    scores: list[dict[str, Any]]
    questions: list[dict[str, Any]]
    reason: str | None
    url: str
    step: str | None = None
    done: int | None = None
    of: int | None = None


@post(
    "/v1/evaluations",
    guards=[requires("writer")],
    summary="Start an evaluation",
    operation_id="start_evaluation",
    description="Starts an evaluation of a release (default: live) on a golden set, or a part or a sample of it; without `answers` only "
    "what is found is measured. It runs and can be watched in Prefect; what is not done after `minutes` is left unmeasured.",
    tags=["Evaluations"],
    status_code=202,
    sync_to_thread=True,
)
def start_evaluation(
    platform: NamedDependency[Platform], runs: NamedDependency[Runs], data: JSONBody[EvaluationRequest | None] = None
) -> StartedReply:
    """Starts an evaluation of a release (default: live) on a golden set; it runs and can be watched in Prefect."""
    asked = data or EvaluationRequest()
    if asked.release is not None:
        platform.store.log.servable(asked.release)
    run = runs.start(DEPLOYMENT, {name: getattr(asked, name) for name in asked.__struct_fields__})
    return StartedReply(run, runs.url(run))


@get(
    "/v1/evaluations",
    guards=[requires("reader")],
    summary="List evaluations",
    operation_id="list_evaluations",
    tags=["Evaluations"],
    sync_to_thread=True,
)
def list_evaluations(
    platform: NamedDependency[Platform], runs: NamedDependency[Runs], limit: Limit = 50, cursor: Cursor = None
) -> Page[EvaluationReply]:
    """The finished evaluations, newest first, without their questions."""
    found = platform.store.evaluations.all()
    after = paging.position(cursor)
    start = next((i + 1 for i, evaluation in enumerate(found) if evaluation.id == after), 0)
    rows = found[start : start + limit]
    return Page([_reply(evaluation, runs) for evaluation in rows], paging.cursor(rows[-1].id) if len(found) > start + limit else None)


@get(
    "/v1/evaluations/{identifier:uuid}",
    guards=[requires("reader")],
    summary="One evaluation",
    operation_id="get_evaluation",
    tags=["Evaluations"],
    sync_to_thread=True,
)
def get_evaluation(platform: NamedDependency[Platform], runs: NamedDependency[Runs], identifier: FromPath[UUID]) -> EvaluationReply:
    """One evaluation: its state, how far it is, and when it is completed its scores and questions."""
    finished = platform.store.evaluations.get(str(identifier))
    if finished:
        return _reply(finished, runs)
    run = runs.get(str(identifier))
    # Prefect says completed a moment before or after the row is there; without a row it is not done.
    unstored = "skipped" if run.name == SKIPPED else "running"
    state = unstored if run.state == "completed" else run.state
    told = EvaluationProgress(platform.store.folder).read(run.id)
    # Its process died, and nobody has said yet that it failed: it is about to go on.
    state = "queued" if state == "failed" and told else state
    told = told if state == "running" else None
    return EvaluationReply(
        id=run.id,
        state=cast(EvaluationState, state),
        release=told.release if told else run.parameters.get("release"),
        dataset=run.parameters.get("dataset"),
        scores=[],
        questions=[],
        reason=run.message if state in ("failed", "skipped") else None,
        url=runs.url(run.id),
        step=told.step if told else None,
        done=told.done if told else None,
        of=told.of if told else None,
    )


def _reply(evaluation: Evaluation, runs: Runs) -> EvaluationReply:
    return EvaluationReply(
        id=evaluation.id,
        state=cast(EvaluationState, evaluation.state),
        release=evaluation.release,
        dataset=evaluation.dataset,
        scores=as_json(evaluation.scores),
        questions=list(evaluation.questions),
        reason=evaluation.reason,
        url=runs.url(evaluation.id),
    )
