"""The `tune` flow: how much the approximate search finds, and the cheapest settings that find enough."""

from datetime import UTC, datetime

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from evals.chart import as_data_uri, as_svg
from evals.monitors import note_recall
from evals.recall import Recall
from evals.tradeoff import draw
from evals.tune import Checked
from flows.steps import CHECK_RECALL
from index.embedder import embedder_for
from index.policy import index_policy
from index.settings import Settings
from index.store import open_store


@flow(
    name="tune",
    flow_run_name="tune",
    description="Compares the live search with exact search; finds the cheapest settings above the recall target when they are due.",
)
def tune(*, anew: bool = False) -> None:
    """One check; `anew` looks for settings even when those of now are good."""
    settings = Settings()
    store = open_store(settings.index, settings.home, serves=True)
    policy = index_policy(settings.index_policy)
    checked: Checked | None = CHECK_RECALL(store, policy, embedder_for(store.log.live().recipe, settings), anew=anew)
    if checked:
        note_recall(store, datetime.now(UTC), checked.live.recall)
    create_markdown_artifact(report(checked, policy.recall_target), key="recall", description="What the approximate search finds")


def report(checked: Checked | None, target: float) -> str:
    """A check as Markdown, with the trade-off curve when settings were tried."""
    if checked is None:
        return "## Recall\n\nThere is no vector index: every search looks at all rows, and finds all that is to be found."
    lines = [
        "## Recall of the approximate search",
        f"{_found(checked.live)}; {checked.questions} questions, {checked.rows:,} rows.",
    ]
    if tuning := checked.tuning:
        verdict = "reaches" if tuning.reached else "misses"
        lines += [
            f"From the next release on: {_settings(tuning.chosen)}, which {verdict} the target of {target}: {_found(tuning.chosen)}.",
            f"![recall against latency]({as_data_uri(as_svg(draw(tuning, target)))})",
        ]
    return "\n\n".join(lines)


def _found(measured: Recall) -> str:
    recall = measured.recall
    if recall.mean is None:
        return "recall@10 not measured"
    return f"recall@10 {recall.mean:.3f} (95 % interval {recall.low:.3f} to {recall.high:.3f}), p50 {measured.p50_ms:.1f} ms"


def _settings(found: Recall) -> str:
    return f"{found.settings.nprobes} partitions, refine factor {found.settings.refine_factor}" if found.settings else "every row"
