"""`/v1/judge`: the LLM that scores answers, and whether its scores may count."""

from datetime import UTC, datetime
from typing import Any, Literal, cast

import msgspec
from litestar import get, post
from litestar.di import NamedDependency

from api.auth import requires
from api.platform import Platform
from api.runs import Runs, StartedReply
from index.errors import Conflict
from index.exams import identity_of, standing_of

DEPLOYMENT = "exam/exam"
NONE = "no judge is configured: set GROUNDWORK_JUDGE_URL and GROUNDWORK_JUDGE_MODEL to score answers with one"
JudgeState = Literal["none", "unexamined", "unqualified", "qualified"]


class JudgeReply(msgspec.Struct):
    """The LLM that scores answers. Decisions may rest on its scores while `counts`; `reasons` say why not.

    `changed` says how it behaved otherwise in its last exam (`examined_at`) than in the one before; `exam` has the numbers.
    """

    model: str | None
    endpoint: str | None
    state: JudgeState
    counts: bool
    reasons: list[str]
    prompts: str | None = None
    examined_at: datetime | None = None
    changed: str | None = None
    exam: dict[str, Any] | None = None


@get(
    "/v1/judge",
    guards=[requires("reader")],
    summary="The judge",
    operation_id="judge",
    description="Which LLM judges answers, whether it passed its exam, why not, and the numbers of its last one.",
    tags=["Evaluations"],
    sync_to_thread=True,
)
def judge(platform: NamedDependency[Platform]) -> JudgeReply:
    """The judge and its standing; nulls with a reason where none is configured."""
    settings = platform.settings
    if not (settings.judge_url and settings.judge_model):
        return JudgeReply(model=None, endpoint=None, state="none", counts=False, reasons=[NONE])
    who = identity_of(settings.judge_url, settings.judge_model)
    found = standing_of(platform.store.exams.all(), who, datetime.now(UTC))
    exam = found.exam
    return JudgeReply(
        model=who.model,
        endpoint=who.endpoint,
        state=cast(JudgeState, str(found.state)),
        counts=found.counts,
        reasons=list(found.reasons),
        prompts=who.prompts,
        examined_at=exam.at if exam else None,
        changed=exam.changed if exam else None,
        exam=cast(dict[str, Any], exam.figures) if exam else None,
    )


@post(
    "/v1/judge/exam",
    guards=[requires("admin")],
    summary="Examine the judge",
    operation_id="examine_judge",
    description="Starts an exam of the configured judge; it runs and can be watched in Prefect. It costs some 400 calls of the judge.",
    tags=["Evaluations"],
    status_code=202,
    sync_to_thread=True,
)
def examine_judge(platform: NamedDependency[Platform], runs: NamedDependency[Runs]) -> StartedReply:
    """Starts an exam of the configured judge; it runs and can be watched in Prefect."""
    if not (platform.settings.judge_url and platform.settings.judge_model):
        raise Conflict(NONE)
    run = runs.start(DEPLOYMENT, {})
    return StartedReply(run, runs.url(run))
