"""The `exam` flow: asks the judge planted pairs whose answers are known, and says whether its scores may count."""

from typing import Any

import prefect
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed

from evals import exam_report
from evals.exam import hold_exam
from flows.evaluate import Progress, as_task_run, judge, load_embedder
from index.exams import Standing
from index.settings import Settings
from index.store import open_store

ARTIFACT = "judge-exam"
NONE = "There is no judge to examine: GROUNDWORK_JUDGE_URL and GROUNDWORK_JUDGE_MODEL are not set."
DESCRIPTION = (
    "Asks the judge about planted pairs: faithful and subtly unfaithful answers, right and irrelevant passages, in both orders and twice. "
    "Above the bar its scores count; below it they are shown, and gate nothing. A judge that has changed since its last exam is noticed."
)


@prefect.flow(name="exam", flow_run_name="examine the judge", description=DESCRIPTION, log_prints=True, persist_result=False)
def exam() -> State[Any]:
    """One exam of the configured judge."""
    settings = Settings()
    store = open_store(settings.index, settings.home)
    judged_by = judge(settings)
    if judged_by is None:
        return Completed(message=NONE)
    embedder = as_task_run(load_embedder, store.log.live())
    progress = Progress()
    standing = as_task_run(hold_exam, store, judged_by, embedder, lambda done, of: progress("examining the judge", done, of))
    create_markdown_artifact(exam_report.markdown(standing), key=ARTIFACT, description=f"Exam of {judged_by.model}")
    return Completed(message=told(standing))


def told(standing: Standing) -> str:
    """What came of the exam, in a sentence or two."""
    reasons = f": {'; '.join(standing.reasons)}" if standing.reasons else ""
    changed = f" The judge changed: {standing.exam.changed}." if standing.exam and standing.exam.changed else ""
    return f"{standing.judge.model} is {standing.state}{reasons}.{changed}"
