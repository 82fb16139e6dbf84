"""The `maintain` flow: keeps searches fast and the disk bounded."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from flows.steps import MAINTAIN, REINDEX
from flows.tune import tune
from index.audit import deeds
from index.policy import index_policy
from index.releases import Event
from index.settings import Settings
from index.store import open_store
from index.timeline import Timeline
from tasks.maintain import Maintenance
from tasks.retention import retention

DEEDS = 50


@flow(
    name="maintain",
    flow_run_name="maintain",
    description="Folds new rows into the indexes, retires and cleans what nothing needs, makes the vector index.",
)
def maintain() -> None:
    """One pass over everything that grows; makes the vector index, and tunes its search, when the rows ask for it."""
    settings = Settings()
    store = open_store(settings.index, settings.home)
    done: Maintenance = MAINTAIN(store, datetime.now(UTC), retention(settings.retention))
    create_markdown_artifact(report(done), key="maintenance", description="What the last maintenance did")
    create_markdown_artifact(audit(store.log.events, store.log.timeline()), key="audit", description="Who did what to what is served")
    generation = store.log.live().generation
    REINDEX(store, store.existing_chunk_table(generation), index_policy(settings.index_policy))
    shape = store.log.shape(generation)
    if shape and shape.tuning is None:
        tune()


def report(done: Maintenance) -> str:
    """A pass as Markdown."""
    rows = [
        ("tables folded", ", ".join(f"`{name}`" for name in done.folded) or "none, they gave way to ingestion"),
        ("releases retired", str(len(done.reclaimed))),
        ("of them early, for want of room", str(len(done.crowded_out))),
        ("disk freed", f"{done.freed_bytes / 1e6:.1f} MB"),
        ("originals dropped", str(done.originals_dropped)),
    ]
    return "## Maintenance\n\n| | |\n|---|---|\n" + "\n".join(f"| {name} | {value} |" for name, value in rows)


def audit(events: Sequence[Event], timeline: Timeline) -> str:
    """The newest deeds as Markdown; `GET /v1/audit` has all of them."""
    rows = [
        f"| {deed.event.at:%Y-%m-%d %H:%M:%S} | {_cell(deed.event.by)} | {deed.what} | {deed.was} -> {deed.event.state.live} "
        f"| {_cell(deed.event.reason or '')} |"
        for deed in islice(deeds(reversed(events), timeline), DEEDS)
    ]
    return "\n".join(["## Audit", "", "| at (UTC) | by | what | live | why |", "| :-- | :-- | :-- | :-- | :-- |", *rows])


def _cell(text: str) -> str:
    """Text of a person in a cell of a table, with nothing in it that Markdown or HTML would act on."""
    plain = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{character}" if character in "\\`*_[]#|~" else character for character in plain)
