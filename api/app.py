"""Wires the HTTP API together."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar
from litestar.di import Provide
from litestar.plugins.prometheus import PrometheusConfig
from litestar.types import ASGIApp, ControllerRouterHandler
from prometheus_client import CollectorRegistry

from api import (
    answers,
    audit,
    capacity,
    documents,
    drift,
    duplicates,
    evaluations,
    feedback,
    freshness,
    golden,
    health,
    intake,
    judge,
    key_routes,
    mcp_endpoint,
    openai_chat,
    openapi,
    plans,
    problems,
    rebuilds,
    releases,
    search,
)
from api.admission import Admission
from api.edge import Bounds, cors, edge
from api.freshness import Freshness
from api.keys import Keys
from api.limits import RateLimits
from api.openapi_problems import with_problems
from api.parts_health import PrefectProbe
from api.platform import Platform
from api.pools import pools
from api.quality_metrics import QualityMetrics, count_traffic
from api.runs import Runs
from api.stored_metrics import StoredMetrics
from api.watched import Watched

# The event loop waits this long at most for each thread that computes, where Python's own 5 ms would add up to late refusals.
SWITCH_S = 0.001
HANDLERS: list[ControllerRouterHandler] = [
    search.search,
    answers.ask,
    answers.get_answer,
    answers.replay_answer,
    openai_chat.chat_completions,
    openai_chat.list_models,
    openai_chat.get_model,
    feedback.give_feedback,
    feedback.list_feedback,
    documents.put_document,
    documents.delete_document,
    documents.get_document,
    documents.list_documents,
    documents.post_documents,
    documents.replay_document,
    documents.replay_quarantine,
    releases.list_releases,
    releases.live_release,
    releases.get_release,
    releases.shadow,
    releases.promote,
    releases.rollback,
    releases.resume,
    rebuilds.start_rebuild,
    rebuilds.list_rebuilds,
    rebuilds.get_rebuild,
    rebuilds.cancel_rebuild,
    audit.audit,
    evaluations.start_evaluation,
    evaluations.list_evaluations,
    evaluations.get_evaluation,
    golden.list_golden,
    golden.get_golden,
    golden.put_golden,
    golden.drop_golden,
    golden.check_golden,
    golden.list_proposals,
    golden.make_proposals,
    golden.decide_proposal,
    judge.judge,
    judge.examine_judge,
    plans.plan,
    freshness.freshness,
    duplicates.duplicates,
    capacity.capacity,
    drift.drift,
    drift.picture,
    key_routes.create_key,
    key_routes.list_keys,
    key_routes.rotate_key,
    key_routes.revoke_key,
    mcp_endpoint.mcp,
    health.health,
    health.live,
    health.live_head,
    health.ready,
    health.ready_head,
    health.metrics,
]


def create_app(platform: Platform, keys: Keys, runs: Runs) -> Litestar:
    """The API over one index. Replace any of the three to test it."""
    registry, counted = CollectorRegistry(), CollectorRegistry()
    stored = {"index": health.IndexMetrics(platform), "drift": drift.DriftMetrics(platform.store), "quality": QualityMetrics(platform)}
    monitor = Freshness(platform.store, platform.settings.freshness_goal_s, runs, counted)
    registry.register(StoredMetrics(stored))
    registry.register(monitor)
    count_traffic(platform.traffic, counted)
    platform.also_look(monitor.look)
    threads = pools(platform.serving, os.cpu_count() or 1, model_here=not platform.settings.embedder_url)

    @asynccontextmanager
    async def follow(_: Litestar) -> AsyncIterator[None]:
        asyncio.get_running_loop().set_default_executor(threads)
        sys.setswitchinterval(SWITCH_S)
        platform.start()
        try:
            yield
        finally:
            platform.stop()

    app = Litestar(
        route_handlers=[*map(with_problems, HANDLERS), openapi.assets()],
        dependencies={
            "platform": Provide(lambda: platform, sync_to_thread=False),
            "keys": Provide(lambda: keys, sync_to_thread=False),
            "runs": Provide(lambda: runs, sync_to_thread=False),
            "registry": Provide(lambda: registry, sync_to_thread=False),
            "counted": Provide(lambda: counted, sync_to_thread=False),
            "monitor": Provide(lambda: monitor, sync_to_thread=False),
        },
        exception_handlers=problems.HANDLERS,
        request_class=intake.JsonRequest,
        lifespan=[follow],
        middleware=[PrometheusConfig(app_name="groundwork", prefix="groundwork", group_path=True).middleware],
        openapi_config=openapi.config(),
        signature_namespace={"Platform": Platform, "Keys": Keys, "Runs": Runs, "Freshness": Freshness},
        request_max_body_size=search.MAX_BODY,
        cors_config=cors(platform.serving.cors_origins),
        logging_config=None,
    )
    app.state["keys"] = keys
    app.state["platform"] = platform
    app.state["monitor"] = monitor
    app.state["pools"] = threads
    app.state["prefect_probe"] = PrefectProbe(runs)
    app.state["admission"] = lambda app: Admission(
        app, threads, RateLimits(platform.serving.requests_per_minute), keys, counted, platform.ahead
    )
    return app


def served(app: Litestar, bounds: Bounds | None = None) -> ASGIApp:
    """What a server runs: the app behind its admission, behind what bounds each request, watched."""
    admitted: ASGIApp = app.state["admission"](app)
    return Watched(edge(admitted, bounds))
