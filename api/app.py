"""Wires the HTTP API together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar
from litestar.di import Provide
from litestar.plugins.prometheus import PrometheusConfig
from litestar.types import ControllerRouterHandler
from prometheus_client import CollectorRegistry

from api import (
    answers,
    audit,
    capacity,
    documents,
    duplicates,
    evaluations,
    freshness,
    golden,
    health,
    intake,
    key_routes,
    openapi,
    plans,
    problems,
    rebuilds,
    releases,
    search,
)
from api.freshness import Freshness
from api.keys import Keys
from api.platform import Platform
from api.runs import Runs

HANDLERS: list[ControllerRouterHandler] = [
    search.search,
    answers.ask,
    answers.get_answer,
    answers.replay_answer,
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
    plans.plan,
    freshness.freshness,
    duplicates.duplicates,
    capacity.capacity,
    key_routes.create_key,
    key_routes.list_keys,
    key_routes.revoke_key,
    health.live,
    health.ready,
    health.metrics,
]


def create_app(platform: Platform, keys: Keys, runs: Runs) -> Litestar:
    """The API over one index. Replace any of the three to test it."""
    registry = CollectorRegistry()
    registry.register(health.IndexMetrics(platform))
    monitor = Freshness(platform.store, platform.settings.freshness_goal_s, runs, registry)
    platform.also_look(monitor.look)

    @asynccontextmanager
    async def follow(_: Litestar) -> AsyncIterator[None]:
        platform.start()
        try:
            yield
        finally:
            platform.stop()

    app = Litestar(
        route_handlers=[*HANDLERS, openapi.assets()],
        dependencies={
            "platform": Provide(lambda: platform, sync_to_thread=False),
            "keys": Provide(lambda: keys, sync_to_thread=False),
            "runs": Provide(lambda: runs, sync_to_thread=False),
            "registry": Provide(lambda: registry, sync_to_thread=False),
            "monitor": Provide(lambda: monitor, sync_to_thread=False),
        },
        exception_handlers=problems.HANDLERS,
        request_class=intake.JsonRequest,
        lifespan=[follow],
        middleware=[PrometheusConfig(app_name="groundwork", prefix="groundwork", group_path=True).middleware],
        openapi_config=openapi.config(),
        signature_namespace={"Platform": Platform, "Keys": Keys, "Runs": Runs, "Freshness": Freshness},
        request_max_body_size=search.MAX_BODY,
        logging_config=None,
    )
    app.state["keys"] = keys
    app.state["monitor"] = monitor
    return app
