"""Evaluations that were under way when everything was stopped or killed: they are stored as failed, and may be asked for again."""

import logging
from datetime import UTC, datetime
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectException
from prefect.states import Crashed

from index.evaluations import Evaluation
from index.progress import EvaluationProgress, EvaluationStep
from index.store import Store

_log = logging.getLogger("groundwork.flows")


def end_abandoned(store: Store) -> list[str]:
    """Stores each as failed and ends its run in Prefect; returns their ids. Nothing of them was stored before."""
    told = EvaluationProgress(store.folder)
    found = told.abandoned()
    for step in found:
        if store.evaluations.get(step.evaluation) is None:
            store.evaluations.write(failed(step))
        told.clear(step.evaluation)
    _end_runs(found)
    return [step.evaluation for step in found]


def failed(step: EvaluationStep) -> Evaluation:
    """The record of an evaluation that came as far as this."""
    reached = f"{step.step}, {step.done} of {step.of} questions" if step.of else step.step
    reason = f"it was stopped before its end ({reached}); start it again"
    return Evaluation(
        id=step.evaluation,
        release=step.release,
        dataset=step.dataset,
        state="failed",
        reason=reason,
        started_at=datetime.fromisoformat(step.started_at),
        ended_at=datetime.now(UTC),
    )


def _end_runs(found: list[EvaluationStep]) -> None:
    """In Prefect they would run for ever."""
    if not found:
        return
    try:
        with get_client(sync_client=True) as client:
            for step in found:
                client.set_flow_run_state(UUID(step.evaluation), Crashed(message=failed(step).reason), force=True)
    except (httpx.HTTPError, PrefectException, ValueError) as error:
        _log.warning("Prefect was not told of %d evaluations that had been stopped: %s", len(found), type(error).__name__)
