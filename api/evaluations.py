"""`/v1/evaluations`: started as Prefect runs, read from the index."""

from datetime import datetime
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
from api.runs import Run, Runs, StartedReply
from index.errors import BadRequest, Unavailable
from index.evaluations import Evaluation, as_json
from index.golden import CANARIES
from index.progress import EvaluationProgress
from tasks import golden

FLOW = "evaluate"
DEPLOYMENT = f"{FLOW}/evaluate"
EvaluationState = Literal["queued", "running", "completed", "failed", "skipped"]
SKIPPED = "Skipped"
# Where an evaluation stands in the list: its part, when it should begin or has ended (seconds since 1970), its id.
Place = tuple[int, float, str]
FINISHED, UNDER_WAY = (0, 1)
FIRST: Place = (UNDER_WAY + 1, 0.0, "")


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


class EvaluationPage(Page[EvaluationReply]):
    """A page of evaluations; `degraded` says what should be on it and is not."""

    degraded: list[str] = msgspec.field(default_factory=list)


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
    if asked.dataset != CANARIES:
        golden.questions(platform.store.golden, asked.dataset)  # raises what is wrong with it
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
) -> EvaluationPage:
    """Those under way on the first page, then the finished ones, newest first; without their questions."""
    after = _position(cursor)
    finished = platform.store.evaluations.all()
    found: dict[Place, Evaluation | Run] = {(FINISHED, each.ended_at.timestamp(), each.id): each for each in finished}
    under_way, degraded = _under_way(runs) if after > (UNDER_WAY, 0.0, "") else ([], [])
    done = {evaluation.id for evaluation in finished}
    found |= {(UNDER_WAY, _due(run), run.id): run for run in under_way if run.id not in done}
    rest = sorted((place for place in found if place < after), reverse=True)
    items = [
        _reply(each, runs) if isinstance(each := found[place], Evaluation) else _unstored(each, platform, runs) for place in rest[:limit]
    ]
    return EvaluationPage(items, paging.cursor("{}|{}|{}".format(*rest[limit - 1])) if len(rest) > limit else None, degraded)


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
    return _unstored(runs.get(str(identifier)), platform, runs)


def _under_way(runs: Runs) -> tuple[list[Run], list[str]]:
    """What Prefect has begun or is about to, and why that is not all."""
    try:
        return runs.under_way(FLOW), []
    except Unavailable as error:
        return [], [f"evaluations under way are missing: {error}"]


def _due(run: Run) -> float:
    return datetime.fromisoformat(run.due_at).timestamp() if run.due_at else 0.0


def _position(cursor: str | None) -> Place:
    """The place of the last evaluation of the page before; before the first page, one that nothing is after."""
    if not (told := paging.position(cursor)):
        return FIRST
    part, _, rest = told.partition("|")
    at, _, identifier = rest.partition("|")
    try:
        return int(part), float(at), identifier
    except ValueError as error:
        raise BadRequest(paging.REFUSED) from error


def _unstored(run: Run, platform: Platform, runs: Runs) -> EvaluationReply:
    """A run whose scores are not there."""
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
