"""Starts and reads Prefect runs over its REST API; this process never imports Prefect."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_random_exponential

from index import spans
from index.authorities import authorities
from index.errors import NotFound, Unavailable

TIMEOUT_S = 10.0
# Prefect says so while its database is locked, which many runs at once bring about; its own client asks again, too.
BUSY = (429, 503)
PATIENCE_S = 6.0
LONGEST_PAUSE_S = 1.0
# Where Prefect itself looks for the trace that a run belongs to.
TRACE_LABEL = "__OTEL_TRACEPARENT"
# Prefect's state types to ours.
UNFINISHED = ("SCHEDULED", "PENDING", "PAUSED", "RUNNING")
STATES = {"SCHEDULED": "queued", "PENDING": "queued", "PAUSED": "queued", "RUNNING": "running", "COMPLETED": "completed"}


class StartedReply(msgspec.Struct):
    """A run was started; `url` shows it in the Prefect UI."""

    id: str
    url: str


@dataclass(frozen=True, slots=True)
class Run:
    """A flow run as Prefect sees it; `due_at` is when it should begin, in ISO 8601."""

    id: str
    state: str
    message: str | None
    parameters: dict[str, Any]
    name: str | None = None
    due_at: str | None = None


class Runs:
    """A client of one Prefect server."""

    def __init__(self, api_url: str, ui_url: str) -> None:
        self._client = httpx.Client(base_url=api_url, timeout=TIMEOUT_S, verify=authorities(api_url))
        self._ui_url = ui_url

    def start(self, deployment: str, parameters: dict[str, Any]) -> str:
        """Starts a deployment by its `flow/deployment` name and returns the id of the run."""
        found = self._call("GET", f"/deployments/name/{deployment}")
        if found is None:
            raise Unavailable(f"Prefect does not know the deployment {deployment} yet; try again shortly", retry_after_s=5)
        body: dict[str, Any] = {"parameters": parameters, "state": {"type": "SCHEDULED"}, "idempotency_key": uuid.uuid4().hex}
        if parent := spans.traceparent():
            body["labels"] = {TRACE_LABEL: parent}
        run = self._call("POST", f"/deployments/{found['id']}/create_flow_run", body)
        if run is None:
            raise Unavailable(f"Prefect could not start {deployment}; try again shortly", retry_after_s=5)
        return str(run["id"])

    def get(self, run_id: str) -> Run:
        """One run; `NotFound` when Prefect does not know it."""
        found = self._call("GET", f"/flow_runs/{run_id}")
        if found is None:
            raise NotFound(f"there is no run {run_id}")
        return _run(found)

    def under_way(self, flow: str) -> list[Run]:
        """The runs of a flow that have not ended, newest first, without those that a schedule has for later; 200 at most."""
        wanted = {"state": {"type": {"any_": UNFINISHED}}, "expected_start_time": {"before_": datetime.now(UTC).isoformat()}}
        body = {"flows": {"name": {"any_": [flow]}}, "flow_runs": wanted, "sort": "EXPECTED_START_TIME_DESC"}
        return [_run(found) for found in self._call("POST", "/flow_runs/filter", body) or []]

    def emit(self, event: str, payload: dict[str, Any]) -> None:
        """Sends an event that automations in Prefect can act upon; `Unavailable` when Prefect does not take it."""
        resource = {"prefect.resource.id": "groundwork.index", "prefect.resource.name": "Groundwork"}
        body = {
            "id": str(uuid.uuid4()),
            "occurred": datetime.now(UTC).isoformat(),
            "event": event,
            "resource": resource,
            "payload": payload,
        }
        try:
            self._client.post("/events", json=[body]).raise_for_status()
        except httpx.HTTPError as error:
            raise Unavailable(f"Prefect did not take the event ({type(error).__name__})", 5) from error

    def answers(self) -> bool:
        """Whether Prefect does, now."""
        try:
            return self._client.get("/health").is_success
        except httpx.HTTPError:
            return False

    def url(self, run_id: str) -> str:
        """Where the Prefect UI shows the run."""
        return f"{self._ui_url}/runs/flow-run/{run_id}"

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """What Prefect says; None where it knows no such thing."""
        try:
            reply = self._patiently(method, path, body)
            if reply.status_code in (404, 422):
                return None
            reply.raise_for_status()
            result = reply.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Unavailable(f"Prefect does not answer ({type(error).__name__}); searching and ingesting go on without it", 5) from error
        return result

    def _patiently(self, method: str, path: str, body: dict[str, Any] | None) -> httpx.Response:
        """The reply, asked for again while Prefect is busy; `Unavailable` when that takes too long."""
        again = Retrying(
            retry=retry_if_result(lambda reply: reply.status_code in BUSY),
            stop=stop_after_delay(PATIENCE_S),
            wait=wait_random_exponential(multiplier=0.1, max=LONGEST_PAUSE_S),
        )
        try:
            return again(self._client.request, method, path, json=body)
        except RetryError as error:
            status = error.last_attempt.result().status_code
            raise Unavailable(f"Prefect is busy ({status}); searching and ingesting go on without it", 5) from None


def _run(found: dict[str, Any]) -> Run:
    state = found.get("state") or {}
    return Run(
        str(found["id"]),
        STATES.get(str(state.get("type")), "failed"),
        state.get("message"),
        found.get("parameters") or {},
        state.get("name"),
        found.get("expected_start_time"),
    )
