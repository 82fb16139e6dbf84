"""Health and metrics."""

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from typing import Any

from litestar import Request, Response, get, head
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from api import counts
from api.auth import loopback_or
from api.dialects import MEDIA_TYPE
from api.freshness import Freshness
from api.openapi_problems import ProblemReply
from api.parts_health import HealthReply, looked_at, overall
from api.platform import Platform
from api.problems import problem
from index.errors import GroundworkError, Unavailable
from index.reader import Opened
from tasks.retrieve import Query, retrieve

_log = logging.getLogger("groundwork.api")
# What a part that is down raises; LanceDB turns failures of the storage into RuntimeErrors.
FAILURES = (GroundworkError, OSError, RuntimeError, ValueError)
Check = tuple[str, Callable[[Platform], object]]


class NotReadyReply(ProblemReply):
    """Which part is down, and while the sample is indexed for the first time, how much of it is done."""

    parts: dict[str, str]
    progress: dict[str, int] | None


@get("/health/live", summary="Alive?", operation_id="live", tags=["Health"])
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@head("/health/live", name="live_head", include_in_schema=False)
async def live_head() -> None:
    """The same for load balancers that ask for the head alone."""


@get(
    "/health",
    summary="Which part is ill",
    operation_id="health",
    description="Each part with its state, and where it is not ok, why and what to do. 503 only where nothing can be served.",
    tags=["Health"],
    sync_to_thread=True,
    responses={503: ResponseSpec(HealthReply, generate_examples=False, description="Nothing can be served.")},
)
def health(
    platform: NamedDependency[Platform], monitor: NamedDependency[Freshness], request: Request[Any, Any, Any]
) -> Response[HealthReply]:
    """Each part with its state."""
    found = _checked(SERVING, platform)
    told = overall(looked_at(platform, monitor, request.app.state["pools"], request.app.state["prefect_probe"], found))
    if told.status != "down":
        return Response(told)
    return Response(told, status_code=503, headers={"Retry-After": "2"})


def _checked(checks: Sequence[Check], platform: Platform) -> dict[str, str]:
    """What is wrong with each part, or "ok". Once one is down nothing is known of the rest, which needs it: that is not looked at."""
    parts: dict[str, str] = {}
    down = ""
    for part, check in checks:
        parts[part] = f"not looked at until {down} is ok" if down else _tried(part, check, platform)
        down = down or (part if parts[part] != "ok" else "")
    return parts


def _tried(part: str, check: Callable[[Platform], object], platform: Platform) -> str:
    try:
        check(platform)
    except FAILURES as error:
        return _why(part, error)
    return "ok"


@get(
    "/health/ready",
    summary="Ready?",
    operation_id="ready",
    tags=["Health"],
    responses={503: ResponseSpec(NotReadyReply, generate_examples=False, description="A part is down.", media_type=MEDIA_TYPE)},
)
async def ready(platform: NamedDependency[Platform], monitor: NamedDependency[Freshness]) -> Response[dict[str, Any]]:
    """200 only when a real search on the live release has just worked; else 503, naming the part."""
    # By hand: `sync_to_thread` of a route whose path has a second method makes a thread in a thread of it (Litestar 2.25).
    return await asyncio.to_thread(_readiness, platform, monitor)


@head("/health/ready", name="ready_head", include_in_schema=False)
async def ready_head(platform: NamedDependency[Platform], monitor: NamedDependency[Freshness]) -> Response[None]:
    """The same for load balancers that ask for the head alone."""
    told = await asyncio.to_thread(_readiness, platform, monitor)
    return Response(None, status_code=told.status_code, headers=told.headers)


def _readiness(platform: Platform, monitor: Freshness) -> Response[dict[str, Any]]:
    progress = _first_start(platform)
    # The search comes last: while the sample is indexed it would only take time from that.
    *first, search = SERVING
    parts = _checked([*first, ("sample", lambda _: _indexed(progress)), search], platform)
    if down := next((part for part, state in parts.items() if state != "ok"), None):
        return problem(503, f"{down}: {parts[down]}", {"Retry-After": "2"}, parts=parts, progress=progress)
    # What is served is served, however old: an alarm about freshness is told, and takes no replica out of service.
    level = {"state": monitor.alarm.state, "detail": monitor.alarm.detail}
    waiting = platform.store.inbox.backlog().documents
    return Response({"status": "ready", "parts": parts, "release": platform.store.log.state.live, "waiting": waiting, "freshness": level})


@get(
    "/metrics",
    summary="Metrics",
    operation_id="metrics",
    tags=["Health"],
    guards=[loopback_or("reader")],
    sync_to_thread=True,
    media_type=CONTENT_TYPE_LATEST.partition("; charset")[0],  # which Litestar adds
)
def metrics(registry: NamedDependency[CollectorRegistry], counted: NamedDependency[CollectorRegistry]) -> bytes:
    """Prometheus text: what is looked up now, and what was counted."""
    return generate_latest(registry) + counts.told(counted)


class IndexMetrics(Collector):
    """The state of the index, looked up when it is asked for."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def collect(self) -> list[GaugeMetricFamily]:
        """Live release, its rows, and what waits."""
        state = self._platform.store.log.state
        rows = self._platform.store.log.live().rows if state.live else 0
        waits = self._platform.store.inbox.backlog()
        values = {
            "groundwork_live_release": ("The release being served.", state.live),
            "groundwork_newest_release": ("The newest checked release.", state.newest),
            "groundwork_pinned": ("1 when live is pinned after a rollback.", int(state.pinned)),
            "groundwork_live_rows": ("Chunks in the live release.", rows),
            "groundwork_inbox_documents": ("Accepted writes that no release contains yet.", waits.documents),
            "groundwork_inbox_bytes": ("Size of what waits in the inbox.", waits.bytes),
        }
        found = [GaugeMetricFamily(name, text, value=value) for name, (text, value) in values.items()]
        ledger = self._platform.store.ledger
        documents = GaugeMetricFamily("groundwork_documents", "Documents by the state of their newest revision.", labels=["state"])
        quarantined = GaugeMetricFamily("groundwork_quarantined_documents", "What waits in quarantine, by reason.", labels=["reason"])
        for family, states in ((documents, ledger.counts()), (quarantined, ledger.reasons())):
            for name, count in sorted(states.items()):
                family.add_metric([name], count)
        return [*found, documents, quarantined]


def _why(part: str, error: Exception) -> str:
    """What people may read without a key; the rest is for the log."""
    if isinstance(error, GroundworkError):
        return str(error)
    _log.error("%s is not ready: %s", part, error)
    return f"it failed ({type(error).__name__}), the API's log has the details"


def _search(platform: Platform) -> None:
    view = platform.reader.view()
    retrieve(Opened(view), platform.models.of(view.release), Query("is the search working?", k=1))


def _opened(platform: Platform) -> None:
    platform.store.log.live()
    if not platform.reader.followed:
        raise Unavailable("it is being loaded into memory")


SERVING: list[Check] = [
    ("index", _opened),
    ("model", lambda platform: platform.embedder()),
    ("search", _search),
]


def _indexed(progress: dict[str, int] | None) -> None:
    if progress is not None:
        raise Unavailable("it is being indexed for the first time")


def _first_start(platform: Platform) -> dict[str, int] | None:
    """How much of the sample is indexed; None once it has been."""
    try:
        planned = json.loads(platform.settings.first_start_file.read_text() or "{}")
    except (FileNotFoundError, ValueError):
        planned = {} if platform.settings.first_start_file.exists() else None
    if planned is None:
        return None
    total = int(planned.get("documents", 0))
    # Not by what waits: the inbox gives a segment back only when all of it is done, which the whole sample may be.
    return {"done": min(total, sum(platform.store.ledger.counts().values())), "of": total}
