"""The `rebuild` flow: asks for another generation from the Prefect UI, and follows how far it is."""

from time import sleep
from typing import Any, cast
from uuid import UUID

from prefect import flow
from prefect.artifacts import create_markdown_artifact, create_progress_artifact, update_progress_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from index.policy import index_policy
from index.progress import RebuildProgress
from index.recipe import Recipe, recipe_of
from index.settings import Settings
from index.store import Store, open_store
from index.wishes import Wish
from tasks import wish as wished

LOOK_EVERY_S = 1.0
ARTIFACT = "rebuild"


@flow(
    name="rebuild",
    flow_run_name="rebuild, embedder {embedder}, {dimensions} dimensions, {chunk_tokens} tokens",
    description="Makes the index anew from stored text with another model, other passages or other precision, beside what is served; it "
    "goes live when the gate lets it pass. What is left empty stays as it is. The ingester does the work: this run follows it.",
    log_prints=True,
)
def rebuild(
    embedder: str | None = None,
    dimensions: int | None = None,
    chunk_tokens: int | None = None,
    vector_bits: int | None = None,
    reason: str = "from the Prefect UI",
) -> State[Any]:
    """Asks for it and waits until it is served, held, cancelled or failed."""
    settings = Settings()
    store = open_store(settings.index, settings.home)
    configured = recipe_of(settings, index_policy(settings.index_policy).vector_bits)
    now = wished.made_with(store.log) or configured
    recipe = Recipe(
        embedder=embedder or now.embedder,
        url=None if embedder and embedder != now.embedder else now.url,
        dimensions=now.dimensions if dimensions is None and not embedder else dimensions or 0,
        chunk_tokens=chunk_tokens or now.chunk_tokens,
        vector_bits=vector_bits or now.vector_bits,
    )
    asked = wished.ask(store.log, recipe, configured, "prefect", reason)
    ended = follow(store, asked)
    create_markdown_artifact(report(ended), key=ARTIFACT, description=f"Rebuild {ended.id}: {ended.state}")
    message = f"rebuild {ended.id}: {ended.state}, {ended.detail.get('why')}"
    return Completed(message=message) if ended.state == "done" else Failed(message=message)


def follow(store: Store, asked: Wish) -> Wish:
    """Waits for the end of a rebuild, and tells how far it is."""
    artifact = cast(UUID, create_progress_artifact(0.0, description="rebuild"))
    told = RebuildProgress(store.folder)
    while (found := wished.get(store.log, asked.id)).state == "running":
        if (progress := told.read()) and progress.rebuild == asked.id and progress.of:
            description = f"{progress.phase}: {progress.done} of {progress.of} documents"
            update_progress_artifact(artifact, 100 * progress.done / progress.of, description=description)
        sleep(LOOK_EVERY_S)
        store.log.refresh()
    return found


def report(ended: Wish) -> str:
    """What became of it, and what the gate found, as Markdown."""
    lines = [f"## Rebuild {ended.id}: {ended.state}", str(ended.detail.get("why") or "")]
    gate = ended.detail.get("report") or {}
    if findings := gate.get("findings"):
        rows = [f"| {each['name']} | {'yes' if each['ok'] else '**no**'} | {each['detail']} |" for each in findings]
        lines.append("\n".join(["| check | held | found |", "| :-- | :-- | :-- |", *rows]))
    judgements = {name: each for name, each in (gate.get("judgements") or {}).items() if each["delta"] is not None}
    if judgements:
        rows = [
            f"| {name} | {each['verdict']} | {each['live']:.3f} | {each['candidate']:.3f} | {each['low']:+.3f} to {each['high']:+.3f} "
            f"| {each['margin']:.3f} | {each['questions']} |"
            for name, each in judgements.items()
        ]
        head = ["| asked | verdict | live | candidate | difference | matters | questions |", "| :-- | :-- | --: | --: | :-- | --: | --: |"]
        lines.append("\n".join([*head, *rows]))
    return "\n\n".join(line for line in lines if line)
