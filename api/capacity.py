"""`/v1/capacity`: at how many rows, and when, searches will be slower than their goal."""

from datetime import datetime
from typing import Any

import msgspec
from litestar import get
from litestar.di import NamedDependency

from api.auth import requires
from api.platform import Platform

NOT_YET = "not measured yet: the deployment 'capacity' measures it each night, and whenever it is started"


class ActionReply(msgspec.Struct):
    """Something to do, and what it brings."""

    do: str
    effect: str


class CapacityReply(msgspec.Struct):
    """When p95 of one search by vector passes the goal: at `low` to `high` rows, between `earliest` and `latest`.

    `reason` says why something is null. From `memory_full_at_rows` on searches read vectors from the disk; at `disk_full_at_rows`
    the tables fill it.
    """

    rows: int
    p95_ms: float | None
    goal_ms: float
    breaks_at_rows: int | None = None
    breaks_on: str | None = None
    low: int | None = None
    high: int | None = None
    earliest: str | None = None
    latest: str | None = None
    rows_per_day: float | None = None
    memory_full_at_rows: int | None = None
    disk_full_at_rows: int | None = None
    reason: str | None = None
    actions: list[ActionReply] = []
    measured_at: datetime | None = None


@get(
    "/v1/capacity",
    guards=[requires("reader")],
    summary="Capacity",
    operation_id="capacity",
    description="The newest forecast: at how many rows, and when, the p95 of searches passes the goal; and what to do then.",
    tags=["Releases"],
    sync_to_thread=True,
)
def capacity(platform: NamedDependency[Platform]) -> CapacityReply:
    """The newest forecast; nulls with a reason while there is none."""
    found = platform.store.forecasts.newest()
    if found is None:
        state = platform.store.log.state
        rows = platform.store.log.live().rows if state.live else 0
        return CapacityReply(rows=rows, p95_ms=None, goal_ms=platform.settings.latency_goal_ms, reason=NOT_YET)
    at, told = found
    facts: dict[str, Any] = {name: told.get(name) for name in CapacityReply.__struct_fields__ if name in told}
    facts["actions"] = [ActionReply(**action) for action in told["actions"]]
    return CapacityReply(**facts, measured_at=at)
