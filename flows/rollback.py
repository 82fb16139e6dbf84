"""The `rollback` flow: serves an earlier release, from the Prefect UI."""

from datetime import datetime

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from flows.steps import MOVE_LIVE
from index.settings import Settings
from index.store import open_store
from tasks.rollback import Moved, held_documents, target_of_rollback


@flow(
    name="rollback",
    flow_run_name="rollback to {to}, resume {resume}",
    description="Serves an earlier release and stays on it until somebody resumes. The HTTP API does the same without Prefect.",
)
def rollback(to: int | None = None, before: datetime | None = None, reason: str = "from the Prefect UI", resume: bool = False) -> None:
    """Goes back to release `to`, to the newest from before a time, or to the last proven one; or resumes following."""
    settings = Settings()
    store = open_store(settings.index, settings.home)
    if resume:
        moved: Moved = MOVE_LIVE(store, "resumed", store.log.state.newest, by="prefect", reason=reason)
    else:
        moved = MOVE_LIVE(store, "rolled_back", target_of_rollback(store.log, to, before), by="prefect", reason=reason)
    held = held_documents(store)
    text = f"## Release {moved.live} is live\n\nBefore: release {moved.was}. Documents held back: {held}. Reason: {reason}"
    create_markdown_artifact(text, key="rollback", description="What is served now")
