"""The `sweep` flow: compares a source with the index and puts the differences into the inbox."""

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact

from flows.steps import SWEEP
from index.errors import NotFound
from index.settings import Settings
from index.store import open_store
from tasks.discover import sources
from tasks.sweep import Sweep

EXAMPLES = 20


@flow(
    name="sweep",
    flow_run_name="sweep {source}",
    description="Compares a source with what is indexed and puts new, changed and removed documents into the inbox.",
    log_prints=True,
)
def sweep(source: str, confirm_removals: bool = False) -> None:
    """Sweeps one configured source; `confirm_removals` lets more than a tenth of it disappear."""
    settings = Settings()
    configured = sources(settings.sources, settings.sample)
    if source not in configured:
        raise NotFound(f"no source {source!r} is configured; there are: {', '.join(configured) or 'none'}")
    store = open_store(settings.index, settings.home)
    swept: Sweep = SWEEP(store, configured[source], confirm_removals)
    create_markdown_artifact(report(swept), key=f"sweep-{_slug(source)}", description=f"What the sweep of {source} found")
    if swept.withheld:
        get_run_logger().warning(
            "%d documents are gone from the source, more than a tenth of it: nothing was removed; confirm_removals lets them go",
            len(swept.changes.removed),
        )


def report(swept: Sweep) -> str:
    """A sweep as Markdown."""
    changes = swept.changes
    removed = f"{len(changes.removed)} (withheld: more than a tenth of the source)" if swept.withheld else str(len(changes.removed))
    rows = f"| {len(changes.added)} | {len(changes.changed)} | {removed} | {changes.unchanged} |"
    parts = [f"## Sweep of {swept.source}\n\n| added | changed | removed | unchanged |\n|---:|---:|---:|---:|\n{rows}"]
    for name, ids in (("Added", changes.added), ("Changed", changes.changed), ("Removed", changes.removed)):
        if ids:
            more = f"\n- and {len(ids) - EXAMPLES} more" if len(ids) > EXAMPLES else ""
            parts.append(f"### {name}\n\n" + "\n".join(f"- `{doc_id}`" for doc_id in ids[:EXAMPLES]) + more)
    return "\n\n".join(parts)


def _slug(source: str) -> str:
    return "".join(character if character.isascii() and character.isalnum() else "-" for character in source.lower())
