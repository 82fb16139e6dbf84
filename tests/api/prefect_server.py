"""A small Prefect server: it knows two deployments and keeps the runs that it is asked for."""

import json
import uuid
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self

DEPLOYMENTS = ("deployments/name/evaluate/evaluate", "deployments/name/exam/exam")


class FakePrefect(ThreadingHTTPServer):
    """Speaks the requests of `api.runs`. `deployed` False: it is up, but nothing has been served to it yet.

    `locked`: so many requests to start a run are told that its database is locked, though the run is there: the worst that may happen.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.api_url = f"http://127.0.0.1:{self.server_port}/api"
        self.deployed = True
        self.locked = 0
        self.runs: dict[str, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def told(self) -> list[str]:
        """The names of the events that came, in order."""
        return [event["event"] for event in self.events]

    def becomes(self, run_id: str, state: str, message: str | None = None, name: str | None = None) -> None:
        """Moves a run on."""
        self.runs[run_id]["state"] = {"type": state, "message": message, "name": name or state.title()}

    def moved(self, run_id: str, state: dict[str, Any]) -> dict[str, Any] | None:
        """The run in its new state; None where there is none."""
        if run_id in self.runs:
            self.runs[run_id]["state"] = state
        return self.runs.get(run_id)

    def start(self, asked: dict[str, Any]) -> dict[str, Any]:
        """A new run, as scheduled, or the one that was made with this key before."""
        key = asked["idempotency_key"]
        made = next((run for run in self.runs.values() if run["key"] == key), None)
        run = made or {
            "id": str(uuid.uuid4()),
            "key": key,
            "state": {"type": "SCHEDULED", "message": None},
            "parameters": asked["parameters"],
            "expected_start_time": datetime.now(UTC).isoformat(),
        }
        self.runs[run["id"]] = run
        return run

    def filtered(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        """The runs in these states that should have begun by then, newest first."""
        states, by = asked["flow_runs"]["state"]["type"]["any_"], asked["flow_runs"]["expected_start_time"]["before_"]
        runs = [run for run in self.runs.values() if run["state"]["type"] in states and run["expected_start_time"] <= by]
        return sorted(runs, key=lambda run: str(run["expected_start_time"]), reverse=True)


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: FakePrefect

    def do_GET(self) -> None:
        """A deployment by name, or a run."""
        name = self.path.removeprefix("/api/")
        if name in DEPLOYMENTS and self.server.deployed:
            return self._send(200, {"id": "d1"})
        return self._found(self.server.runs.get(name.removeprefix("flow_runs/")))

    def do_POST(self) -> None:
        """A new run."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/api/events":
            self.server.events += asked
            return self._send(204, {})
        if self.path.endswith("/set_state"):
            return self._found(self.server.moved(self.path.split("/")[-2], asked["state"]))
        if self.path == "/api/flow_runs/filter":
            return self._send(200, self.server.filtered(asked))
        if self.path != "/api/deployments/d1/create_flow_run":
            return self._found(None)
        run = self.server.start(asked)
        if self.server.locked:
            self.server.locked -= 1
            return self._send(503, {"exception_message": "Service Unavailable"})
        return self._found(run)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the library has chosen
        """Says nothing."""

    def _found(self, item: dict[str, Any] | None) -> None:
        self._send(200 if item else 404, item or {"detail": "Object not found"})

    def _send(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
