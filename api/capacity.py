"""`/v1/capacity`: at how many rows, and when, searches will be slower than their goal."""

from typing import Any

from litestar import get
from litestar.di import NamedDependency

from api.auth import requires
from api.platform import Platform
from api.replies import ActionReply, CapacityReply

NOT_YET = "not measured yet: the deployment 'capacity' measures it each night, and whenever it is started"


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
