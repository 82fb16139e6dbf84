"""The `capacity` flow: at how many rows, and when, searches will be too slow."""

from datetime import UTC, datetime

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from evals.capacity import Forecast
from evals.capacity_picture import draw
from evals.chart import as_data_uri, as_svg
from flows.steps import ASSESS
from index.embedder import embedder_for
from index.policy import index_policy
from index.settings import Settings
from index.store import open_store


@flow(
    name="capacity",
    flow_run_name="capacity",
    description="Measures indexes of several sizes on sub-samples of the live one; says when searches will be slower than the goal.",
    log_prints=True,
)
def capacity() -> None:
    """One forecast, from measurements on this machine."""
    settings = Settings()
    store = open_store(settings.index, settings.home)
    policy = index_policy(settings.index_policy)
    scratch = settings.home / "cache" / "capacity"
    told: Forecast = ASSESS(
        store,
        policy,
        embedder_for(store.log.live().recipe, settings),
        scratch,
        settings.latency_goal_ms,
        datetime.now(UTC),
        lambda rows: print(f"measuring an index of {rows:,} rows"),
    )
    create_markdown_artifact(report(told), key="capacity", description="When searches will be slower than the goal")


def report(told: Forecast) -> str:
    """A forecast as Markdown, with its picture."""
    parts = ["## Capacity", f"{told.rows:,} rows, p95 of one search {told.p95_ms or 0:.1f} ms, goal {told.goal_ms:g} ms.", verdict(told)]
    if picture := draw(told):
        parts.append(f"![p95 against rows]({as_data_uri(as_svg(picture))})")
    if told.actions:
        parts.append("### What brings it down")
        parts.append("\n".join(f"- {action.do}: {action.effect}" for action in told.actions))
    if told.sizes:
        rows = [f"| {size.rows:,} | {size.p50_ms:.1f} | {size.p95_ms:.1f} | {size.built_s:.1f} |" for size in told.sizes]
        parts.append("\n".join(["| rows | p50, ms | p95, ms | built in, s |", "| ---: | ---: | ---: | ---: |", *rows]))
    return "\n\n".join(parts)


def verdict(told: Forecast) -> str:
    """When the goal breaks, in a sentence."""
    if told.breaks_at_rows is None:
        return f"No forecast: {told.reason}."
    span = f"{told.low:,} to {told.high:,}" if told.low and told.high else f"{told.low or 0:,} or more"
    size = f"p95 passes the goal at about {told.breaks_at_rows:,} rows (95 % interval {span})"
    if told.breaks_on is None:
        return f"{size}; no day is named: {told.reason or 'that is more than a hundred years away'}."
    days = " to ".join(day.date().isoformat() if day else "never" for day in (told.earliest, told.latest))
    return f"{size}, at {told.rows_per_day:,.0f} rows a day on {told.breaks_on.date().isoformat()} ({days})."
