"""The `sweep` flow: compares a source with the index and puts the differences into the inbox."""

from collections.abc import Sequence

from prefect import State, flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.states import Failed

from flows.steps import SWEEP
from index.errors import NotFound
from index.settings import Settings
from index.store import open_store
from tasks.discover import sources
from tasks.sweep import Progress, Sweep

EXAMPLES = 20
_HEAD = "| added | changed | removed | moved | unchanged | left out |\n|---:|---:|---:|---:|---:|---:|"


@flow(
    name="sweep",
    flow_run_name="sweep {source}",
    description="Compares a source with what is indexed and puts new, changed and removed documents into the inbox.",
    log_prints=True,
)
def sweep(source: str, confirm_removals: bool = False) -> State[None] | None:
    """Sweeps one configured source; `confirm_removals` lets more than a tenth of it disappear."""
    settings = Settings()
    configured = sources(settings.sources, settings.sample, settings.home)
    if source not in configured:
        raise NotFound(f"no source {source!r} is configured; there are: {', '.join(configured) or 'none'}")
    store = open_store(settings.index, settings.home)
    swept: Sweep = SWEEP(store, configured[source].source, confirm_removals, Progress(get_run_logger().info))
    create_markdown_artifact(report(swept), key=f"sweep-{_slug(source)}", description=f"What the sweep of {source} found")
    return verdict(swept)


def verdict(swept: Sweep) -> State[None] | None:
    """The state to end in, when somebody should look at the sweep; None when all went well."""
    if swept.withheld:
        return Failed(name="NeedsConfirmation", message=f"{_lost(swept)}: nothing was removed. {how_to_confirm(swept.source)}")
    if swept.gaps:
        where = f"{swept.gaps[0].where}: {swept.gaps[0].reason}"
        return Failed(name="Partial", message=f"{len(swept.gaps)} parts could not be listed, so nothing was removed; the first is {where}")
    return None


def how_to_confirm(source: str) -> str:
    """What to do when the documents are meant to go."""
    return (
        f"If they are meant to go: Deployments, sweep-{source}, Run, Custom run, confirm_removals = true; "
        f"or `prefect deployment run 'sweep/sweep-{source}' --param confirm_removals=true`"
    )


def report(swept: Sweep) -> str:
    """A sweep as Markdown."""
    changes = swept.changes
    counts = (len(changes.added), len(changes.changed), len(changes.removed), len(changes.moved), changes.unchanged, len(swept.skipped))
    parts = [f"## Sweep of {swept.source}", f"{_HEAD}\n| {' | '.join(map(str, counts))} |"]
    if swept.withheld:
        parts.append(f"**Nothing was removed.** {_lost(swept)}. {how_to_confirm(swept.source)}.")
    if swept.gaps:
        parts.append("**Nothing was removed:** a part could not be listed.")
    for name, lines in (
        ("Added", _named(changes.added)),
        ("Changed", _named(changes.changed)),
        ("Removed", _named(changes.removed)),
        ("Moved", [f"`{old}` to `{new}`" for old, new in changes.moved[:EXAMPLES]]),
        ("Left out", [f"`{item.doc_id}`: {item.reason}" for item in swept.skipped[:EXAMPLES]]),
        ("Not listed", [f"`{gap.where}`: {gap.reason}" for gap in swept.gaps[:EXAMPLES]]),
    ):
        if lines:
            parts.append(f"### {name}\n\n" + "\n".join(f"- {line}" for line in lines))
    return "\n\n".join(parts)


def _lost(swept: Sweep) -> str:
    return f"{swept.changes.lost} of {swept.known} documents are gone from the source, more than a tenth of it"


def _named(doc_ids: Sequence[str]) -> list[str]:
    more = [f"and {len(doc_ids) - EXAMPLES} more"] if len(doc_ids) > EXAMPLES else []
    return [f"`{doc_id}`" for doc_id in doc_ids[:EXAMPLES]] + more


def _slug(source: str) -> str:
    return "".join(character if character.isascii() and character.isalnum() else "-" for character in source.lower())
