"""`/v1/drift`: whether retrieval is worse than it was, since when and why; and pictures of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from api import openapi
from api.auth import requires
from api.platform import Platform
from index.errors import NotFound
from index.pictures import Form
from index.store import Store

SHOWN_ONLY = "default-src 'none'; style-src 'unsafe-inline'"
MEDIA_TYPES: Mapping[Form, str] = {"svg": "image/svg+xml", "png": "image/png", "json": "application/json"}
PictureForm = Annotated[Form, QueryParameter(description="As what.")]
NOT_YET = "nothing was checked yet: the deployment 'drift' does it each hour, and whenever it is started"


class MonitorReply(msgspec.Struct):
    """One monitor: `effect` is the change beside what was expected (of a fall, as a share of the value before), with its 95 % interval.

    `detectable` is the smallest fall that would be seen. Of an alarm: `cause`, the `release` where it began, `runbook` (what to do).
    """

    name: str
    state: Literal["ok", "alarm", "unmeasured"]
    detail: str
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    detectable: float | None = None
    since: datetime | None = None
    cause: str | None = None
    release: int | None = None
    runbook: str | None = None
    examples: list[str] = []


class BestDayReply(msgspec.Struct):
    """The best day that is known: the mean value of so many questions then, and of the same ones now."""

    at: datetime
    release: int
    value: float
    now: float
    questions: int


class DriftReply(msgspec.Struct):
    """Whether retrieval is worse than it was: by how much, since when, and why. `reason` says why nothing is known."""

    worse: bool
    by: float | None = None
    since: datetime | None = None
    cause: str | None = None
    monitors: list[MonitorReply] = []
    best: BestDayReply | None = None
    release: int | None = None
    checked_at: datetime | None = None
    reason: str | None = None


@get(
    "/v1/drift",
    guards=[requires("reader")],
    summary="Drift",
    operation_id="drift",
    description="The newest check: whether retrieval is worse than it was, by how much, since when, and why; monitor by monitor.",
    tags=["Evaluations"],
    sync_to_thread=True,
)
def drift(platform: NamedDependency[Platform]) -> DriftReply:
    """The newest check; no monitors and a reason while there is none."""
    newest = platform.store.drift.newest()
    if newest is None:
        return DriftReply(worse=False, reason=NOT_YET)
    at, report = newest
    best = report.get("best")
    return DriftReply(
        worse=report["worse"],
        by=report["by"],
        since=report["since"] and datetime.fromisoformat(report["since"]),
        cause=report["cause"],
        monitors=[msgspec.convert(row, MonitorReply) for row in report["monitors"]],
        best=msgspec.convert(best, BestDayReply) if best else None,
        release=report.get("release"),
        checked_at=at,
    )


@get(
    "/v1/pictures/{name:str}",
    guards=[requires("reader")],
    summary="A picture",
    operation_id="picture",
    description="The newest picture: scores over releases with what happened meanwhile (`scores`), questions that won and lost "
    "(`questions`), drift (`drift`). `form` is `svg`, `png`, or `json`: what it was drawn from.",
    tags=["Evaluations"],
    media_type="image/svg+xml",
    operation_class=openapi.Picture,
    sync_to_thread=True,
)
def picture(platform: NamedDependency[Platform], name: FromPath[str], form: PictureForm = "svg") -> Response[bytes]:
    """A picture, or its data."""
    pictures = platform.store.pictures
    known = {each: each for each in pictures.names()}
    if name not in known:
        raise NotFound(f"there is no such picture; there are: {', '.join(known) or 'none yet'}")
    # It is shown, not run: nothing in it may load or do anything.
    return Response(pictures.read(known[name], form), media_type=MEDIA_TYPES[form], headers={"Content-Security-Policy": SHOWN_ONLY})


class DriftMetrics(Collector):
    """The newest check, looked up when it is asked for."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> list[GaugeMetricFamily]:
        """The state and the effect of each monitor."""
        newest = self._store.drift.newest()
        told = "1 while the monitor has an alarm, with the cause it points to."
        alarm = GaugeMetricFamily("groundwork_drift_alarm", told, labels=["monitor", "cause"])
        effect = GaugeMetricFamily("groundwork_drift_effect", "What the monitor measured beside what was expected.", labels=["monitor"])
        checked = GaugeMetricFamily("groundwork_drift_checked_timestamp_seconds", "When drift was looked for last.")
        if newest:
            checked.add_metric([], newest[0].timestamp())
            for row in newest[1]["monitors"]:
                if row["state"] != "unmeasured":
                    alarm.add_metric([row["name"], row.get("cause") or ""], float(row["state"] == "alarm"))
                if row["effect"] is not None:
                    effect.add_metric([row["name"]], row["effect"])
        return [alarm, effect, checked]
