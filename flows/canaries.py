"""The `canaries` flow: asks the self-made questions on any release."""

from collections.abc import Sequence
from datetime import UTC, datetime
from math import isnan

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from evals.canary_runs import COUNT, Questions, mean_rank
from evals.phrasing import Ask, asking
from flows.steps import ASK_CANARIES, PHRASE_CANARIES, REFRESH_CANARIES
from index.canaries import Canary, CanaryRun
from index.embedder import embedder_for
from index.settings import Settings
from index.store import open_store
from tasks.chat import Endpoint

SHOWN = 20


@flow(
    name="canaries",
    description="Asks questions that were made from the documents themselves, on a release: the live one unless told otherwise.",
    log_prints=True,
)
def canaries(release: int | None = None) -> None:
    """One run; that on the live release is kept beside those of the ingester, and there a language model phrases a few more."""
    settings = Settings()
    store = open_store(settings.index, settings.home)
    live = store.log.live().number
    view = store.reader().view(release or live)
    embedder, questions, now = embedder_for(view.release.recipe, settings), Questions(), datetime.now(UTC)
    if not store.canaries.all() and view.release.number == live:
        REFRESH_CANARIES(store.canaries, view, embedder, questions, now, tries=3 * COUNT)
    if (model := phrases(settings)) and view.release.number == live and view.release.rows:
        told = PHRASE_CANARIES(store.canaries, view, embedder, questions, now, model)
        print(f"{settings.llm_model} was asked about {told.tried} passages, {told.made} became canaries. {told.failed or ''}")
    asked = store.canaries.all()
    taken, _ = ASK_CANARIES(view, embedder, questions, asked, now)
    if asked and view.release.number == live:
        store.canary_runs.write(taken)
    text = report(taken, asked, len(store.canaries.refused()))
    create_markdown_artifact(text, key="canaries", description=f"Canaries on release {taken.release}")


def phrases(settings: Settings) -> Ask | None:
    """The language model that phrases canaries; None where none is set."""
    if not (settings.llm_url and settings.llm_model):
        return None
    key = settings.llm_key.get_secret_value() if settings.llm_key else ""
    return asking(Endpoint(settings.llm_url, settings.llm_model, key or "none"))


def report(run: CanaryRun, canaries: Sequence[Canary], refused: int) -> str:
    """A run as Markdown: how it compares with when the canaries were made, and which have lost their passage."""
    rank = mean_rank(run)
    if rank is None:
        return f"## Canaries on release {run.release}\n\nNothing was measured: there are {len(canaries)} canaries."
    found = dict(zip(run.canaries, run.ranks, strict=True))
    measured = [canary for canary in canaries if not isnan(found.get(canary.id, float("nan")))]
    born = sum(canary.birth_rank for canary in measured) / len(measured)
    lost = [canary for canary in measured if found[canary.id] == 0]
    phrased = sum(canary.kind == "phrased" for canary in measured)
    told = (
        f"Mean reciprocal rank **{rank:.3f}**, {born:.3f} when they were made; {len(measured)} of {len(canaries)} measured, "
        f"{len(lost)} lost their passage; a language model phrased {phrased}. "
        f"{refused} more did not find theirs when they were made, and are not asked."
    )
    lines = [
        f"## Canaries on release {run.release}",
        "Questions that were made from the documents themselves; no human judged them.",
        told,
    ]
    if lost:
        rows = [f"| {_cell(each.question)} | {_cell(each.doc_id)} | {each.kind} |" for each in lost[:SHOWN]]
        lines.append("\n".join(["| lost | document | kind |", "| :-- | :-- | :-- |", *rows]))
    return "\n\n".join(lines)


def _cell(text: str) -> str:
    """Words of a document in a cell of a table, with nothing in it that Markdown or HTML would act on."""
    plain = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{character}" if character in "\\`*_[]#|~" else character for character in plain)
