"""Serves the deployments with their schedules: `python -m flows.serve`."""

import logging
import os
import sys
from datetime import timedelta
from time import sleep
from typing import Any, cast

import httpx
from prefect import Flow, serve
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.deployments.runner import RunnerDeployment
from prefect.schedules import Cron, Interval

from flows.abandoned import resume_abandoned
from flows.alarms import ensure_automations
from flows.canaries import canaries
from flows.capacity import capacity
from flows.drift import drift
from flows.evaluate import evaluate
from flows.exam import exam
from flows.maintain import maintain
from flows.rebuild import rebuild
from flows.rollback import rollback
from flows.sweep import sweep
from flows.tune import tune
from index import logs
from index.errors import Misconfigured
from index.policy import index_policy
from index.settings import Settings
from index.store import open_store
from tasks.discover import sources

_log = logging.getLogger("groundwork.flows")
MAINTAIN_EVERY = timedelta(minutes=15)
EVALUATE_AT = "30 2 * * *"
MEASURE_AT = "10 * * * *"
TUNE_AT = "30 3 * * *"
FORECAST_AT = "30 4 * * *"
WATCH_AT = "40 * * * *"
EXAMINE_AT = "30 1 * * 0"
PHRASE_AT = "50 */6 * * *"


def deployments(settings: Settings) -> list[RunnerDeployment]:
    """All that people find under Deployments in the Prefect UI."""
    return [*_sweeps(settings), *_of_quality(settings), *_of_upkeep(), *_of_releases()]


def _sweeps(settings: Settings) -> list[RunnerDeployment]:
    return [
        _deployment(
            sweep,
            name=f"sweep-{name}",
            parameters={"source": name},
            schedule=Interval(configured.every),
            tags=["ingest", configured.source.uri.partition(":")[0]],
            description=f"Keeps the index equal to the source '{name}' ({configured.source.uri}).",
            # Due more often than one takes, they would wait for each other in a queue that never ends.
            concurrency_limit=ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW),
        )
        for name, configured in sources(settings.sources, settings.sample, settings.home).items()
    ]


def _of_quality(settings: Settings) -> list[RunnerDeployment]:
    tags = ["quality"]
    return [
        _deployment(
            evaluate,
            name="evaluate",
            schedule=Cron(EVALUATE_AT),
            tags=tags,
            description="Scores a release on golden questions; nightly, after each rebuild, and whenever you like.",
        ),
        _deployment(
            evaluate,
            name="evaluate-retrieval",
            parameters={"answers": False, "again": False},
            schedule=Cron(MEASURE_AT),
            tags=tags,
            description="Scores what the live release finds for golden questions; hourly, where it was not measured on them before.",
        ),
        _deployment(
            exam,
            name="exam",
            schedule=Cron(EXAMINE_AT),
            tags=tags,
            description="Examines the judge on planted pairs; each Sunday, and whenever you like.",
        ),
        _deployment(
            drift,
            name="drift",
            schedule=Cron(WATCH_AT),
            tags=tags,
            description="Says whether retrieval is worse than it was, since when and why; hourly, and whenever you like.",
        ),
        _deployment(
            canaries,
            name="canaries",
            # The ingester asks them; this lets the language model phrase some more.
            schedule=Cron(PHRASE_AT) if settings.llm_url and settings.llm_model else None,
            tags=tags,
            description="Asks self-made questions on a release; the ingester asks them every five minutes on what is live.",
        ),
    ]


def _of_upkeep() -> list[RunnerDeployment]:
    tags = ["upkeep"]
    return [
        _deployment(
            maintain,
            name="maintain",
            schedule=Interval(MAINTAIN_EVERY),
            tags=tags,
            description="Keeps searches fast and the disk bounded.",
        ),
        _deployment(
            tune,
            name="tune",
            schedule=Cron(TUNE_AT),
            tags=tags,
            description="Measures what the approximate search finds, and tunes it when that is due; nightly, and whenever you like.",
        ),
        _deployment(
            capacity,
            name="capacity",
            schedule=Cron(FORECAST_AT),
            tags=tags,
            description="Says at how many rows, and when, searches will be slower than the goal; nightly, and whenever you like.",
        ),
    ]


def _of_releases() -> list[RunnerDeployment]:
    tags = ["releases"]
    return [
        _deployment(
            rebuild,
            name="rebuild",
            tags=tags,
            description="Makes the index anew with another model or other passages; fill in what is to be otherwise.",
        ),
        _deployment(rollback, name="rollback", tags=tags, description="Serves an earlier release; fill in 'to' or leave it empty."),
        _deployment(
            rollback,
            name="resume",
            parameters={"resume": True},
            tags=tags,
            description="Follows the newest checked release again.",
        ),
    ]


def _deployment(what: Flow[..., Any], **facts: Any) -> RunnerDeployment:
    """One at a time of each: a second run waits for the first, unless its facts say otherwise."""
    return cast(RunnerDeployment, what.to_deployment(**({"concurrency_limit": 1} | facts)))


def wait_for_server(api_url: str, pause_s: float = 0.5) -> None:
    """Waits until Prefect's server answers, however long that takes."""
    waited = 0.0
    while True:
        try:
            if httpx.get(f"{api_url}/health", timeout=5).is_success:
                return
        except httpx.HTTPError:
            pass
        waited += pause_s
        if waited % 30 == 0:
            _log.warning("still waiting for the Prefect server at %s", api_url)
        sleep(pause_s)


def main() -> None:
    """Serves until SIGTERM."""
    settings = Settings()
    logs.set_up(settings.log_format)
    index_policy(settings.index_policy)  # says at the start what is wrong with it, not in the first maintenance
    wait_for_server(settings.prefect_url)
    resume_abandoned(open_store(settings.index, settings.home), settings.prefect_url)
    ensure_automations()
    serve(*deployments(settings), pause_on_shutdown=False, print_starting_message=False)


if __name__ == "__main__":
    try:
        main()
    except Misconfigured as error:
        print(error, file=sys.stderr)
        sys.exit(os.EX_CONFIG)
