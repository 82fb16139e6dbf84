"""Evaluations that were under way when their process was stopped or killed: they go on under the same id, or are stored as failed."""

import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

import httpx

from index.evaluations import Evaluation
from index.progress import EvaluationProgress, EvaluationStep
from index.store import Store

# What kills its process, as too little memory does, would do so for ever.
ATTEMPTS = 3
TIMEOUT_S = 5.0
StateType = Literal["SCHEDULED", "COMPLETED", "CRASHED"]
_NAMES: dict[StateType, str] = {"SCHEDULED": "AwaitingRetry", "COMPLETED": "Completed", "CRASHED": "Crashed"}
_log = logging.getLogger("groundwork.flows")


def resume_abandoned(store: Store, prefect_url: str) -> list[str]:
    """Has each go on, or stores it as failed; returns their ids. Nothing of them was stored before but what a judge has decided."""
    found = EvaluationProgress(store.folder).abandoned()
    for step in found:
        resume(store, step, prefect_url)
    return [step.evaluation for step in found]


def resume(store: Store, step: EvaluationStep, prefect_url: str) -> bool:
    """Starts the run of an evaluation again; False where it ended after all, was begun three times, or Prefect can't: then it failed."""
    if store.evaluations.get(step.evaluation):
        EvaluationProgress(store.folder).clear(step.evaluation)
        _set_state(prefect_url, step.evaluation, "COMPLETED", "its scores had been stored when its process ended")
        return False
    if step.attempt < ATTEMPTS and _set_state(prefect_url, step.evaluation, "SCHEDULED", f"{stopped(step)}; it goes on"):
        _log.warning("evaluation %s goes on: %s", step.evaluation, stopped(step))
        return True
    store.evaluations.write(failed(step))
    EvaluationProgress(store.folder).clear(step.evaluation)
    _set_state(prefect_url, step.evaluation, "CRASHED", failed(step).reason or "")
    return False


def begun(store: Store, step: EvaluationStep, *, asked: bool) -> EvaluationStep:
    """The step that an evaluation begins with: on the release that it was begun on before, unless one is `asked` for.

    What was stored of it when it failed is dropped.
    """
    earlier = EvaluationProgress(store.folder).read(step.evaluation)
    stored = store.evaluations.get(step.evaluation)
    release = earlier.release if earlier else stored.release if stored else step.release
    if stored and stored.state == "failed":
        store.evaluations.drop([step.evaluation])
    return replace(step, release=step.release if asked else release, attempt=earlier.attempt + 1 if earlier else 1)


def stopped(step: EvaluationStep) -> str:
    """How far it was."""
    reached = f"{step.step}, {step.done} of {step.of} questions" if step.of else step.step
    return f"it was stopped before its end ({reached})"


def failed(step: EvaluationStep) -> Evaluation:
    """The record of an evaluation that came as far as this."""
    times = f", {step.attempt} times" if step.attempt > 1 else ""
    return Evaluation(
        id=step.evaluation,
        release=step.release,
        dataset=step.dataset,
        state="failed",
        reason=f"{stopped(step)}{times}; start it again: what a judge has decided is not asked again",
        started_at=datetime.fromisoformat(step.started_at),
        ended_at=datetime.now(UTC),
    )


def _set_state(prefect_url: str, run: str, state: StateType, message: str) -> bool:
    """Whether Prefect took it. Its own client would ask again for minutes, where the platform is about to end."""
    told: dict[str, object] = {"type": state, "name": _NAMES[state], "message": message}
    told |= {"state_details": {"scheduled_time": datetime.now(UTC).isoformat()}} if state == "SCHEDULED" else {}
    try:
        url = f"{prefect_url}/flow_runs/{run}/set_state"
        httpx.post(url, json={"state": told, "force": True}, timeout=TIMEOUT_S).raise_for_status()
    except httpx.HTTPError as error:
        _log.warning("Prefect was not told that evaluation %s had been stopped: %s", run, type(error).__name__)
        return False
    return True
