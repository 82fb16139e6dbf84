"""The `maintain` flow: keeps searches fast and the disk bounded."""

from datetime import UTC, datetime

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from flows.steps import MAINTAIN
from index.settings import Settings
from index.store import open_store
from tasks.maintain import Maintenance


@flow(
    name="maintain",
    flow_run_name="maintain",
    description="Folds new rows into the indexes, retires old releases, cleans versions and originals that nothing needs.",
)
def maintain() -> None:
    """One pass over everything that grows."""
    settings = Settings()
    store = open_store(settings.index, settings.home)
    done: Maintenance = MAINTAIN(store, datetime.now(UTC))
    create_markdown_artifact(report(done), key="maintenance", description="What the last maintenance did")


def report(done: Maintenance) -> str:
    """A pass as Markdown."""
    rows = [
        ("tables folded", ", ".join(f"`{name}`" for name in done.folded) or "none, they gave way to ingestion"),
        ("releases retired", str(len(done.reclaimed))),
        ("disk freed", f"{done.freed_bytes / 1e6:.1f} MB"),
        ("originals dropped", str(done.originals_dropped)),
    ]
    return "## Maintenance\n\n| | |\n|---|---|\n" + "\n".join(f"| {name} | {value} |" for name, value in rows)
